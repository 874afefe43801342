"""DeviceClasses, and DeviceTaintRules."""

from __future__ import annotations

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.resources import is_extended
from wherry.api.strategy.resource.common import (
    MAX_LIST,
    Dict,
    conditions,
    driver_name,
    each,
    label_name,
    opaque,
    pool_name,
    selectors,
    taint,
)
from wherry.api.strategy.rules import Causes
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid


def validate_class(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    each(spec.get("config"), MAX_LIST, opaque, "spec.config", errs)
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended(name):
        errs.append(invalid("spec.extendedResourceName", name, "must be a valid extended resource name"))
    return errs


def validate_class_create(obj: Dict) -> list[Cause]:
    errs: Causes = []
    selectors((obj.get("spec") or {}).get("selectors"), "spec.selectors", errs)
    return errs


def validate_class_update(obj: Dict, old: Dict) -> list[Cause]:
    """Selectors that stay as they are were valid when they were written."""
    kept = (obj.get("spec") or {}).get("selectors") == (old.get("spec") or {}).get("selectors")
    return [] if kept else validate_class_create(obj)


DEVICE_CLASS = Strategy(validate=validate_class, validate_create=validate_class_create, validate_update=validate_class_update)


def validate_rule(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    wanted, path = spec.get("deviceSelector") or {}, "spec.deviceSelector"
    for key, check in (("driver", driver_name), ("pool", pool_name), ("device", label_name)):
        if wanted.get(key) is not None:
            check(wanted[key], f"{path}.{key}", errs)
    taint(spec.get("taint") or {}, "spec.taint", errs)
    return errs


def validate_rule_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    conditions((obj.get("status") or {}).get("conditions"), "status.conditions", errs)
    return errs


def prepare_rule_for_create(obj: Dict) -> None:
    obj.pop("status", None)


DEVICE_TAINT_RULE = Strategy(
    prepare_for_create=prepare_rule_for_create, validate=validate_rule, validate_status=validate_rule_status,
)
