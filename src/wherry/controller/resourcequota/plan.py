"""What a ResourceQuota's status is to say.  Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wherry.api.quota import Usage, Weight, add, in_scope
from wherry.api.types import core_v1
from wherry.apimachinery.quantity import ZERO, Quantity, parse


def used(spec: core_v1.ResourceQuotaSpec, weights: Iterable[Weight], now: float) -> Usage:
    """The sum for every name that the quota bounds."""
    total: Usage = {}
    for weight in weights:
        if in_scope(spec, weight):
            add(total, weight.at(now), spec.hard)
    return {name: total.get(name, ZERO) for name in spec.hard}


def status_change(quota: core_v1.ResourceQuota, total: Usage) -> dict[str, Any] | None:
    """A merge patch of the status; None when it says so already."""
    hard = {name: parse(amount) for name, amount in quota.spec.hard.items()}
    change = {
        key: amounts for key, amounts in (
            ("hard", _difference(quota.status.hard, hard)), ("used", _difference(quota.status.used, total)),
        ) if amounts
    }
    return change or None


def _difference(told: Mapping[str, str], wanted: Mapping[str, Quantity]) -> dict[str, str | None]:
    """What to change of the amounts that are told; None for those that have to go."""
    changed: dict[str, str | None] = {
        name: str(amount) for name, amount in wanted.items() if name not in told or parse(told[name]) != amount
    }
    return changed | {name: None for name in told if name not in wanted}


def next_end(weights: Iterable[Weight], now: float) -> float | None:
    """Seconds until time alone changes what is used: a Pod that goes has had its time."""
    return min((weight.until - now for weight in weights if now <= weight.until < float("inf")), default=None)
