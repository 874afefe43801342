"""Typed objects of node/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import core_v1
from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class Overhead(Struct):
    pod_fixed: dict[str, str] = msgspec.field(default_factory=dict, name="podFixed")


class RuntimeClass(Struct):
    api_version: str = msgspec.field(default="node.k8s.io/v1", name="apiVersion")
    handler: str = ""
    kind: str = "RuntimeClass"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    overhead: Overhead | None = None
    scheduling: Scheduling | None = None


class RuntimeClassList(Struct):
    api_version: str = msgspec.field(default="node.k8s.io/v1", name="apiVersion")
    items: list[RuntimeClass] = msgspec.field(default_factory=list)
    kind: str = "RuntimeClassList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class Scheduling(Struct):
    node_selector: dict[str, str] = msgspec.field(default_factory=dict, name="nodeSelector")
    tolerations: list[core_v1.Toleration] = msgspec.field(default_factory=list)
