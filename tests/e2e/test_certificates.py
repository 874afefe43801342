"""A new user by CertificateSigningRequest: asked for, approved with kubectl, used over TLS, and given rights."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_harness import Cluster, eventually, running
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running("signers", tmp_path_factory.mktemp("signers"), "--fidelity", "api") as made:
        yield made


def ask(cluster: Cluster, name: str, signer: str = "kubernetes.io/kube-apiserver-client") -> bytes:
    """Make a key and a request for the user of that name; the key as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "readers")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    cluster.apply({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode(), "signerName": signer,
            "usages": ["client auth"], "expirationSeconds": 3600,
        },
    })
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def certificate_of(cluster: Cluster, name: str) -> str:
    """Base64 of PEM, once it is issued."""
    issued: str = eventually(lambda: cluster.get("csr", name)["status"].get("certificate"), "a certificate", 15)
    return issued


def the_signer_has_had_its_turn(cluster: Cluster, name: str) -> None:
    """A request that came later is signed."""
    ask(cluster, name)
    cluster.kubectl("certificate", "approve", name)
    certificate_of(cluster, name)


def test_an_approved_request_makes_a_user(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(ask(cluster, "jane"))
    assert "Pending" in cluster.kubectl("get", "csr", "jane")
    assert "approved" in cluster.kubectl("certificate", "approve", "jane")
    issued = certificate_of(cluster, "jane")
    assert "Approved,Issued" in cluster.kubectl("get", "csr", "jane")
    (tmp_path / "crt").write_bytes(base64.b64decode(issued))
    certificate = x509.load_pem_x509_certificate(base64.b64decode(issued))
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).total_seconds() <= 3600 + 600
    cluster.kubectl("config", "set-credentials", "jane", f"--client-certificate={tmp_path}/crt", f"--client-key={tmp_path}/key")
    try:
        assert "Username    jane" in cluster.kubectl("auth", "whoami", "--user=jane")
        refused = cluster.kubectl("get", "pods", "--user=jane", check=False)
        assert 'User "jane" cannot list resource "pods" in API group "" in the namespace "default"' in refused
        cluster.kubectl("create", "rolebinding", "readers", "--clusterrole=view", "--group=readers")
        eventually(lambda: "No resources found" in cluster.kubectl("get", "pods", "--user=jane", check=False), "the right to read", 10)
        assert "Forbidden" in cluster.kubectl("run", "p", "--image=busybox:1.36", "--user=jane", check=False)
    finally:
        cluster.kubectl("config", "delete-user", "jane")


def test_a_denied_request_gets_nothing(cluster: Cluster) -> None:
    ask(cluster, "eve")
    cluster.kubectl("certificate", "deny", "eve")
    the_signer_has_had_its_turn(cluster, "after-eve")
    assert "Denied" in cluster.kubectl("get", "csr", "eve")
    assert "certificate" not in cluster.get("csr", "eve")["status"]


def test_nobody_signs_for_a_signer_of_someone_else(cluster: Cluster) -> None:
    ask(cluster, "theirs", signer="example.com/theirs")
    cluster.kubectl("certificate", "approve", "theirs")
    the_signer_has_had_its_turn(cluster, "after-theirs")
    assert cluster.get("csr", "theirs")["status"]["conditions"][0]["type"] == "Approved"
    assert not cluster.get("csr", "theirs")["status"].get("certificate")
