"""Endpoints and EndpointSlices: the addresses behind a Service."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import (
    PROTOCOLS,
    Causes,
    dns_label,
    dns_subdomain,
    immutable,
    ip_address,
    labels,
    non_special_ip,
    one_of,
    port_number,
    qualified_name,
    valid_ip,
)
from wherry.api.strategy.workload import fill
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, required, too_many

Dict = dict[str, Any]
FAMILIES = ("FQDN", "IPv4", "IPv6")
MAX_ENDPOINTS, MAX_ADDRESSES, MAX_TOPOLOGY, MAX_HINTS = 1000, 100, 16, 8
MAX_PORTS = 20000


# --- Endpoints ---------------------------------------------------------------------------------


def default_endpoints(obj: Dict) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            if not port.get("protocol"):
                port["protocol"] = "TCP"


def _address(address: Dict, path: str, errs: Causes) -> None:
    ip = address.get("ip") or ""
    valid_ip(ip, f"{path}.ip", errs)
    if address.get("hostname"):
        dns_label(address["hostname"], f"{path}.hostname", errs)
    if address.get("nodeName") is not None:
        dns_subdomain(address["nodeName"], f"{path}.nodeName", errs)
    non_special_ip(ip, f"{path}.ip", errs)


def _port(port: Dict, many: bool, path: str, errs: Causes) -> None:
    name = port.get("name")
    if name:
        dns_label(name, f"{path}.name", errs)
    elif many:
        errs.append(required(f"{path}.name"))
    port_number(port.get("port") or 0, f"{path}.port", errs)
    one_of(port.get("protocol"), PROTOCOLS, f"{path}.protocol", errs)
    if port.get("appProtocol") is not None:
        qualified_name(port["appProtocol"], f"{path}.appProtocol", errs)


def validate_endpoints(obj: Dict) -> list[Cause]:
    errs: Causes = []
    for i, subset in enumerate(obj.get("subsets") or ()):
        path = f"subsets[{i}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errs.append(required(path, "must specify `addresses` or `notReadyAddresses`"))
        for kind in ("addresses", "notReadyAddresses"):
            for j, address in enumerate(subset.get(kind) or ()):
                _address(address, f"{path}.{kind}[{j}]", errs)
        ports = subset.get("ports") or ()
        for j, port in enumerate(ports):
            _port(port, len(ports) > 1, f"{path}.ports[{j}]", errs)
    return errs


ENDPOINTS = Strategy(
    default=default_endpoints, validate=validate_endpoints, has_generation=False, allow_create_on_update=True,
)


# --- EndpointSlice -----------------------------------------------------------------------------


def default_slice(obj: Dict) -> None:
    for port in obj.get("ports") or ():
        fill(port, name="", protocol="TCP")
    for endpoint in obj.get("endpoints") or ():
        fill(endpoint, conditions={})
    if obj.get("endpoints") is None:
        obj["endpoints"] = None
    if obj.get("ports") is None:
        obj["ports"] = None


def _endpoint(endpoint: Dict, family: str, path: str, errs: Causes) -> None:
    addresses = endpoint.get("addresses") or ()
    if not addresses:
        errs.append(required(f"{path}.addresses", "must contain at least 1 address"))
    elif len(addresses) > MAX_ADDRESSES:
        errs.append(too_many(f"{path}.addresses", len(addresses), MAX_ADDRESSES))
    seen = set()
    for i, address in enumerate(addresses):
        where = f"{path}.addresses[{i}]"
        if address in seen:
            errs.append(duplicate(where, address))
        seen.add(address)
        if family == "FQDN":
            dns_subdomain(address, where, errs)
            continue
        ip = ip_address(address)
        if ip is None or f"IPv{ip.version}" != family:
            errs.append(invalid(where, address, f"must be a valid {family} address"))
        else:
            non_special_ip(address, where, errs)
    if endpoint.get("nodeName") is not None:
        dns_subdomain(endpoint["nodeName"], f"{path}.nodeName", errs)
    topology = endpoint.get("deprecatedTopology")
    if topology:
        labels(topology, f"{path}.deprecatedTopology", errs)
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone"):
            if key in topology:
                errs.append(forbidden(f"{path}.deprecatedTopology[{key}]", "may not be set"))
    if endpoint.get("hostname") is not None:
        dns_label(endpoint["hostname"], f"{path}.hostname", errs)
    zones = (endpoint.get("hints") or {}).get("forZones") or ()
    if len(zones) > MAX_HINTS:
        errs.append(too_many(f"{path}.hints.forZones", len(zones), MAX_HINTS))


def validate_slice(obj: Dict) -> list[Cause]:
    errs: Causes = []
    family, endpoints, ports = obj.get("addressType") or "", obj.get("endpoints") or (), obj.get("ports") or ()
    if not family:
        errs.append(required("addressType"))
    elif family not in FAMILIES:
        errs.append(not_supported("addressType", family, FAMILIES))
    if len(endpoints) > MAX_ENDPOINTS:
        errs.append(too_many("endpoints", len(endpoints), MAX_ENDPOINTS))
        return errs
    for i, endpoint in enumerate(endpoints):
        _endpoint(endpoint, family, f"endpoints[{i}]", errs)
    if len(ports) > MAX_PORTS:
        errs.append(too_many("ports", len(ports), MAX_PORTS))
        return errs
    seen = set()
    for i, port in enumerate(ports):
        path, name = f"ports[{i}]", port.get("name") or ""
        if name:
            dns_label(name, f"{path}.name", errs)
        if name in seen:
            errs.append(duplicate(f"{path}.name", name))
        seen.add(name)
        if port.get("protocol") not in PROTOCOLS:
            errs.append(not_supported(f"{path}.protocol", port.get("protocol"), PROTOCOLS))
        if port.get("port") is not None:
            port_number(port["port"], f"{path}.port", errs)
        if port.get("appProtocol") is not None:
            qualified_name(port["appProtocol"], f"{path}.appProtocol", errs)
    return errs


def validate_slice_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj.get("addressType"), old.get("addressType"), "addressType", errs)
    return errs


ENDPOINT_SLICE = Strategy(default=default_slice, validate=validate_slice, validate_update=validate_slice_update)
