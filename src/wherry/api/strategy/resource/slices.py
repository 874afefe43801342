"""ResourceSlices: the devices of a pool, and where they are."""

from __future__ import annotations

import re

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.scheduling import validate_node_selector
from wherry.api.strategy.resource.capacity import request_policy
from wherry.api.strategy.resource.common import (
    Dict,
    attribute_name,
    binding_conditions,
    by_name,
    driver_name,
    each,
    label_name,
    pool_name,
    taint,
)
from wherry.api.strategy.rules import Causes, dns_subdomain, immutable, sorted_items
from wherry.api.strategy.workload import spec_of
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, required, too_long, too_many

MAX_DEVICES, MAX_ADVANCED_DEVICES = 128, 64
MAX_VALUES, MAX_TEXT = 32, 64
PLACES = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_WHERE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_WHERE_A_DEVICE = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the "
    "ResourceSlice spec"
)
_NOT_A_DEVICE = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec"
)
_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
    r"(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?",
    re.ASCII,
)


def prepare(obj: Dict) -> None:
    """Drop the fields of features that are off."""
    spec = spec_of(obj)
    for key in ("partitionTypeAttribute", "skipNodeOperations"):
        spec.pop(key, None)
    for device in spec.get("devices") or ():
        device.pop("nodeAllocatableResources", None)
        for attribute in (device.get("attributes") or {}).values():
            for key in ("bools", "ints", "strings", "versions"):
                attribute.pop(key, None)
        for consumption in device.get("consumesCounters") or ():
            consumption.pop("compatibilityGroups", None)


def validate_slice(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    driver_name(spec.get("driver"), "spec.driver", errs)
    _pool(spec.get("pool") or {}, "spec.pool", errs)
    per_device = spec.get("perDeviceNodeSelection") is True
    given = _places(spec, PLACES, "must be either unset or set to a non-empty string", "spec", errs)
    selector = spec.get("nodeSelector")
    if selector is not None and len(selector.get("nodeSelectorTerms") or ()) != 1:
        errs.append(invalid(
            "spec.nodeSelector.nodeSelectorTerms", selector.get("nodeSelectorTerms"), "must have exactly one node selector term"
        ))
    if not given:
        errs.append(required("spec", _WHERE))
    elif len(given) > 1:
        errs.append(invalid("spec", f"{{{', '.join(given)}}}", f"{_WHERE}, but multiple fields are set"))
    if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
        errs.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    devices = spec.get("devices") or []
    advanced = any(device.get("taints") or device.get("consumesCounters") for device in devices)
    limit = MAX_ADVANCED_DEVICES if advanced else MAX_DEVICES
    each(devices, limit, lambda d, p, e: _device(d, per_device, p, e), "spec.devices", errs, by_name)
    each(spec.get("sharedCounters"), 8, _counter_set, "spec.sharedCounters", errs, by_name)
    return errs


def validate_slice_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    spec, before = obj.get("spec") or {}, old.get("spec") or {}
    immutable((spec.get("pool") or {}).get("name"), (before.get("pool") or {}).get("name"), "spec.pool.name", errs)
    immutable(spec.get("driver"), before.get("driver"), "spec.driver", errs)
    immutable(spec.get("nodeName"), before.get("nodeName"), "spec.nodeName", errs)
    return errs


def warnings(obj: Dict) -> list[str]:
    driver = (obj.get("spec") or {}).get("driver") or ""
    if driver == driver.lower():
        return []
    return [f'spec.driver: driver names should be lowercase; "{driver}" contains uppercase characters']


def _pool(pool: Dict, path: str, errs: Causes) -> None:
    pool_name(pool.get("name"), f"{path}.name", errs)
    count, generation = pool.get("resourceSliceCount") or 0, pool.get("generation") or 0
    if count <= 0:
        errs.append(invalid(f"{path}.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        errs.append(invalid(f"{path}.generation", generation, "must be greater than or equal to zero"))


def _places(holder: Dict, keys: tuple[str, ...], empty: str, path: str, errs: Causes) -> list[str]:
    """Which of the fields that say where devices are is set; `empty` is what an empty name is told."""
    given = []
    for key in keys:
        value, where = holder.get(key), f"{path}.{key}"
        if value is None:
            continue
        if key == "nodeSelector":
            validate_node_selector(value, where, errs)
        elif key == "nodeName" and value:
            dns_subdomain(value, where, errs)
        elif not value:
            errs.append(invalid(where, value, empty if key == "nodeName" else "must be either unset or set to true"))
            continue
        given.append(f"`{key}`")
    return given


def _device(device: Dict, per_device: bool, path: str, errs: Causes) -> None:
    label_name(by_name(device), f"{path}.name", errs)
    attributes, capacity = device.get("attributes") or {}, device.get("capacity") or {}
    if (count := len(attributes) + len(capacity)) > MAX_VALUES:
        errs.append(invalid(path, count, f"the total number of attributes and capacities must not exceed {MAX_VALUES}"))
    for name, attribute in sorted_items(attributes):
        attribute_name(name, f"{path}.attributes", errs)
        _attribute(attribute, f"{path}.attributes[{name}]", errs)
    for name, amount in sorted_items(capacity):
        attribute_name(name, f"{path}.capacity", errs)
        policy, where = amount.get("requestPolicy"), f"{path}.capacity[{name}].requestPolicy"
        if policy is not None and device.get("allowMultipleAllocations"):
            request_policy(amount.get("value") or "0", policy, where, errs)
        elif policy is not None:
            errs.append(forbidden(where, "allowMultipleAllocations must be true"))
    each(device.get("taints"), 16, taint, f"{path}.taints", errs)
    each(device.get("consumesCounters"), 2, _consumption, f"{path}.consumesCounters", errs, lambda c: c.get("counterSet") or "")
    if per_device:
        given = _places(device, PLACES[:3], "must not be empty", path, errs)
        if not given:
            errs.append(required(path, _WHERE_A_DEVICE))
        elif len(given) > 1:
            errs.append(invalid(path, f"{{{', '.join(given)}}}", _WHERE_A_DEVICE))
    elif any(device.get(key) is not None for key in PLACES[:3]):
        errs.append(invalid(path, None, _NOT_A_DEVICE))
    binding_conditions(device, path, errs)


def _attribute(attribute: Dict, path: str, errs: Causes) -> None:
    given = [key for key in ("bool", "int", "string", "version") if attribute.get(key) is not None]
    for key in ("string", "version"):
        if len((attribute.get(key) or "").encode()) > MAX_TEXT:
            errs.append(too_long(f"{path}.{key}", MAX_TEXT))
    if attribute.get("version") is not None and _SEMVER.fullmatch(attribute["version"]) is None:
        words = "must be a string compatible with semver.org spec 2.0.0"
        errs.append(invalid(f"{path}.version", attribute["version"], words))
    if len(given) != 1:
        errs.append(invalid(path, attribute if given else "", "exactly one value must be specified"))


def _counters(counters: Dict | None, path: str, errs: Causes) -> None:
    if not counters:
        errs.append(required(path))
    elif len(counters) > 32:
        errs.append(too_many(path, len(counters), 32))
    else:
        for name in sorted(counters):
            label_name(name, path, errs)


def _counter_set(counter_set: Dict, path: str, errs: Causes) -> None:
    if by_name(counter_set):
        label_name(by_name(counter_set), f"{path}.name", errs)
    else:
        errs.append(required(f"{path}.name"))
    _counters(counter_set.get("counters"), f"{path}.counters", errs)


def _consumption(consumption: Dict, path: str, errs: Causes) -> None:
    if consumption.get("counterSet"):
        label_name(consumption["counterSet"], f"{path}.counterSet", errs)
    else:
        errs.append(required(f"{path}.counterSet"))
    _counters(consumption.get("counters"), f"{path}.counters", errs)


SLICE = Strategy(
    prepare_for_create=prepare, prepare_for_update=lambda obj, old: prepare(obj), validate=validate_slice,
    validate_update=validate_slice_update, warnings=warnings,
)
