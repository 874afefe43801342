"""What each kind of metric asks for, its status, and its failures in upstream's words.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from wherry.api.types import autoscaling_v2, core_v1
from wherry.apimachinery.quantity import from_milli, milli
from wherry.controller.podautoscaler import calculator
from wherry.controller.podautoscaler.model import CannotCompute, Failure, PodMetrics, Reading, Target, Tolerances
from wherry.controller.scales import go_selector

MetricTarget = autoscaling_v2.MetricTarget
ResourceSource = autoscaling_v2.ResourceMetricSource | autoscaling_v2.ContainerResourceMetricSource


class Unproposed(Exception):
    """A metric asks for nothing: `reason` of event and condition, `inner` their message; the text is the round's."""

    def __init__(self, reason: str, inner: str, told: str) -> None:
        super().__init__(told)
        self.reason, self.inner = reason, inner


@dataclass(frozen=True, slots=True)
class Proposal:
    replicas: int
    name: str  # as conditions and events call the metric
    status: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Asked:
    """What every kind of metric is worked out from."""

    target: Target
    pods: Sequence[core_v1.Pod]
    tolerances: Tolerances
    now: float


def propose(
    spec: autoscaling_v2.MetricSpec, reading: Reading, target: Target, pods: Sequence[core_v1.Pod], tolerances: Tolerances, now: float,
) -> Proposal:
    """Raises Unproposed."""
    asked = _Asked(target, pods, tolerances, now)
    if spec.resource is not None and spec.type == "Resource":
        return _resource(spec.resource, "", reading, asked)
    if spec.container_resource is not None and spec.type == "ContainerResource":
        return _resource(spec.container_resource, spec.container_resource.container, reading, asked)
    if spec.pods is not None and spec.type == "Pods":
        return _pods(spec.pods, reading, asked)
    if spec.object is not None and spec.type == "Object":
        return _object(spec.object, reading, asked)
    if spec.external is not None and spec.type == "External":
        return _external(spec.external, reading, asked)
    why = f'unknown metric source type "{spec.type}"'
    raise Unproposed("InvalidMetricSourceType", why, why)


def _resource(source: ResourceSource, container: str, reading: Reading, asked: _Asked) -> Proposal:
    kind, target = ("ContainerResource" if container else "Resource"), source.target
    known = {"name": source.name, **({"container": container} if container else {})}
    key = "containerResource" if container else "resource"
    try:
        metrics = _of_pods(reading)
        if target.average_value:
            replicas, average = calculator.by_average(
                asked.target.replicas, milli(target.average_value), asked.pods, metrics, source.name, asked.tolerances, asked.now,
            )
            current: dict[str, Any] = {"averageValue": _quantity(average)}
            name = f"{source.name} resource"
        elif target.average_utilization is None:
            raise CannotCompute("invalid resource metric source: neither an average utilization target nor an average value was set")
        else:
            replicas, percent, average = calculator.by_utilization(
                asked.target.replicas, target.average_utilization, asked.pods, metrics, source.name, container, asked.tolerances,
                asked.now,
            )
            current = {"averageUtilization": percent, "averageValue": _quantity(average)}
            name = f"{source.name} {'container ' if container else ''}resource utilization (percentage of request)"
    except CannotCompute as error:
        inner = f"failed to get {source.name} {'usage' if target.average_value else 'utilization'}: {error}"
        told = f"failed to get {source.name} {'container' if container else 'resource'} metric value: {inner}"
        raise Unproposed(f"FailedGet{kind}Metric", inner, told) from error
    return Proposal(replicas, name, {"type": kind, key: {**known, "current": current}})


def _pods(source: autoscaling_v2.PodsMetricSource, reading: Reading, asked: _Asked) -> Proposal:
    try:
        replicas, average = calculator.by_average(
            asked.target.replicas, milli(source.target.average_value), asked.pods, _of_pods(reading), "", asked.tolerances, asked.now,
        )
    except CannotCompute as error:
        raise Unproposed("FailedGetPodsMetric", str(error), f"failed to get pods metric value: {error}") from error
    status = {"metric": _identifier(source.metric), "current": {"averageValue": _quantity(average)}}
    return Proposal(replicas, f"pods metric {source.metric.name}", {"type": "Pods", "pods": status})


def _object(source: autoscaling_v2.ObjectMetricSource, reading: Reading, asked: _Asked) -> Proposal:
    name, described = source.metric.name, msgspec.to_builtins(source.described_object)
    try:
        replicas, current = _one_value(source.target, reading, asked)
    except CannotCompute as error:
        shared = source.target.type == "AverageValue"
        told = f"failed to get {name} object metric: {error}" if shared else str(error)
        raise Unproposed("FailedGetObjectMetric", str(error), f"failed to get object metric value: {told}") from error
    shown = f"{source.described_object.kind} metric {name}" if "value" in current else _external_name(source.metric)
    status = {"metric": _identifier(source.metric), "describedObject": described, "current": current}
    return Proposal(replicas, shown, {"type": "Object", "object": status})


def _external(source: autoscaling_v2.ExternalMetricSource, reading: Reading, asked: _Asked) -> Proposal:
    name = source.metric.name
    try:
        replicas, current = _one_value(source.target, reading, asked)
    except CannotCompute as error:
        shared = bool(source.target.average_value)
        told = f"failed to get {name} external metric: {error}" if shared else f"failed to get external metric {name}: {error}"
        raise Unproposed("FailedGetExternalMetric", str(error), f"failed to get {name} external metric value: {told}") from error
    status = {"metric": _identifier(source.metric), "current": current}
    return Proposal(replicas, _external_name(source.metric), {"type": "External", "external": status})


def _one_value(target: MetricTarget, reading: Reading, asked: _Asked) -> tuple[int, dict[str, str]]:
    """Replicas for one number, wanted as a whole or as each Pod's share, and what it is now."""
    if isinstance(reading, Failure):
        raise CannotCompute(reading.message)
    if not isinstance(reading, int):
        raise TypeError("a metric of Pods where one value was asked for")
    if target.average_value and (target.type == "AverageValue" or not target.value):
        replicas, share = calculator.by_share(asked.target.status_replicas, milli(target.average_value), reading, asked.tolerances)
        return replicas, {"averageValue": _quantity(share)}
    if not target.value:
        raise CannotCompute("invalid metric source: neither a value target nor an average value target was set")
    replicas = calculator.by_value(asked.target.replicas, milli(target.value), reading, asked.pods, asked.tolerances)
    return replicas, {"value": _quantity(reading)}


def _of_pods(reading: Reading) -> PodMetrics:
    if isinstance(reading, Failure):
        raise CannotCompute(reading.message)
    if isinstance(reading, int):
        raise TypeError("one value where a metric of Pods was asked for")
    return reading


def _identifier(metric: autoscaling_v2.MetricIdentifier) -> dict[str, Any]:
    selector = {} if metric.selector is None else {"selector": msgspec.to_builtins(metric.selector)}
    return {"name": metric.name, **selector}


def _external_name(metric: autoscaling_v2.MetricIdentifier) -> str:
    return f"external metric {metric.name}({go_selector(metric.selector)})"


def _quantity(thousandths: int) -> str:
    return str(from_milli(thousandths))
