"""TaintToleration: a Pod goes only where it tolerates the taints.
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.tolerations import tolerates
from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, NodeInfo, Refusal, spread_scores
from wherry.scheduler.plugins.base import Filter


class TaintToleration(Filter):
    """Filter by NoSchedule and NoExecute; score by PreferNoSchedule."""

    name = "TaintToleration"
    static = True

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        if node.node is None:
            return None
        for taint in node.node.spec.taints:
            if taint.effect in ("NoSchedule", "NoExecute") and not tolerates(pod, taint):
                return Refusal(f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}")
        return None

    def pre_score(self, state: CycleState, pod: core_v1.Pod, nodes: Sequence[NodeInfo]) -> bool:
        return any(t.effect == "PreferNoSchedule" for n in nodes if n.node is not None for t in n.node.spec.taints)

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        taints = node.node.spec.taints if node.node is not None else []
        return sum(t.effect == "PreferNoSchedule" and not tolerates(pod, t) for t in taints)

    def normalize(self, scores: list[float]) -> list[float]:
        return spread_scores(scores, reverse=True)
