"""Counts of Pods by topology domain, kept from cycle to cycle: what affinity and spreading ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from wherry.api.types import core_v1
from wherry.apimachinery.labels import Selector
from wherry.scheduler.nodeinfo import NodeInfo

Counts = dict[str, int]  # domain -> Pods


@dataclass(frozen=True, slots=True)
class Matcher:
    """Pods of these namespaces (None: of all) that match."""

    selector: Selector
    namespaces: frozenset[str] | None = None

    def matches(self, pod: core_v1.Pod) -> bool:
        if self.namespaces is not None and pod.metadata.namespace not in self.namespaces:
            return False
        return self.selector.matches(pod.metadata.labels)


class MatchCounts:
    """How many Pods that all of `matchers` match are in each domain of each of `keys`."""

    def __init__(self, matchers: Sequence[Matcher], keys: Iterable[str]) -> None:
        self._matchers = tuple(matchers)
        self.counts: dict[str, Counts] = {key: {} for key in keys}

    def rebuild(self, nodes: Iterable[NodeInfo]) -> None:
        for counts in self.counts.values():
            counts.clear()
        for info in nodes:
            for pod in info.pods.values():
                self.count(info, pod, 1)

    def count(self, node: NodeInfo, pod: core_v1.Pod, sign: int) -> None:
        for matcher in self._matchers:
            if not matcher.matches(pod):
                return
        labels = node.labels
        for key, counts in self.counts.items():
            domain = labels.get(key)
            if domain is not None:
                change(counts, domain, sign)


def change(counts: Counts, domain: str, by: int) -> None:
    """Add to a count that is absent at zero."""
    left = counts.get(domain, 0) + by
    if left:
        counts[domain] = left
    else:
        counts.pop(domain, None)


class DomainCounts:
    """How many matching Pods that are not on their way out are in each domain of one key; domains without any count 0.

    `included` says which nodes belong.
    """

    def __init__(self, matcher: Matcher, key: str, included: Callable[[core_v1.Node], bool]) -> None:
        self._matcher, self._key, self._included = matcher, key, included
        self.counts: Counts = {}
        self._nodes: set[str] = set()

    def rebuild(self, nodes: Iterable[NodeInfo]) -> None:
        self.counts.clear()
        self._nodes.clear()
        for info in nodes:
            domain = info.labels.get(self._key)
            if domain is None or info.node is None or not self._included(info.node):
                continue
            self._nodes.add(info.name)
            self.counts[domain] = self.counts.get(domain, 0) + sum(self.counted(pod) for pod in info.pods.values())

    def includes(self, node: NodeInfo) -> bool:
        return node.name in self._nodes

    def counted(self, pod: core_v1.Pod) -> bool:
        return not pod.metadata.deletion_timestamp and self._matcher.matches(pod)

    def count(self, node: NodeInfo, pod: core_v1.Pod, sign: int) -> None:
        if node.name in self._nodes and self.counted(pod):
            self.counts[node.labels[self._key]] += sign
