"""InterPodAffinity: near some Pods, far from others.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from wherry.api.types import core_v1
from wherry.apimachinery.labels import NOTHING, Selector, from_label_selector
from wherry.scheduler.framework import MAX_NODE_SCORE, CycleState, NodeInfo, Refusal, Snapshot
from wherry.scheduler.plugins.base import Filter

AFFINITY = Refusal("node(s) didn't match pod affinity rules")
ANTI = Refusal("node(s) didn't match pod anti-affinity rules", resolvable=True)
EXISTING = Refusal("node(s) didn't satisfy existing pods anti-affinity rules", resolvable=True)
Pair = tuple[str, str]  # (topology key, domain)


@dataclass(frozen=True, slots=True)
class Term:
    """A PodAffinityTerm of a Pod, compiled."""

    key: str
    selector: Selector
    namespaces: frozenset[str]  # empty: every namespace
    weight: int = 0

    def matches(self, pod: core_v1.Pod) -> bool:
        return (not self.namespaces or pod.metadata.namespace in self.namespaces) and self.selector.matches(pod.metadata.labels)


def compile_term(owner: core_v1.Pod, term: core_v1.PodAffinityTerm, weight: int = 0) -> Term:
    selector = NOTHING if term.label_selector is None else from_label_selector(term.label_selector)
    everywhere = term.namespace_selector is not None
    namespaces = frozenset(term.namespaces if term.namespaces or everywhere else [owner.metadata.namespace])
    return Term(term.topology_key, selector, namespaces, weight)


def terms(pod: core_v1.Pod, *, anti: bool) -> list[Term]:
    """The required terms of a Pod."""
    affinity = pod.spec.affinity
    side = (affinity.pod_anti_affinity if anti else affinity.pod_affinity) if affinity else None
    return [compile_term(pod, t) for t in side.required_during_scheduling_ignored_during_execution] if side else []


def preferred(pod: core_v1.Pod) -> list[Term]:
    """The preferred terms; those of anti-affinity weigh negative."""
    found = []
    affinity = pod.spec.affinity
    for side, sign in ((affinity.pod_affinity, 1), (affinity.pod_anti_affinity, -1)) if affinity else ():
        for each in side.preferred_during_scheduling_ignored_during_execution if side else ():
            if each.pod_affinity_term is not None:
                found.append(compile_term(pod, each.pod_affinity_term, sign * (each.weight or 0)))
    return found


@dataclass(slots=True)
class _Counted:
    affinity: list[Term]
    anti: list[Term]
    near: dict[Pair, int] = field(default_factory=dict)  # domains where Pods match all of the affinity terms
    far: set[Pair] = field(default_factory=set)  # domains where a Pod matches an anti-affinity term
    kept_away: set[Pair] = field(default_factory=set)  # domains that Pods there keep this one away from


class InterPodAffinity(Filter):
    """Filter by what is required, of this Pod and of those that run; score by what is preferred."""

    name = "InterPodAffinity"

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        counted = _Counted(terms(pod, anti=False), terms(pod, anti=True))
        for info in snapshot.nodes.values():
            if info.node is not None:
                self._count(counted, pod, info, info.node.metadata.labels)
        state.data[self.name] = counted
        return None

    @staticmethod
    def _count(counted: _Counted, pod: core_v1.Pod, info: NodeInfo, labels: dict[str, str]) -> None:
        own = bool(counted.affinity or counted.anti)
        for other in info.pods.values():
            if other.spec.affinity is not None and other.spec.affinity.pod_anti_affinity is not None:
                for term in terms(other, anti=True):
                    if term.key in labels and term.matches(pod):
                        counted.kept_away.add((term.key, labels[term.key]))
            if not own:
                continue
            for term in counted.anti:
                if term.key in labels and term.matches(other):
                    counted.far.add((term.key, labels[term.key]))
            if counted.affinity and all(t.matches(other) for t in counted.affinity):
                for term in counted.affinity:
                    if term.key in labels:
                        pair = (term.key, labels[term.key])
                        counted.near[pair] = counted.near.get(pair, 0) + 1

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        counted: _Counted = state.data[self.name]
        return bool(counted.affinity or counted.anti or counted.kept_away)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        counted: _Counted = state.data[self.name]
        labels = node.node.metadata.labels if node.node is not None else {}
        if counted.affinity and not self._near(counted, pod, labels):
            return AFFINITY
        if any((t.key, labels[t.key]) in counted.far for t in counted.anti if t.key in labels):
            return ANTI
        if any((key, labels.get(key)) in counted.kept_away for key, _ in counted.kept_away):
            return EXISTING
        return None

    @staticmethod
    def _near(counted: _Counted, pod: core_v1.Pod, labels: dict[str, str]) -> bool:
        if any(t.key not in labels for t in counted.affinity):
            return False
        if all((t.key, labels[t.key]) in counted.near for t in counted.affinity):
            return True
        # The first of a group that wants to be near itself may go anywhere.
        return not counted.near and all(t.matches(pod) for t in counted.affinity)

    def pre_score(self, state: CycleState, pod: core_v1.Pod, nodes: Sequence[NodeInfo]) -> bool:
        wanted = preferred(pod)
        scores: dict[Pair, float] = {}
        for info in nodes:
            if info.node is not None:
                _weigh(scores, pod, wanted, info.pods.values(), info.node.metadata.labels, lambda other: preferred(other))
        state.data["pod preference"] = scores
        return bool(scores)

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        labels = node.node.metadata.labels if node.node is not None else {}
        scores: dict[Pair, float] = state.data["pod preference"]
        return sum(weight for (key, domain), weight in scores.items() if labels.get(key) == domain)

    def normalize(self, scores: list[float]) -> list[float]:
        top, low = max(scores, default=0.0), min(scores, default=0.0)
        return [0.0] * len(scores) if top == low else [MAX_NODE_SCORE * (s - low) / (top - low) for s in scores]


def _weigh(
    scores: dict[Pair, float], pod: core_v1.Pod, wanted: Sequence[Term], others: Iterable[core_v1.Pod], labels: dict[str, str],
    preferences: Callable[[core_v1.Pod], list[Term]],
) -> None:
    """Add what this Pod prefers of the others, and they of it."""
    for other in others:
        for term in wanted:
            if term.key in labels and term.matches(other):
                pair = (term.key, labels[term.key])
                scores[pair] = scores.get(pair, 0) + term.weight
        if other.spec.affinity is not None:
            for term in preferences(other):
                if term.key in labels and term.matches(pod):
                    pair = (term.key, labels[term.key])
                    scores[pair] = scores.get(pair, 0) + term.weight
