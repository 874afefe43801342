"""What an aggregated ClusterRole may do: all that the roles it selects may.  Pure.

https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
"""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.types import rbac_v1
from wherry.apimachinery.labels import from_label_selector


def aggregated(role: rbac_v1.ClusterRole, roles: Iterable[rbac_v1.ClusterRole]) -> list[rbac_v1.PolicyRule] | None:
    """The rules that `role` should have, in the order of its parts' names, each once; None when it aggregates nothing."""
    if role.aggregation_rule is None:
        return None
    ordered = sorted(roles, key=lambda each: each.metadata.name)
    rules: list[rbac_v1.PolicyRule] = []
    for selector in role.aggregation_rule.cluster_role_selectors:
        selects = from_label_selector(selector).matches
        for part in ordered:
            if part.metadata.name != role.metadata.name and selects(part.metadata.labels):
                rules += [rule for rule in part.rules if rule not in rules]
    return rules
