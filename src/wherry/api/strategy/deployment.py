"""Deployments."""

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
    validate_counts,
    validate_owned_template,
    validate_selector,
)
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required

Dict = dict[str, Any]
TYPES = ("Recreate", "RollingUpdate")


def default(obj: Dict) -> None:
    spec = spec_of(obj)
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.get("strategy")
    if strategy is None:
        strategy = spec["strategy"] = {}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        if strategy.get("rollingUpdate") is None:
            strategy["rollingUpdate"] = {}
        fill(strategy["rollingUpdate"], maxUnavailable="25%", maxSurge="25%")
    default_template(spec)


def prepare_for_create(obj: Dict) -> None:
    obj["status"] = {}


def _strategy(strategy: Dict, errs: Causes) -> None:
    path, kind, rolling = "spec.strategy", strategy.get("type"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            errs.append(forbidden(f"{path}.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"))
    elif kind != "RollingUpdate":
        errs.append(not_supported(path, {"Type": kind, "RollingUpdate": rolling}, TYPES))
    elif rolling is None:
        errs.append(required(f"{path}.rollingUpdate", "this should be defaulted and never be nil"))
    else:
        unavailable, surge, where = rolling.get("maxUnavailable"), rolling.get("maxSurge"), f"{path}.rollingUpdate"
        int_or_percent(unavailable, f"{where}.maxUnavailable", errs)
        int_or_percent(surge, f"{where}.maxSurge", errs)
        if amount(unavailable) == 0 and amount(surge) == 0:
            errs.append(invalid(f"{where}.maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"))
        at_most_all(unavailable, f"{where}.maxUnavailable", errs)


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    not_negative(spec.get("replicas"), "spec.replicas", errs)
    if validate_selector(spec, "deployment", errs):
        validate_owned_template(spec, "ReplicaSet", errs)
    _strategy(spec.get("strategy") or {}, errs)
    not_negative(spec.get("minReadySeconds"), "spec.minReadySeconds", errs)
    not_negative(spec.get("revisionHistoryLimit"), "spec.revisionHistoryLimit", errs)
    deadline = spec.get("progressDeadlineSeconds")
    if deadline is not None:
        not_negative(deadline, "spec.progressDeadlineSeconds", errs)
        if deadline <= (spec.get("minReadySeconds") or 0):
            errs.append(invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"))
    return errs


def validate_update(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    immutable(obj["spec"].get("selector"), old["spec"].get("selector"), "spec.selector", errs)
    return errs


COUNTS = (
    "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas",
    "terminatingReplicas", "collisionCount",
)


def validate_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    validate_counts(obj.get("status") or {}, COUNTS, errs)
    validate_collisions(obj, old, errs)
    return errs


DEPLOYMENT = Strategy(
    default=default,
    prepare_for_create=prepare_for_create,
    validate=validate,
    validate_update=validate_update,
    validate_status=validate_status,
    warnings=lambda obj: template_warnings((obj.get("spec") or {}).get("template"), "spec.template"),
    annotations_count=True,
)
