"""One metric of an autoscaler, in v2's form and in the flat form that v1's annotations hold.

v2 says {"metric": {"name", "selector"}, "target": {"type", "value" ...}}; v1 says metricName, targetValue,
targetAverageValue ... side by side.  A status has `current` where a spec has `target`.
"""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Object

# metric type -> the key that it stands under
_SOURCES = {
    "Object": "object", "Pods": "pods", "Resource": "resource", "ContainerResource": "containerResource",
    "External": "external",
}
# source -> v2's name of a value -> v1's name of it; {} is `target` or `current`
_VALUES = {
    "object": {"value": "{}Value", "averageValue": "averageValue"},
    "pods": {"averageValue": "{}AverageValue"},
    "resource": {"averageUtilization": "{}AverageUtilization", "averageValue": "{}AverageValue"},
    "containerResource": {"averageUtilization": "{}AverageUtilization", "averageValue": "{}AverageValue"},
    "external": {"value": "{}Value", "averageValue": "{}AverageValue"},
}
_TARGET_TYPES = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}


def spec_to_v1(metric: Object) -> Object:
    return _to_v1(metric, "target")


def status_to_v1(metric: Object) -> Object:
    return _to_v1(metric, "current")


def spec_to_v2(metric: Object) -> Object:
    return _to_v2(metric, "target")


def status_to_v2(metric: Object) -> Object:
    return _to_v2(metric, "current")


def _to_v1(metric: Object, part: str) -> Object:
    source = _SOURCES.get(metric.get("type", ""), "")
    old = metric.get(source)
    if old is None:
        return metric
    new: dict[str, Any] = {}
    if "describedObject" in old:
        new["target"] = old["describedObject"]
    for name in ("name", "container"):
        if name in old:
            new[name] = old[name]
    identifier = old.get("metric") or {}
    if "name" in identifier:
        new["metricName"] = identifier["name"]
    if "selector" in identifier:
        new["metricSelector" if source == "external" else "selector"] = identifier["selector"]
    values = old.get(part) or {}
    for name, flat in _VALUES[source].items():
        if name in values:
            new[flat.format(part)] = values[name]
    if source == "object":
        new.setdefault(f"{part}Value", "0")  # not a pointer in Go: always there
    return {"type": metric["type"], source: new}


def _to_v2(metric: Object, part: str) -> Object:
    source = _SOURCES.get(metric.get("type", ""), "")
    old = metric.get(source)
    if old is None:
        return metric
    new: dict[str, Any] = {}
    if "target" in old:
        new["describedObject"] = old["target"]
    for name in ("name", "container"):
        if name in old:
            new[name] = old[name]
    identifier = {"name": old.get("metricName"), "selector": old.get("metricSelector", old.get("selector"))}
    if any(value is not None for value in identifier.values()):
        new["metric"] = {name: value for name, value in identifier.items() if value is not None}
    flat = {name: flat.format(part) for name, flat in _VALUES[source].items()}
    values = {name: old[key] for name, key in flat.items() if key in old}
    if source == "object" and values.get("value") == "0" and "averageValue" in values:
        del values["value"]
    if part == "target":
        values = {"type": next((kind for name, kind in _TARGET_TYPES.items() if name in values), "Value"), **values}
    new[part] = values
    return {"type": metric["type"], source: new}
