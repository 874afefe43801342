"""DaemonSets, with the template generation that upstream still keeps in an annotation."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.defaults import default_template
from wherry.api.strategy.pod.warnings import template_warnings
from wherry.api.strategy.rules import Causes, immutable, not_negative
from wherry.api.strategy.workload import (
    amount,
    at_most_all,
    fill,
    int_or_percent,
    spec_of,
    validate_collisions,
    validate_owned_template,
    validate_selector,
)
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, not_supported, required

Dict = dict[str, Any]
TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
COUNTS = ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady")
MORE_COUNTS = (*COUNTS, "observedGeneration", "updatedNumberScheduled", "numberAvailable", "numberUnavailable")


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    fill(spec, revisionHistoryLimit=10)
    strategy = spec.get("updateStrategy")
    if strategy is None:
        strategy = spec["updateStrategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        if strategy.get("rollingUpdate") is None:
            strategy["rollingUpdate"] = {}
        fill(strategy["rollingUpdate"], maxUnavailable=1, maxSurge=0)
    default_template(spec)
    if TEMPLATE_GENERATION not in (obj.setdefault("metadata", {}).get("annotations") or {}):
        _annotate(obj, 1)  # so that its writer owns it; an update counts from the old object's


def _annotate(obj: Dict, generation: int) -> None:
    meta = obj.setdefault("metadata", {})
    meta["annotations"] = {**(meta.get("annotations") or {}), TEMPLATE_GENERATION: str(generation)}


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = dict.fromkeys(COUNTS, 0)
    _annotate(obj, 1)


def prepare_for_update(obj: Dict, old: Dict) -> None:
    text = (old["metadata"].get("annotations") or {}).get(TEMPLATE_GENERATION, "")
    generation = int(text) if text.isascii() and text.isdigit() else 0
    _annotate(obj, generation + (obj["spec"].get("template") != old["spec"].get("template")))


def _strategy(strategy: Dict, errs: Causes) -> None:
    path, kind, rolling = "spec.updateStrategy", strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "OnDelete":
        return
    if kind != "RollingUpdate":
        errs.append(not_supported(path, {"Type": kind, "RollingUpdate": rolling}, ("RollingUpdate", "OnDelete")))
        return
    if rolling is None:
        errs.append(required(f"{path}.rollingUpdate"))
        return
    unavailable, surge, where = rolling.get("maxUnavailable"), rolling.get("maxSurge"), f"{path}.rollingUpdate"
    int_or_percent(unavailable, f"{where}.maxUnavailable", errs)
    int_or_percent(surge, f"{where}.maxSurge", errs)
    if amount(unavailable) == 0 and amount(surge) == 0:
        errs.append(required(f"{where}.maxUnavailable", "cannot be 0 when maxSurge is 0"))
    if amount(unavailable) and amount(surge):
        errs.append(invalid(f"{where}.maxSurge", surge, "may not be set when maxUnavailable is non-zero"))
    at_most_all(unavailable, f"{where}.maxUnavailable", errs)
    at_most_all(surge, f"{where}.maxSurge", errs)


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    if validate_selector(spec, "daemonset", errs):
        validate_owned_template(spec, "DaemonSet", errs)
    not_negative(spec.get("minReadySeconds"), "spec.minReadySeconds", errs)
    _strategy(spec.get("updateStrategy") or {}, errs)
    not_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit", errs)
    return errs


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj["spec"].get("selector"), old["spec"].get("selector"), "spec.selector", errs)
    return errs


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    status = obj.get("status") or {}
    for name in MORE_COUNTS:
        not_negative(status.get(name), f"status.{name}", errs)
    validate_collisions(obj, old, errs)
    return errs


DAEMON_SET = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    prepare_for_update=prepare_for_update,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=lambda obj: template_warnings((obj.get("spec") or {}).get("template"), "spec.template"),
)
