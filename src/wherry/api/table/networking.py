"""Rows of networking.k8s.io and discovery.k8s.io.  Ingress is served in its old forms too, as of extensions."""

from __future__ import annotations

from wherry.api import schemas
from wherry.api.conversion import ingress
from wherry.api.printers import networking
from wherry.api.resource import Resource, Version
from wherry.api.strategy import endpoints as endpoints_strategy
from wherry.api.strategy import ingress as ingress_strategy
from wherry.api.strategy import networkpolicy as networkpolicy_strategy
from wherry.api.table import old_ingress
from wherry.api.table.rows import PLAIN, PLAIN_STATUS, old, served, status

GROUP = "networking.k8s.io"
PRESENT = f"{GROUP}/v1"
DISCOVERY = "discovery.k8s.io"

for _name, _facts in old_ingress.DEFINITIONS.items():
    schemas.add(_name, _facts)


def _old_ingress(group: str, since: str) -> Version:
    return old(f"{group}/v1beta1", "Ingress", PRESENT, since, "v1.22", old_ingress.INGRESS, ingress.to_hub, ingress.from_hub)


INGRESS_CLASS = Resource(
    "ingressclasses", "IngressClass", GROUP,
    (*served(GROUP, "IngressClass"), old(f"{GROUP}/v1beta1", "IngressClass", PRESENT, "v1.19", "v1.22")),
    namespaced=False, printer=networking.INGRESS_CLASS,
    strategy=ingress_strategy.INGRESS_CLASS,
)
INGRESS = Resource(
    "ingresses", "Ingress", GROUP,
    (*served(GROUP, "Ingress"), _old_ingress(GROUP, "v1.19"), _old_ingress("extensions", "v1.14")),
    short_names=("ing",), subresources=(status("Ingress"),), printer=networking.INGRESS, strategy=ingress_strategy.INGRESS,
)
IP_ADDRESS = Resource(
    "ipaddresses", "IPAddress", GROUP, served(GROUP, "IPAddress"), namespaced=False, short_names=("ip",), strategy=PLAIN,
    name_rule="ip", printer=networking.IP_ADDRESS,
)
NETWORK_POLICY = Resource(
    "networkpolicies", "NetworkPolicy", GROUP,
    (*served(GROUP, "NetworkPolicy"), old("extensions/v1beta1", "NetworkPolicy", PRESENT, "v1.9", "v1.16")), short_names=("netpol",),
    printer=networking.NETWORK_POLICY, strategy=networkpolicy_strategy.NETWORK_POLICY,
)
SERVICE_CIDR = Resource(
    "servicecidrs", "ServiceCIDR", GROUP, served(GROUP, "ServiceCIDR"), namespaced=False,
    subresources=(status("ServiceCIDR"),), strategy=PLAIN_STATUS, printer=networking.SERVICE_CIDR,
)
ENDPOINT_SLICE = Resource(
    "endpointslices", "EndpointSlice", DISCOVERY, served(DISCOVERY, "EndpointSlice"), printer=networking.ENDPOINT_SLICE,
    strategy=endpoints_strategy.ENDPOINT_SLICE,
)

ROWS = (INGRESS_CLASS, INGRESS, IP_ADDRESS, NETWORK_POLICY, SERVICE_CIDR, ENDPOINT_SLICE)
