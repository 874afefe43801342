"""One round of an autoscaler: what its metrics ask for, what may be had now, what its status then says.  Pure.

The executor asks for the scale and the metrics, calls `plan`, changes the scale, and finishes the round with
`Round.rescaled`, `not_rescaled` or as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.types import autoscaling_v2, core_v1
from wherry.apimachinery.labels import Selector
from wherry.apimachinery.quantity import parse
from wherry.client.recorder import NORMAL, WARNING
from wherry.controller.podautoscaler.behavior import Bounds, longest_period, normalize, rules_of
from wherry.controller.podautoscaler.model import TOLERANCE, History, Past, Reading, Target, Tolerances
from wherry.controller.podautoscaler.proposals import Proposal, Unproposed, propose
from wherry.util.clock import rfc3339

Autoscaler = autoscaling_v2.HorizontalPodAutoscaler
Status = dict[str, Any]
ABLE, ACTIVE, LIMITED, ZERO = "AbleToScale", "ScalingActive", "ScalingLimited", "ScaledToZero"
KEEP = frozenset({"desiredReplicas"})


class Unselective(Exception):
    """The target does not tell which Pods are its own: (event's reason, its message, the condition's message)."""


@dataclass(slots=True)
class Round:
    """What one round has come to."""

    hpa: Autoscaler
    now: float  # wall time
    at: float  # monotonic
    current: int
    history: History = field(default_factory=History)
    desired: int = 0
    rescale: bool = False
    why: str = ""  # of a rescale
    events: list[tuple[str, str, str]] = field(default_factory=list)
    metrics: list[dict[str, Any]] | None = None
    conditions: list[dict[str, Any]] = field(default_factory=list)

    def set(self, type_: str, status: bool, reason: str, message: str) -> None:
        """A condition keeps its time while its status stays."""
        text = "True" if status else "False"
        new = {"type": type_, "status": text, "reason": reason, "message": message, "lastTransitionTime": rfc3339(self.now)}
        for index, old in enumerate(self.conditions):
            if old["type"] == type_:
                if old["status"] == text:
                    new["lastTransitionTime"] = old["lastTransitionTime"]
                self.conditions[index] = new
                return
        self.conditions.append(new)

    def status(self) -> Status:
        """Everything that is to be said now."""
        status: Status = {
            "currentReplicas": self.current, "desiredReplicas": self.desired, "currentMetrics": self.metrics or [],
            "conditions": self.conditions,
        }
        return status

    def rescaled(self) -> Status:
        """The scale is as desired now."""
        self.set(ABLE, True, "SucceededRescale", f"the HPA controller was able to update the target scale to {self.desired}")
        self.events.append((NORMAL, "SuccessfulRescale", f"New size: {self.desired}; reason: {self.why}"))
        if self.current > 0 and self.desired == 0 and _may_be_zero(self.hpa):
            self.set(ZERO, True, "ScaledToZero", "the HPA controller scaled the workload to zero")
        else:
            self.set(ZERO, False, "NotScaledToZero", "the HPA controller did not scale the workload to zero")
        behavior, change = self.hpa.spec.behavior, self.desired - self.current
        if behavior is not None:
            ups, downs = rules_of(behavior)
            self.history = self.history.scaled(change, self.at, longest_period(ups if change > 0 else downs))
        return {**self.status(), "lastScaleTime": rfc3339(self.now)}

    def not_rescaled(self, error: str) -> Status:
        """The scale could not be changed."""
        self.events.append((WARNING, "FailedRescale", f"New size: {self.desired}; reason: {self.why}; error: {error}"))
        self.set(ABLE, False, "FailedUpdateScale", f"the HPA controller was unable to update the target scale: {error}")
        self.desired = self.hpa.status.desired_replicas
        return self.status()

    def fail(self, error: str) -> None:
        """Nothing can be told from metrics: everything stays as it is."""
        self.desired = self.hpa.status.desired_replicas
        self.events.append((WARNING, "FailedComputeMetricsReplicas", error))


def begin(hpa: Autoscaler, target: Target, history: History, now: float, at: float) -> Round:
    """The scale has been read; bounds are kept without asking for metrics (`needs_metrics` tells which it is)."""
    conditions = [_plain(each) for each in hpa.status.conditions]
    if not history.recommendations:
        history = History((Past(target.replicas, at),))
    found = Round(hpa, now, at, target.replicas, history, target.replicas, conditions=conditions)
    found.set(ABLE, True, "SucceededGetScale", "the HPA controller was able to get the target's current scale")
    bounds = _bounds(hpa)
    if target.replicas == 0:
        if _sleeps(hpa):
            return found
        found.set(ACTIVE, False, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero")
    elif target.replicas > bounds.most:
        found.desired, found.rescale, found.why = bounds.most, True, "Current number of replicas above Spec.MaxReplicas"
    elif target.replicas < bounds.least:
        found.desired, found.rescale, found.why = bounds.least, True, "Current number of replicas below Spec.MinReplicas"
    return found


def needs_metrics(hpa: Autoscaler, target: Target) -> bool:
    bounds = _bounds(hpa)
    if target.replicas == 0:
        return _sleeps(hpa)
    return bounds.least <= target.replicas <= bounds.most


def without_scale(hpa: Autoscaler, error: str, now: float) -> tuple[Status, tuple[str, str, str]]:
    """The scale could not be read: the rest of the status stays."""
    found = Round(hpa, now, 0.0, 0, conditions=[_plain(each) for each in hpa.status.conditions])
    found.set(ABLE, False, "FailedGetScale", f"the HPA controller was unable to get the target's current scale: {error}")
    return {"conditions": found.conditions}, (WARNING, "FailedGetScale", error)


def selector_of(text: str) -> Selector:
    """Which Pods are the target's.  Raises Unselective."""
    if not text:
        raise Unselective("SelectorRequired", "selector is required", "the HPA target's scale is missing a selector")
    try:
        return Selector.parse(text)
    except ValueError as error:
        message = f"couldn't convert selector into a corresponding internal selector object: {error}"
        raise Unselective("InvalidSelector", message, message) from error


def unselective(found: Round, error: Unselective) -> None:
    event, message, told = error.args
    found.events.append((WARNING, event, message))
    found.set(ACTIVE, False, "InvalidSelector", told)
    found.fail(message)


def ambiguous(found: Round, selector: str, rivals: Sequence[str]) -> None:
    """More than one autoscaler would scale the same Pods."""
    message = f"pods by selector {selector} are controlled by multiple HPAs: [{' '.join(rivals)}]"
    found.events.append((WARNING, "AmbiguousSelector", message))
    found.set(ACTIVE, False, "AmbiguousSelector", message)
    found.fail(message)


def plan(found: Round, target: Target, readings: Sequence[Reading], pods: Sequence[core_v1.Pod]) -> None:
    """What the metrics (one reading each, in the spec's order) ask for, and how much of that may be had now."""
    hpa, specs = found.hpa, found.hpa.spec.metrics
    tolerances, proposals = _tolerances(hpa), []
    found.metrics = [{"type": ""} for _ in specs]
    failures: list[tuple[str, str, str]] = []  # of conditions: reason and message; and of the round
    for index, (spec, reading) in enumerate(zip(specs, readings, strict=True)):
        try:
            proposal = propose(spec, reading, target, pods, tolerances, found.now)
        except Unproposed as error:
            failures.append((error.reason, error.inner, str(error)))
            found.events.append((WARNING, error.reason, error.inner))
            continue
        proposals.append(proposal)
        found.metrics[index] = proposal.status
    highest = max(proposals, key=lambda each: each.replicas, default=None)
    if failures and (highest is None or highest.replicas < target.replicas):
        # The metric that failed might have wanted what there is: never fewer because of it.
        reason, inner, told = failures[0]
        found.set(ACTIVE, False, reason, f"the HPA was unable to compute the replica count: {inner}")
        found.fail(f"invalid metrics ({len(failures)} invalid out of {len(specs)}), first error is: {told}")
        return
    _choose(found, highest)


def _choose(found: Round, highest: Proposal | None) -> None:
    wanted, name = (0, "") if highest is None else (highest.replicas, highest.name)
    message = f"the HPA was able to successfully calculate a replica count from {name}"
    found.set(ACTIVE, True, "ValidMetricFound", message)
    if wanted > found.current:
        found.why = f"{name} above target"
    elif wanted < found.current:
        found.why = "All metrics below target"
    done = normalize(found.hpa.spec.behavior, _bounds(found.hpa), found.current, wanted, found.history, found.at)
    found.set(ABLE, True, *done.able)
    found.set(LIMITED, done.limited, *done.limit)
    found.history, found.desired = done.history, done.replicas
    if found.current == 0:
        found.desired = max(found.desired, _bounds(found.hpa).least)
    found.rescale = found.desired != found.current


def _may_be_zero(hpa: Autoscaler) -> bool:
    """It is allowed, and there is a metric that can tell when it is over: one that no Pod of its own has to measure."""
    return hpa.spec.min_replicas == 0 and any(each.type in ("Object", "External") for each in hpa.spec.metrics)


def _sleeps(hpa: Autoscaler) -> bool:
    """The zero is of the autoscaler's own making (KEP-2021), so it may end; a person's zero means: hands off."""
    own = any(each.type == ZERO and each.status == "True" for each in hpa.status.conditions)
    return own and (hpa.spec.min_replicas != 0 or _may_be_zero(hpa))


def _bounds(hpa: Autoscaler) -> Bounds:
    least = hpa.spec.min_replicas
    return Bounds(1 if least is None else least, hpa.spec.max_replicas)


def _tolerances(hpa: Autoscaler) -> Tolerances:
    behavior = hpa.spec.behavior

    def of(rules: autoscaling_v2.HPAScalingRules | None) -> float:
        return parse(rules.tolerance).nanos / 1e9 if rules is not None and rules.tolerance else TOLERANCE

    return Tolerances() if behavior is None else Tolerances(of(behavior.scale_down), of(behavior.scale_up))


def _plain(each: autoscaling_v2.HorizontalPodAutoscalerCondition) -> dict[str, Any]:
    return {
        "type": each.type, "status": each.status, "reason": each.reason, "message": each.message,
        "lastTransitionTime": each.last_transition_time,
    }
