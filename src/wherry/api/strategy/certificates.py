"""CertificateSigningRequests."""

from __future__ import annotations

import base64
import re
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, dns_subdomain, immutable
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, invalid, not_supported, required

Dict = dict[str, Any]
MIN_SECONDS = 600
USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only",
    "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping",
)
_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE REQUEST-----.*-----END CERTIFICATE REQUEST-----", re.DOTALL)


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    if not spec.get("usages"):
        spec["usages"] = ["digital signature", "key encipherment"]
    fill(obj, status={})


def prepare_for_create(obj: Dict) -> None:
    """Who asks (username, groups, uid) is the server's to fill in."""
    obj["status"] = {}


def prepare_for_update(obj: Dict, old: Dict) -> None:
    obj["spec"] = old["spec"]


def _signer(name: str, errs: Causes) -> None:
    path = "spec.signerName"
    domain, slash, segment = name.partition("/")
    if not name:
        errs.append(required(path))
    elif not slash or not domain or not segment:
        errs.append(invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'"))
    else:
        dns_subdomain(domain, path, errs)
        for part in segment.split("."):
            errs.extend(invalid(path, name, fault) for fault in names.is_dns1123_label(part))


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    request = spec.get("request") or ""
    if _PEM.match(base64.b64decode(request)) is None:
        errs.append(invalid("spec.request", request, "PEM block type must be CERTIFICATE REQUEST"))
    else:
        _parse(request, errs)
    usages = spec.get("usages") or []
    if not usages:
        errs.append(required("spec.usages"))
    for i, usage in enumerate(usages):
        if usage not in USAGES:
            errs.append(not_supported(f"spec.usages[{i}]", usage, USAGES))
        elif usage in usages[:i]:
            errs.append(duplicate(f"spec.usages[{i}]", usage))
    _signer(spec.get("signerName") or "", errs)
    seconds = spec.get("expirationSeconds")
    if seconds is not None and seconds < MIN_SECONDS:
        errs.append(invalid("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)"))
    return errs


def _parse(request: str, errs: Causes) -> None:
    from cryptography import x509

    try:
        x509.load_pem_x509_csr(base64.b64decode(request))
    except ValueError as error:
        errs.append(invalid("spec.request", request, str(error)))


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj.get("spec"), old.get("spec"), "spec", errs)
    return errs


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    """Conditions of approval: no two that contradict, none taken back."""
    errs: Causes = []
    kinds = [condition.get("type") or "" for condition in (obj.get("status") or {}).get("conditions") or ()]
    for i, kind in enumerate(kinds):
        path = f"status.conditions[{i}].type"
        if not kind:
            errs.append(required(path))
        elif kind in kinds[:i]:
            errs.append(duplicate(path, kind))
    if "Approved" in kinds and "Denied" in kinds:
        errs.append(invalid("status.conditions", "Denied", "Approved and Denied conditions are mutually exclusive"))
    return errs


CERTIFICATE_SIGNING_REQUEST = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    prepare_for_update=prepare_for_update,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    has_generation=False,
)
