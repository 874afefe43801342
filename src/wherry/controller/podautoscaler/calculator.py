"""From a metric to a replica count (upstream's replica calculator).  Pure.

Pods without metrics, and Pods that are not ready, must not turn the scale the wrong way: they are counted as if
they spoke against the change.  https://kubernetes.io/docs/concepts/workloads/autoscaling/horizontal-pod-autoscale/
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wherry.api.pod import effective_requests, get_condition, is_ready, is_sidecar
from wherry.api.types import core_v1
from wherry.apimachinery.quantity import milli
from wherry.controller.podautoscaler.model import (
    CPU_INITIALIZATION,
    INITIAL_READINESS_DELAY,
    MAX_REPLICAS,
    CannotCompute,
    PodMetric,
    PodMetrics,
    Tolerances,
)
from wherry.util.clock import parse_rfc3339

Values = Mapping[str, int]
NO_PODS = "no pods returned by selector while calculating replica count"
NO_METRICS = "did not receive metrics for targeted pods (pods might be unready)"


@dataclass(frozen=True, slots=True)
class Groups:
    """The Pods by what their metrics are worth.  Those that go or have failed are in none."""

    values: dict[str, int]  # of ready Pods
    unready: list[str]
    missing: list[str]


def group_pods(pods: Sequence[core_v1.Pod], metrics: PodMetrics, resource: str, now: float) -> Groups:
    found = Groups({}, [], [])
    for pod in pods:
        name = pod.metadata.name
        if pod.metadata.deletion_timestamp is not None or pod.status.phase == "Failed":
            continue
        if pod.status.phase == "Pending":
            found.unready.append(name)
        elif name not in metrics:
            found.missing.append(name)
        elif resource == "cpu" and _cpu_means_nothing(pod, metrics[name], now):
            found.unready.append(name)
        else:
            found.values[name] = metrics[name].value
    return found


def _cpu_means_nothing(pod: core_v1.Pod, metric: PodMetric, now: float) -> bool:
    """A Pod that starts uses more than it will: its CPU counts once it is ready, for a whole window."""
    ready = get_condition(pod, "Ready")
    if ready is None or not pod.status.start_time or not ready.last_transition_time:
        return True
    started, changed = parse_rfc3339(pod.status.start_time), parse_rfc3339(ready.last_transition_time)
    if started + CPU_INITIALIZATION > now:
        return ready.status == "False" or metric.timestamp < changed + metric.window
    return ready.status == "False" and started + INITIAL_READINESS_DELAY > changed


def requests_of(pods: Sequence[core_v1.Pod], resource: str, container: str) -> dict[str, int]:
    """What each Pod (or its one container) asks for, in thousandths.  Raises CannotCompute when one does not say."""
    return {pod.metadata.name: _request(pod, resource, container) for pod in pods}


def _request(pod: core_v1.Pod, resource: str, container: str) -> int:
    name, whole = pod.metadata.name, pod.spec.resources
    if not container and whole is not None and whole.requests:
        amounts = effective_requests(pod)
        if resource not in amounts:
            raise CannotCompute(f"missing pod-level request for {resource} in Pod {name}")
        return amounts[resource].milli()
    counted = [*pod.spec.containers, *(each for each in pod.spec.init_containers if is_sidecar(each))]
    if container:
        counted = [each for each in counted if each.name == container]
        if not counted:
            raise CannotCompute(f"container {container} not found in Pod {name}")
    total = 0
    for each in counted:
        if resource not in each.resources.requests:
            raise CannotCompute(f"missing request for {resource} in container {each.name} of Pod {name}")
        total += milli(each.resources.requests[resource])
    return total


def by_utilization(
    current: int, target: int, pods: Sequence[core_v1.Pod], metrics: PodMetrics, resource: str, container: str,
    tolerances: Tolerances, now: float,
) -> tuple[int, int, int]:
    """Replicas for so many percent of the requests, the percentage now, and the average that a Pod uses."""
    groups = _grouped(pods, metrics, resource, now)
    requests = requests_of(pods, resource, container)

    def used(values: Values) -> tuple[float, int, int]:
        wanted = sum(requests[name] for name in values)
        if wanted == 0:
            raise CannotCompute("no metrics returned matched known pods")
        total = sum(values.values())
        percent = total * 100 // wanted
        return percent / target, percent, total // len(values)

    _, percent, average = used(groups.values)
    replicas = _replicas(
        current, groups, lambda values: used(values)[0], lambda name: requests[name] * max(100, target) // 100, tolerances,
    )
    return replicas, percent, average


def by_average(
    current: int, target: int, pods: Sequence[core_v1.Pod], metrics: PodMetrics, resource: str, tolerances: Tolerances, now: float,
) -> tuple[int, int]:
    """Replicas for so much a Pod, and the average now.  `resource` is empty for metrics that are none."""
    groups = _grouped(pods, metrics, resource, now)

    def average(values: Values) -> int:
        return sum(values.values()) // len(values)

    replicas = _replicas(current, groups, lambda values: average(values) / target, lambda name: target, tolerances, counts_at_target=True)
    return replicas, average(groups.values)


def _grouped(pods: Sequence[core_v1.Pod], metrics: PodMetrics, resource: str, now: float) -> Groups:
    if not pods:
        raise CannotCompute(NO_PODS)
    groups = group_pods(pods, metrics, resource, now)
    if not groups.values:
        raise CannotCompute(NO_METRICS)
    return groups


def _replicas(
    current: int, groups: Groups, ratio_of: Callable[[Values], float], at_most: Callable[[str], int], tolerances: Tolerances, *,
    counts_at_target: bool = False,
) -> int:
    """`at_most` is what a Pod without metrics counts for when the others ask for fewer.  `counts_at_target`: it counts for
    nothing already when they are just at the target, as upstream does where no percentage is meant."""
    ratio = ratio_of(groups.values)
    up_with_unready = bool(groups.unready) and ratio > 1
    if not groups.missing and not up_with_unready:
        return current if tolerances.covers(ratio) else up(ratio * len(groups.values))
    filled = dict(groups.values)
    if ratio != 1 or counts_at_target:
        filled |= {name: at_most(name) if ratio < 1 else 0 for name in groups.missing}
    if up_with_unready:
        filled |= dict.fromkeys(groups.unready, 0)
    again = ratio_of(filled)
    replicas = up(again * len(filled))
    turned = (ratio < 1 < again) or (again < 1 < ratio) or (again < 1 and replicas > current) or (again > 1 and replicas < current)
    return current if turned or tolerances.covers(again) else replicas


def by_value(current: int, target: int, usage: int, pods: Sequence[core_v1.Pod], tolerances: Tolerances) -> int:
    """Replicas for a value that all Pods together bring about."""
    ratio = usage / target
    if current == 0:
        return up(ratio)
    if tolerances.covers(ratio):
        return current
    if not pods:
        raise CannotCompute(f"unable to calculate ready pods: {NO_PODS}")
    return up(ratio * sum(1 for pod in pods if pod.status.phase == "Running" and is_ready(pod)))


def by_share(status_replicas: int, target: int, usage: int, tolerances: Tolerances) -> tuple[int, int]:
    """Replicas for a value of which each Pod takes its share, and the share now."""
    if status_replicas == 0:
        return up(usage / target), usage
    within = tolerances.covers(usage / (target * status_replicas))
    return status_replicas if within else up(usage / target), up_exactly(usage, status_replicas)


def up(replicas: float) -> int:
    return min(math.ceil(replicas), MAX_REPLICAS)


def up_exactly(number: int, divisor: int) -> int:
    return -(-number // divisor)
