"""Typed objects of scheduling/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class PriorityClass(Struct):
    api_version: str = msgspec.field(default="scheduling.k8s.io/v1", name="apiVersion")
    description: str = ""
    global_default: bool | None = msgspec.field(default=None, name="globalDefault")
    kind: str = "PriorityClass"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    preemption_policy: str | None = msgspec.field(default=None, name="preemptionPolicy")
    value: int | None = None


class PriorityClassList(Struct):
    api_version: str = msgspec.field(default="scheduling.k8s.io/v1", name="apiVersion")
    items: list[PriorityClass] = msgspec.field(default_factory=list)
    kind: str = "PriorityClassList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())
