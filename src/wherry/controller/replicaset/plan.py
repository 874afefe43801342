"""What a ReplicaSet needs: how many Pods to create, which to delete, and what its status says.  Pure.

Behaviour: kubernetes.io/docs/concepts/workloads/controllers/replicaset.  ReplicationControllers,
which differ in kind alone, are planned here too.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.podutil import (
    available_in,
    created,
    is_active,
    is_available,
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


@dataclass(frozen=True, slots=True)
class Plan:
    create: int = 0
    delete: list[core_v1.Pod] = field(default_factory=list)


def wanted(rs: Workload) -> int:
    return 1 if rs.spec.replicas is None else rs.spec.replicas


def surplus(rs: Workload, pods: Iterable[core_v1.Pod]) -> int:
    """How many of the `pods` it controls are too many."""
    return sum(map(is_active, pods)) - wanted(rs)


def plan(rs: Workload, pods: Iterable[core_v1.Pod], related: Sequence[core_v1.Pod], now: float) -> Plan:
    """Creations or deletions that bring the `pods` it controls to their number.

    `related` are the active Pods of ReplicaSets of the same owner: of two Pods, the one goes
    first whose node holds more of them.  They do not matter unless there is a surplus.
    """
    active = [pod for pod in pods if is_active(pod)]
    diff = surplus(rs, active)
    if diff < 0:
        return Plan(create=min(-diff, BURST))
    if diff > 0:
        return Plan(delete=pods_to_delete(active, related, min(diff, BURST), now))
    return Plan()


def pods_to_delete(active: list[core_v1.Pod], related: Sequence[core_v1.Pod], count: int, now: float) -> list[core_v1.Pod]:
    """The `count` Pods whose loss costs least."""
    if count >= len(active):
        return active
    on_node = Counter(pod.spec.node_name for pod in related if pod.spec.node_name)
    return sorted(active, key=lambda pod: _rank(pod, on_node[pod.spec.node_name], now))[:count]


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


def status(rs: Workload, pods: Sequence[core_v1.Pod], now: float, failure: tuple[str, str] | None = None) -> dict[str, Any]:
    """The status that `pods` (all it controls) make; `failure` is the reason and message of a create or delete that failed."""
    active = [pod for pod in pods if is_active(pod)]
    template = rs.spec.template
    labels = template.metadata.labels.items() if template is not None else ()
    ready = [pod for pod in active if is_ready(pod)]
    min_ready = rs.spec.min_ready_seconds or 0
    available = [pod for pod in ready if is_available(pod, min_ready, now)] if min_ready else ready
    result: dict[str, Any] = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(labels <= pod.metadata.labels.items() for pod in active) if labels else len(active),
        "readyReplicas": len(ready),
        "availableReplicas": len(available),
        "observedGeneration": rs.metadata.generation or 0,
        "conditions": _conditions(rs, failure, now),
    }
    if isinstance(rs, apps_v1.ReplicaSet):
        result["terminatingReplicas"] = sum(map(is_terminating, pods))
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


def next_check(rs: Workload, pods: Iterable[core_v1.Pod], now: float) -> float | None:
    """Seconds until the next ready Pod becomes available by time alone."""
    min_ready = rs.spec.min_ready_seconds or 0
    if not min_ready:
        return None
    waits = [wait for pod in pods if is_active(pod) and (wait := available_in(pod, min_ready, now)) is not None and wait > 0]
    return min(waits, default=None)


def selector(rs: Workload) -> meta_v1.LabelSelector:
    """Its selector, in the newer form."""
    if isinstance(rs, apps_v1.ReplicaSet):
        return rs.spec.selector
    return meta_v1.LabelSelector(match_labels=rs.spec.selector)
