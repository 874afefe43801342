"""A Service and its Pods → the subsets of its Endpoints.  Pure."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.types import core_v1
from wherry.controller.endpointslice.plan import HEADLESS, address_types, addresses, is_headless
from wherry.controller.endpointslice.ports import Ports, ports_of
from wherry.controller.podutil import is_ready, is_terminal

MANAGED_BY, MANAGER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_ADDRESSES = 1000


def labels_of(service: core_v1.Service) -> dict[str, str]:
    labels = {key: value for key, value in service.metadata.labels.items() if key not in (HEADLESS, MANAGED_BY)}
    if is_headless(service):
        labels[HEADLESS] = ""
    return {**labels, MANAGED_BY: MANAGER}


def subsets(service: core_v1.Service, pods: Iterable[core_v1.Pod]) -> tuple[list[core_v1.EndpointSubset], bool]:
    """The subsets in canonical order, and whether addresses had to be left out.

    Each combination of ports, and of address and readiness, stands once; ready addresses are the last to be left out.
    """
    everyone = bool(service.spec.publish_not_ready_addresses)
    families = address_types(service)[:1]
    found: dict[Ports, tuple[list[core_v1.EndpointAddress], list[core_v1.EndpointAddress]]] = {}
    for pod in pods:
        ips = addresses(pod, families[0]) if families else []
        if not ips or is_terminal(pod) or (pod.metadata.deletion_timestamp is not None and not everyone):
            continue
        ports = ports_of(service, pod)
        if service.spec.ports and not ports:
            continue
        ready, unready = found.setdefault(ports, ([], []))
        (ready if everyone or is_ready(pod) else unready).append(_address(service, pod, ips[0]))
    result = []
    room, over = MAX_ADDRESSES, False
    for ports, (ready, unready) in sorted(found.items(), key=lambda pair: [(p.name, p.port or 0) for p in pair[0]]):
        kept = [sorted(part, key=lambda each: (each.ip, _uid(each))) for part in (ready, unready)]
        over = over or len(ready) + len(unready) > room
        kept[0] = kept[0][:room]
        kept[1] = kept[1][:room - len(kept[0])]
        room -= len(kept[0]) + len(kept[1])
        result.append(core_v1.EndpointSubset(addresses=kept[0], not_ready_addresses=kept[1], ports=[
            core_v1.EndpointPort(name=p.name, port=p.port or 0, protocol=p.protocol, app_protocol=p.app_protocol) for p in ports
        ]))
    return result, over


def _uid(each: core_v1.EndpointAddress) -> str:
    return each.target_ref.uid if each.target_ref is not None else ""


def _address(service: core_v1.Service, pod: core_v1.Pod, ip: str) -> core_v1.EndpointAddress:
    named = pod.spec.hostname and pod.spec.subdomain == service.metadata.name
    meta = pod.metadata
    return core_v1.EndpointAddress(
        ip=ip, node_name=pod.spec.node_name, hostname=pod.spec.hostname if named else "",
        target_ref=core_v1.ObjectReference(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid),
    )
