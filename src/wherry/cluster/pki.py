"""The cluster's own certificate authority, certificates, and the key of service account tokens.

Certificates carry key identifiers and usages, so that a client with VERIFY_X509_STRICT (Python 3.13's
default) connects.  Files with secrets are 0600.
"""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wherry.cluster.config import ClusterConfig, write_private
from wherry.util.clock import Clock

CA_DAYS, LEAF_DAYS = 3650, 365
RENEW_DAYS = 30
KUBELET_CLIENT = "kube-apiserver-kubelet-client"
FRONT_PROXY_CLIENT = "front-proxy-client"


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path

    def exists(self) -> bool:
        return self.certificate.exists() and self.key.exists()


class PKI:
    """Makes what is missing or about to expire; a second call changes nothing."""

    def __init__(self, config: ClusterConfig, clock: Clock) -> None:
        self._config = config
        self._clock = clock
        folder = config.pki
        self.ca = self._pair("ca")
        self.server = self._pair("apiserver")
        self.admin = self._pair("admin")
        self.kubelet_client = self._pair("apiserver-kubelet-client")
        # By these, servers of aggregated APIs know us and believe who we say is asking.  A CA of its own: nobody whom the
        # cluster's CA has given a certificate may say that.
        self.front_proxy_ca = self._pair("front-proxy-ca")
        self.front_proxy_client = self._pair("front-proxy-client")
        self.service_accounts = folder / "sa.key"
        self.token = folder / "admin.token"

    def ensure(self) -> None:
        """Make all that is needed.  Raises OSError when the folder cannot be written."""
        if not self.ca.exists():
            self._make_ca(self.ca, f"wherry-{self._config.name}-ca")
        if not self.front_proxy_ca.exists():
            self._make_ca(self.front_proxy_ca, f"wherry-{self._config.name}-front-proxy-ca")
        if not self._valid(self.front_proxy_client, ()):
            self._issue(self.front_proxy_client, FRONT_PROXY_CLIENT, (), (), self.front_proxy_ca)
        names = server_names(self._config)
        if not self._valid(self.server, names):
            self._issue(self.server, "kube-apiserver", (), names)
        self._ensure_client(self.admin, "kubernetes-admin", ("system:masters",))
        self._ensure_client(self.kubelet_client, KUBELET_CLIENT, ("system:masters",))
        if not self.service_accounts.exists():
            write_private(self.service_accounts, _pem(ec.generate_private_key(ec.SECP256R1())))
        if not self.token.exists():
            write_private(self.token, secrets.token_urlsafe(32).encode())

    def client(self, file: str, user: str, groups: tuple[str, ...]) -> Pair:
        """The certificate by which a component is `user`; made when it is missing or about to expire."""
        pair = self._pair(file)
        self._ensure_client(pair, user, groups)
        return pair

    def kubelet_serving(self, node: str, address: str) -> Pair:
        """What a node's kubelet shows on its own HTTPS port."""
        pair, names = self._pair(f"kubelet-{node}"), (node, address)
        if not self._valid(pair, names):
            self._issue(pair, f"system:node:{node}", ("system:nodes",), names)
        return pair

    def component_serving(self, name: str) -> Pair:
        """What a component shows on its own port on loopback."""
        pair, names = self._pair(f"{name}-serving"), ("localhost", "127.0.0.1")
        if not self._valid(pair, names):
            self._issue(pair, name, (), names)
        return pair

    def signing_key(self) -> ec.EllipticCurvePrivateKey:
        """The key of service account tokens."""
        return _load_key(self.service_accounts)

    def _pair(self, name: str) -> Pair:
        return Pair(self._config.pki / f"{name}.crt", self._config.pki / f"{name}.key")

    def _ensure_client(self, pair: Pair, user: str, groups: tuple[str, ...]) -> None:
        if not self._valid(pair, ()):
            self._issue(pair, user, groups, ())

    def _now(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self._clock.time(), datetime.UTC)

    def _valid(self, pair: Pair, names: tuple[str, ...]) -> bool:
        if not pair.exists():
            return False
        certificate = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        if certificate.not_valid_after_utc - self._now() < datetime.timedelta(days=RENEW_DAYS):
            return False
        if not names:
            return True
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        have = {str(n) for n in found.get_values_for_type(x509.DNSName)} | {str(a) for a in found.get_values_for_type(x509.IPAddress)}
        return set(names) <= have

    def _make_ca(self, pair: Pair, common_name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = self._builder(name, name, key.public_key(), CA_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage(cert_sign=True), critical=True)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        certificate = builder.sign(key, hashes.SHA256())
        write_private(pair.key, _pem(key))
        write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))

    def _issue(
        self, pair: Pair, common_name: str, organisations: tuple[str, ...], names: tuple[str, ...], by: Pair | None = None,
    ) -> None:
        issuer = by or self.ca
        key, ca_key = ec.generate_private_key(ec.SECP256R1()), _load_key(issuer.key)
        ca = x509.load_pem_x509_certificate(issuer.certificate.read_bytes())
        subject = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organisations]
        subject.append(x509.NameAttribute(NameOID.COMMON_NAME, common_name))
        builder = self._builder(x509.Name(subject), ca.subject, key.public_key(), LEAF_DAYS)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(), critical=True)
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_san(n) for n in names]), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
        certificate = builder.add_extension(identifier, critical=False).sign(ca_key, hashes.SHA256())
        write_private(pair.key, _pem(key))
        write_private(pair.certificate, certificate.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int) -> x509.CertificateBuilder:
        now = self._now()
        return (
            x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(now + datetime.timedelta(days=days))
        )


def server_names(config: ClusterConfig) -> tuple[str, ...]:
    """What the API server is called: by Pods, by the host, by its Service."""
    service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", f"kubernetes.default.svc.{config.domain}"]
    return (*service, "localhost", config.node_name, "127.0.0.1", "::1", config.bridge_address, config.api_service_ip)


def _san(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, cert_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=not cert_sign, data_encipherment=False,
        key_agreement=False, key_cert_sign=cert_sign, crl_sign=cert_sign, encipher_only=False, decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path}: not an elliptic curve key")
    return key
