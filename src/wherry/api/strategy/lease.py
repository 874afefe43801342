"""Leases."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, not_negative
from wherry.api.strategy.workload import spec_of
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, required

Dict = dict[str, Any]


def default(obj: Dict) -> None:
    spec_of(obj)


def validate(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        errs.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
    not_negative(spec.get("leaseTransitions"), "spec.leaseTransitions", errs)
    strategy, preferred = spec.get("strategy"), spec.get("preferredHolder")
    if preferred and not strategy:
        errs.append(required("spec.strategy", "strategy is required when preferredHolder is specified"))
    return errs


LEASE = Strategy(
    default=default, validate=validate, has_generation=False, allow_create_on_update=True, allow_unconditional_update=False,
)
