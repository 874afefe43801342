"""TaintToleration: a Pod goes only where it tolerates the taints.
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.tolerations import tolerates
from wherry.api.types import core_v1
from wherry.scheduler.framework import NODE, UNSCHEDULED_POD, Action, CycleState, EventHint, Refusal, Snapshot, spread_scores
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter, Score

REASON = "node(s) had untolerated taint(s)"


def untolerated(pod: core_v1.Pod, node: core_v1.Node) -> core_v1.Taint | None:
    """The first taint that keeps the Pod away."""
    for taint in node.spec.taints:
        if taint.effect in ("NoSchedule", "NoExecute") and not tolerates(pod, taint):
            return taint
    return None


def _opened(pod: core_v1.Pod, old: core_v1.Node | None, node: core_v1.Node) -> bool:
    return untolerated(pod, node) is None and (old is None or untolerated(pod, old) is not None)


class TaintToleration(Filter, Score):
    """Filter by NoSchedule and NoExecute; score by PreferNoSchedule."""

    name = "TaintToleration"
    local = True

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        return pod.spec.tolerations

    def events(self) -> Sequence[EventHint]:
        return (
            EventHint(NODE, Action.ADD | Action.UPDATE_NODE_TAINT, _opened),
            EventHint(UNSCHEDULED_POD, Action.UPDATE_POD_TOLERATION),
        )

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        taint = untolerated(pod, node.node) if node.node is not None else None
        if taint is None:
            return None
        return Refusal(REASON, detail=f"{taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}")

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        return bool(snapshot.avoided)

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        taints = node.node.spec.taints if node.node is not None else []
        return sum(t.effect == "PreferNoSchedule" and not tolerates(pod, t) for t in taints)

    def normalize(self, scores: list[float]) -> list[float]:
        return spread_scores(scores, reverse=True)
