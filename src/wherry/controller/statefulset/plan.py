"""Which Pods a StatefulSet creates and deletes now, and its status.  Pure.

Behaviour: kubernetes.io/docs/concepts/workloads/controllers/statefulset (deployment and scaling guarantees,
update strategies).  A Pod's name is its ordinal, so the server itself sees to it that there is one at most.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from wherry.api.types import apps_v1, core_v1
from wherry.controller.intstr import scaled
from wherry.controller.podutil import available_in, is_ready, is_terminal
from wherry.controller.statefulset.identity import identity_labels, ordinal_of, revision_of, start_of, wanted

KEEP = frozenset({"replicas", "availableReplicas", "collisionCount"})


@dataclass(frozen=True, slots=True)
class NewPod:
    ordinal: int
    revision: str  # the name of the one to make it from


@dataclass(slots=True)
class Plan:
    create: list[NewPod] = field(default_factory=list)
    delete: list[core_v1.Pod] = field(default_factory=list)
    condemn: list[core_v1.Pod] = field(default_factory=list)  # to delete as well, and for good: the set has become smaller
    relabel: list[core_v1.Pod] = field(default_factory=list)  # adopted ones that do not bear their identity


@dataclass(slots=True)
class View:
    """The set's Pods by place."""

    ss: apps_v1.StatefulSet
    now: float
    current: str  # names of revisions: the one that the last rollout ended at,
    update: str  # and the newest
    replicas: dict[int, core_v1.Pod | None]  # lowest ordinal first
    condemned: list[core_v1.Pod]  # outside of the range, highest ordinal first

    @classmethod
    def of(cls, ss: apps_v1.StatefulSet, pods: Iterable[core_v1.Pod], current: str, update: str, now: float) -> View:
        start = start_of(ss)
        replicas: dict[int, core_v1.Pod | None] = dict.fromkeys(range(start, start + wanted(ss)))
        extra: dict[int, core_v1.Pod] = {}
        for pod in pods:
            ordinal = ordinal_of(ss, pod)
            if ordinal in replicas:
                replicas[ordinal] = pod
            elif ordinal is not None:
                extra[ordinal] = pod
        return cls(ss, now, current, update, replicas, [extra[ordinal] for ordinal in sorted(extra, reverse=True)])

    @property
    def ordered(self) -> bool:
        return self.ss.spec.pod_management_policy != "Parallel"

    def pods(self) -> list[core_v1.Pod]:
        return [*(pod for pod in self.replicas.values() if pod is not None), *self.condemned]

    def available_in(self, pod: core_v1.Pod) -> float | None:
        """Seconds until it counts as available; None while it does not run and is not ready."""
        return available_in(pod, self.ss.spec.min_ready_seconds or 0, self.now) if is_running(pod) else None

    def is_healthy(self, pod: core_v1.Pod | None) -> bool:
        """It serves, and nobody has asked it to go."""
        if pod is None or pod.metadata.deletion_timestamp is not None:
            return False
        wait = self.available_in(pod)
        return wait is not None and wait <= 0

    def first_unhealthy(self) -> core_v1.Pod | None:
        pods = [*self.replicas.values(), *reversed(self.condemned)]
        return next((pod for pod in pods if pod is not None and not self.is_healthy(pod)), None)

    def partition(self) -> int:
        rolling = self.ss.spec.update_strategy.rolling_update
        return (rolling.partition or 0) if rolling is not None else 0

    def revision_for(self, ordinal: int) -> str:
        """Below the partition a Pod that comes back is as it was."""
        strategy, place = self.ss.spec.update_strategy, ordinal - start_of(self.ss)
        if strategy.type != "RollingUpdate":
            return self.update
        kept = self.partition() if strategy.rolling_update is not None else self.ss.status.current_replicas or 0
        return self.current if place < kept else self.update


def is_running(pod: core_v1.Pod) -> bool:
    return pod.status.phase == "Running" and is_ready(pod)


def plan(view: View) -> Plan:
    """The next steps: with ordered management one at a time, in Parallel all that are due."""
    result = Plan()
    if view.ss.metadata.deletion_timestamp is not None:
        return result
    go_on = _fill(view, result) and _shrink(view, result)
    if go_on and view.ss.spec.update_strategy.type == "RollingUpdate":
        _roll(view, result)
    return result


def _fill(view: View, result: Plan) -> bool:
    """Create what is missing, replace what has ended.  False: nothing else may be done before this has come about."""
    for ordinal, pod in view.replicas.items():
        if pod is None:
            result.create.append(NewPod(ordinal, view.revision_for(ordinal)))
        elif is_terminal(pod):
            if pod.metadata.deletion_timestamp is None:
                result.delete.append(pod)
        else:
            if not identity_labels(view.ss, ordinal).items() <= pod.metadata.labels.items():
                result.relabel.append(pod)
            if view.is_healthy(pod):
                continue
        if view.ordered:
            return False
    return True


def _shrink(view: View, result: Plan) -> bool:
    """Delete Pods outside of the range, the highest first; in order, each when those before it serve."""
    blocking = view.first_unhealthy() if view.ordered else None
    for pod in view.condemned:
        going = pod.metadata.deletion_timestamp is not None
        if view.ordered and (going or (not view.is_healthy(pod) and pod is not blocking)):
            return False
        if not going:
            result.condemn.append(pod)
        if view.ordered:
            return False
    return True


def max_unavailable(ss: apps_v1.StatefulSet) -> int:
    rolling = ss.spec.update_strategy.rolling_update
    return max(1, scaled(rolling.max_unavailable if rolling is not None else None, wanted(ss), False, 1))


def _roll(view: View, result: Plan) -> None:
    """Delete Pods of other revisions, the highest first; what does not serve anyway costs nothing."""
    budget = max_unavailable(view.ss) - sum(not view.is_healthy(pod) for pod in view.replicas.values())
    for place, pod in reversed(list(enumerate(view.replicas.values()))):
        if place < view.partition():
            return
        if pod is None or revision_of(pod) == view.update or pod.metadata.deletion_timestamp is not None or pod in result.delete:
            continue
        if view.is_healthy(pod):
            if budget <= 0:
                continue
            budget -= 1
        result.delete.append(pod)


def next_check(view: View) -> float | None:
    """Seconds until the next ready Pod becomes available by time alone."""
    waits = (view.available_in(pod) for pod in view.pods() if pod.metadata.deletion_timestamp is None)
    return min((wait for wait in waits if wait is not None and wait > 0), default=None)


def status(view: View) -> dict[str, Any]:
    ss, pods = view.ss, view.pods()
    staying = [revision_of(pod) for pod in pods if pod.metadata.deletion_timestamp is None]
    waits = [view.available_in(pod) for pod in pods]
    result: dict[str, Any] = {
        "replicas": len(pods), "readyReplicas": sum(map(is_running, pods)),
        "availableReplicas": sum(wait is not None and wait <= 0 for wait in waits),
        "currentReplicas": staying.count(view.current), "updatedReplicas": staying.count(view.update),
        "currentRevision": view.current, "updateRevision": view.update, "observedGeneration": ss.metadata.generation or 0,
        "collisionCount": ss.status.collision_count or 0,
    }
    whole = wanted(ss)
    rolled_out = result["updatedReplicas"] == result["readyReplicas"] == result["replicas"] == whole
    if ss.spec.update_strategy.type == "RollingUpdate" and rolled_out:
        result |= {"currentRevision": view.update, "currentReplicas": result["updatedReplicas"]}
    return result
