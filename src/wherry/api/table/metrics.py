"""Rows of metrics.k8s.io: what nodes and Pods use, measured when asked for and never stored.

In a cluster of upstream the metrics server serves this group, so its definitions are not in the published document.
"""

from __future__ import annotations

from typing import Any

from wherry.api import schemas
from wherry.api.printers import metrics as printers
from wherry.api.resource import Printer, Resource, Version
from wherry.api.table.rows import PLAIN

GROUP = "metrics.k8s.io"
PACKAGE = "io.k8s.metrics.pkg.apis.metrics.v1beta1"
_META = "@io.k8s.apimachinery.pkg.apis.meta.v1"
_USAGE = {"type": "map", "values": "@io.k8s.apimachinery.pkg.api.resource.Quantity"}


def _kind(kind: str, *required: str, **fields: Any) -> dict[str, Any]:
    common = {"apiVersion": "string", "kind": "string", "metadata": f"{_META}.ObjectMeta", "timestamp": f"{_META}.Time", "window": "string"}
    return {
        "type": "object", "fields": {**common, **fields}, "required": ["timestamp", "window", *required],
        "gvk": [[GROUP, "v1beta1", kind]],
    }


DEFINITIONS: dict[str, dict[str, Any]] = {
    f"{PACKAGE}.NodeMetrics": _kind("NodeMetrics", "usage", usage=_USAGE),
    f"{PACKAGE}.PodMetrics": _kind(
        "PodMetrics", "containers", containers={"listType": "atomic", "type": "array", "items": f"@{PACKAGE}.ContainerMetrics"},
    ),
    f"{PACKAGE}.ContainerMetrics": {
        "type": "object", "fields": {"name": "string", "usage": _USAGE}, "required": ["name", "usage"],
    },
}
for _name, _facts in DEFINITIONS.items():
    schemas.add(_name, _facts)


def _row(plural: str, kind: str, namespaced: bool, printer: Printer) -> Resource:
    return Resource(
        plural, kind, GROUP, (Version("v1beta1", f"{PACKAGE}.{kind}"),), namespaced=namespaced, verbs=("get", "list"), strategy=PLAIN,
        virtual=True, printer=printer,
    )


NODES = _row("nodes", "NodeMetrics", False, printers.NODE_METRICS)
PODS = _row("pods", "PodMetrics", True, printers.POD_METRICS)
ROWS = (NODES, PODS)
