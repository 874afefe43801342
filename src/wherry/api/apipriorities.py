"""In which order groups and versions stand in discovery: the priorities of the APIServices of what is built in.

Clients take the first group that has a kind, and a group's first version.  The numbers are upstream's; old versions, which
upstream serves no more, stand last in their groups, and groups that have only such behind everything else.
"""

from __future__ import annotations

from collections.abc import Sequence

# group -> groupPriorityMinimum.  apiregistration.k8s.io has no APIService: the aggregator itself serves it, first of all.
_GROUPS = {
    "apiregistration.k8s.io": 20000, "": 18000, "apps": 17800, "events.k8s.io": 17750, "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600, "autoscaling": 17500, "batch": 17400, "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200, "policy": 17100, "rbac.authorization.k8s.io": 17000, "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700, "apiextensions.k8s.io": 16700, "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500, "node.k8s.io": 16300, "discovery.k8s.io": 16200, "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100, "storagemigration.k8s.io": 15800, "metrics.k8s.io": 100,
}
_UNKNOWN, _ONLY_OLD = 1000, 1  # upstream's of a custom resource's group
_FIRST, _OLD = 15, 9
_VERSIONS = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("resource.k8s.io", "v1"): 20, ("flowcontrol.apiserver.k8s.io", "v1"): 21}


def group_priority(group: str, *, only_old: bool = False) -> int:
    """`only_old`: every version of the group is one that upstream has removed."""
    return _ONLY_OLD if only_old else _GROUPS.get(group, _UNKNOWN)


def version_priorities(group: str, versions: Sequence[tuple[str, bool]]) -> dict[str, int]:
    """Of a group's versions, which stand in order of preference: (name, whether it is an old one)."""
    found: dict[str, int] = {}
    old = _OLD
    for name, is_old in versions:
        if is_old:
            found[name], old = old, max(old - 1, 1)
        else:
            found[name] = _VERSIONS.get((group, name), _FIRST)
    return found
