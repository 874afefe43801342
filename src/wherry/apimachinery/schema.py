"""Schema is data: one node type that pruning, patches, server-side apply and OpenAPI all read.

A node says what upstream's Go type, its OpenAPI marks and its `x-kubernetes-*` marks say.  Built-in
kinds come from a compiled table (`wherry.api.schemas`); a custom resource's schema arrives later and
is the same object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True, eq=False)
class Schema:
    """One type.

    type: "object" (known `fields`), "map" (`values`), "array" (`items`), "string", "integer",
    "number", "boolean", "quantity", "int-or-string", "time", "micro-time", "bytes", or "any" (RawExtension, JSON).
    """

    type: str = "any"
    fields: Mapping[str, Schema] = field(default_factory=dict, repr=False)  # types may contain themselves
    required: frozenset[str] = frozenset()
    items: Schema | None = field(default=None, repr=False)
    values: Schema | None = field(default=None, repr=False)
    format: str = ""
    list_type: str = "atomic"  # x-kubernetes-list-type: atomic | set | map
    list_map_keys: tuple[str, ...] = ()
    map_type: str = "granular"  # x-kubernetes-map-type, of objects and maps: granular | atomic
    patch_strategy: frozenset[str] = frozenset()  # x-kubernetes-patch-strategy: merge, retainKeys
    patch_merge_key: str = ""
    name: str = ""  # definition name, e.g. io.k8s.api.core.v1.PodSpec; "" for an inline type
    preserve_unknown: bool = False  # x-kubernetes-preserve-unknown-fields, of custom resources
    nullable: bool = False  # null is kept: zero times that upstream writes out, and a custom resource's `nullable`
    omit_zero: bool = False  # a scalar's zero value is left out, as Go does with `omitempty`
    default: Any = None  # a custom resource's default (built-in defaults are code)
    key_defaults: Mapping[str, Any] = field(default_factory=dict)  # of list-map items: {"protocol": "TCP"}
    plan: Any = field(default=None, repr=False)  # what `decode` made of the node, kept by it
