"""NodeAffinity: nodeSelector and node affinity.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, NodeInfo, Refusal, spread_scores
from wherry.scheduler.plugins.base import Filter

MISMATCH = Refusal("node(s) didn't match Pod's node affinity/selector")


def matches_requirement(requirement: core_v1.NodeSelectorRequirement, values: Mapping[str, str]) -> bool:
    """One expression against labels (or fields)."""
    value = values.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value is None or value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            try:
                have, bound = int(value or ""), int(requirement.values[0])
            except (ValueError, IndexError):
                return False
            return have > bound if operator == "Gt" else have < bound
    return False


def matches_term(term: core_v1.NodeSelectorTerm, node: core_v1.Node) -> bool:
    """All expressions of a term; an empty term matches nothing."""
    if not term.match_expressions and not term.match_fields:
        return False
    fields = {"metadata.name": node.metadata.name}
    return all(matches_requirement(r, node.metadata.labels) for r in term.match_expressions) and all(
        matches_requirement(r, fields) for r in term.match_fields
    )


def required_matches(pod: core_v1.Pod, node: core_v1.Node) -> bool:
    """nodeSelector and the required affinity."""
    labels = node.metadata.labels
    if any(labels.get(key) != value for key, value in pod.spec.node_selector.items()):
        return False
    affinity = pod.spec.affinity.node_affinity if pod.spec.affinity else None
    required = affinity.required_during_scheduling_ignored_during_execution if affinity else None
    return required is None or any(matches_term(term, node) for term in required.node_selector_terms)


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
