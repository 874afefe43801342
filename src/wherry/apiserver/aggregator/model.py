"""An APIService as the aggregator reads it.  Pure."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from wherry.api.resource import Object

GROUP, PLURAL = "apiregistration.k8s.io", "apiservices"
AVAILABLE = "Available"
AUTOMANAGED = "kube-aggregator.kubernetes.io/automanaged"  # "onstart": made by this server, which leaves it alone afterwards


@dataclass(frozen=True, slots=True)
class ServiceRef:
    """Who serves it."""

    namespace: str
    name: str
    port: int

    @property
    def tls_name(self) -> str:
        """What its certificate must be for."""
        return f"{self.name}.{self.namespace}.svc"


@dataclass(frozen=True, slots=True)
class APIService:
    """`service` is None where this server itself serves the group version."""

    name: str
    group: str
    version: str
    service: ServiceRef | None
    ca_bundle: bytes
    insecure: bool
    group_priority: int
    version_priority: int
    available: bool

    @property
    def path(self) -> str:
        """Where it is served, here and there."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


def parse(obj: Object) -> APIService:
    """Of a stored object, which has passed validation."""
    spec = obj.get("spec") or {}
    reference = spec.get("service")
    service = None
    if reference is not None:
        service = ServiceRef(reference.get("namespace") or "", reference.get("name") or "", reference.get("port") or 443)
    try:
        bundle = base64.b64decode(spec.get("caBundle") or "")
    except binascii.Error:
        bundle = b""
    return APIService(
        obj["metadata"]["name"], spec.get("group") or "", spec.get("version") or "", service, bundle,
        bool(spec.get("insecureSkipTLSVerify")), spec.get("groupPriorityMinimum") or 0, spec.get("versionPriority") or 0,
        (condition_of(obj) or {}).get("status") == "True",
    )


def condition_of(obj: Object) -> Object | None:
    """Its condition Available."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each.get("type") == AVAILABLE), None)
