"""InterPodAffinity: near some Pods, far from others.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/#inter-pod-affinity-and-anti-affinity"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from wherry.api.types import core_v1
from wherry.client.store import Store
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
from wherry.scheduler.plugins.affinityterms import AFFINITY, ANTI, ExistingTerms, Term, preferred, required
from wherry.scheduler.plugins.base import Filter, Score
from wherry.scheduler.plugins.podcounts import Counts, MatchCounts, Matcher, change

NOT_NEAR = Refusal("node(s) didn't match pod affinity rules")
TOO_NEAR = "node(s) didn't match pod anti-affinity rules"
KEPT_AWAY = "node(s) didn't satisfy existing pods anti-affinity rules"
DEFAULT_WEIGHT = 1


@lru_cache(maxsize=8192)  # the same for many Pods, a node each
def _apart(reason: str, key: str, domain: str) -> Refusal:
    return Refusal(reason, resolvable=True, detail=f"{key}={domain}")


@dataclass(slots=True)
class _Counted:
    """What was counted for one Pod, by topology key; copied before a dry run changes it."""

    affinity: list[Term]
    anti: list[Term]
    near: dict[str, Counts] = field(default_factory=dict)  # Pods that match all of the affinity terms
    far: dict[str, list[tuple[Term, Counts]]] = field(default_factory=dict)  # Pods that match an anti-affinity term
    kept_away: dict[str, Counts] = field(default_factory=dict)  # Pods whose anti-affinity matches this one

    def clone(self) -> _Counted:
        return _Counted(
            self.affinity, self.anti,
            {key: dict(counts) for key, counts in self.near.items()},
            {key: [(term, dict(counts)) for term, counts in each] for key, each in self.far.items()},
            {key: dict(counts) for key, counts in self.kept_away.items()},
        )


class InterPodAffinity(Filter, Score):
    """Filter by what is required, of this Pod and of those that run; score by what is preferred."""

    name = "InterPodAffinity"

    def __init__(
        self, namespaces: Store[core_v1.Namespace] | None = None, hard_weight: int = DEFAULT_WEIGHT, *,
        ignore_preferred_of_others: bool = False,
    ) -> None:
        self._namespaces = namespaces if namespaces is not None else Store[core_v1.Namespace]()
        self._hard_weight, self._ignore_others = hard_weight, ignore_preferred_of_others

    # -- helpers -----------------------------------------------------------------------------------

    def _labels_of(self, namespace: str) -> dict[str, str]:
        found = self._namespaces.get(namespace)
        return found.metadata.labels if found is not None else {}

    def _matcher(self, term: Term) -> Matcher:
        """With the namespaces that its namespaceSelector selects now."""
        if term.namespace_selector is None:
            return Matcher(term.selector, term.namespaces)
        if term.namespace_selector.everything:
            return Matcher(term.selector)
        selected = (n.metadata.name for n in self._namespaces if term.namespace_selector.matches(n.metadata.labels))
        return Matcher(term.selector, term.namespaces.union(selected))

    def _existing(self, snapshot: Snapshot) -> ExistingTerms:
        return snapshot.derived((self.name, "terms"), ExistingTerms)

    # -- events ------------------------------------------------------------------------------------

    def events(self) -> Sequence[EventHint]:
        return (
            EventHint(ASSIGNED_POD, Action.ADD | Action.DELETE | Action.UPDATE_POD_LABEL, self._moved),
            EventHint(NODE, Action.ADD | Action.DELETE | Action.UPDATE_NODE_LABEL, self._domain),
            EventHint(UNSCHEDULED_POD, Action.UPDATE_POD_LABEL),
            EventHint(core_v1.Namespace, Action.ADD | Action.UPDATE | Action.DELETE, self._selected),
        )

    def _moved(self, pod: core_v1.Pod, old: core_v1.Pod | None, new: core_v1.Pod | None) -> bool:
        """A Pod to be near came, or one to be far from went.

        The last one to be near went, too: then a Pod that is its own kind may begin anew, anywhere.
        """
        near = required(pod, AFFINITY)
        if new is not None and any(self._matcher(term).matches(new) for term in near):
            return True
        if old is None:
            return False
        labels = self._labels_of(pod.metadata.namespace)
        anti = any(self._matcher(term).matches(old) for term in required(pod, ANTI))
        if anti or any(term.matches(pod, labels) for term in required(old, ANTI)):
            return True
        return bool(near) and all(term.matches(pod, labels) and self._matcher(term).matches(old) for term in near)

    def _domain(self, pod: core_v1.Pod, old: core_v1.Node | None, node: core_v1.Node | None) -> bool:
        """A node in the right domains came, or one left them with the Pods on it."""
        wanted = required(pod, AFFINITY)
        nodes = [each for each in (old, node) if each is not None]
        return not wanted or any(term.key in each.metadata.labels for term in wanted for each in nodes)

    @staticmethod
    def _selected(pod: core_v1.Pod, old: core_v1.Namespace | None, new: core_v1.Namespace | None) -> bool:
        """Its own terms or those of others may be about other namespaces now."""
        if any(each is not None and each.metadata.name == pod.metadata.namespace for each in (old, new)):
            return True
        return any(term.namespace_selector is not None for term in required(pod, AFFINITY) + required(pod, ANTI))

    # -- filter ------------------------------------------------------------------------------------

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        counted = state.data[self.name] = _Counted(required(pod, AFFINITY), required(pod, ANTI))
        if counted.affinity:
            matchers = tuple(self._matcher(term) for term in counted.affinity)
            keys = tuple(dict.fromkeys(term.key for term in counted.affinity))
            counted.near = snapshot.derived((self.name, matchers, keys), lambda: MatchCounts(matchers, keys)).counts
        for term in counted.anti:
            matcher = self._matcher(term)
            found = snapshot.derived((self.name, (matcher,), (term.key,)), lambda m=matcher, k=term.key: MatchCounts((m,), (k,)))  # type: ignore[misc]
            counted.far.setdefault(term.key, []).append((term, found.counts[term.key]))
        existing = self._existing(snapshot).anti
        if existing:
            labels = self._labels_of(pod.metadata.namespace)
            for term, counts in existing.matching(pod, labels):
                together = counted.kept_away.setdefault(term.key, {})
                for domain, number in counts.items():
                    together[domain] = together.get(domain, 0) + number

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        counted: _Counted = state.data[self.name]
        return bool(counted.affinity or counted.anti or counted.kept_away)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        counted: _Counted = state.data[self.name]
        labels = node.labels
        if counted.affinity and not self._near(counted, pod, labels):
            return NOT_NEAR
        for key, terms in counted.far.items():
            domain = labels.get(key)
            if domain is not None:
                for _, counts in terms:
                    if domain in counts:
                        return _apart(TOO_NEAR, key, domain)
        for key, counts in counted.kept_away.items():
            domain = labels.get(key)
            if domain is not None and domain in counts:
                return _apart(KEPT_AWAY, key, domain)
        return None

    def _near(self, counted: _Counted, pod: core_v1.Pod, labels: dict[str, str]) -> bool:
        if any(term.key not in labels for term in counted.affinity):
            return False
        if all(labels[term.key] in counted.near.get(term.key, ()) for term in counted.affinity):
            return True
        # The first of a group that wants to be near itself may go anywhere.
        if any(counted.near.values()):
            return False
        own = self._labels_of(pod.metadata.namespace)
        return all(term.matches(pod, own) for term in counted.affinity)

    def add_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        self._change(state, pod, other, node, 1)

    def remove_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        self._change(state, pod, other, node, -1)

    def _change(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo, by: int) -> None:
        counted: _Counted = state.data[self.name]
        labels = node.labels
        if counted.affinity and all(self._matcher(term).matches(other) for term in counted.affinity):
            for key in {term.key for term in counted.affinity} & labels.keys():
                change(counted.near.setdefault(key, {}), labels[key], by)
        for key, terms in counted.far.items():
            for term, counts in terms:
                if key in labels and self._matcher(term).matches(other):
                    change(counts, labels[key], by)
        own = self._labels_of(pod.metadata.namespace)
        for term in required(other, ANTI):
            if term.key in labels and term.matches(pod, own):
                change(counted.kept_away.setdefault(term.key, {}), labels[term.key], by)

    # -- score -------------------------------------------------------------------------------------

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        affinity = pod.spec.affinity
        if affinity is not None and (affinity.pod_affinity is not None or affinity.pod_anti_affinity is not None) and preferred(pod):
            return True
        if self._ignore_others:
            return False
        drawn = self._existing(snapshot).scored.matching(pod, self._labels_of(pod.metadata.namespace))
        return next(drawn, None) is not None

    def pre_score(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> bool:
        scores: dict[str, dict[str, int]] = {}

        def add(key: str, counts: Counts, weight: int) -> None:
            weights = scores.setdefault(key, {})
            for domain, number in counts.items():
                weights[domain] = weights.get(domain, 0) + weight * number

        for term in preferred(pod):
            matcher = self._matcher(term)
            found = snapshot.derived((self.name, (matcher,), (term.key,)), lambda m=matcher, k=term.key: MatchCounts((m,), (k,)))  # type: ignore[misc]
            add(term.key, found.counts[term.key], term.weight)
        if not self._ignore_others or preferred(pod):
            labels = self._labels_of(pod.metadata.namespace)
            for term, counts in self._existing(snapshot).scored.matching(pod, labels):
                add(term.key, counts, term.weight if term.weight else self._hard_weight)
        state.data["pod preference"] = scores
        return any(scores.values())

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        labels, total = node.labels, 0
        for key, weights in state.data["pod preference"].items():
            domain = labels.get(key)
            if domain is not None:
                total += weights.get(domain, 0)
        return total

    def normalize(self, scores: list[float]) -> list[float]:
        top, low = max(scores, default=0.0), min(scores, default=0.0)
        return [0.0] * len(scores) if top == low else [float(int(MAX_NODE_SCORE * (s - low) / (top - low))) for s in scores]
