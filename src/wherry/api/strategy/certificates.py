"""CertificateSigningRequests."""

from __future__ import annotations

import base64
import re
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, dns_subdomain, immutable
from wherry.api.strategy.workload import fill
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, required

Dict = dict[str, Any]
MIN_SECONDS = 600
USAGES = (
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only",
    "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement",
    "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping",
)
LEGACY_UNKNOWN = "kubernetes.io/legacy-unknown"
APPROVED, DENIED, FAILED = "Approved", "Denied", "Failed"
_STATUSES = ("False", "True", "Unknown")
_PEM = re.compile(rb"\s*-----BEGIN CERTIFICATE REQUEST-----.*-----END CERTIFICATE REQUEST-----", re.DOTALL)
_CERTIFICATES = re.compile(rb"(\s*-----BEGIN CERTIFICATE-----\s[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----)+\s*")


def default(obj: Dict) -> None:
    fill(obj, status={})


def prepare_for_create(obj: Dict) -> None:
    """Nobody creates an approved request.  Who asks (username, groups, uid) is the server's to fill in: its hook does."""
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


def validate_create(obj: Dict) -> list[Cause]:
    """certificates.k8s.io/v1 knows the signer of old, but takes no new requests for it."""
    name = (obj.get("spec") or {}).get("signerName") or ""
    words = "the legacy signerName is not allowed via this API version"
    return [invalid("spec.signerName", name, words)] if name == LEGACY_UNKNOWN else []


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    """What holds of conditions and certificate, whoever writes them."""
    errs: Causes = []
    status = obj.get("status") or {}
    kinds = [condition.get("type") or "" for condition in status.get("conditions") or ()]
    for i, condition in enumerate(status.get("conditions") or ()):
        _condition(condition, kinds[:i], f"status.conditions[{i}]", errs)
    certificate = status.get("certificate")
    if certificate and _CERTIFICATES.fullmatch(base64.b64decode(certificate)) is None:
        errs.append(invalid("status.certificate", "<certificate data>", "only CERTIFICATE PEM blocks are allowed"))
    return errs


def _condition(condition: Dict, before: list[str], path: str, errs: Causes) -> None:
    kind, truth = condition.get("type") or "", condition.get("status") or ""
    if not kind:
        errs.append(required(f"{path}.type"))
    if not truth:
        errs.append(required(f"{path}.status"))
    elif kind in (APPROVED, DENIED, FAILED) and truth != "True":
        errs.append(not_supported(f"{path}.status", truth, ("True",)))
    elif truth not in _STATUSES:
        errs.append(not_supported(f"{path}.status", truth, _STATUSES))
    if {APPROVED: DENIED, DENIED: APPROVED}.get(kind) in before:
        errs.append(invalid(f"{path}.type", kind, "Approved and Denied conditions are mutually exclusive"))
    if kind in before:
        errs.append(duplicate(f"{path}.type", kind))


def validate_decision(obj: Dict, old: Dict, *, approving: bool) -> list[Cause]:
    """What a write of the status may change of what was decided: approval is its own subresource's."""
    errs: Causes = []
    path = "status.conditions"
    for kind in (APPROVED, DENIED, FAILED):
        was, now = _conditions(old, kind), _conditions(obj, kind)
        if len(now) < len(was):
            errs.append(forbidden(path, f'updates may not remove a condition of type "{kind}"'))
        elif approving or kind == FAILED:
            continue
        elif len(now) > len(was):
            errs.append(forbidden(path, f'updates may not add a condition of type "{kind}"'))
        elif now != was:
            errs.append(forbidden(path, f'updates may not modify a condition of type "{kind}"'))
    had = (old.get("status") or {}).get("certificate")
    if had and (obj.get("status") or {}).get("certificate") != had:
        errs.append(forbidden("status.certificate", "updates may not modify existing certificate content"))
    return errs


def _conditions(obj: Dict, kind: str) -> list[Dict]:
    return [each for each in (obj.get("status") or {}).get("conditions") or () if each.get("type") == kind]


def date_conditions(obj: Dict, old: Dict, now: str) -> None:
    """A condition without times was written now; one that was true before keeps since when."""
    since = {
        (each.get("type"), each.get("status")): each["lastTransitionTime"]
        for each in reversed((old.get("status") or {}).get("conditions") or []) if each.get("lastTransitionTime")
    }
    for each in (obj.get("status") or {}).get("conditions") or ():
        if not each.get("lastUpdateTime"):
            each["lastUpdateTime"] = now
        if not each.get("lastTransitionTime"):
            each["lastTransitionTime"] = since.get((each.get("type"), each.get("status")), now)


CERTIFICATE_SIGNING_REQUEST = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    prepare_for_update=prepare_for_update,
    validate=validate,
    validate_create=validate_create,
    validate_update=validate_update,
    validate_status=validate_status,
    has_generation=False,
)
