"""PodDisruptionBudgets."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, conditions, label_selector, not_negative, supported_if_set
from wherry.api.strategy.workload import at_most_all, int_or_percent, spec_of
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid

Dict = dict[str, Any]
COUNTS = ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods")


def default(obj: Dict) -> None:
    spec_of(obj)


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = dict.fromkeys(COUNTS, 0)


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    least, most, eviction = (spec.get(n) for n in ("minAvailable", "maxUnavailable", "unhealthyPodEvictionPolicy"))
    if least is not None and most is not None:
        shown = {"MinAvailable": least, "Selector": spec.get("selector"), "MaxUnavailable": most, "UnhealthyPodEvictionPolicy": eviction}
        errs.append(invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"))
    for name, value in (("minAvailable", least), ("maxUnavailable", most)):
        if value is not None:
            int_or_percent(value, f"spec.{name}", errs)
            at_most_all(value, f"spec.{name}", errs)
    label_selector(spec.get("selector"), "spec.selector", errs)
    supported_if_set(eviction, ("AlwaysAllow", "IfHealthyBudget"), "spec.unhealthyPodEvictionPolicy", errs)
    return errs


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    conditions((obj.get("status") or {}).get("conditions"), "status.conditions", errs)
    for name in COUNTS:
        not_negative((obj.get("status") or {}).get(name), f"status.{name}", errs)
    return errs


POD_DISRUPTION_BUDGET = Strategy(
    default=default, prepare_for_create=prepare_for_create, validate=validate, validate_status=validate_status,
    allow_unconditional_update=False,
)
