"""PodTopologySpread: Pods that match a selector are spread evenly over zones, hosts or other domains.
https://kubernetes.io/docs/concepts/scheduling-eviction/topology-spread-constraints/"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wherry.api.nodeaffinity import required_matches
from wherry.api.tolerations import tolerates
from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.labels import NOTHING, Selector, from_label_selector
from wherry.scheduler.framework import MAX_NODE_SCORE, CycleState, NodeInfo, Refusal, Snapshot
from wherry.scheduler.plugins.base import Filter

MISSING = Refusal("node(s) didn't match pod topology spread constraints (missing required label)")
SKEWED = Refusal("node(s) didn't match pod topology spread constraints", resolvable=True)


@dataclass(slots=True)
class Constraint:
    """One constraint, and how many matching Pods each domain has."""

    key: str
    max_skew: int
    min_domains: int
    selector: Selector
    self_match: bool
    honor_affinity: bool
    honor_taints: bool
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def least(self) -> int:
        """The smallest count of any domain; 0 while there are fewer domains than wished for."""
        if len(self.counts) < self.min_domains:
            return 0
        return min(self.counts.values(), default=0)


def compile_constraint(pod: core_v1.Pod, constraint: core_v1.TopologySpreadConstraint) -> Constraint:
    selector = NOTHING if constraint.label_selector is None else from_label_selector(constraint.label_selector)
    labels = pod.metadata.labels
    if constraint.match_label_keys and constraint.label_selector is not None:
        extra = [
            meta_v1.LabelSelectorRequirement(key=key, operator="In", values=[labels[key]])
            for key in constraint.match_label_keys if key in labels
        ]
        joined = meta_v1.LabelSelector(
            match_labels=constraint.label_selector.match_labels,
            match_expressions=[*constraint.label_selector.match_expressions, *extra],
        )
        selector = from_label_selector(joined)
    return Constraint(
        constraint.topology_key, constraint.max_skew or 1, constraint.min_domains or 1, selector, selector.matches(labels),
        constraint.node_affinity_policy in ("", "Honor"), constraint.node_taints_policy == "Honor",
    )


def included(pod: core_v1.Pod, constraint: Constraint, node: core_v1.Node) -> bool:
    """Whether a node counts for a constraint."""
    if constraint.key not in node.metadata.labels:
        return False
    if constraint.honor_affinity and not required_matches(pod, node):
        return False
    return not constraint.honor_taints or all(
        tolerates(pod, t) for t in node.spec.taints if t.effect in ("NoSchedule", "NoExecute")
    )


def count(pod: core_v1.Pod, constraints: Sequence[Constraint], nodes: Sequence[NodeInfo]) -> None:
    """Fill in the counts."""
    for info in nodes:
        if info.node is None:
            continue
        for constraint in constraints:
            if not included(pod, constraint, info.node):
                continue
            domain = info.node.metadata.labels[constraint.key]
            matching = sum(
                other.metadata.namespace == pod.metadata.namespace and not other.metadata.deletion_timestamp
                and constraint.selector.matches(other.metadata.labels)
                for other in info.pods.values()
            )
            constraint.counts[domain] = constraint.counts.get(domain, 0) + matching


class PodTopologySpread(Filter):
    """Filter by DoNotSchedule, score by ScheduleAnyway."""

    name = "PodTopologySpread"

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        hard = [c for c in pod.spec.topology_spread_constraints if c.when_unsatisfiable == "DoNotSchedule"]
        constraints = [compile_constraint(pod, c) for c in hard]
        if constraints:
            count(pod, constraints, list(snapshot.nodes.values()))
        state.data[self.name] = constraints
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(state.data[self.name])

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        labels = node.node.metadata.labels if node.node is not None else {}
        for constraint in state.data[self.name]:
            domain = labels.get(constraint.key)
            if domain is None:
                return MISSING
            if constraint.counts.get(domain, 0) + constraint.self_match - constraint.least > constraint.max_skew:
                return SKEWED
        return None

    def pre_score(self, state: CycleState, pod: core_v1.Pod, nodes: Sequence[NodeInfo]) -> bool:
        soft = [c for c in pod.spec.topology_spread_constraints if c.when_unsatisfiable == "ScheduleAnyway"]
        constraints = [compile_constraint(pod, c) for c in soft]
        count(pod, constraints, nodes)
        state.data["soft spread"] = constraints
        return bool(constraints)

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        labels = node.node.metadata.labels if node.node is not None else {}
        constraints: list[Constraint] = state.data["soft spread"]
        return sum(c.counts.get(labels.get(c.key, ""), 0) for c in constraints)

    def normalize(self, scores: list[float]) -> list[float]:
        top, low = max(scores, default=0.0), min(scores, default=0.0)
        return [float(MAX_NODE_SCORE)] * len(scores) if top == low else [MAX_NODE_SCORE * (top - s) / (top - low) for s in scores]



