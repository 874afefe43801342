"""Devices, slices, classes and claims for tests of the scheduler."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec

from wherry.api.types import core_v1, resource_v1

DRIVER = "dra.example.com"
_numbers = itertools.count(1)


def device(name: str, **fields: Any) -> dict[str, Any]:
    """Attributes are given as plain values, capacities as text."""
    kinds = {bool: "bool", int: "int", str: "string"}
    attributes = {key: value if isinstance(value, dict) else {kinds[type(value)]: value} for key, value in fields.pop("attributes", {}).items()}
    capacity = {key: value if isinstance(value, dict) else {"value": value} for key, value in fields.pop("capacity", {}).items()}
    return {"name": name, "attributes": attributes, "capacity": capacity, **fields}


def devices(*names: str, **fields: Any) -> list[dict[str, Any]]:
    return [device(name, **fields) for name in names]


def slice_of(given: list[dict[str, Any]], *, node: str = "", pool: str = "", name: str = "", generation: int = 1, count: int = 1, driver: str = DRIVER, **spec: Any) -> resource_v1.ResourceSlice:
    """`node` alone says where its devices are, unless `spec` does."""
    number = next(_numbers)
    raw = {
        "metadata": {"name": name or f"slice-{number}", "uid": f"slice-{number}", "resourceVersion": str(number)},
        "spec": {"driver": driver, "pool": {"name": pool or node or "pool", "generation": generation, "resourceSliceCount": count}, "devices": given, **spec},
    }
    if node:
        raw["spec"]["nodeName"] = node
    return msgspec.convert(raw, resource_v1.ResourceSlice)


def device_class(name: str = "gpu", *expressions: str, **spec: Any) -> resource_v1.DeviceClass:
    selectors = [{"cel": {"expression": each}} for each in expressions]
    return msgspec.convert({"metadata": {"name": name}, "spec": {"selectors": selectors, **spec}}, resource_v1.DeviceClass)


def exact(name: str = "r", *expressions: str, count: int = 1, cls: str = "gpu", **fields: Any) -> dict[str, Any]:
    return {"name": name, "exactly": wanted(*expressions, count=count, cls=cls, **fields)}


def wanted(*expressions: str, count: int = 1, cls: str = "gpu", **fields: Any) -> dict[str, Any]:
    selectors = [{"cel": {"expression": each}} for each in expressions]
    mode = fields.pop("mode", "ExactCount")
    return {"deviceClassName": cls, "allocationMode": mode, "selectors": selectors, **({"count": count} if mode == "ExactCount" else {}), **fields}


def claim(name: str = "c", *requests: dict[str, Any], status: dict[str, Any] | None = None, owner: core_v1.Pod | None = None, **given: Any) -> resource_v1.ResourceClaim:
    """`given` are constraints and config."""
    number = next(_numbers)
    meta: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"{name}-uid", "resourceVersion": str(number)}
    if owner is not None:
        meta["ownerReferences"] = [{"apiVersion": "v1", "kind": "Pod", "name": owner.metadata.name, "uid": owner.metadata.uid, "controller": True}]
    return msgspec.convert({"metadata": meta, "spec": {"devices": {"requests": list(requests or [exact()]), **given}}, "status": status or {}}, resource_v1.ResourceClaim)


def allocated(*names: str, node: str = "", pool: str = "", request: str = "r", **more: Any) -> dict[str, Any]:
    """A claim's status: it has devices of one pool, on one node."""
    results = [{"request": request, "driver": DRIVER, "pool": pool or node or "pool", "device": name} for name in names]
    allocation: dict[str, Any] = {"devices": {"results": results}}
    if node:
        allocation["nodeSelector"] = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]}
    return {"allocation": allocation, **more}


def taint_rule(effect: str = "NoSchedule", **selector: str) -> resource_v1.DeviceTaintRule:
    return msgspec.convert({"metadata": {"name": "rule"}, "spec": {"deviceSelector": selector, "taint": {"key": "broken", "effect": effect}}}, resource_v1.DeviceTaintRule)
