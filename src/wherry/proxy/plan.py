"""From Services and EndpointSlices to what the kernel shall do with their packets.  Pure.

A `Ruleset` is chains of rules and maps of elements, as nftables knows them; `nft.py` writes the
difference between two of them as one transaction.  Packets find their Service by one look-up in a
map, however many Services there are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from wherry.api.types import core_v1, discovery_v1

SERVICE_NAME = "kubernetes.io/service-name"
PROXY_NAME = "service.kubernetes.io/service-proxy-name"


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a connection may go."""

    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one Service, and the backends that are ready for it: at its own address, and for who comes from outside.

    They differ where a traffic policy is Local.  `elsewhere` and `elsewhere_external`: there are endpoints, but on other nodes.
    """

    namespace: str
    service: str
    port_name: str
    protocol: str  # tcp | udp | sctp
    port: int
    node_port: int  # 0: none
    addresses: tuple[str, ...]  # the cluster IP
    backends: tuple[Backend, ...]
    affinity_seconds: int  # 0: none
    external_addresses: tuple[str, ...] = ()
    external_backends: tuple[Backend, ...] = ()
    elsewhere: bool = False
    elsewhere_external: bool = False
    outer: bool = False  # this is the way from outside, with backends of its own

    @property
    def label(self) -> str:
        return f"{self.namespace}/{self.service}:{self.port_name or self.port}"

    @property
    def chain(self) -> str:
        """Short, stable and unlike any other port's."""
        digest = hashlib.sha256(f"{self.namespace}/{self.service}/{self.protocol}/{self.port}".encode()).hexdigest()[:10]
        return f"ext-{digest}" if self.outer else f"svc-{digest}"


@dataclass(slots=True)
class Ruleset:
    """Chains (rules in order), maps (element -> verdict; "" in a set), and sets that the kernel fills (timeouts in s)."""

    chains: dict[str, tuple[str, ...]] = field(default_factory=dict)
    maps: dict[str, dict[str, str]] = field(default_factory=dict)
    dynamic: dict[str, int] = field(default_factory=dict)


def service_ports(
    services: Iterable[core_v1.Service], slices: Iterable[discovery_v1.EndpointSlice], node: str = "",
) -> list[ServicePort]:
    """Every port that shall answer, in a stable order.  Headless and ExternalName Services have none."""
    by_service: dict[tuple[str, str], list[discovery_v1.EndpointSlice]] = {}
    for each in slices:
        name = each.metadata.labels.get(SERVICE_NAME, "")
        if name and each.address_type == "IPv4":
            by_service.setdefault((each.metadata.namespace, name), []).append(each)
    found = []
    for service in services:
        spec = service.spec
        if spec.type == "ExternalName" or spec.cluster_ip in ("", "None") or PROXY_NAME in service.metadata.labels:
            continue
        key = (service.metadata.namespace, service.metadata.name)
        affinity = 0
        if spec.session_affinity == "ClientIP":
            client = spec.session_affinity_config.client_ip if spec.session_affinity_config else None
            affinity = (client.timeout_seconds if client else None) or 10800
        for port in spec.ports:
            everywhere, here = _backends(by_service.get(key, []), port.name), _backends(by_service.get(key, []), port.name, node)
            inside = here if spec.internal_traffic_policy == "Local" else everywhere
            outside = here if spec.external_traffic_policy == "Local" else everywhere
            found.append(ServicePort(
                *key, port.name, (port.protocol or "TCP").lower(), port.port or 0, port.node_port or 0, (spec.cluster_ip,),
                inside, affinity, tuple(spec.external_ips), outside,
                elsewhere=bool(everywhere) and not inside, elsewhere_external=bool(everywhere) and not outside,
            ))
    return sorted(found, key=lambda p: (p.namespace, p.service, p.port, p.protocol))


def _backends(slices: Iterable[discovery_v1.EndpointSlice], port_name: str, node: str | None = None) -> tuple[Backend, ...]:
    """The ready endpoints (of one node); when there is none, those that still serve while they terminate (KEP-1669)."""
    ready: set[tuple[str, int]] = set()
    serving: set[tuple[str, int]] = set()
    for each in slices:
        ports = [p.port for p in each.ports if p.name == port_name and p.port]
        for endpoint in each.endpoints:
            if node is not None and endpoint.node_name != node:
                continue
            conditions = endpoint.conditions
            targets = {(address, port) for address in endpoint.addresses for port in ports}
            if conditions is None or conditions.ready is not False:
                ready |= targets
            elif conditions.serving and conditions.terminating:
                serving |= targets
    return tuple(Backend(*target) for target in sorted(ready or serving))


def ruleset(ports: Iterable[ServicePort], *, bridge: str, pod_range: str, refused: Iterable[tuple[str, int]] = ()) -> Ruleset:
    """The whole table.  `refused` are (protocol, node port) that another cluster on this host holds."""
    rules = Ruleset(chains=_base(bridge, pod_range))
    named = ("service-ips", "no-endpoint-services", "node-ports", "no-endpoint-node-ports")
    found: dict[str, dict[str, str]] = {name: {} for name in named}
    hairpin: dict[str, str] = {}
    not_ours = set(refused)
    for port in ports:
        outer = replace(port, backends=port.external_backends, outer=True) if port.external_backends != port.backends else port
        node_port = port.node_port if (port.protocol, port.node_port) not in not_ours else 0
        for way, addresses, number, elsewhere in (
            (port, port.addresses, 0, port.elsewhere), (outer, port.external_addresses, node_port, port.elsewhere_external),
        ):
            keys = [f"{address} . {port.protocol} . {port.port}" for address in addresses]
            node_keys = [f"{port.protocol} . {number}"] if number else []
            if not way.backends:
                verdict = "drop" if elsewhere else "goto refuse"
                found["no-endpoint-services"].update(dict.fromkeys(keys, verdict))
                found["no-endpoint-node-ports"].update(dict.fromkeys(node_keys, verdict))
                continue
            found["service-ips"].update(dict.fromkeys(keys, f"goto {way.chain}"))
            found["node-ports"].update(dict.fromkeys(node_keys, f"goto {way.chain}"))
            hairpin.update({f"{b.ip} . {b.ip}": "" for b in way.backends})
            if (keys or node_keys) and way.chain not in rules.chains:
                _service_chains(rules, way)
    rules.maps = {**found, "hairpin": hairpin}
    return rules


def _base(bridge: str, pod_range: str) -> dict[str, tuple[str, ...]]:
    """The chains that hang on the kernel's hooks."""
    find = "ip daddr . meta l4proto . th dport vmap"
    local = "fib daddr type local meta l4proto . th dport vmap"
    refuse = (f"ct state new {find} @no-endpoint-services", f"ct state new {local} @no-endpoint-node-ports")
    return {
        "services": (f"{find} @service-ips", f"{local} @node-ports"),
        "nat-prerouting": ("jump services",),
        "nat-output": ("jump services",),
        "nat-postrouting": (
            "ip saddr . ip daddr @hairpin masquerade",
            f'oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade',
            f'ip saddr {pod_range} ip daddr != {pod_range} oifname != "{bridge}" masquerade',
        ),
        "filter-prerouting": (f'iifname "{bridge}" ip daddr 127.0.0.0/8 drop',),
        "filter-input": refuse,
        "filter-forward": (refuse[0], f"ip saddr {pod_range} accept", f"ip daddr {pod_range} accept"),
        "filter-output": refuse,
        "refuse": ("meta l4proto tcp reject with tcp reset", "reject"),
    }


def _service_chains(rules: Ruleset, port: ServicePort) -> None:
    """Random choice among the backends; with affinity, the one that a client had before."""
    if not port.affinity_seconds:
        elements = ", ".join(f"{i} : {b.ip} . {b.port}" for i, b in enumerate(port.backends))
        choose = f"numgen random mod {len(port.backends)} map {{ {elements} }}"
        rules.chains[port.chain] = (f"meta l4proto {port.protocol} dnat ip addr . port to {choose}",)
        return
    stick, pick = [], []
    for index, backend in enumerate(port.backends):
        tail = hashlib.sha256(f"{backend.ip}:{backend.port}".encode()).hexdigest()[:8]
        name = f"{port.chain}-{tail}"
        rules.dynamic[name] = port.affinity_seconds
        rules.chains[name] = (
            f"update @{name} {{ ip saddr }}", f"meta l4proto {port.protocol} dnat to {backend.ip}:{backend.port}",
        )
        stick.append(f"ip saddr @{name} goto {name}")
        pick.append(f"{index} : goto {name}")
    rules.chains[port.chain] = (*stick, f"numgen random mod {len(pick)} vmap {{ {', '.join(pick)} }}")


def claims(ports: Iterable[ServicePort]) -> Mapping[tuple[str, int], str]:
    """(protocol, node port) -> the Service port that wants it."""
    return {(p.protocol, p.node_port): p.label for p in ports if p.node_port}
