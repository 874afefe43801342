"""What the cluster's signers accept, which requests are approved unasked, and when a request has served its time.  Pure.

https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from wherry.api.types import certificates_v1
from wherry.util.clock import parse_rfc3339

CLIENT = "kubernetes.io/kube-apiserver-client"
KUBELET_CLIENT = "kubernetes.io/kube-apiserver-client-kubelet"
KUBELET_SERVING = "kubernetes.io/kubelet-serving"
LEGACY_UNKNOWN = "kubernetes.io/legacy-unknown"
SIGNERS = (CLIENT, KUBELET_CLIENT, KUBELET_SERVING, LEGACY_UNKNOWN)

NODES, NODE_PREFIX = "system:nodes", "system:node:"
_CLIENT_USAGES = frozenset({"client auth", "digital signature"})
_SERVING_USAGES = frozenset({"server auth", "digital signature"})
_ENCIPHERMENT = "key encipherment"  # what only RSA keys need

HOUR = 3600.0
CLEANING_PERIOD = HOUR
DECIDED_SECONDS, PENDING_SECONDS = HOUR, 24 * HOUR
DEFAULT_SECONDS, MIN_SECONDS = 365 * 24 * 3600, 600


@dataclass(frozen=True, slots=True)
class Asked:
    """What a PKCS#10 request says of its subject."""

    common_name: str = ""
    organizations: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()


def refusal(signer: str, asked: Asked, usages: Collection[str]) -> str:
    """Why a signer does not sign an approved request; "" when it does."""
    if signer == CLIENT:
        return _client(usages)
    if signer == KUBELET_CLIENT:
        return _kubelet_client(asked, usages)
    if signer == KUBELET_SERVING:
        return _kubelet_serving(asked, usages)
    return ""


def _client(usages: Collection[str]) -> str:
    for usage in usages:
        if usage not in (*_CLIENT_USAGES, _ENCIPHERMENT):
            return f"invalid usage for client certificate: {usage}"
    return "" if "client auth" in usages else "missing required usage for client certificate: client auth"


def _kubelet_client(asked: Asked, usages: Collection[str]) -> str:
    if asked.organizations != (NODES,):
        return "subject organization is not system:nodes"
    for kind, names in (("DNS", asked.dns), ("Email", asked.emails), ("IP", asked.addresses), ("URI", asked.uris)):
        if names:
            return f"{kind} subjectAltNames are not allowed"
    return _node_name(asked) or _usages(usages, _CLIENT_USAGES)


def _kubelet_serving(asked: Asked, usages: Collection[str]) -> str:
    if asked.organizations != (NODES,):
        return "subject organization is not system:nodes"
    if not asked.dns and not asked.addresses:
        return "DNS or IP subjectAltName is required"
    for kind, names in (("Email", asked.emails), ("URI", asked.uris)):
        if names:
            return f"{kind} subjectAltNames are not allowed"
    return _usages(usages, _SERVING_USAGES) or _node_name(asked)


def _node_name(asked: Asked) -> str:
    return "" if asked.common_name.startswith(NODE_PREFIX) else "subject common name does not begin with system:node:"


def _usages(usages: Collection[str], wanted: frozenset[str]) -> str:
    if set(usages) - {_ENCIPHERMENT} == wanted:
        return ""
    return f"usages did not match [{' '.join(sorted(wanted | {_ENCIPHERMENT}))}]"


@dataclass(frozen=True, slots=True)
class Recognized:
    """A request of a kubelet for its client certificate: approved when its user may create `subresource`."""

    subresource: str
    message: str


def recognized(csr: certificates_v1.CertificateSigningRequest, asked: Asked) -> list[Recognized]:
    """As which requests it is approved unasked, the narrowest first."""
    if csr.spec.signer_name != KUBELET_CLIENT or _kubelet_client(asked, csr.spec.usages):
        return []
    found = []
    if csr.spec.username == asked.common_name:
        found.append(Recognized("selfnodeclient", "Auto approving self kubelet client certificate after SubjectAccessReview."))
    found.append(Recognized("nodeclient", "Auto approving kubelet client certificate after SubjectAccessReview."))
    return found


def has(csr: certificates_v1.CertificateSigningRequest, *kinds: str) -> bool:
    """Whether a condition of one of these types is true."""
    return any(each.type in kinds and each.status in ("True", "") for each in csr.status.conditions)


def to_sign(csr: certificates_v1.CertificateSigningRequest) -> bool:
    """Approved, not failed, not yet issued, and for a signer of the cluster's own."""
    decided = has(csr, "Approved") and not has(csr, "Denied", "Failed")
    return decided and not csr.status.certificate and csr.spec.signer_name in SIGNERS


def lifetime(seconds: int | None) -> int:
    """How long a certificate holds, of what was asked for."""
    return DEFAULT_SECONDS if seconds is None else min(max(seconds, MIN_SECONDS), DEFAULT_SECONDS)


def served_its_time(csr: certificates_v1.CertificateSigningRequest, now: float, not_after: float | None) -> bool:
    """Whether to delete a request; `not_after` is when its certificate, if it has one, expires."""
    conditions = csr.status.conditions
    if not conditions:
        return _older(csr.metadata.creation_timestamp, now, PENDING_SECONDS)
    if not_after is not None and has(csr, "Approved") and now > not_after:
        return True
    unissued = PENDING_SECONDS if not_after is None else DECIDED_SECONDS  # what was approved may yet be issued
    kept = {"Approved": unissued, "Denied": DECIDED_SECONDS, "Failed": DECIDED_SECONDS}
    return any(each.type in kept and _older(each.last_update_time, now, kept[each.type]) for each in conditions)


def _older(time: str | None, now: float, seconds: float) -> bool:
    return bool(time) and now - parse_rfc3339(time or "") > seconds
