"""Cluster IPs and node ports: allocated when a Service is made or changed, given back when it goes.

The allocator is rebuilt from the Services that exist, so nothing of it is stored; in one server
process there is no race between two of them.  What a Service wants is decided by its strategy before.
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
_HAS_IP = ("ClusterIP", "NodePort", "LoadBalancer")
_HAS_PORTS = ("NodePort", "LoadBalancer")
_OUT_OF_RANGE = f"provided port is not in the valid range. The range of valid ports is {NODE_PORTS.start}-{NODE_PORTS.stop - 1}"
Port = tuple[int, str]  # node port and protocol


class ServiceAllocator:
    """A Hook of the services store."""

    def __init__(
        self, service_range: str, services: Iterable[Object], node_port_free: Callable[[int], bool] = lambda port: True
    ) -> None:
        """`node_port_free` says whether the host has no use of its own for a port that nobody asked for."""
        self._range = ipaddress.IPv4Network(service_range)
        self._ips: set[str] = set()
        self._ports: set[Port] = set()
        self._node_port_free = node_port_free
        self._random = random.Random()
        for service in services:
            self._ips |= _ips(service)
            self._ports |= _ports(service)

    # -- Hook --------------------------------------------------------------------------------------

    async def begin_create(self, call: Call, obj: Object) -> Callable[[bool], None] | None:
        return self._begin(obj, {})

    async def begin_update(self, call: Call, obj: Object, old: Object) -> Callable[[bool], None] | None:
        return None if call.subresource else self._begin(obj, old)

    def after_delete(self, obj: Object) -> None:
        self._ips -= _ips(obj)
        self._ports -= _ports(obj)

    # -- deciding ----------------------------------------------------------------------------------

    def _begin(self, obj: Object, old: Object) -> Callable[[bool], None]:
        """Take what `obj` needs more than `old` has; the function returned settles it.  Raises StatusError 422."""
        spec = obj["spec"]
        causes: list[Cause] = []
        if spec.get("type") in _HAS_IP:
            causes += _family_errors(spec) or self._cluster_ip(spec, _ips(old))
        if spec.get("type") in _HAS_PORTS:
            causes += self._node_ports(spec, _ports(old))
        if causes:
            raise errors.invalid("", "Service", obj["metadata"].get("name", ""), causes)
        new_ips, new_ports, old_ips, old_ports = _ips(obj), _ports(obj), _ips(old), _ports(old)
        self._ips |= new_ips
        self._ports |= new_ports

        def finish(success: bool) -> None:
            self._ips -= old_ips - new_ips if success else new_ips - old_ips
            self._ports -= old_ports - new_ports if success else new_ports - old_ports

        return finish

    def _cluster_ip(self, spec: Object, held: set[str]) -> list[Cause]:
        given = spec.get("clusterIP") or next(iter(spec.get("clusterIPs") or []), "")
        if not given:
            given = self._free_ip()
            if not given:
                return [invalid("spec.clusterIPs", [], "failed to allocate a serviceIP: range is full")]
        elif given != "None" and given not in held and (why := self._refusal(given)):
            return [invalid("spec.clusterIPs", [given], f"failed to allocate IP {given}: {why}")]
        spec["clusterIP"], spec["clusterIPs"] = given, [given]
        return []

    def _refusal(self, ip: str) -> str:
        """Why a Service cannot have the address that it asks for."""
        address = ipaddress.ip_address(ip)  # validation has seen to it that it is one
        if address not in self._range or address in (self._range.network_address, self._range.broadcast_address):
            return "the provided network does not match the current range"
        return "provided IP is already allocated" if ip in self._ips else ""

    def _free_ip(self) -> str:
        """A random free address of the upper part; the first ones are left to those who choose theirs."""
        size = self._range.num_addresses
        low = min(max(16, size // 16), 256)
        for _ in range(64):
            candidate = str(self._range[self._random.randrange(min(low, size - 2), size - 1)])
            if candidate not in self._ips:
                return candidate
        return next((str(ip) for ip in self._range.hosts() if str(ip) not in self._ips), "")

    def _node_ports(self, spec: Object, held: set[Port]) -> list[Cause]:
        automatic = spec["type"] == "NodePort" or spec.get("allocateLoadBalancerNodePorts") is not False
        causes: list[Cause] = []
        taken = self._ports - held
        for index, port in enumerate(spec.get("ports") or ()):
            protocol, wanted = port.get("protocol", "TCP"), port.get("nodePort")
            if not wanted:
                if not automatic:
                    continue
                port["nodePort"] = wanted = self._partner(spec, port, taken) or self._free_port(taken, protocol)
            elif wanted not in NODE_PORTS:
                causes.append(invalid(f"spec.ports[{index}].nodePort", wanted, _OUT_OF_RANGE))
            elif (wanted, protocol) in taken:
                causes.append(invalid(f"spec.ports[{index}].nodePort", wanted, "provided port is already allocated"))
            taken.add((wanted, protocol))
        if spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
            causes += self._health_check_port(spec, taken)
        return causes

    def _health_check_port(self, spec: Object, taken: set[Port]) -> list[Cause]:
        wanted = spec.get("healthCheckNodePort")
        if not wanted:
            spec["healthCheckNodePort"] = self._free_port(taken, "TCP")
        elif (wanted, "TCP") in taken:
            return [invalid("spec.healthCheckNodePort", wanted, "provided port is already allocated")]
        return []

    @staticmethod
    def _partner(spec: Object, port: Object, taken: set[Port]) -> int:
        """The node port that the same port has for another protocol: DNS answers TCP and UDP on one."""
        for other in spec["ports"]:
            found = other.get("nodePort")
            if found and other["port"] == port["port"] and (found, port.get("protocol", "TCP")) not in taken:
                return int(found)
        return 0

    def _free_port(self, taken: set[Port], protocol: str) -> int:
        for _ in range(64):
            port = self._random.choice(NODE_PORTS)
            if (port, protocol) not in taken and self._node_port_free(port):
                return port
        for port in NODE_PORTS:
            if (port, protocol) not in taken and self._node_port_free(port):
                return port
        raise errors.internal_error("failed to allocate a nodePort: range is full")


def _ips(service: Object) -> set[str]:
    """The addresses that a Service holds."""
    spec = service.get("spec", {})
    return {ip for ip in spec.get("clusterIPs") or [spec.get("clusterIP")] if ip and ip != "None"}


def _ports(service: Object) -> set[Port]:
    """The node ports that a Service holds."""
    spec = service.get("spec", {})
    if spec.get("type") not in _HAS_PORTS:
        return set()
    found = {(port["nodePort"], port.get("protocol", "TCP")) for port in spec.get("ports") or () if port.get("nodePort")}
    if spec.get("healthCheckNodePort"):
        found.add((spec["healthCheckNodePort"], "TCP"))
    return found


def _family_errors(spec: Object) -> list[Cause]:
    """wherry's clusters speak IPv4: what demands more is refused, but where no address is given out."""
    policy, families = spec.get("ipFamilyPolicy"), spec.get("ipFamilies") or []
    if spec.get("clusterIP") == "None" and not spec.get("selector"):
        return []
    if policy == "RequireDualStack":
        return [invalid("spec.ipFamilyPolicy", policy, "this cluster is not configured for dual-stack services")]
    return [
        invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster")
        for index, family in enumerate(families) if family != "IPv4"
    ]
