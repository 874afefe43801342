"""CertificateSigningRequests against the API server: who asked, who may decide, and what is issued."""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wherry.api.types import certificates_v1
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import UserInfo
from wherry.client.paths import ResourceInfo
from wherry.controller.certificates.controller import CSRApprovingController, CSRCleanerController, CSRSigningController
from wherry.controller.controller import Options

Worlds = Callable[[], Any]
CSR = certificates_v1.CertificateSigningRequest
INFO = ResourceInfo("certificates.k8s.io", "v1", "certificatesigningrequests", False)
RBAC = "rbac.authorization.k8s.io"
CLIENT = "kubernetes.io/kube-apiserver-client"
JANE = UserInfo("jane", ("dev", "system:authenticated"), "u-1", {"scopes": ("a", "b")})
REQUESTS = ["certificatesigningrequests", *(f"certificatesigningrequests/{each}" for each in ("approval", "status", "selfnodeclient"))]
CONTROLLERS = (CSRSigningController, CSRApprovingController, CSRCleanerController)


def authority() -> Options:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    begin = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(begin).not_valid_after(begin.replace(year=2100))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption(),
    )
    return Options(root_ca=certificate.public_bytes(serialization.Encoding.PEM).decode(), ca_key=text.decode())


def pkcs10(common_name: str, *organizations: str, dns: str = "") -> str:
    names = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([*names, x509.NameAttribute(NameOID.COMMON_NAME, common_name)]),
    )
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
    made = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def request(common_name: str = "jane", *organizations: str, signer: str = CLIENT, **spec: Any) -> dict[str, Any]:
    wanted = {"request": pkcs10(common_name, *organizations), "signerName": signer, "usages": ["client auth"], **spec}
    return {"metadata": {"name": "jane"}, "spec": wanted}


async def decide(client: Any, kind: str = "Approved", subresource: str = "approval") -> Any:
    """What `kubectl certificate approve|deny` sends."""
    condition = {"type": kind, "status": "True", "reason": "KubectlApprove", "message": "by hand"}
    return await client.patch(CSR, "jane", {"status": {"conditions": [condition]}}, subresource=subresource)


async def allow(world: Any, user: str, verb: str, signer: str) -> None:
    meta = {"name": user}
    rules = [{"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": [signer], "verbs": [verb]},
             {"apiGroups": ["certificates.k8s.io"], "resources": REQUESTS, "verbs": ["*"]}]
    await world.client.create_raw(ResourceInfo(RBAC, "v1", "clusterroles", False), {"metadata": meta, "rules": rules})
    binding = {"metadata": meta, "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": user},
               "subjects": [{"kind": "User", "apiGroup": RBAC, "name": user}]}
    await world.client.create_raw(ResourceInfo(RBAC, "v1", "clusterrolebindings", False), binding)


async def test_a_client_certificate(world: Worlds) -> None:
    """The flow that the exam asks for: request, approve, take the certificate."""
    async with world() as w:
        w.start(*CONTROLLERS, options=authority())
        await w.client.create_raw(INFO, request("jane", "dev", expirationSeconds=86400))
        await w.settle()
        assert (await w.client.get(CSR, "jane")).status.certificate == ""  # nobody has approved it
        await decide(w.client)
        await w.settle()
        status = (await w.client.get(CSR, "jane")).status
        assert [each.type for each in status.conditions] == ["Approved"]
        assert status.conditions[0].last_update_time == status.conditions[0].last_transition_time is not None
        made = x509.load_pem_x509_certificate(base64.b64decode(status.certificate))
        assert made.subject.rfc4514_string() == "CN=jane,O=dev"
        assert made.not_valid_after_utc - made.not_valid_before_utc == datetime.timedelta(days=1)
        assert made.not_valid_before_utc.timestamp() == int(w.clock.time()) - 300
        assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        with pytest.raises(x509.ExtensionNotFound):  # none was asked for; an empty one would forbid TLS
            made.extensions.get_extension_for_class(x509.KeyUsage)


async def test_short_certificates_end_when_asked(world: Worlds) -> None:
    async with world() as w:
        w.start(*CONTROLLERS, options=authority())
        await w.client.create_raw(INFO, request(expirationSeconds=600))
        await decide(w.client)
        await w.settle()
        made = x509.load_pem_x509_certificate(base64.b64decode((await w.client.get(CSR, "jane")).status.certificate))
        assert made.not_valid_after_utc.timestamp() == int(w.clock.time()) + 600


async def test_what_a_signer_refuses_fails(world: Worlds) -> None:
    async with world() as w:
        w.start(*CONTROLLERS, options=authority())
        await w.client.create_raw(INFO, request(usages=["server auth"]))
        await decide(w.client)
        await w.settle()
        status = (await w.client.get(CSR, "jane")).status
        failed = status.conditions[-1]
        assert (failed.type, failed.reason) == ("Failed", "SignerValidationFailure")
        assert failed.message == "invalid usage for client certificate: server auth"
        assert status.certificate == ""


async def test_other_signers_are_left_alone(world: Worlds) -> None:
    async with world() as w:
        w.start(*CONTROLLERS, options=authority())
        await w.client.create_raw(INFO, request(signer="example.com/mine"))
        await decide(w.client)
        await w.settle()
        assert (await w.client.get(CSR, "jane")).status.certificate == ""


async def test_a_kubelet_renews_by_itself(world: Worlds) -> None:
    async with world() as w:
        w.start(*CONTROLLERS, options=authority())
        node = "system:node:n1"
        await allow(w, node, "approve", "none")  # everything on requests, selfnodeclient among it
        kubelet = w.client.as_(user=UserInfo(node, ("system:nodes", "system:authenticated")))
        spec = {"signer": "kubernetes.io/kube-apiserver-client-kubelet", "usages": ["client auth", "digital signature"]}
        await kubelet.create_raw(INFO, request(node, "system:nodes", **spec))
        await w.settle()
        status = (await w.client.get(CSR, "jane")).status
        assert [(each.type, each.reason) for each in status.conditions] == [("Approved", "AutoApproved")]
        assert status.conditions[0].message == "Auto approving self kubelet client certificate after SubjectAccessReview."
        assert status.certificate


async def test_old_requests_go(world: Worlds) -> None:
    async with world() as w:
        w.start(*CONTROLLERS, options=authority())
        await w.client.create_raw(INFO, request())
        await decide(w.client, "Denied")
        await w.settle()
        await w.clock.advance(3500)
        await w.settle()
        assert (await w.client.get(CSR, "jane")).status.conditions[0].type == "Denied"
        await w.clock.advance(3700)
        await w.settle()
        assert (await w.client.list(CSR)).items == []


async def test_the_server_says_who_asks(world: Worlds) -> None:
    async with world() as w:
        await allow(w, "jane", "approve", "none")
        body = request(username="root", groups=["system:masters"], uid="0", extra={"x": ["y"]})
        made = await w.client.as_(user=JANE).create_raw(INFO, body)
        spec = made["spec"]
        assert (spec["username"], spec["uid"], spec["groups"]) == ("jane", "u-1", ["dev", "system:authenticated"])
        assert spec["extra"] == {"scopes": ["a", "b"]}
        changed = await w.client.patch(CSR, "jane", {"spec": {"username": "root"}})
        assert changed.spec.username == "jane"


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        pytest.param(
            request("jane", "system:masters"), 403,
            f"use of {CLIENT} signer with system:masters group is not allowed", id="masters",
        ),
        pytest.param(
            request(signer="kubernetes.io/legacy-unknown"), 422,
            "the legacy signerName is not allowed via this API version", id="legacy-signer",
        ),
        pytest.param(
            request(usages=[]), 422, "spec.usages: Required value", id="for nothing",
        ),
        pytest.param(
            request(expirationSeconds=599), 422, "may not specify a duration less than 600 seconds (10 minutes)", id="too-short",
        ),
    ],
)
async def test_refused_requests(world: Worlds, body: dict[str, Any], code: int, words: str) -> None:
    async with world() as w:
        with pytest.raises(StatusError) as caught:
            await w.client.create_raw(INFO, body)
        assert caught.value.code == code
        assert words in caught.value.message


@pytest.mark.parametrize(
    ("verb", "signer", "subresource", "kind", "allowed"),
    [
        pytest.param("approve", CLIENT, "approval", "Approved", True, id="approver"),
        pytest.param("approve", "kubernetes.io/*", "approval", "Denied", True, id="approver-of-the-domain"),
        pytest.param("sign", CLIENT, "approval", "Approved", False, id="a-signer-cannot-approve"),
        pytest.param("approve", CLIENT, "status", "Failed", False, id="an-approver-cannot-sign"),
        pytest.param("sign", CLIENT, "status", "Failed", True, id="signer"),
    ],
)
async def test_rights_on_signers(world: Worlds, verb: str, signer: str, subresource: str, kind: str, allowed: bool) -> None:
    async with world() as w:
        await allow(w, "jane", verb, signer)
        await w.client.create_raw(INFO, request())
        jane = w.client.as_(user=JANE)
        if allowed:
            assert (await decide(jane, kind, subresource)).status.conditions[0].type == kind
            return
        with pytest.raises(StatusError) as caught:
            await decide(jane, kind, subresource)
        right = "approve" if subresource == "approval" else "sign"
        assert caught.value.message == (
            'certificatesigningrequests.certificates.k8s.io "jane" is forbidden: '
            f'user not permitted to {right} requests with signerName "{CLIENT}"'
        )


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        pytest.param(("Approved", "status"), None, 'updates may not add a condition of type "Approved"', id="approval-by-status"),
        pytest.param(("Approved", "approval"), ("Denied", "approval"), 'may not remove a condition of type "Approved"', id="denied-after"),
    ],
)
async def test_decisions_stand(
    world: Worlds, first: tuple[str, str], second: tuple[str, str] | None, words: str,
) -> None:
    async with world() as w:
        await w.client.create_raw(INFO, request())
        if second is not None:
            await decide(w.client, *first)
        with pytest.raises(StatusError) as caught:
            await decide(w.client, *(second or first))
        assert caught.value.code == 422
        assert words in caught.value.message
