"""Validation of resource names and amounts, of containers, Pods, quotas and limit ranges."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from wherry.api.strategy.rules import NEGATIVE, Causes, dns_label, sorted_items
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, quote, required
from wherry.apimachinery.quantity import Quantity, parse

from .defaults import SUPPORTED_POD_LEVEL, aggregate_requests

Dict = dict[str, Any]

HUGE_PAGES = "hugepages-"
NATIVE = "kubernetes.io/"
STANDARD = frozenset((
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.ephemeral-storage",
    "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "resourcequotas", "services",
    "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims", "storage", "requests.storage",
    "services.nodeports", "services.loadbalancers",
))
INTEGERS = frozenset((
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
))
CONTAINER = frozenset(("cpu", "memory", "ephemeral-storage"))


def is_huge_page(name: str) -> bool:
    return name.startswith(HUGE_PAGES)


def is_native(name: str) -> bool:
    """A resource of Kubernetes' own: no domain, or kubernetes.io's."""
    return "/" not in name or NATIVE in name


@lru_cache(maxsize=1024)
def is_extended(name: str) -> bool:
    """A resource of somebody else's (a device plugin's), counted in whole numbers."""
    return not is_native(name) and not name.startswith("requests.") and not names.is_qualified_name("requests." + name)


def is_overcommit_allowed(name: str) -> bool:
    return is_native(name) and not is_huge_page(name)


def is_integer(name: str) -> bool:
    return name in INTEGERS or is_extended(name)


@lru_cache(maxsize=1024)
def resource_name_faults(name: str) -> tuple[str, ...]:
    """validateResourceName: qualified, or one of the standard ones."""
    faults = names.is_qualified_name(name)
    standard = name in STANDARD or is_huge_page(name) or name.startswith("requests.hugepages-")
    if not faults and "/" not in name and not standard:
        return ("must be a standard resource type or fully qualified",)
    return tuple(faults)


@lru_cache(maxsize=1024)
def container_resource_faults(name: str) -> tuple[str, ...]:
    faults = resource_name_faults(name)
    if "/" not in name:
        if name not in CONTAINER and not is_huge_page(name):
            return (*faults, "must be a standard resource for containers")
    elif not is_native(name) and not is_extended(name):
        return (*faults, "doesn't follow extended resource name standard")
    return faults


def validate_amount(name: str, amount: str, path: str, errs: Causes) -> None:
    """ValidateResourceQuantityValue."""
    number = parse(amount)
    if number.nanos < 0:
        errs.append(invalid(path, amount, NEGATIVE))
    if is_integer(name) and number.nanos % 10**9:
        errs.append(invalid(path, amount, "must be an integer"))


def _container_name(name: str, path: str, errs: Causes) -> None:
    errs.extend(invalid(path, name, fault) for fault in container_resource_faults(name))


def _pod_name(name: str, path: str, errs: Causes) -> None:
    faults = resource_name_faults(name)
    if faults:
        errs.extend(invalid(path, name, fault) for fault in faults)
    elif name not in SUPPORTED_POD_LEVEL and not is_huge_page(name):
        errs.append(not_supported(path, name, (*SUPPORTED_POD_LEVEL[:1], HUGE_PAGES, *SUPPORTED_POD_LEVEL[1:])))


def _huge_page_value(name: str, amount: str, path: str, errs: Causes) -> None:
    if not is_huge_page(name):
        return
    try:
        size = parse(name.removeprefix(HUGE_PAGES)).value()
    except ValueError:
        size = 0
    if size <= 0 or parse(amount).value() % size:
        errs.append(invalid(path, amount, f"{amount} is not positive integer multiple of {name}"))


def _request(name: str, amount: str, limits: Dict, path: str, errs: Causes) -> None:
    limit = limits.get(name)
    if limit is None:
        if not is_overcommit_allowed(name):
            errs.append(required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        return
    have, most = parse(amount), parse(limit)
    if have != most and not is_overcommit_allowed(name):
        errs.append(invalid(f"{path}.requests", amount, f"must be equal to {name} limit of {limit}"))
    elif have > most:
        errs.append(invalid(f"{path}.requests", amount, f"must be less than or equal to {name} limit of {limit}"))


def validate_requirements(
    resources: Dict, claims: set[str], path: str, errs: Causes, name_rule: Callable[[str, str, Causes], None] = _container_name,
) -> None:
    """ResourceRequirements of a container; `claims` are the names that the Pod's resourceClaims give."""
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in sorted_items(amounts):
            where = f"{path}.{kind}[{name}]"
            name_rule(name, where, errs)
            validate_amount(name, amount, where, errs)
            if kind == "requests":
                _request(name, amount, limits, path, errs)
            _huge_page_value(name, amount, where, errs)
    used = {*limits, *requests}
    if any(map(is_huge_page, used)) and not used & {"cpu", "memory"}:
        errs.append(forbidden(path, "HugePages require cpu or memory"))
    if resources.get("claims"):
        _claims(resources["claims"], claims, f"{path}.claims", errs)


def _claims(used: list[Dict], known: set[str], path: str, errs: Causes) -> None:
    seen: set[str] = set()
    for i, claim in enumerate(used):
        where, name, request = f"{path}[{i}]", claim.get("name") or "", claim.get("request") or ""
        if not name:
            errs.append(required(where))
            continue
        key = f"{name}/{request}" if request else name
        if request and name not in seen:
            dns_label(request, f"{where}.request", errs)
        if name in seen or key in seen:
            errs.append(duplicate(where, name if name in seen else key))
        elif not request and any(other.partition("/")[0] == name for other in seen):
            errs.append(duplicate(where, name))
        seen.add(key)
        if name not in known:
            detail = "must be one of the names in pod.spec.resourceClaims"
            detail += f": {', '.join(sorted(known))}" if known else " which is empty"
            errs.append(Cause("FieldValueNotFound", f"Not found: {quote(name)}: {detail}", where))


def validate_pod_level(spec: Dict, claims: set[str], path: str, errs: Causes) -> None:
    """`spec.resources`, which bounds all containers together."""
    resources = spec.get("resources")
    if resources is None:
        return
    if resources.get("claims") is not None:
        errs.append(forbidden(f"{path}.claims", "claims cannot be set for Resources at pod-level"))
    validate_requirements(resources, claims, path, errs, _pod_name)
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    for name in sorted({key for c in spec.get("containers") or () for key in ((c.get("resources") or {}).get("requests") or {})}):
        total = aggregate_requests(spec, name)
        have = parse(requests[name]) if name in requests else Quantity()
        if total is not None and total > have:
            words = f"must be greater than or equal to aggregate container requests of {total}"
            errs.append(invalid(f"{path}.requests[{name}]", str(have), words))
    for i, container in enumerate(spec.get("containers") or ()):
        for name, limit in sorted_items((container.get("resources") or {}).get("limits")):
            if name in limits and parse(limit) > parse(limits[name]):
                where = f"{path}.containers[{i}][{name}].limits"
                errs.append(invalid(where, limit, f"must be less than or equal to pod limits of {limits[name]}"))


RESIZE_POLICIES = ("NotRequired", "RestartContainer")


def validate_resize_policy(policies: list[Dict], path: str, restart_policy: str, errs: Causes) -> None:
    seen = set()
    for i, policy in enumerate(policies):
        name, restart = policy.get("resourceName") or "", policy.get("restartPolicy") or ""
        if name in seen:
            errs.append(duplicate(f"{path}[{i}]", name))
        seen.add(name)
        if name not in SUPPORTED_POD_LEVEL:
            errs.append(not_supported(path, name, SUPPORTED_POD_LEVEL) if name else required(path))
        if restart not in RESIZE_POLICIES:
            errs.append(not_supported(path, restart, RESIZE_POLICIES) if restart else required(path))
        if restart_policy == "Never" and restart != "NotRequired":
            errs.append(invalid(path, restart, "must be 'NotRequired' when `restartPolicy` is 'Never'"))
