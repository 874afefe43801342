"""Endpoints and the slices that mirror them → slices to create, update and delete.  Pure.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/#endpointslice-mirroring
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from wherry.api.types import core_v1, discovery_v1, meta_v1
from wherry.controller.ownership import controller_ref

MANAGED_BY, MANAGER = "endpointslice.kubernetes.io/managed-by", "endpointslicemirroring-controller.k8s.io"
SERVICE_NAME, SKIP = "kubernetes.io/service-name", "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MAX_ADDRESSES = 1000  # of a subset, and of a slice
_NOT_COPIED = frozenset({
    "endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration",
})

Ports = tuple[discovery_v1.EndpointPort, ...]
Slice = discovery_v1.EndpointSlice
Endpoint = discovery_v1.Endpoint


@dataclass(slots=True)
class Plan:
    create: list[Slice] = field(default_factory=list)
    update: list[Slice] = field(default_factory=list)  # whole, with the metadata that was seen
    delete: list[Slice] = field(default_factory=list)
    skipped: int = 0  # addresses beyond what a slice holds
    invalid: int = 0  # addresses that are none


def is_mirrored(endpoints: core_v1.Endpoints | None, service: core_v1.Service | None) -> bool:
    """Whether a Service's Endpoints are somebody's own, who wants them mirrored."""
    if endpoints is None or service is None or service.spec.selector:
        return False
    return endpoints.metadata.labels.get(SKIP) != "true" and LEADER not in endpoints.metadata.annotations


def plan(endpoints: core_v1.Endpoints, slices: Sequence[Slice]) -> Plan:
    """`slices` are those that mirror these Endpoints now."""
    result = Plan()
    existing: dict[tuple[str, Ports], list[Slice]] = {}
    for slice_ in slices:
        existing.setdefault((slice_.address_type, tuple(slice_.ports)), []).append(slice_)
    for (family, ports), members in _desired(endpoints, result).items():
        mine = existing.pop((family, ports), [])
        for start in range(0, len(members), MAX_ADDRESSES):
            chunk = members[start:start + MAX_ADDRESSES]
            made = _slice(endpoints, family, ports, chunk)
            if not mine:
                result.create.append(made)
            elif not _same(old := mine.pop(0), made):
                meta = msgspec.structs.replace(
                    old.metadata, labels=made.metadata.labels, annotations=made.metadata.annotations,
                )
                result.update.append(msgspec.structs.replace(old, metadata=meta, endpoints=chunk))
        result.delete += mine
    result.delete += [slice_ for rest in existing.values() for slice_ in rest]
    return result


def _desired(endpoints: core_v1.Endpoints, result: Plan) -> dict[tuple[str, Ports], list[Endpoint]]:
    """Endpoints by address type and ports; those that are ready come first, and are kept first."""
    desired: dict[tuple[str, Ports], list[Endpoint]] = {}
    for subset in endpoints.subsets:
        ports = tuple(
            discovery_v1.EndpointPort(name=each.name, port=each.port, protocol=each.protocol, app_protocol=each.app_protocol)
            for each in subset.ports
        )
        taken = 0
        for ready, addresses in ((True, subset.addresses), (False, subset.not_ready_addresses)):
            for address in addresses:
                family = _family(address.ip)
                if not family:
                    result.invalid += 1
                elif taken == MAX_ADDRESSES:
                    result.skipped += 1
                else:
                    taken += 1
                    desired.setdefault((family, ports), []).append(_endpoint(address, ready))
    return desired


def _family(ip: str) -> str:
    try:
        return f"IPv{ipaddress.ip_address(ip).version}"
    except ValueError:
        return ""


def _endpoint(address: core_v1.EndpointAddress, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=[str(ipaddress.ip_address(address.ip))], conditions=discovery_v1.EndpointConditions(ready=ready),
        hostname=address.hostname, node_name=address.node_name, target_ref=address.target_ref,
    )


def _slice(endpoints: core_v1.Endpoints, family: str, ports: Ports, members: list[Endpoint]) -> Slice:
    of = endpoints.metadata
    meta = meta_v1.ObjectMeta(
        generate_name=f"{of.name}-", namespace=of.namespace, owner_references=[controller_ref(endpoints)],
        labels={**of.labels, SERVICE_NAME: of.name, MANAGED_BY: MANAGER},
        annotations={key: value for key, value in of.annotations.items() if key not in _NOT_COPIED},
    )
    return Slice(metadata=meta, address_type=family, ports=list(ports), endpoints=members)


def _same(old: Slice, new: Slice) -> bool:
    return old.endpoints == new.endpoints and all(
        getattr(old.metadata, name) == getattr(new.metadata, name) for name in ("labels", "annotations")
    )
