"""X.509 for the certificate controllers: reads requests, issues certificates.  The time and the serial are its caller's.

cryptography is imported late: most clusters never see a request.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from wherry.controller.certificates.plan import Asked

if TYPE_CHECKING:
    from cryptography import x509

BACKDATE = 5 * 60  # clocks differ
SHORT = 8 * 3600  # what holds no longer than this is not backdated at its end
_KEY_USAGES = {
    "signing": "digital_signature", "digital signature": "digital_signature", "content commitment": "content_commitment",
    "key encipherment": "key_encipherment", "key agreement": "key_agreement", "data encipherment": "data_encipherment",
    "cert sign": "key_cert_sign", "crl sign": "crl_sign", "encipher only": "encipher_only", "decipher only": "decipher_only",
}
_EXTENDED = {
    "any": "2.5.29.37.0", "server auth": "1.3.6.1.5.5.7.3.1", "client auth": "1.3.6.1.5.5.7.3.2",
    "code signing": "1.3.6.1.5.5.7.3.3", "email protection": "1.3.6.1.5.5.7.3.4", "s/mime": "1.3.6.1.5.5.7.3.4",
    "ipsec end system": "1.3.6.1.5.5.7.3.5", "ipsec tunnel": "1.3.6.1.5.5.7.3.6", "ipsec user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8", "ocsp signing": "1.3.6.1.5.5.7.3.9", "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
    "netscape sgc": "2.16.840.1.113730.4.1",
}


def read_request(pem: bytes) -> x509.CertificateSigningRequest:
    """Raises ValueError when it is none."""
    from cryptography import x509

    return x509.load_pem_x509_csr(pem)


def asked_of(request: x509.CertificateSigningRequest) -> Asked:
    """What a request says of its subject."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    names = _alternative_names(request)

    def subject(oid: x509.ObjectIdentifier) -> tuple[str, ...]:
        return tuple(str(each.value) for each in request.subject.get_attributes_for_oid(oid))

    def alternative(kind: type[Any]) -> tuple[str, ...]:
        return tuple(str(each) for each in names.get_values_for_type(kind)) if names is not None else ()

    return Asked(
        "".join(subject(NameOID.COMMON_NAME)[-1:]), subject(NameOID.ORGANIZATION_NAME), alternative(x509.DNSName),
        alternative(x509.IPAddress), alternative(x509.RFC822Name), alternative(x509.UniformResourceIdentifier),
    )


def _alternative_names(request: x509.CertificateSigningRequest) -> x509.SubjectAlternativeName | None:
    from cryptography import x509

    try:
        return request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def not_after(pem: bytes) -> float:
    """When a certificate expires, in wall seconds.  Raises ValueError when it is none."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(pem).not_valid_after_utc.timestamp()


class Authority:
    """The cluster's CA.  Its certificate and key are PEM; raises ValueError when they are not."""

    def __init__(self, certificate: str, key: str) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        self._certificate = x509.load_pem_x509_certificate(certificate.encode())
        self._key: Any = load_pem_private_key(key.encode(), None)

    def issue(self, request: x509.CertificateSigningRequest, usages: Collection[str], seconds: int, now: float) -> bytes:
        """A certificate for the request's subject, names and key; nothing else of it is taken over."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.serialization import Encoding

        ca, key = self._certificate, request.public_key()
        begin = now - BACKDATE
        end = min((now if seconds < SHORT else begin) + seconds, ca.not_valid_after_utc.timestamp())
        builder = (
            x509.CertificateBuilder().subject_name(request.subject).issuer_name(ca.subject).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(_date(begin)).not_valid_after(_date(end))
        )
        if any(each in _KEY_USAGES for each in usages):  # an extension that allows nothing makes TLS refuse the certificate
            builder = builder.add_extension(key_usage(usages), critical=True)
        extended = dict.fromkeys(_EXTENDED[each] for each in usages if each in _EXTENDED)
        if extended:
            purposes = [x509.ObjectIdentifier(each) for each in extended]
            builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = builder.add_extension(identifier, critical=False)
        names = _alternative_names(request)
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)


def key_usage(usages: Collection[str]) -> x509.KeyUsage:
    from cryptography import x509

    wanted = {_KEY_USAGES[each] for each in usages if each in _KEY_USAGES}
    return x509.KeyUsage(**{name: name in wanted for name in _KEY_USAGES.values()})


def _date(time: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(int(time), datetime.UTC)
