"""nodeSelector and node affinity against a node: one rule for the scheduler and for DaemonSets.  Pure.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wherry.api.types import core_v1

_NUMBER = re.compile(r"[+-]?[0-9]+")


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
            have, bound = _whole(value or ""), _whole(next(iter(requirement.values), ""))
            if have is None or bound is None:
                return False
            return have > bound if operator == "Gt" else have < bound
    return False


def _whole(text: str) -> int | None:
    """A number as Go reads it: Python would take "1_000" too, which a label may be."""
    return int(text) if _NUMBER.fullmatch(text) else None


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
