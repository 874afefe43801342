"""How much of each quota-bound resource an object uses (upstream's quota evaluators).  Pure.

https://kubernetes.io/docs/concepts/policy/resource-quotas/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from wherry.api import pod as pods
from wherry.api.resource import Object
from wherry.api.types.core_v1 import Pod
from wherry.apimachinery.quantity import Quantity, from_value, parse

Usage = dict[str, Quantity]
ONE = from_value(1)
# Quota names of whole objects from before `count/…` was.
CLASSIC = {
    "configmaps": "configmaps", "secrets": "secrets", "services": "services", "persistentvolumeclaims": "persistentvolumeclaims",
    "replicationcontrollers": "replicationcontrollers", "resourcequotas": "resourcequotas",
}
_BARE = ("cpu", "memory", "ephemeral-storage")  # the plain name means the request
COMPUTE = (*_BARE, *(f"{kind}.{name}" for kind in ("requests", "limits") for name in _BARE))


def count_name(group: str, plural: str) -> str:
    """`count/deployments.apps`."""
    return f"count/{plural}.{group}" if group else f"count/{plural}"


def usage_of(group: str, plural: str, obj: Object) -> Usage:
    """Everything that a quota could count of an object."""
    found: Usage = {count_name(group, plural): ONE}
    if group:
        return found
    if plural in CLASSIC:
        found[CLASSIC[plural]] = ONE
    if plural == "pods":
        found.update(_pod(obj))
    elif plural == "services":
        found.update(_service(obj.get("spec") or {}))
    elif plural == "persistentvolumeclaims":
        found.update(_claim(obj))
    return found


def _pod(obj: Object) -> Usage:
    pod = as_pod(obj)
    if pods.is_terminal(pod):
        return {}
    found: Usage = {"pods": ONE}
    for name, amount in pods.effective_requests(pod).items():
        found[f"requests.{name}"] = amount
        if name in _BARE or name.startswith("hugepages-"):
            found[name] = amount
    for name, amount in pods.effective_limits(pod).items():
        found[f"limits.{name}"] = amount
    return found


def as_pod(obj: Object) -> Pod:
    return msgspec.convert(obj, Pod, strict=False)


def _service(spec: Mapping[str, Any]) -> Usage:
    kind, ports = spec.get("type"), spec.get("ports") or ()
    found: Usage = {}
    if kind == "LoadBalancer":
        found["services.loadbalancers"] = ONE
    if kind == "NodePort":
        found["services.nodeports"] = from_value(len(ports))
    elif kind == "LoadBalancer":
        automatic = spec.get("allocateLoadBalancerNodePorts") is not False
        found["services.nodeports"] = from_value(sum(1 for port in ports if automatic or port.get("nodePort")))
    return found


def _claim(obj: Object) -> Usage:
    spec = obj.get("spec") or {}
    found: Usage = {}
    storage = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if storage is not None:
        found["requests.storage"] = parse(storage)
    if name := spec.get("storageClassName"):
        found[f"{name}.storageclass.storage.k8s.io/persistentvolumeclaims"] = ONE
        if storage is not None:
            found[f"{name}.storageclass.storage.k8s.io/requests.storage"] = parse(storage)
    return found


def unspecified(hard: Mapping[str, Any], obj: Object) -> str:
    """Which containers of a Pod do not say what the quota counts: "limits.cpu for: c1,c2; memory for: c1"."""
    spec = obj.get("spec") or {}
    missing: dict[str, list[str]] = {}
    for name in sorted(set(hard) & set(COMPUTE)):
        kind, _, resource = name.rpartition(".")
        kind = kind or "requests"
        if resource in ((spec.get("resources") or {}).get(kind) or {}):
            continue  # said for the whole Pod
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            if resource not in ((container.get("resources") or {}).get(kind) or {}):
                missing.setdefault(name, []).append(container["name"])
    return "; ".join(f"{name} for: {','.join(sorted(names))}" for name, names in missing.items())


# --- scopes ----------------------------------------------------------------------------------------


def in_scope(quota: Object, plural: str, obj: Object) -> bool:
    """Whether a quota's scopes (of Pods; of claims by VolumeAttributesClass, which wherry does not know) cover an object."""
    spec = quota["spec"]
    expressions: list[Object] = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    expressions += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    return not expressions or (plural == "pods" and all(_matches(each, obj) for each in expressions))


def _matches(expression: Mapping[str, Any], obj: Object) -> bool:
    spec, scope = obj.get("spec") or {}, expression["scopeName"]
    terminating = (spec.get("activeDeadlineSeconds") or -1) >= 0
    match scope:
        case "Terminating" | "NotTerminating":
            return terminating is (scope == "Terminating")
        case "BestEffort" | "NotBestEffort":
            return (pods.qos_class(as_pod(obj)) == "BestEffort") is (scope == "BestEffort")
        case "CrossNamespacePodAffinity":
            return _crosses_namespaces(spec.get("affinity") or {})
        case "PriorityClass":
            return _priority_class(expression, spec.get("priorityClassName") or "")
    return False


def _priority_class(expression: Mapping[str, Any], name: str) -> bool:
    values = expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return name in values
        case "NotIn":
            return name not in values
        case "Exists":
            return bool(name)
        case "DoesNotExist":
            return not name
    return False


def _crosses_namespaces(affinity: Mapping[str, Any]) -> bool:
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        terms = list(rules.get("requiredDuringSchedulingIgnoredDuringExecution") or ())
        terms += [each["podAffinityTerm"] for each in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or ()]
        if any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms):
            return True
    return False
