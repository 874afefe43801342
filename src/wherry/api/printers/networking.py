"""Services, their endpoints, Ingresses and policies."""

from __future__ import annotations

from wherry.api.printers.text import (
    AGE,
    NAME,
    NONE,
    SELECTOR,
    SHOWN,
    age,
    column,
    labels_text,
    name,
    part,
    selector_text,
    some,
)
from wherry.api.resource import Cell, Object, Printer


def _load_balancer(obj: Object) -> list[str]:
    """Addresses that a load balancer was given."""
    points = part(obj, "status", "loadBalancer").get("ingress") or ()
    return sorted({point.get("ip") or point.get("hostname") or "" for point in points} - {""})


def _external_ip(service: Object) -> str:
    spec = part(service, "spec")
    kind, given = spec.get("type"), spec.get("externalIPs") or []
    if kind in ("ClusterIP", "NodePort"):
        return ",".join(given) or NONE
    if kind == "LoadBalancer":
        return ",".join(_load_balancer(service) + given) or "<pending>"
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    return "<unknown>"


def _ports(service: Object) -> str:
    texts = []
    for port in part(service, "spec").get("ports") or ():
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        texts.append(f"{port.get('port')}{node_port}/{port.get('protocol', 'TCP')}")
    return ",".join(texts) or NONE


def _service(service: Object) -> list[Cell]:
    spec = part(service, "spec")
    addresses = spec.get("clusterIPs") or [NONE]
    return [
        name(service), spec.get("type", ""), addresses[0], _external_ip(service), _ports(service), age(service),
        labels_text(spec.get("selector")),
    ]


def _endpoints(obj: Object) -> list[Cell]:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        addresses = [each.get("ip", "") for each in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found += [_host_port(ip, port["port"]) for port in ports for ip in addresses] if ports else addresses
    return [name(obj), some(found, NONE if not obj.get("subsets") else ""), age(obj)]


def _host_port(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _endpoint_slice(obj: Object) -> list[Cell]:
    ports = [str(port.get("port") or port.get("name") or "*") for port in obj.get("ports") or ()]
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses") or ()]
    return [name(obj), obj.get("addressType", ""), some(ports), some(addresses), age(obj)]


def _hosts(rules: list[Object]) -> str:
    hosts = [rule["host"] for rule in rules if rule.get("host")]
    if len(hosts) >= SHOWN and len(rules) > SHOWN:
        return f"{','.join(hosts[:SHOWN])} + {len(rules) - SHOWN} more..."
    return ",".join(hosts) or "*"


def _ingress(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    return [
        name(obj), spec.get("ingressClassName") or NONE, _hosts(spec.get("rules") or []), ",".join(_load_balancer(obj)),
        "80, 443" if spec.get("tls") else "80", age(obj),
    ]


def _ingress_class(obj: Object) -> list[Cell]:
    spec = part(obj, "spec")
    parameters = spec.get("parameters")
    text = NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
        text = f"{parameters.get('kind')}{group}/{parameters.get('name')}"
    return [name(obj), spec.get("controller", ""), text, age(obj)]


def _ip_address(obj: Object) -> list[Cell]:
    parent = part(obj, "spec", "parentRef")
    text = NONE
    if parent:
        group = f".{parent['group']}" if parent.get("group") else ""
        steps = [f"{parent.get('resource', '')}{group}".lower(), parent.get("namespace", ""), parent.get("name", "")]
        text = "/".join(step for step in steps if step)
    return [name(obj), text]


SERVICE = Printer(
    (
        NAME, column("Type", "How it is reached."), column("Cluster-IP", "Its address inside the cluster."),
        column("External-IP", "Its addresses outside."), column("Port(s)", "Its ports, with node ports."), AGE, SELECTOR,
    ),
    _service,
)
ENDPOINTS = Printer((NAME, column("Endpoints", "Ready addresses with their ports."), AGE), _endpoints)
ENDPOINT_SLICE = Printer(
    (
        NAME, column("AddressType", "IPv4, IPv6 or FQDN."), column("Ports", "Ports of every endpoint."),
        column("Endpoints", "Addresses."), AGE,
    ),
    _endpoint_slice,
)
INGRESS = Printer(
    (
        NAME, column("Class", "Which controller serves it."), column("Hosts", "Host names that it serves."),
        column("Address", "Where it is reached."), column("Ports", "Ports that it serves."), AGE,
    ),
    _ingress,
)
INGRESS_CLASS = Printer(
    (NAME, column("Controller", "Who serves the class."), column("Parameters", "What configures it."), AGE), _ingress_class,
)
NETWORK_POLICY = Printer(
    (NAME, column("Pod-Selector", "Pods that it is for."), AGE),
    lambda obj: [name(obj), selector_text(part(obj, "spec").get("podSelector") or {}), age(obj)],
)
IP_ADDRESS = Printer((NAME, column("ParentRef", "Whose address it is.")), _ip_address)
SERVICE_CIDR = Printer(
    (NAME, column("CIDRs", "Ranges that Services take addresses from."), AGE),
    lambda obj: [name(obj), ",".join(part(obj, "spec").get("cidrs") or ()), age(obj)],
)
