"""Rows of networking.k8s.io and discovery.k8s.io."""

from __future__ import annotations

from wherry.api.printers import networking
from wherry.api.resource import Resource
from wherry.api.table.rows import PLAIN, PLAIN_STATUS, STATUS, served, status

GROUP = "networking.k8s.io"
DISCOVERY = "discovery.k8s.io"

INGRESS_CLASS = Resource(
    "ingressclasses", "IngressClass", GROUP, served(GROUP, "IngressClass"), namespaced=False, printer=networking.INGRESS_CLASS,
)
INGRESS = Resource(
    "ingresses", "Ingress", GROUP, served(GROUP, "Ingress"), short_names=("ing",), subresources=(status("Ingress"),),
    printer=networking.INGRESS,
    strategy=STATUS,
)
IP_ADDRESS = Resource(
    "ipaddresses", "IPAddress", GROUP, served(GROUP, "IPAddress"), namespaced=False, short_names=("ip",), strategy=PLAIN,
    name_rule="ip",
    printer=networking.IP_ADDRESS,
)
NETWORK_POLICY = Resource(
    "networkpolicies", "NetworkPolicy", GROUP, served(GROUP, "NetworkPolicy"), short_names=("netpol",),
    printer=networking.NETWORK_POLICY,
)
SERVICE_CIDR = Resource(
    "servicecidrs", "ServiceCIDR", GROUP, served(GROUP, "ServiceCIDR"), namespaced=False,
    subresources=(status("ServiceCIDR"),), strategy=PLAIN_STATUS,
    printer=networking.SERVICE_CIDR,
)
ENDPOINT_SLICE = Resource(
    "endpointslices", "EndpointSlice", DISCOVERY, served(DISCOVERY, "EndpointSlice"), printer=networking.ENDPOINT_SLICE,
)

ROWS = (INGRESS_CLASS, INGRESS, IP_ADDRESS, NETWORK_POLICY, SERVICE_CIDR, ENDPOINT_SLICE)
