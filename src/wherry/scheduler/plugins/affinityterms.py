"""The terms of pod affinity and anti-affinity, compiled; and those of all Pods that have a node, counted by domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wherry.api.types import core_v1
from wherry.apimachinery.labels import IN, NOT_IN, NOTHING, Requirement, Selector, from_label_selector
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.podcounts import Counts, change

AFFINITY, ANTI = "podAffinity", "podAntiAffinity"


@dataclass(frozen=True, slots=True)
class Term:
    """A PodAffinityTerm of a Pod.  Its namespaces: those named, and those that the selector selects."""

    key: str
    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector | None = None
    weight: int = 0

    def matches(self, pod: core_v1.Pod, namespace_labels: Mapping[str, str]) -> bool:
        """`namespace_labels`: those of the Pod's own namespace."""
        if pod.metadata.namespace not in self.namespaces and (
            self.namespace_selector is None or not self.namespace_selector.matches(namespace_labels)
        ):
            return False
        return self.selector.matches(pod.metadata.labels)


def compile_term(owner: core_v1.Pod, term: core_v1.PodAffinityTerm, weight: int = 0) -> Term:
    selector = NOTHING if term.label_selector is None else from_label_selector(term.label_selector)
    labels, extra = owner.metadata.labels, []
    if term.label_selector is not None:
        for keys, operator in ((term.match_label_keys, IN), (term.mismatch_label_keys, NOT_IN)):
            extra += [Requirement(key, operator, (labels[key],)) for key in keys if key in labels]
        # The API server has written them into the selector of a Pod that was made by 1.37; its labels may have changed since.
        merged = {(each.key, each.operator) for each in selector.requirements}
        extra = [each for each in extra if (each.key, each.operator) not in merged]
    if extra:
        selector = Selector((*selector.requirements, *extra))
    chosen = None if term.namespace_selector is None else from_label_selector(term.namespace_selector)
    named = term.namespaces or ([owner.metadata.namespace] if chosen is None else [])
    return Term(term.topology_key, selector, frozenset(named), chosen, weight)


def required(pod: core_v1.Pod, kind: str) -> list[Term]:
    """The required terms of a Pod, of affinity or of anti-affinity."""
    affinity = pod.spec.affinity
    if affinity is None:
        return []
    side = affinity.pod_anti_affinity if kind == ANTI else affinity.pod_affinity
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


class TermIndex:
    """Distinct terms with how many Pods in each domain have them; found by a label that they demand."""

    def __init__(self) -> None:
        self._terms: dict[Term, Counts] = {}
        self._by_label: dict[tuple[str, str], dict[Term, Counts]] = {}
        self._others: dict[Term, Counts] = {}  # those that demand no label's value

    def __bool__(self) -> bool:
        return bool(self._terms)

    def change(self, term: Term, domain: str, by: int) -> None:
        counts = self._terms.get(term)
        if counts is None:
            counts = self._terms[term] = self._shelf(term)[term] = {}
        change(counts, domain, by)
        if not counts:
            shelf = self._shelf(term)
            del self._terms[term], shelf[term]
            if not shelf and term.selector.exact:
                del self._by_label[term.selector.exact[0]]

    def _shelf(self, term: Term) -> dict[Term, Counts]:
        exact = term.selector.exact
        return self._by_label.setdefault(exact[0], {}) if exact else self._others

    def matching(self, pod: core_v1.Pod, namespace_labels: Mapping[str, str]) -> Iterator[tuple[Term, Counts]]:
        """The terms that match a Pod."""
        shelves = [self._by_label[label] for label in pod.metadata.labels.items() if label in self._by_label]
        for shelf in (*shelves, self._others):
            for term, counts in shelf.items():
                if term.matches(pod, namespace_labels):
                    yield term, counts


class ExistingTerms:
    """The terms of the Pods that have a node: `anti` keeps others away, `scored` draws or repels them."""

    def __init__(self) -> None:
        self.anti, self.scored = TermIndex(), TermIndex()
        self._of: dict[str, tuple[list[Term], list[Term]]] = {}  # by the Pod's uid, compiled once

    def rebuild(self, nodes: Iterable[NodeInfo]) -> None:
        self.anti, self.scored = TermIndex(), TermIndex()
        self._of.clear()
        for info in nodes:
            for pod in info.pods.values():
                self.count(info, pod, 1)

    def count(self, node: NodeInfo, pod: core_v1.Pod, sign: int) -> None:
        affinity = pod.spec.affinity
        if affinity is None or (affinity.pod_affinity is None and affinity.pod_anti_affinity is None):
            return
        uid = pod.metadata.uid
        terms = self._of.pop(uid, None) if sign < 0 else None
        if terms is None:
            # A required affinity scores too, with the plugin's own weight: it stands here with none.
            terms = required(pod, ANTI), [*required(pod, AFFINITY), *(t for t in preferred(pod) if t.weight)]
        if sign > 0:
            self._of[uid] = terms
        labels = node.labels
        for index, found in zip((self.anti, self.scored), terms, strict=True):
            for term in found:
                domain = labels.get(term.key)
                if domain is not None:
                    index.change(term, domain, sign)
