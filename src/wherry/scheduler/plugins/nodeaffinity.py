"""NodeAffinity: nodeSelector and node affinity.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.nodeaffinity import matches_term, required_matches
from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, NodeInfo, Refusal, spread_scores
from wherry.scheduler.plugins.base import Filter

MISMATCH = Refusal("node(s) didn't match Pod's node affinity/selector")


class NodeAffinity(Filter):
    """Filter by what is required; score by what is preferred."""

    name = "NodeAffinity"
    static = True

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(pod.spec.node_selector) or bool(pod.spec.affinity and pod.spec.affinity.node_affinity)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        return None if node.node is not None and required_matches(pod, node.node) else MISMATCH

    def pre_score(self, state: CycleState, pod: core_v1.Pod, nodes: Sequence[NodeInfo]) -> bool:
        affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
        return bool(affinity and affinity.preferred_during_scheduling_ignored_during_execution)

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
        if affinity is None or node.node is None:
            return 0
        preferred = affinity.preferred_during_scheduling_ignored_during_execution
        return sum((p.weight or 0) for p in preferred if p.preference is not None and matches_term(p.preference, node.node))

    def normalize(self, scores: list[float]) -> list[float]:
        return spread_scores(scores)
