"""What a ReplicaSet needs: how many Pods to create, which to delete, and what its status says.  Pure.

A ReplicaSet may have thousands of Pods, so what looks at all of them takes them a slice at a time: the controller
gives the loop back between two slices.

Behaviour: kubernetes.io/docs/concepts/workloads/controllers/replicaset.  ReplicationControllers,
which differ in kind alone, are planned here too.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from operator import itemgetter
from typing import Any

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.podutil import (
    available_in,
    created,
    is_active,
    is_ready,
    is_terminating,
    ready_since,
    restarts,
)
from wherry.util.clock import rfc3339

BURST = 500  # Pods created or deleted at a time
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
KEEP = frozenset({"replicas", "terminatingReplicas", "observedGeneration"})
_COST = re.compile("0|[1-9][0-9]*|-[0-9]+")
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}

Workload = apps_v1.ReplicaSet | core_v1.ReplicationController


def wanted(rs: Workload) -> int:
    return 1 if rs.spec.replicas is None else rs.spec.replicas


class Tally:
    """The Pods that a workload controls, counted.  May be given them a slice at a time."""

    def __init__(self, rs: Workload, now: float) -> None:
        self._now, self._min_ready = now, rs.spec.min_ready_seconds or 0
        template = rs.spec.template
        self._labels = template.metadata.labels.items() if template is not None else {}.items()
        self.active = self.labelled = self.ready = self.available = self.terminating = 0
        self.next_available: float | None = None  # seconds until the next ready Pod becomes available by time alone

    def add(self, pods: Iterable[core_v1.Pod]) -> Tally:
        for pod in pods:
            if not is_active(pod):
                self.terminating += is_terminating(pod)
                continue
            self.active += 1
            self.labelled += self._labels <= pod.metadata.labels.items()
            if is_ready(pod):
                self.ready += 1
                self._count_ready(pod)
        return self

    def _count_ready(self, pod: core_v1.Pod) -> None:
        wait = available_in(pod, self._min_ready, self._now) if self._min_ready else 0.0
        if wait is None:
            return
        if wait <= 0:
            self.available += 1
        elif self.next_available is None or wait < self.next_available:
            self.next_available = wait


def shortage(rs: Workload, tally: Tally) -> int:
    """How many Pods to create now; when negative, how many to delete."""
    return max(-BURST, min(BURST, wanted(rs) - tally.active))


class Cheapest:
    """The `count` active Pods whose loss costs least, of all that it was given, a slice at a time.

    `on_node` tells how many Pods of the same owner each node holds: of two Pods, the one goes first whose node holds more.
    """

    def __init__(self, count: int, on_node: Counter[str], now: float) -> None:
        self._count, self._on_node, self._now = count, on_node, now
        self._ranked: list[tuple[tuple[Any, ...], core_v1.Pod]] = []

    def add(self, pods: Iterable[core_v1.Pod]) -> Cheapest:
        self._ranked += [(_rank(pod, self._on_node[pod.spec.node_name], self._now), pod) for pod in pods if is_active(pod)]
        self._ranked.sort(key=itemgetter(0))
        del self._ranked[self._count:]
        return self

    @property
    def pods(self) -> list[core_v1.Pod]:
        return [pod for _, pod in self._ranked]


def by_node(pods: Iterable[core_v1.Pod]) -> Counter[str]:
    """How many active Pods each node holds."""
    return Counter(pod.spec.node_name for pod in pods if pod.spec.node_name and is_active(pod))


def _rank(pod: core_v1.Pod, on_node: int, now: float) -> tuple[Any, ...]:
    """Smaller goes first: unassigned, pending, not ready, cheap, crowded, ready for a shorter time, restarted, newer."""
    since = ready_since(pod)
    return (
        bool(pod.spec.node_name), _PHASES.get(pod.status.phase, 0), is_ready(pod), deletion_cost(pod), -on_node,
        _magnitude(now - since) if since is not None else 0, -restarts(pod), _magnitude(now - created(pod)), pod.metadata.uid,
    )


def _magnitude(seconds: float) -> int:
    """Ages are compared by the logarithm of their nanoseconds, so that of Pods nearly as old any one may go."""
    return int(math.log2(seconds * 1e9)) if seconds > 0 else -1


def deletion_cost(pod: core_v1.Pod) -> int:
    """The annotation's 32-bit integer; 0 for what is none."""
    text = pod.metadata.annotations.get(DELETION_COST, "")
    value = int(text) if _COST.fullmatch(text) else 0
    return value if -(2**31) <= value < 2**31 else 0


def status(rs: Workload, tally: Tally, now: float, failure: tuple[str, str] | None = None) -> dict[str, Any]:
    """The status that its Pods make; `failure` is the reason and message of a create or delete that failed."""
    result: dict[str, Any] = {
        "replicas": tally.active,
        "fullyLabeledReplicas": tally.labelled,
        "readyReplicas": tally.ready,
        "availableReplicas": tally.available,
        "observedGeneration": rs.metadata.generation or 0,
        "conditions": _conditions(rs, failure, now),
    }
    if isinstance(rs, apps_v1.ReplicaSet):
        result["terminatingReplicas"] = tally.terminating
    return result


def _conditions(rs: Workload, failure: tuple[str, str] | None, now: float) -> list[dict[str, str | None]]:
    others: list[dict[str, str | None]] = []
    current = None
    for each in rs.status.conditions:
        if each.type == "ReplicaFailure":
            current = each
        else:
            others.append(_as_dict(each))
    if failure is None:
        return others
    if current is not None:  # as upstream: the first failure is told until none is left
        return [*others, _as_dict(current)]
    return [*others, {
        "type": "ReplicaFailure", "status": "True", "lastTransitionTime": rfc3339(now), "reason": failure[0], "message": failure[1],
    }]


def _as_dict(each: apps_v1.ReplicaSetCondition | core_v1.ReplicationControllerCondition) -> dict[str, str | None]:
    pairs = {
        "lastTransitionTime": each.last_transition_time, "message": each.message, "reason": each.reason,
        "status": each.status, "type": each.type,
    }
    return {key: value for key, value in pairs.items() if value}


def selector(rs: Workload) -> meta_v1.LabelSelector:
    """Its selector, in the newer form."""
    if isinstance(rs, apps_v1.ReplicaSet):
        return rs.spec.selector
    return meta_v1.LabelSelector(match_labels=rs.spec.selector)
