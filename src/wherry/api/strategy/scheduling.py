"""PriorityClasses and RuntimeClasses: what a Pod names to be placed and run in a certain way."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.resources import validate_amount
from wherry.api.strategy.pod.scheduling import validate_tolerations
from wherry.api.strategy.rules import Causes, dns_label, immutable, labels, one_of, sorted_items
from wherry.api.strategy.workload import fill
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid

Dict = dict[str, Any]
HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def default_priority_class(obj: Dict) -> None:
    fill(obj, value=0, preemptionPolicy="PreemptLowerPriority")


def validate_priority_class(obj: Dict) -> list[Cause]:
    errs: Causes = []
    name, value = (obj.get("metadata") or {}).get("name") or "", obj.get("value") or 0
    if name.startswith("system-"):
        if SYSTEM.get(name) != value:
            errs.append(forbidden(
                "metadata.name", "priority class names with 'system-' prefix are reserved for system use only."
                + (f" error: value of {name} PriorityClass must be {SYSTEM[name]}" if name in SYSTEM else
                   f" error: {name} is not a known system priority class"),
            ))
    elif value > HIGHEST_USER_PRIORITY:
        words = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        errs.append(forbidden("value", words))
    one_of(obj.get("preemptionPolicy"), ("PreemptLowerPriority", "Never"), "preemptionPolicy", errs)
    return errs


def validate_priority_class_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    if obj.get("value") != old.get("value"):
        errs.append(forbidden("value", "may not be changed in an update."))
    immutable(obj.get("preemptionPolicy"), old.get("preemptionPolicy"), "preemptionPolicy", errs)
    return errs


PRIORITY_CLASS = Strategy(
    default=default_priority_class, validate=validate_priority_class, validate_update=validate_priority_class_update,
)


def validate_runtime_class(obj: Dict) -> list[Cause]:
    errs: Causes = []
    dns_label(obj.get("handler") or "", "handler", errs)
    for name, amount in sorted_items((obj.get("overhead") or {}).get("podFixed")):
        validate_amount(name, amount, f"overhead.podFixed[{name}]", errs)
    placing = obj.get("scheduling") or {}
    labels(placing.get("nodeSelector"), "scheduling.nodeSelector", errs)
    tolerations = placing.get("tolerations") or []
    validate_tolerations(tolerations, "scheduling.tolerations", errs)
    for i, toleration in enumerate(tolerations):
        if toleration in tolerations[:i]:
            errs.append(invalid(f"scheduling.tolerations[{i}]", toleration, "must be unique"))
    return errs


def validate_runtime_class_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj.get("handler"), old.get("handler"), "handler", errs)
    return errs


RUNTIME_CLASS = Strategy(
    validate=validate_runtime_class, validate_update=validate_runtime_class_update, has_generation=False, allow_unconditional_update=False,
)
