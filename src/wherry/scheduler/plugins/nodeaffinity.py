"""NodeAffinity: nodeSelector and node affinity.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.nodeaffinity import matches_term, required_matches
from wherry.api.types import core_v1
from wherry.scheduler.framework import NODE, Action, CycleState, EventHint, Refusal, Snapshot, spread_scores
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter, Score

MISMATCH = Refusal("node(s) didn't match Pod's node affinity/selector")
CONFLICT = Refusal("pod affinity terms conflict")
NOT_ADDED = Refusal("node(s) didn't match scheduler-enforced node affinity")


def _required(affinity: core_v1.NodeAffinity | None) -> core_v1.NodeSelector | None:
    return affinity.required_during_scheduling_ignored_during_execution if affinity else None


def _preferred(affinity: core_v1.NodeAffinity | None) -> list[core_v1.PreferredSchedulingTerm]:
    return affinity.preferred_during_scheduling_ignored_during_execution if affinity else []


class NodeAffinity(Filter, Score):
    """Filter by what is required; score by what is preferred.  `added`: the profile's own, on top of the Pod's."""

    name = "NodeAffinity"
    local = True

    def __init__(self, added: core_v1.NodeAffinity | None = None) -> None:
        self._added = _required(added)
        self._added_preferred = _preferred(added)

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        return pod.spec.node_selector, pod.spec.affinity.node_affinity if pod.spec.affinity else None

    def events(self) -> Sequence[EventHint]:
        return (EventHint(NODE, Action.ADD | Action.UPDATE_NODE_LABEL, self._helps),)

    def _helps(self, pod: core_v1.Pod, old: core_v1.Node | None, node: core_v1.Node) -> bool:
        return self._matches(pod, node) is None and (old is None or self._matches(pod, old) is not None)

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | frozenset[str] | None:
        """Names of nodes, when every term names some (the Pods of DaemonSets do)."""
        required = _required(pod.spec.affinity.node_affinity) if pod.spec.affinity else None
        if required is None:
            return None
        names: set[str] = set()
        for term in required.node_selector_terms:
            named = [set(r.values) for r in term.match_fields if r.key == "metadata.name" and r.operator == "In"]
            if not named:
                return None
            names |= set.intersection(*named)
        return frozenset(names) or CONFLICT

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        own = bool(pod.spec.node_selector) or bool(pod.spec.affinity and pod.spec.affinity.node_affinity)
        return own or self._added is not None

    def _matches(self, pod: core_v1.Pod, node: core_v1.Node) -> Refusal | None:
        if self._added is not None and not any(matches_term(term, node) for term in self._added.node_selector_terms):
            return NOT_ADDED
        return None if required_matches(pod, node) else MISMATCH

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        return self._matches(pod, node.node) if node.node is not None else MISMATCH

    def _wishes(self, pod: core_v1.Pod) -> list[core_v1.PreferredSchedulingTerm]:
        return [*_preferred(pod.spec.affinity.node_affinity if pod.spec.affinity else None), *self._added_preferred]

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        return bool(self._wishes(pod))

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        if node.node is None:
            return 0
        return sum((w.weight or 0) for w in self._wishes(pod) if w.preference is not None and matches_term(w.preference, node.node))

    def normalize(self, scores: list[float]) -> list[float]:
        return spread_scores(scores)
