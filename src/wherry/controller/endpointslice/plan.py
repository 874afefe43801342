"""A Service, its Pods and the slices that there are → slices to create, update and delete.  Pure.

Few writes matter more than full slices, as every change is sent to every node: what is in a slice
stays there, and only slices that change anyway are filled up (KEP-752).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from wherry.api.types import core_v1, discovery_v1, meta_v1
from wherry.controller.endpointslice.ports import Ports, ports_of
from wherry.controller.endpointslice.topology import ZONE, Ratios, add_hints, is_automatic
from wherry.controller.ownership import controlled_by, controller_ref
from wherry.controller.podutil import is_ready, is_terminal

MANAGED_BY, MANAGER = "endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"
SERVICE_NAME, HEADLESS = "kubernetes.io/service-name", "service.kubernetes.io/headless"
MAX_ENDPOINTS = 100
_RESERVED = frozenset({MANAGED_BY, SERVICE_NAME, HEADLESS})


@dataclass(slots=True)
class Plan:
    create: list[discovery_v1.EndpointSlice] = field(default_factory=list)
    update: list[discovery_v1.EndpointSlice] = field(default_factory=list)  # whole, with the metadata that was seen
    delete: list[discovery_v1.EndpointSlice] = field(default_factory=list)
    allocated: dict[str, Mapping[str, int]] = field(default_factory=dict)  # of each family with hints by CPU: how many a zone
    unhinted: dict[str, str] = field(default_factory=dict)  # of each family that should have had some: why it has none


def plan(
    service: core_v1.Service, pods: Iterable[core_v1.Pod], slices: Sequence[discovery_v1.EndpointSlice],
    nodes: Mapping[str, core_v1.Node], ratios: Ratios | None = None,
) -> Plan:
    """`pods` are those that the Service selects; `slices` those that we manage for it; `ratios` the zones' shares of the CPU."""
    result = Plan()
    pods, families = list(pods), address_types(service)
    for slice_ in slices:
        if slice_.address_type not in families:
            result.delete.append(slice_)
    for family in families:
        mine = [slice_ for slice_ in slices if slice_.address_type == family]
        part = _Family(service, family).plan(_desired(service, pods, family, nodes, _hints_given(service, mine)), mine)
        if is_automatic(service):
            _hint(part, family, mine, ratios or {})
        result.create += part.create
        result.update += part.update
        result.delete += part.delete
        result.allocated |= part.allocated
        result.unhinted |= part.unhinted
    return result


def _hint(part: Plan, family: str, slices: Sequence[discovery_v1.EndpointSlice], ratios: Ratios) -> None:
    """Hints by the zones' CPU; a slice that would have stayed as it is may have to be written for them."""
    touched = {each.metadata.name for each in (*part.update, *part.delete)}
    unchanged = [each for each in slices if each.metadata.name not in touched]
    hinted = add_hints([*part.create, *part.update], unchanged, ratios)
    new, last = len(part.create), len(part.create) + len(part.update)
    part.create, part.update = hinted.slices[:new], hinted.slices[new:last]
    part.update += [after for before, after in zip(unchanged, hinted.slices[last:], strict=True) if after != before]
    if hinted.why:
        part.unhinted[family] = hinted.why
    else:
        part.allocated[family] = hinted.allocated


def address_types(service: core_v1.Service) -> tuple[str, ...]:
    """IPv4 and IPv6 as the Service has them; none for one that is but a name."""
    if service.spec.type == "ExternalName":
        return ()
    if service.spec.ip_families:
        return tuple(dict.fromkeys(service.spec.ip_families))
    first = service.spec.cluster_ip
    return ("IPv6",) if ":" in first else ("IPv4",)


def is_headless(service: core_v1.Service) -> bool:
    return service.spec.cluster_ip == "None"


def labels_of(service: core_v1.Service) -> dict[str, str]:
    """The Service's own labels, and ours."""
    labels = {key: value for key, value in service.metadata.labels.items() if key not in _RESERVED}
    if is_headless(service):
        labels[HEADLESS] = ""
    return {**labels, SERVICE_NAME: service.metadata.name, MANAGED_BY: MANAGER}


def addresses(pod: core_v1.Pod, family: str) -> list[str]:
    version = 6 if family == "IPv6" else 4
    known = [each.ip for each in pod.status.pod_ips] or [pod.status.pod_ip]
    return [ip for ip in known if ip and _version(ip) == version]


@lru_cache(maxsize=16384)  # a Service's Pods are looked at all of them whenever one changes
def _version(ip: str) -> int:
    return ipaddress.ip_address(ip).version


def endpoint(service: core_v1.Service, pod: core_v1.Pod, ips: list[str], node: core_v1.Node | None) -> discovery_v1.Endpoint:
    serving, terminating = is_ready(pod), pod.metadata.deletion_timestamp is not None
    ready = bool(service.spec.publish_not_ready_addresses) or (serving and not terminating)
    named = pod.spec.hostname and pod.spec.subdomain == service.metadata.name
    zone = node.metadata.labels.get(ZONE, "") if node is not None else ""
    near = hints(service.spec.traffic_distribution, zone, pod.spec.node_name) if ready and not is_automatic(service) else None
    return discovery_v1.Endpoint(
        addresses=ips, hints=near,
        hostname=pod.spec.hostname if named else "", node_name=pod.spec.node_name,
        conditions=discovery_v1.EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        zone=zone,
        target_ref=core_v1.ObjectReference(
            kind="Pod", namespace=pod.metadata.namespace, name=pod.metadata.name, uid=pod.metadata.uid,
        ),
    )


def hints(distribution: str, zone: str, node: str) -> discovery_v1.EndpointHints | None:
    """For whom the endpoint is near, where the Service asks for it (KEP-4444, KEP-3015); the zone is the node's second best."""
    zones = [discovery_v1.ForZone(name=zone)] if distribution and zone else []
    nodes = [discovery_v1.ForNode(name=node)] if distribution == "PreferSameNode" and node else []
    return discovery_v1.EndpointHints(for_zones=zones, for_nodes=nodes) if zones or nodes else None


Desired = dict[Ports, dict[str, discovery_v1.Endpoint]]  # by the ports they have, then by the Pod's uid
Given = dict[str, discovery_v1.EndpointHints | None]  # by the Pod's uid


def _hints_given(service: core_v1.Service, slices: Sequence[discovery_v1.EndpointSlice]) -> Given:
    """Hints by CPU are no endpoint's own: it keeps what it has until all are looked at together."""
    if not is_automatic(service):
        return {}
    return {_uid(each): each.hints for slice_ in slices for each in slice_.endpoints}


def _desired(
    service: core_v1.Service, pods: Iterable[core_v1.Pod], family: str, nodes: Mapping[str, core_v1.Node], given: Given,
) -> Desired:
    desired: Desired = {}
    for pod in pods:
        ips = addresses(pod, family)
        if is_terminal(pod) or not ips:
            continue
        node = nodes.get(pod.spec.node_name)
        if node is None and not service.spec.publish_not_ready_addresses:
            continue  # its node is gone: so will be the Pod
        made = endpoint(service, pod, ips, node)
        if (kept := given.get(pod.metadata.uid)) is not None:
            made = msgspec.structs.replace(made, hints=kept)
        desired.setdefault(ports_of(service, pod), {})[pod.metadata.uid] = made
    return desired


def _uid(each: discovery_v1.Endpoint) -> str:
    return each.target_ref.uid if each.target_ref is not None else ""


@dataclass(slots=True)
class _Family:
    """The slices of one Service and one address type."""

    service: core_v1.Service
    family: str

    def plan(self, desired: Desired, slices: Sequence[discovery_v1.EndpointSlice]) -> Plan:
        result = Plan()
        by_ports: dict[Ports, list[discovery_v1.EndpointSlice]] = {}
        foreign = [each for each in slices if not controlled_by(each, self.service)]  # a namesake's, which has gone
        for slice_ in slices:
            if slice_ not in foreign:
                by_ports.setdefault(tuple(slice_.ports), []).append(slice_)
        for ports, endpoints in desired.items():
            self._fill(ports, endpoints, by_ports.pop(ports, []), result)
        result.delete += [slice_ for rest in by_ports.values() for slice_ in rest]
        if not result.create and len(result.delete) + len(foreign) == len(slices):
            result.create.append(self._new((), []))  # a Service always has a slice: an empty one, if need be
        self._recycle(result)
        result.delete += foreign
        return result

    def _fill(
        self, ports: Ports, endpoints: dict[str, discovery_v1.Endpoint], slices: list[discovery_v1.EndpointSlice], result: Plan,
    ) -> None:
        """Spread the endpoints of one set of ports over its slices."""
        wanted = dict(endpoints)
        kept: list[tuple[discovery_v1.EndpointSlice, list[discovery_v1.Endpoint]]] = []
        for slice_ in slices:
            kept.append((slice_, [wanted.pop(_uid(each)) for each in slice_.endpoints if _uid(each) in wanted]))
        rest = list(wanted.values())
        changing = [pair for pair in kept if pair[1] and pair[1] != pair[0].endpoints]
        for _, members in sorted(changing, key=lambda pair: -len(pair[1])):
            room = MAX_ENDPOINTS - len(members)
            members += rest[:room]
            rest = rest[room:]
        if rest:
            fitting = [members for slice_, members in kept if members and len(members) + len(rest) <= MAX_ENDPOINTS]
            if fitting:
                max(fitting, key=len).extend(rest)
                rest = []
        for slice_, members in kept:
            if not members:
                result.delete.append(slice_)
            elif members != slice_.endpoints or not self._describes(slice_):
                result.update.append(self._with(slice_, ports, members))
        for start in range(0, len(rest), MAX_ENDPOINTS):
            result.create.append(self._new(ports, rest[start:start + MAX_ENDPOINTS]))

    def _recycle(self, result: Plan) -> None:
        """Make a slice that is to go into one that is to come: one write, and one name, instead of two."""
        while result.create and result.delete:
            old, new = result.delete.pop(0), result.create.pop(0)
            if old.endpoints != new.endpoints or old.ports != new.ports or not self._describes(old):
                result.update.append(self._with(old, tuple(new.ports), new.endpoints))

    def _describes(self, slice_: discovery_v1.EndpointSlice) -> bool:
        return slice_.metadata.labels == labels_of(self.service)

    def _with(
        self, slice_: discovery_v1.EndpointSlice, ports: Ports, endpoints: list[discovery_v1.Endpoint],
    ) -> discovery_v1.EndpointSlice:
        meta = msgspec.structs.replace(slice_.metadata, labels=labels_of(self.service))
        return msgspec.structs.replace(slice_, metadata=meta, ports=list(ports), endpoints=endpoints)

    def _new(self, ports: Ports, endpoints: list[discovery_v1.Endpoint]) -> discovery_v1.EndpointSlice:
        meta = meta_v1.ObjectMeta(
            generate_name=f"{self.service.metadata.name}-", namespace=self.service.metadata.namespace,
            labels=labels_of(self.service), owner_references=[controller_ref(self.service)],
        )
        return discovery_v1.EndpointSlice(
            metadata=meta, address_type=self.family, ports=list(ports), endpoints=endpoints,
        )
