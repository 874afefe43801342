"""NodeResourcesFit and NodeResourcesBalancedAllocation.
https://kubernetes.io/docs/concepts/scheduling-eviction/resource-bin-packing/"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wherry.api.types import core_v1, resource_v1
from wherry.scheduler.framework import (
    ASSIGNED_POD,
    MAX_NODE_SCORE,
    NODE,
    UNSCHEDULED_POD,
    Action,
    CycleState,
    EventHint,
    Refusal,
    Snapshot,
)
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter, Score
from wherry.scheduler.resources import CPU, EPHEMERAL, MEMORY, PODS, amounts, pod_requests, scoring_requests

DEFAULT_RESOURCES = ((CPU, 1), (MEMORY, 1))
Scorer = Callable[[int, int], int]  # (requested, capacity) -> 0..100


def least_allocated(requested: int, capacity: int) -> int:
    return (capacity - requested) * MAX_NODE_SCORE // capacity if requested <= capacity else 0


def most_allocated(requested: int, capacity: int) -> int:
    return min(requested, capacity) * MAX_NODE_SCORE // capacity


def requested_to_capacity_ratio(shape: Sequence[tuple[int, int]]) -> Scorer:
    """Scores along a line through points (utilization in percent, score of 0..10)."""
    points = [(utilization, score * MAX_NODE_SCORE // 10) for utilization, score in shape]

    def score(requested: int, capacity: int) -> int:
        used = 100 if requested > capacity else requested * 100 // capacity
        before = points[0]
        for point in points:
            if used <= point[0]:
                if point is before:
                    return point[1]
                return before[1] + math.trunc((point[1] - before[1]) * (used - before[0]) / (point[0] - before[0]))
            before = point
        return points[-1][1]

    return score


@dataclass(frozen=True, slots=True)
class Ignored:
    """Extended resources that somebody else looks after."""

    names: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        if "/" not in name or "kubernetes.io/" in name:
            return False  # Kubernetes' own are never ignored
        return name in self.names or name.partition("/")[0] in self.groups


def _signed(pod: core_v1.Pod) -> Any:
    spec = pod.spec
    sidecars = [(c.resources.requests, c.restart_policy) for c in spec.init_containers]
    return [c.resources.requests for c in spec.containers], sidecars, spec.resources, spec.overhead


ALWAYS = (CPU, MEMORY, EPHEMERAL)  # are scored for every Pod, others for those that ask for them


def _asked(pod: core_v1.Pod, resources: Sequence[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """(resource, weight, amount) that a score looks at."""
    wanted, plain = scoring_requests(pod), pod_requests(pod)
    found = [(name, weight, wanted.get(name, 0) if name in (CPU, MEMORY) else plain.get(name, 0)) for name, weight in resources]
    return [each for each in found if each[0] in ALWAYS or each[2]]


class NodeResourcesFit(Filter, Score):
    """Requests must fit into what is left; the scoring strategy says which node is best."""

    name = "NodeResourcesFit"
    local = True
    local_score = True

    def __init__(
        self, scorer: Scorer = least_allocated, resources: Sequence[tuple[str, int]] = DEFAULT_RESOURCES, ignored: Ignored = Ignored(),
        *, ratio: bool = False, backed: Callable[[str], object] = lambda name: False,
    ) -> None:
        """`backed`: devices stand for an extended resource, where a node does not have it itself (DynamicResources)."""
        self._scorer, self._resources, self._ignored, self._ratio, self._backed = scorer, resources, ignored, ratio, backed

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        containers = (*pod.spec.containers, *pod.spec.init_containers)
        return [*_signed(pod), [name for each in containers for name in each.resources.requests if "/" in name and self._backed(name)]]

    def events(self) -> Sequence[EventHint]:
        return (
            EventHint(ASSIGNED_POD, Action.DELETE),
            EventHint(ASSIGNED_POD, Action.UPDATE_POD_SCALE_DOWN, self._smaller),
            EventHint(UNSCHEDULED_POD, Action.UPDATE_POD_SCALE_DOWN),
            EventHint(NODE, Action.ADD | Action.UPDATE_NODE_ALLOCATABLE, self._larger),
            EventHint(resource_v1.DeviceClass, Action.ADD | Action.UPDATE, self._now_backed),
        )

    def _smaller(self, pod: core_v1.Pod, old: core_v1.Pod, new: core_v1.Pod) -> bool:
        """Another gave back something that the Pod asks for."""
        before, after = pod_requests(old), pod_requests(new)
        return any(after.get(name, 0) < before.get(name, 0) for name, _ in self._requests(pod))

    def _now_backed(self, pod: core_v1.Pod, old: Any, new: Any) -> bool:
        """Devices stand for something that it asks for."""
        return any(self._backed(name) for name, _ in self._requests(pod))

    def _larger(self, pod: core_v1.Pod, old: core_v1.Node | None, node: core_v1.Node) -> bool:
        """The empty node would do, and something that the Pod asks for became more."""
        requests, now = self._requests(pod), amounts(node.status.allocatable)
        if any(value > now.get(name, 0) and not self._backed(name) for name, value in requests):
            return False
        before: Mapping[str, int] = amounts(old.status.allocatable) if old is not None else {}
        return any(now.get(name, 0) > before.get(name, 0) for name, _ in requests)

    def _requests(self, pod: core_v1.Pod) -> list[tuple[str, int]]:
        return [(name, value) for name, value in pod_requests(pod).items() if value and name not in self._ignored]

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        state.data[self.name] = self._requests(pod)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        requested, allocatable = node.requested, node.allocatable
        for name, value in state.data[self.name]:
            if requested.get(name, 0) + value > allocatable.get(name, 0) and (name in allocatable or not self._backed(name)):
                return self._refuse(state, node)
        return None

    def _refuse(self, state: CycleState, node: NodeInfo) -> Refusal:
        """Every resource that is short; resolvable when the empty node would do."""
        wanted = [(n, v) for n, v in state.data[self.name] if n in node.allocatable or not self._backed(n)]
        short = [(n, v) for n, v in wanted if node.requested.get(n, 0) + v > node.allocatable.get(n, 0)]
        told = ["Too many pods" if n == PODS else f"Insufficient {n}" for n, _ in short]
        fits_empty = all(v <= node.allocatable.get(n, 0) for n, v in wanted)
        return Refusal("\n".join(told), fits_empty, ", ".join(self._figures(node, n, v) for n, v in short))

    @staticmethod
    def _figures(node: NodeInfo, name: str, wanted: int) -> str:
        unit = "m" if name == CPU else ""
        used, most = node.requested.get(name, 0), node.allocatable.get(name, 0)
        return f"{name}: asks {wanted}{unit}, {used}{unit} of {most}{unit} taken"

    def prepare(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        state.data["scored resources"] = _asked(pod, self._resources)

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        total = weights = 0
        for resource, weight, wanted in state.data["scored resources"]:
            capacity = node.allocatable.get(resource, 0)
            if capacity:
                taken = node.nonzero if resource in (CPU, MEMORY) else node.requested
                score = self._scorer(taken.get(resource, 0) + wanted, capacity)
                if score or not self._ratio:
                    total += weight * score
                    weights += weight
        if not weights:
            return 0
        return (2 * total + weights) // (2 * weights) if self._ratio else total // weights  # the ratio is rounded, others cut


def _balance(shares: Sequence[float]) -> int:
    """100 when all resources are used to the same share, less the further apart they are."""
    if len(shares) < 2:
        return MAX_NODE_SCORE
    if len(shares) == 2:
        deviation = abs(shares[0] - shares[1]) / 2
    else:
        mean = sum(shares) / len(shares)
        deviation = math.sqrt(sum((share - mean) ** 2 for share in shares) / len(shares))
    return int((1 - deviation) * MAX_NODE_SCORE)


class NodeResourcesBalancedAllocation(Score):
    """A node is the better the more the Pod does for the balance of its resources: 75 when it changes nothing."""

    name = "NodeResourcesBalancedAllocation"
    local_score = True

    def __init__(self, resources: Sequence[tuple[str, int]] = DEFAULT_RESOURCES) -> None:
        self._resources = resources

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        return _signed(pod)

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        requests = pod_requests(pod)
        return any(requests.get(name) for name, _ in self._resources)

    def prepare(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        requests = pod_requests(pod)
        asked = [(name, requests.get(name, 0)) for name, _ in self._resources]
        state.data[self.name] = [each for each in asked if each[0] in ALWAYS or each[1]]

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        before, after = [], []
        for resource, amount in state.data[self.name]:
            capacity, taken = node.allocatable.get(resource, 0), node.requested.get(resource, 0)
            if capacity:
                before.append(min(1.0, taken / capacity))
                after.append(min(1.0, (taken + amount) / capacity))
        half = MAX_NODE_SCORE // 2
        return half + (half + _balance(after) - _balance(before)) // 2
