"""Where an APIService's Service is, and whether one could be there at all.  Pure.

As with upstream's `--enable-aggregator-routing`, the endpoints themselves are dialed: the answer then does not depend on
how far a proxy on this machine has come, and a Service without an address of its own works too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wherry.api.resource import Object
from wherry.apiserver.aggregator.model import ServiceRef

NO_NETWORK = "the Pods of this cluster are simulated, and have no network: only endpoints that this machine itself reaches can serve an API"
_ROUTED = ("ClusterIP", "NodePort", "LoadBalancer")


class Unresolved(Exception):
    """Nobody can be asked; says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition Available that is known without asking the server."""

    status: str
    reason: str
    message: str


def places(ref: ServiceRef, service: Object | None, slices: Sequence[Object], simulated: Sequence[str] = ()) -> list[str]:
    """host:port of each place that serves.  `simulated`: address ranges that lead nowhere.  Raises Unresolved."""
    if service is None:
        raise Unresolved(f'service "{ref.name}" not found')
    spec = service.get("spec") or {}
    kind = spec.get("type") or "ClusterIP"
    if kind == "ExternalName":
        return [_joined(spec.get("externalName") or "", ref.port)]
    if kind not in _ROUTED:
        raise Unresolved(f'unsupported service type "{kind}"')
    name = _port_name(ref, spec)
    if name is None:
        raise Unresolved(f'no service port {ref.port} found for service "{ref.name}"')
    found = list(_ready(slices, name))
    if not found:
        raise Unresolved(f'no endpoints available for service "{ref.name}"')
    usable = [each for each in found if not _within(each[0], simulated)]
    if not usable:
        raise Unresolved(NO_NETWORK)
    return [_joined(*each) for each in usable]


def verdict(ref: ServiceRef, service: Object | None, slices: Sequence[Object]) -> Verdict | None:
    """Why the API cannot be available; None when its server is worth asking."""
    what = f'service/{ref.name} in "{ref.namespace}"'
    if service is None:
        return Verdict("False", "ServiceNotFound", f"{what} is not present")
    spec = service.get("spec") or {}
    if (spec.get("type") or "ClusterIP") != "ClusterIP":
        return None
    name = _port_name(ref, spec)
    if name is None:
        return Verdict("False", "ServicePortError", f"{what} is not listening on port {ref.port}")
    if not slices:
        return Verdict("False", "EndpointsNotFound", f"cannot find endpointslices for {what}")
    if next(_ready(slices, name), None) is None:
        return Verdict("False", "MissingEndpoints", f'endpointslices for {what} have no addresses with port name "{name}"')
    return None


def _port_name(ref: ServiceRef, spec: Object) -> str | None:
    return next((port.get("name") or "" for port in spec.get("ports") or () if port.get("port") == ref.port), None)


def _ready(slices: Sequence[Object], name: str) -> Iterator[tuple[str, int]]:
    for each in slices:
        numbers = [port["port"] for port in each.get("ports") or () if (port.get("name") or "") == name and port.get("port")]
        for endpoint in each.get("endpoints") or () if numbers else ():
            if (endpoint.get("conditions") or {}).get("ready") is not False and endpoint.get("addresses"):
                yield endpoint["addresses"][0], numbers[0]


def _within(address: str, ranges: Sequence[str]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False  # a name
    return any(parsed in ipaddress.ip_network(each) for each in ranges)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
