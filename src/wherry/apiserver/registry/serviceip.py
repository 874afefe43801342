"""Cluster IPs and node ports: allocated when a Service is made or changed, given back when it goes.

The allocator is rebuilt from the Services that exist, so nothing of it is stored; in one server
process there is no race between two of them.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Callable, Iterable

from wherry.api.resource import Object
from wherry.apimachinery import errors
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid
from wherry.apiserver.call import Call

NODE_PORTS = range(30000, 32768)
_HAS_IP = ("ClusterIP", "NodePort", "LoadBalancer", "")
_HAS_PORTS = ("NodePort", "LoadBalancer")


class ServiceAllocator:
    """A Hook of the services store."""

    def __init__(self, service_range: str, services: Iterable[Object], node_port_free: Callable[[int], bool] = lambda port: True) -> None:
        self._range = ipaddress.IPv4Network(service_range)
        self._ips: set[str] = set()
        self._ports: set[tuple[int, str]] = set()
        self._node_port_free = node_port_free
        self._random = random.Random()
        for service in services:
            self._hold(service)

    def _hold(self, service: Object) -> None:
        spec = service.get("spec", {})
        ip = spec.get("clusterIP")
        if ip and ip != "None":
            self._ips.add(ip)
        self._ports |= _ports(spec)

    # -- Hook --------------------------------------------------------------------------------------

    async def begin_create(self, call: Call, obj: Object) -> Callable[[], None] | None:
        return self._begin(obj, None)

    async def begin_update(self, call: Call, obj: Object, old: Object) -> Callable[[], None] | None:
        if call.subresource == "status":
            return None
        return self._begin(obj, old)

    def after_delete(self, obj: Object) -> None:
        spec = obj.get("spec", {})
        self._ips.discard(spec.get("clusterIP", ""))
        self._ports -= _ports(spec)

    # -- deciding ----------------------------------------------------------------------------------

    def _begin(self, obj: Object, old: Object | None) -> Callable[[], None]:
        spec, before = obj["spec"], (old or {}).get("spec", {})
        name = obj["metadata"].get("name", "")
        ips, ports = set(self._ips), set(self._ports)
        causes: list[Cause] = []
        kind = spec.get("type", "ClusterIP")
        if kind == "ExternalName":
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(field, None)
            ips.discard(before.get("clusterIP", ""))
        elif kind in _HAS_IP:
            causes += self._ip(spec, before, ips)
        held = _ports(before)
        if kind in _HAS_PORTS:
            causes += self._node_ports(spec, before, ports)
        for gone in held - _ports(spec):
            ports.discard(gone)
        if kind == "ExternalName" or kind not in _HAS_PORTS:
            for port in spec.get("ports", []):
                if kind not in _HAS_PORTS and (port.get("nodePort"), port.get("protocol", "TCP")) in held:
                    port.pop("nodePort", None)
        if causes:
            raise errors.invalid("", "Service", name, causes)
        previous = (self._ips, self._ports)
        taken_ips, taken_ports = ips - previous[0], ports - previous[1]
        self._ips |= taken_ips
        self._ports |= taken_ports

        def undo() -> None:
            self._ips -= taken_ips
            self._ports -= taken_ports

        return undo

    def _ip(self, spec: Object, before: Object, ips: set[str]) -> list[Cause]:
        given = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or []), "")
        if given == before.get("clusterIP") and given:
            spec["clusterIP"], spec["clusterIPs"] = given, spec.get("clusterIPs") or [given]
            return _families(spec)
        if given == "None":
            spec["clusterIP"], spec["clusterIPs"] = "None", ["None"]
            return _families(spec)
        if given:
            try:
                address = ipaddress.IPv4Address(given)
            except ValueError:
                return []  # validation has said so
            if address not in self._range or address in (self._range.network_address, self._range.broadcast_address):
                why = f"failed to allocate IP {given}: the provided network does not match the current range"
                return [invalid("spec.clusterIPs", [given], why)]
            if given in ips:
                return [invalid("spec.clusterIPs", [given], f"failed to allocate IP {given}: provided IP is already allocated")]
        else:
            given = self._free_ip(ips)
            if not given:
                return [invalid("spec.clusterIPs", [], "failed to allocate a serviceIP: range is full")]
        ips.add(given)
        spec["clusterIP"], spec["clusterIPs"] = given, [given]
        return _families(spec)

    def _free_ip(self, taken: set[str]) -> str:
        """A random free address of the upper part; the first ones are left to those who choose theirs."""
        size = self._range.num_addresses
        low = min(max(16, size // 16), 256)
        for _ in range(64):
            candidate = str(self._range[self._random.randrange(min(low, size - 2), size - 1)])
            if candidate not in taken:
                return candidate
        return next((str(ip) for ip in self._range.hosts() if str(ip) not in taken), "")

    def _node_ports(self, spec: Object, before: Object, ports: set[tuple[int, str]]) -> list[Cause]:
        if spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False:
            return []
        causes = []
        held = _ports(before)
        mine: set[tuple[int, str]] = set()
        for index, port in enumerate(spec.get("ports", [])):
            protocol, path = port.get("protocol", "TCP"), f"spec.ports[{index}].nodePort"
            wanted = port.get("nodePort")
            if not wanted:
                port["nodePort"] = wanted = self._same_port(before, port) or self._free_port(ports, protocol)
            elif wanted not in NODE_PORTS:
                why = f"provided port is not in the valid range. The range of valid ports is {NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
                causes.append(invalid(path, wanted, why))
            elif (wanted, protocol) in ports | mine and (wanted, protocol) not in held - mine:
                causes.append(invalid(path, wanted, "provided port is already allocated"))
            mine.add((wanted, protocol))
            ports.add((wanted, protocol))
        return causes

    @staticmethod
    def _same_port(before: Object, port: Object) -> int:
        """The node port that this port already had."""
        for old in before.get("ports", []):
            if old.get("port") == port.get("port") and old.get("protocol", "TCP") == port.get("protocol", "TCP"):
                return int(old.get("nodePort") or 0)
        return 0

    def _free_port(self, ports: set[tuple[int, str]], protocol: str) -> int:
        candidates = [p for p in NODE_PORTS if (p, protocol) not in ports]
        self._random.shuffle(candidates)
        for port in candidates:
            if self._node_port_free(port):
                return port
        raise errors.internal_error("failed to allocate a nodePort: range is full")


def _ports(spec: Object) -> set[tuple[int, str]]:
    return {(p["nodePort"], p.get("protocol", "TCP")) for p in spec.get("ports", []) if p.get("nodePort")}


def _families(spec: Object) -> list[Cause]:
    """wherry's clusters speak IPv4: what demands more is refused."""
    policy, families = spec.setdefault("ipFamilyPolicy", "SingleStack"), spec.setdefault("ipFamilies", ["IPv4"])
    if policy == "RequireDualStack":
        return [invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services")]
    if "IPv6" in families:
        return [invalid("spec.ipFamilies[0]", families[0], "not configured on this cluster")]
    return []
