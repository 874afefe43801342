"""NodeResourcesFit and NodeResourcesBalancedAllocation."""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.types import core_v1
from wherry.scheduler.framework import MAX_NODE_SCORE, CycleState, NodeInfo, Refusal, Snapshot
from wherry.scheduler.plugins.base import Filter
from wherry.scheduler.resources import CPU, MEMORY, PODS, pod_requests

# Pods that ask for nothing are scored as if they asked for this much, so that they spread too.
_ASSUMED = {CPU: 100, MEMORY: 200 << 20}


class NodeResourcesFit(Filter):
    """Requests must fit into what is left; the least allocated node is best."""

    name = "NodeResourcesFit"

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        requests = pod_requests(pod)
        state.data[self.name] = [(name, value) for name, value in requests.items() if value]
        return None

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        requested, allocatable = node.requested, node.allocatable
        for name, value in state.data[self.name]:
            if requested.get(name, 0) + value > allocatable.get(name, 0):
                return self._refuse(state, node)
        return None

    def _refuse(self, state: CycleState, node: NodeInfo) -> Refusal:
        """Every resource that is short; resolvable when the empty node would do."""
        short = [n for n, v in state.data[self.name] if node.requested.get(n, 0) + v > node.allocatable.get(n, 0)]
        told = ["Too many pods" if n == PODS else f"Insufficient {n}" for n in short]
        fits_empty = all(v <= node.allocatable.get(n, 0) for n, v in state.data[self.name])
        return Refusal("\n".join(told), resolvable=fits_empty)

    def pre_score(self, state: CycleState, pod: core_v1.Pod, nodes: Sequence[NodeInfo]) -> bool:
        requests = pod_requests(pod)
        state.data["score"] = [(r, requests.get(r) or _ASSUMED[r]) for r in (CPU, MEMORY)]
        return True

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        total, count = 0.0, 0
        for resource, wanted in state.data["score"]:
            capacity = node.allocatable.get(resource, 0)
            if capacity:
                left = capacity - node.requested.get(resource, 0) - wanted
                total += max(0.0, left * MAX_NODE_SCORE / capacity)
                count += 1
        return total / count if count else 0.0

    def normalize(self, scores: list[float]) -> list[float]:
        return scores


class NodeResourcesBalancedAllocation:
    """A node whose CPU and memory are used to the same share is better."""

    name = "NodeResourcesBalancedAllocation"

    def pre_score(self, state: CycleState, pod: core_v1.Pod, nodes: Sequence[NodeInfo]) -> bool:
        requests = pod_requests(pod)
        wanted = [(r, requests.get(r, 0)) for r in (CPU, MEMORY)]
        state.data[self.name] = wanted
        return any(value for _, value in wanted)

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        shares = []
        for resource, wanted in state.data[self.name]:
            capacity = node.allocatable.get(resource, 0)
            if capacity:
                shares.append(min(1.0, (node.requested.get(resource, 0) + wanted) / capacity))
        if len(shares) < 2:
            return 0.0
        balance: float = 1 - abs(shares[0] - shares[1]) / 2
        return balance * MAX_NODE_SCORE

    def normalize(self, scores: list[float]) -> list[float]:
        return scores
