"""Typed objects of discovery/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import core_v1
from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class Endpoint(Struct):
    addresses: list[str] = msgspec.field(default_factory=list)
    conditions: EndpointConditions | None = None
    deprecated_topology: dict[str, str] = msgspec.field(default_factory=dict, name="deprecatedTopology")
    hints: EndpointHints | None = None
    hostname: str = ""
    node_name: str = msgspec.field(default="", name="nodeName")
    target_ref: core_v1.ObjectReference | None = msgspec.field(default=None, name="targetRef")
    zone: str = ""


class EndpointConditions(Struct):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class EndpointHints(Struct):
    for_nodes: list[ForNode] = msgspec.field(default_factory=list, name="forNodes")
    for_zones: list[ForZone] = msgspec.field(default_factory=list, name="forZones")


class EndpointPort(Struct):
    app_protocol: str | None = msgspec.field(default=None, name="appProtocol")
    name: str = ""
    port: int | None = None
    protocol: str = ""


class EndpointSlice(Struct):
    address_type: str = msgspec.field(default="", name="addressType")
    api_version: str = msgspec.field(default="discovery.k8s.io/v1", name="apiVersion")
    endpoints: list[Endpoint] = msgspec.field(default_factory=list)
    kind: str = "EndpointSlice"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    ports: list[EndpointPort] = msgspec.field(default_factory=list)


class EndpointSliceList(Struct):
    api_version: str = msgspec.field(default="discovery.k8s.io/v1", name="apiVersion")
    items: list[EndpointSlice] = msgspec.field(default_factory=list)
    kind: str = "EndpointSliceList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ForNode(Struct):
    name: str = ""


class ForZone(Struct):
    name: str = ""
