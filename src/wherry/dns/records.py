"""The cluster's DNS records, from Services and EndpointSlices.  Pure.

https://github.com/kubernetes/dns/blob/master/docs/specification.md (schema version 1.1.0)
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from wherry.api.types import core_v1, discovery_v1

SERVICE_NAME = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class SRV:
    """A service record's data; priority and weight are always 0 and 100."""

    port: int
    target: str


@dataclass(slots=True)
class Zone:
    """Names (lower case, with the final dot) and what they hold.  A name in `names` exists, records or none."""

    a: dict[str, set[str]] = field(default_factory=dict)
    srv: dict[str, set[SRV]] = field(default_factory=dict)
    cname: dict[str, str] = field(default_factory=dict)
    ptr: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def add_a(self, name: str, address: str) -> None:
        self.a.setdefault(name, set()).add(address)
        self._exists(name)

    def add_srv(self, name: str, record: SRV) -> None:
        self.srv.setdefault(name, set()).add(record)
        self._exists(name)

    def add_cname(self, name: str, target: str) -> None:
        self.cname[name] = target
        self._exists(name)

    def _exists(self, name: str) -> None:
        """The name and those above it exist: a query for another type there is NODATA, not NXDOMAIN."""
        while name and name not in self.names:
            self.names.add(name)
            name = name.partition(".")[2]


def reverse_name(address: str) -> str:
    """`10.1.2.3` -> `3.2.1.10.in-addr.arpa.`"""
    return ipaddress.IPv4Address(address).reverse_pointer + "."


def pod_name(address: str) -> str:
    """`10.1.2.3` -> `10-1-2-3`, as an endpoint without a hostname is called."""
    return address.replace(".", "-")


def build(services: Iterable[core_v1.Service], slices: Iterable[discovery_v1.EndpointSlice], domain: str) -> Zone:
    """The zone of `domain` (without a final dot)."""
    zone = Zone()
    zone._exists(f"svc.{domain}.")
    by_service: dict[tuple[str, str], list[discovery_v1.EndpointSlice]] = {}
    for each in slices:
        if each.address_type == "IPv4" and (name := each.metadata.labels.get(SERVICE_NAME)):
            by_service.setdefault((each.metadata.namespace, name), []).append(each)
    for service in services:
        key = (service.metadata.namespace, service.metadata.name)
        fqdn = f"{key[1]}.{key[0]}.svc.{domain}."
        if service.spec.type == "ExternalName":
            if service.spec.external_name:
                zone.add_cname(fqdn, service.spec.external_name.rstrip(".").lower() + ".")
        elif service.spec.cluster_ip == "None":
            _headless(zone, fqdn, service, by_service.get(key, []))
        elif service.spec.cluster_ip:
            _cluster_ip(zone, fqdn, service)
    return zone


def _cluster_ip(zone: Zone, fqdn: str, service: core_v1.Service) -> None:
    zone.add_a(fqdn, service.spec.cluster_ip)
    zone.ptr[reverse_name(service.spec.cluster_ip)] = fqdn
    for port in service.spec.ports:
        if port.name:
            zone.add_srv(f"_{port.name}._{(port.protocol or 'TCP').lower()}.{fqdn}", SRV(port.port or 0, fqdn))


def _headless(zone: Zone, fqdn: str, service: core_v1.Service, slices: list[discovery_v1.EndpointSlice]) -> None:
    """A record an endpoint that is ready (or that the Service publishes unready)."""
    unready = bool(service.spec.publish_not_ready_addresses)
    for each in slices:
        for endpoint in each.endpoints:
            if endpoint.conditions is not None and endpoint.conditions.ready is False and not unready:
                continue
            for address in endpoint.addresses:
                zone.add_a(fqdn, address)
                name = f"{endpoint.hostname or pod_name(address)}.{fqdn}".lower()
                zone.add_a(name, address)
                if endpoint.hostname or reverse_name(address) not in zone.ptr:
                    zone.ptr[reverse_name(address)] = name
                for port in each.ports:
                    if port.name and port.port:
                        zone.add_srv(f"_{port.name}._{(port.protocol or 'TCP').lower()}.{fqdn}", SRV(port.port, name))


def pod_address(name: str, domain: str) -> str | None:
    """The address that `1-2-3-4.NAMESPACE.pod.DOMAIN.` spells, or None."""
    suffix = f".pod.{domain}."
    if not name.endswith(suffix):
        return None
    parts = name[: -len(suffix)].split(".")
    if len(parts) != 2:
        return None
    try:
        return str(ipaddress.IPv4Address(parts[0].replace("-", ".")))
    except ValueError:
        return None
