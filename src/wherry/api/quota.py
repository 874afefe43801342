"""How much of each quota-bound resource an object uses (upstream's quota evaluators).  Pure.

Admission weighs what is to be written, and the quota controller what there is: both count by this.
https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wherry.api import pod as pods
from wherry.api.types.core_v1 import (
    Affinity,
    PersistentVolumeClaim,
    Pod,
    PodAffinityTerm,
    ResourceQuotaSpec,
    ScopedResourceSelectorRequirement,
    Service,
)
from wherry.api.volumes import claim_class
from wherry.apimachinery.quantity import ZERO, Quantity, from_value, parse
from wherry.util.clock import parse_rfc3339

Usage = dict[str, Quantity]
Kind = tuple[str, str]  # group and plural
ONE = from_value(1)
NEVER = float("inf")
COUNT, CLAIMS, OF_CLASS = "count/", "persistentvolumeclaims", ".storageclass.storage.k8s.io/"
# Quota names of whole objects from before `count/…` was: the kind's plural.
CLASSIC = frozenset({"configmaps", "secrets", "services", CLAIMS, "replicationcontrollers", "resourcequotas"})
TYPED: dict[Kind, type[Any]] = {("", "pods"): Pod, ("", "services"): Service, ("", CLAIMS): PersistentVolumeClaim}
_SERVICES = ("services.nodeports", "services.loadbalancers")
_BARE = ("cpu", "memory", "ephemeral-storage")  # the plain name means the request
# What every container has to say for itself when a quota counts it.
COMPUTE = frozenset({"cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"})


@dataclass(frozen=True, slots=True)
class PodScope:
    """What scopes ask of a Pod."""

    terminating: bool
    best_effort: bool
    priority_class: str
    crosses_namespaces: bool


@dataclass(frozen=True, slots=True)
class Weight:
    """What an object uses, and what decides which quotas it counts for.

    A Pod whose time to end is over uses nothing after `until` (wall time) but its own place in storage (`rest`).
    """

    usage: Usage
    pod: PodScope | None = None
    attributes: frozenset[str] | None = None  # VolumeAttributesClasses of a claim
    until: float = NEVER
    rest: Usage = field(default_factory=dict)

    def at(self, now: float) -> Usage:
        return self.usage if now <= self.until else self.rest


def count_name(group: str, plural: str) -> str:
    """`count/deployments.apps`."""
    return f"{COUNT}{plural}.{group}" if group else f"{COUNT}{plural}"


def kind_of(name: str) -> Kind:
    """The kind whose objects a quota's name is about."""
    if name.startswith(COUNT):
        plural, _, group = name.removeprefix(COUNT).partition(".")
        return group, plural
    if name in CLASSIC:
        return "", name
    if name in _SERVICES:
        return "", "services"
    return "", CLAIMS if name == "requests.storage" or OF_CLASS in name else "pods"


def kinds_of(hard: Iterable[str]) -> set[Kind]:
    return {kind_of(name) for name in hard}


def weigh(kind: Kind, obj: Any) -> Weight:
    """Everything that a quota could count of an object: a struct, or a dict where `TYPED` has the kind."""
    found: Usage = {count_name(*kind): ONE}
    if not kind[0] and kind[1] in CLASSIC:
        found[kind[1]] = ONE
    typed = TYPED.get(kind)
    if typed is None:
        return Weight(found)
    thing = msgspec.convert(obj, typed, strict=False) if isinstance(obj, Mapping) else obj
    match thing:
        case Pod():
            return _pod(thing, found)
        case Service():
            return Weight(found | _service(thing))
    return Weight(found | _claim(thing), attributes=_attributes(thing))


def add(total: Usage, more: Mapping[str, Quantity], names: Container[str]) -> None:
    """Add what `names` has of `more`, in place."""
    for name, amount in more.items():
        if name in names:
            total[name] = total.get(name, ZERO) + amount


# --- Pods ------------------------------------------------------------------------------------------


def _pod(pod: Pod, found: Usage) -> Weight:
    meta, spec = pod.metadata, pod.spec
    scope = PodScope(
        spec.active_deadline_seconds is not None and spec.active_deadline_seconds >= 0, pods.qos_class(pod) == "BestEffort",
        spec.priority_class_name, spec.affinity is not None and _crosses_namespaces(spec.affinity),
    )
    if pods.is_terminal(pod):
        return Weight(found, scope)
    until = NEVER
    if meta.deletion_timestamp and meta.deletion_grace_period_seconds is not None:
        until = parse_rfc3339(meta.deletion_timestamp) + meta.deletion_grace_period_seconds
    used: Usage = {**found, "pods": ONE}
    for name, amount in pods.effective_requests(pod, held=True).items():
        used[f"requests.{name}"] = amount
        if name in _BARE or name.startswith("hugepages-"):
            used[name] = amount
    for name, amount in pods.effective_limits(pod, held=True).items():
        used[f"limits.{name}"] = amount
    return Weight(used, scope, until=until, rest=found)


def _crosses_namespaces(affinity: Affinity) -> bool:
    terms: list[PodAffinityTerm] = []
    for rules in (affinity.pod_affinity, affinity.pod_anti_affinity):
        if rules is not None:
            terms += rules.required_during_scheduling_ignored_during_execution
            terms += [each.pod_affinity_term for each in rules.preferred_during_scheduling_ignored_during_execution]
    return any(term.namespaces or term.namespace_selector is not None for term in terms)


def unspecified(hard: Iterable[str], obj: Mapping[str, Any]) -> str:
    """Which containers of a Pod do not say what the quota counts: "limits.cpu for: c1,c2; memory for: c1".

    None has to when anything is said for the whole Pod.
    """
    spec = obj.get("spec") or {}
    whole = spec.get("resources") or {}
    if whole.get("requests") or whole.get("limits"):
        return ""
    missing: dict[str, list[str]] = {}
    for name in sorted(COMPUTE.intersection(hard)):
        kind, _, resource = name.rpartition(".")
        kind = kind or "requests"
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            if resource not in ((container.get("resources") or {}).get(kind) or {}):
                missing.setdefault(name, []).append(container["name"])
    return "; ".join(f"{name} for: {','.join(sorted(names))}" for name, names in missing.items())


# --- Services and claims ---------------------------------------------------------------------------


def _service(service: Service) -> Usage:
    spec, found = service.spec, {}
    if spec.type == "LoadBalancer":
        found["services.loadbalancers"] = ONE
        automatic = spec.allocate_load_balancer_node_ports is not False
        found["services.nodeports"] = from_value(sum(1 for port in spec.ports if automatic or port.node_port))
    elif spec.type == "NodePort":
        found["services.nodeports"] = from_value(len(spec.ports))
    return found


def _claim(claim: PersistentVolumeClaim) -> Usage:
    requested = [text for text in (claim.spec.resources.requests.get("storage"), claim.status.allocated_resources.get("storage")) if text]
    amount = max(map(parse, requested), default=None)  # a volume that grows, or could not, takes the greater
    found: Usage = {} if amount is None else {"requests.storage": amount}
    if name := claim_class(claim):
        found[f"{name}{OF_CLASS}{CLAIMS}"] = ONE
        if amount is not None:
            found[f"{name}{OF_CLASS}requests.storage"] = amount
    return found


def _attributes(claim: PersistentVolumeClaim) -> frozenset[str]:
    """The VolumeAttributesClass that it asks for, has, and is on the way to."""
    modify = claim.status.modify_volume_status
    names = (
        claim.spec.volume_attributes_class_name, claim.status.current_volume_attributes_class_name,
        modify.target_volume_attributes_class_name if modify is not None else "",
    )
    return frozenset(name for name in names if name)


# --- scopes ----------------------------------------------------------------------------------------


def in_scope(spec: ResourceQuotaSpec, weight: Weight) -> bool:
    """Whether a quota's scopes cover an object: of Pods, and of claims by their VolumeAttributesClass."""
    wanted = [ScopedResourceSelectorRequirement(scope_name=name, operator="Exists") for name in spec.scopes]
    if spec.scope_selector is not None:
        wanted += spec.scope_selector.match_expressions
    return all(_matches(each, weight) for each in wanted)


def _matches(wanted: ScopedResourceSelectorRequirement, weight: Weight) -> bool:
    scope, pod = wanted.scope_name, weight.pod
    if scope == "VolumeAttributesClass":
        return weight.attributes is not None and _selects(wanted, weight.attributes)
    if pod is None:
        return False
    match scope:
        case "Terminating" | "NotTerminating":
            return pod.terminating is (scope == "Terminating")
        case "BestEffort" | "NotBestEffort":
            return pod.best_effort is (scope == "BestEffort")
        case "CrossNamespacePodAffinity":
            return pod.crosses_namespaces
        case "PriorityClass":
            return _selects(wanted, frozenset(filter(None, (pod.priority_class,))))
    return False


def _selects(wanted: ScopedResourceSelectorRequirement, names: frozenset[str]) -> bool:
    match wanted.operator:
        case "In":
            return not names.isdisjoint(wanted.values)
        case "NotIn":
            return names.isdisjoint(wanted.values)
        case "Exists":
            return bool(names)
        case "DoesNotExist":
            return not names
    return False
