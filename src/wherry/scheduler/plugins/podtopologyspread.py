"""PodTopologySpread: Pods that match a selector are spread evenly over zones, hosts or other domains.
https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from wherry.api.nodeaffinity import required_matches
from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.labels import NOTHING, Selector, from_label_selector
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
from wherry.scheduler.plugins.podcounts import Counts, DomainCounts, Matcher
from wherry.scheduler.plugins.tainttoleration import untolerated

MISSING = Refusal("node(s) didn't match pod topology spread constraints (missing required label)")
HOSTNAME, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
HARD, SOFT = "DoNotSchedule", "ScheduleAnyway"
# For Pods without constraints that belong to something (upstream's system defaults).
SYSTEM_DEFAULTS = (
    core_v1.TopologySpreadConstraint(max_skew=3, topology_key=HOSTNAME, when_unsatisfiable=SOFT),
    core_v1.TopologySpreadConstraint(max_skew=5, topology_key=ZONE, when_unsatisfiable=SOFT),
)
DefaultSelector = Callable[[core_v1.Pod], Selector]


@dataclass(frozen=True, slots=True)
class Constraint:
    """A TopologySpreadConstraint, compiled."""

    key: str
    max_skew: int
    min_domains: int
    selector: Selector
    self_match: bool
    honor_affinity: bool
    honor_taints: bool

    def includes(self, pod: core_v1.Pod, node: core_v1.Node) -> bool:
        """Whether the Pods of a node count: by nodeAffinityPolicy and nodeTaintsPolicy."""
        if self.honor_affinity and not required_matches(pod, node):
            return False
        return not self.honor_taints or untolerated(pod, node) is None


def compile_constraint(pod: core_v1.Pod, constraint: core_v1.TopologySpreadConstraint, default: Selector = NOTHING) -> Constraint:
    selector = default if constraint.label_selector is None else from_label_selector(constraint.label_selector)
    labels = pod.metadata.labels
    if constraint.match_label_keys and constraint.label_selector is not None:
        known = {each.key for each in selector.requirements}  # the API server has merged them
        extra = [
            meta_v1.LabelSelectorRequirement(key=key, operator="In", values=[labels[key]])
            for key in constraint.match_label_keys if key in labels and key not in known
        ]
        selector = Selector((*selector.requirements, *from_label_selector(meta_v1.LabelSelector(match_expressions=extra)).requirements))
    return Constraint(
        constraint.topology_key, constraint.max_skew or 1, constraint.min_domains or 1, selector, selector.matches(labels),
        constraint.node_affinity_policy in (None, "", "Honor"), constraint.node_taints_policy == "Honor",
    )


class _Spread:
    """A constraint with the counts of its domains: shared ones until a dry run changes them."""

    __slots__ = ("_counts", "_least", "constraint", "counter", "own")

    def __init__(self, constraint: Constraint, counter: DomainCounts) -> None:
        self.constraint, self.counter, self._counts = constraint, counter, counter.counts
        self.own = False
        self._least: int | None = None

    @property
    def counts(self) -> Counts:
        return self._counts

    @property
    def least(self) -> int:
        """The smallest count of any domain; 0 while there are fewer domains than wished for."""
        if self._least is None:
            few = len(self._counts) < self.constraint.min_domains
            self._least = 0 if few else min(self._counts.values(), default=0)
        return self._least

    def change(self, domain: str, by: int) -> None:
        if not self.own:
            self._counts, self.own = dict(self._counts), True
        self._counts[domain] += by
        self._least = None

    def clone(self) -> _Spread:
        made = _Spread(self.constraint, self.counter)
        made._counts = dict(self._counts) if self.own else self._counts
        made.own, made._least = self.own, self._least
        return made


class _Spreads(list[_Spread]):
    def clone(self) -> _Spreads:
        return _Spreads(each.clone() for each in self)


class PodTopologySpread(Filter, Score):
    """Filter by DoNotSchedule, score by ScheduleAnyway."""

    name = "PodTopologySpread"

    def __init__(
        self, defaults: Sequence[core_v1.TopologySpreadConstraint] = SYSTEM_DEFAULTS, default_selector: DefaultSelector | None = None,
        *, system: bool = True,
    ) -> None:
        self._defaults, self._default_selector, self._system = tuple(defaults), default_selector, system

    def _constraints(self, pod: core_v1.Pod, action: str) -> list[Constraint]:
        own = pod.spec.topology_spread_constraints
        if own:
            return [compile_constraint(pod, c) for c in own if c.when_unsatisfiable == action]
        defaults = [c for c in self._defaults if c.when_unsatisfiable == action]
        if not defaults or self._default_selector is None:
            return []
        selector = self._default_selector(pod)
        return [] if selector.everything or selector.nothing else [compile_constraint(pod, c, selector) for c in defaults]

    # -- events ------------------------------------------------------------------------------------

    def events(self) -> Sequence[EventHint]:
        return (
            EventHint(ASSIGNED_POD, Action.ADD | Action.DELETE | Action.UPDATE_POD_LABEL, self._counted),
            EventHint(NODE, Action.ADD | Action.DELETE | Action.UPDATE_NODE_LABEL | Action.UPDATE_NODE_TAINT, self._domain),
            EventHint(UNSCHEDULED_POD, Action.UPDATE_POD_LABEL | Action.UPDATE_POD_TOLERATION),
        )

    def _counted(self, pod: core_v1.Pod, old: core_v1.Pod | None, new: core_v1.Pod | None) -> bool:
        """A count has changed: of a Pod that has changed itself, only if it counts where it did not, or no more."""
        before, after = (_counts(pod, each) for each in (old, new))
        return any(before(constraint.selector) != after(constraint.selector) for constraint in self._constraints(pod, HARD))

    def _domain(self, pod: core_v1.Pod, old: core_v1.Node | None, new: core_v1.Node | None) -> bool:
        """A node of the Pod's domains came or went, moved from one to another, got other taints, or counts where it did not, or no more."""
        constraints = self._constraints(pod, HARD)
        keys = {constraint.key for constraint in constraints}
        was, is_ = (node is not None and keys <= node.metadata.labels.keys() for node in (old, new))
        if old is None or new is None or was != is_:
            return was or is_
        if not is_:
            return False
        moved = any(old.metadata.labels[key] != new.metadata.labels[key] for key in keys)
        return moved or old.spec.taints != new.spec.taints or any(c.includes(pod, old) != c.includes(pod, new) for c in constraints)

    # -- filter ------------------------------------------------------------------------------------

    def _spread(self, pod: core_v1.Pod, constraint: Constraint, keys: tuple[str, ...], snapshot: Snapshot) -> _Spread:
        """The counts of a constraint over the nodes that have all of `keys`."""
        policies = msgspec.json.encode([
            [pod.spec.node_selector, pod.spec.affinity.node_affinity if pod.spec.affinity else None] if constraint.honor_affinity else 0,
            pod.spec.tolerations if constraint.honor_taints else 0,
        ])

        def included(node: core_v1.Node) -> bool:
            return all(key in node.metadata.labels for key in keys) and constraint.includes(pod, node)

        matcher = Matcher(constraint.selector, frozenset((pod.metadata.namespace,)))
        key = (self.name, constraint.key, matcher, policies, keys)
        return _Spread(constraint, snapshot.derived(key, lambda: DomainCounts(matcher, constraint.key, included)))

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        constraints = self._constraints(pod, HARD)
        keys = tuple(c.key for c in constraints)
        state.data[self.name] = _Spreads(self._spread(pod, c, keys, snapshot) for c in constraints)

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(state.data[self.name])

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        labels = node.labels
        for spread in state.data[self.name]:
            constraint = spread.constraint
            domain = labels.get(constraint.key)
            if domain is None:
                return MISSING
            skew = spread.counts.get(domain, 0) + constraint.self_match - spread.least
            if skew > constraint.max_skew:
                return _skewed(f"{constraint.key}={domain}: skew {skew}, at most {constraint.max_skew}")
        return None

    def add_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        self._change(state, pod, other, node, 1)

    def remove_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        self._change(state, pod, other, node, -1)

    def _change(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo, by: int) -> None:
        for spread in state.data[self.name]:
            domain = node.labels.get(spread.constraint.key)
            if domain is not None and spread.counter.includes(node) and spread.counter.counted(other):
                spread.change(domain, by)

    # -- score -------------------------------------------------------------------------------------

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        own = pod.spec.topology_spread_constraints
        if own:
            return any(c.when_unsatisfiable == SOFT for c in own)
        return bool(self._constraints(pod, SOFT))

    def pre_score(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot, nodes: Sequence[NodeInfo]) -> bool:
        constraints = self._constraints(pod, SOFT)
        # With the system's defaults a node without a zone still counts; otherwise it must have all the labels.
        all_keys = bool(pod.spec.topology_spread_constraints) or not self._system
        keys = tuple(c.key for c in constraints) if all_keys else ()
        left_out = {info.name for info in nodes if any(key not in info.labels for key in keys)}
        weighed = []
        for constraint in constraints:
            spread = self._spread(pod, constraint, keys, snapshot)
            if constraint.key == HOSTNAME:
                size = len(nodes) - len(left_out)
            else:  # nodes without the label are a domain of their own
                size = len({info.labels.get(constraint.key) for info in nodes if info.name not in left_out})
            weighed.append((constraint.key, spread.counts, math.log(size + 2), constraint.max_skew - 1))
        state.data["soft spread"] = weighed, left_out
        return bool(constraints)

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        weighed, left_out = state.data["soft spread"]
        if node.name in left_out:
            return -1
        labels, total = node.labels, 0.0
        for key, counts, weight, extra in weighed:
            domain = labels.get(key)
            if domain is not None:
                total += counts.get(domain, 0) * weight + extra
        return math.floor(total + 0.5)

    def normalize(self, scores: list[float]) -> list[float]:
        counted = [score for score in scores if score >= 0]
        top, low = max(counted, default=0), min(counted, default=0)
        if not top:
            return [MAX_NODE_SCORE if score >= 0 else 0 for score in scores]
        return [MAX_NODE_SCORE * (top + low - score) // top if score >= 0 else 0 for score in scores]


def _counts(pod: core_v1.Pod, other: core_v1.Pod | None) -> Callable[[Selector], bool]:
    """Whether another Pod counts for this one, by selector."""
    if other is None or other.metadata.namespace != pod.metadata.namespace or other.metadata.deletion_timestamp:
        return lambda selector: False
    labels = other.metadata.labels
    return lambda selector: selector.matches(labels)


def _skewed(detail: str) -> Refusal:
    return Refusal("node(s) didn't match pod topology spread constraints", resolvable=True, detail=detail)
