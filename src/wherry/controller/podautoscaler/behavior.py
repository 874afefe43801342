"""How fast a scale may change: stabilization windows, policies, bounds.  Pure.

Without `behavior` in the spec, the older rules hold: down only to the highest recommendation of five minutes, up at
most twofold (or to four) at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from wherry.api.types import autoscaling_v2
from wherry.controller.podautoscaler.model import DOWNSCALE_STABILIZATION, MAX_REPLICAS, History, Past, recent

Rules = autoscaling_v2.HPAScalingRules
SCALE_UP_FACTOR, SCALE_UP_MINIMUM = 2, 4
UP_STABILIZED = ("ScaleUpStabilized", "recent recommendations were lower than current one, applying the lowest recent recommendation")
DOWN_STABILIZED = ("ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation")
READY = ("ReadyForNewScale", "recommended size matches current size")
WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
TOO_FAST_UP = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
TOO_FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
Reason = tuple[str, str]  # and message


@dataclass(frozen=True, slots=True)
class Bounds:
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Normalized:
    """The replicas that may be had now of those that metrics ask for."""

    replicas: int
    able: Reason  # why it may, or may not yet
    limited: bool
    limit: Reason
    history: History


def normalize(
    behavior: autoscaling_v2.HorizontalPodAutoscalerBehavior | None, bounds: Bounds, current: int, wanted: int, history: History, at: float,
) -> Normalized:
    if behavior is None:
        stable = max([wanted, *_replicas(recent(history.recommendations, at, DOWNSCALE_STABILIZATION))])
        able = READY if stable == wanted else DOWN_STABILIZED
        replicas, limit = _limit_simply(bounds, current, stable)
        keep = DOWNSCALE_STABILIZATION
    else:
        ups, downs = rules_of(behavior)
        stable = _stabilize(ups, downs, current, wanted, history, at)
        able = READY if stable == wanted else UP_STABILIZED if wanted >= current else DOWN_STABILIZED
        replicas, limit = _limit(ups, downs, bounds, current, stable, history, at)
        keep = max(_window(ups), _window(downs))
    return Normalized(replicas, able, replicas != stable, limit, history.recommended(wanted, at, keep))


def rules_of(behavior: autoscaling_v2.HorizontalPodAutoscalerBehavior) -> tuple[Rules, Rules]:
    """For up and down; defaults have filled in both but for the window downwards."""
    downs = behavior.scale_down or Rules(select_policy="Disabled")
    if downs.stabilization_window_seconds is None:
        downs = Rules(
            policies=downs.policies, select_policy=downs.select_policy, tolerance=downs.tolerance,
            stabilization_window_seconds=int(DOWNSCALE_STABILIZATION),
        )
    return behavior.scale_up or Rules(select_policy="Disabled"), downs


def longest_period(rules: Rules) -> float:
    return max((policy.period_seconds for policy in rules.policies), default=0)


def _replicas(past: Iterable[Past]) -> list[int]:
    return [each.replicas for each in past]


def _window(rules: Rules) -> int:
    return rules.stabilization_window_seconds or 0


def _within(past: Iterable[Past], at: float, seconds: float) -> list[int]:
    return [each.replicas for each in past if at - each.at < seconds]


def _stabilize(ups: Rules, downs: Rules, current: int, wanted: int, history: History, at: float) -> int:
    """Up to the lowest recommendation of one window, down to the highest of the other."""
    lowest = min([wanted, *_within(history.recommendations, at, _window(ups))])
    highest = max([wanted, *_within(history.recommendations, at, _window(downs))])
    return min(max(current, lowest), highest)


def _limit_simply(bounds: Bounds, current: int, wanted: int) -> tuple[int, Reason]:
    fastest = max(SCALE_UP_FACTOR * current, SCALE_UP_MINIMUM)
    most, why = (fastest, TOO_FAST_UP) if bounds.most > fastest else (bounds.most, TOO_MANY)
    if wanted < bounds.least:
        return bounds.least, TOO_FEW
    return (most, why) if wanted > most else (wanted, WITHIN)


def _limit(
    ups: Rules, downs: Rules, bounds: Bounds, current: int, wanted: int, history: History, at: float,
) -> tuple[int, Reason]:
    if wanted > current:
        fastest = max(current, _fastest_up(ups, current, history, at))
        most, why = (fastest, TOO_FAST_UP) if bounds.most > fastest else (bounds.most, TOO_MANY)
        if wanted > most:
            return most, why
    elif wanted < current:
        fastest = min(current, _fastest_down(downs, current, history, at))
        least, why = (fastest, TOO_FAST_DOWN) if bounds.least < fastest else (bounds.least, TOO_FEW)
        if wanted < least:
            return least, why
    return wanted, WITHIN


def _at_start(policy: autoscaling_v2.HPAScalingPolicy, current: int, history: History, at: float) -> int:
    """How many replicas there were when the policy's period began."""
    added = sum(_within(history.ups, at, policy.period_seconds))
    removed = sum(_within(history.downs, at, policy.period_seconds))
    return current - added + removed


def _fastest_up(rules: Rules, current: int, history: History, at: float) -> int:
    if rules.select_policy == "Disabled":
        return current
    proposed = []
    for policy in rules.policies:
        start = _at_start(policy, current, history, at)
        # Rounded up: a small percentage of a few replicas would never add one.
        proposed.append(start + policy.value if policy.type == "Pods" else math.ceil(start * (1 + policy.value / 100)))
    return min((min if rules.select_policy == "Min" else max)(proposed, default=current), MAX_REPLICAS)


def _fastest_down(rules: Rules, current: int, history: History, at: float) -> int:
    if rules.select_policy == "Disabled":
        return current
    proposed = []
    for policy in rules.policies:
        start = _at_start(policy, current, history, at)
        proposed.append(start - policy.value if policy.type == "Pods" else int(start * (1 - policy.value / 100)))
    return (max if rules.select_policy == "Min" else min)(proposed, default=current)
