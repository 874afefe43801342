"""ResourceQuotas and LimitRanges: their own validity (what they do to Pods is admission's)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.pod.resources import (
    container_resource_faults,
    is_huge_page,
    is_overcommit_allowed,
    resource_name_faults,
    validate_amount,
)
from wherry.api.strategy.rules import Causes, by_rule, round_up_to_milli, sorted_items
from wherry.api.strategy.workload import fill, spec_of
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, required
from wherry.apimachinery.quantity import parse

Dict = dict[str, Any]
SCOPES = (
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)
CONFLICTING = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
POD_RESOURCES = frozenset(("pods", "cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"))
QUOTA = POD_RESOURCES | {
    "ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage", "requests.storage", "resourcequotas", "services",
    "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps", "services.nodeports", "services.loadbalancers",
}


# --- ResourceQuota -----------------------------------------------------------------------------


def default_quota(obj: Dict) -> None:
    round_up_to_milli(spec_of(obj).get("hard"))
    fill(obj, status={})


def prepare_quota_for_create(obj: Dict) -> None:
    obj["status"] = {}


def _amounts(amounts: Dict | None, path: str, errs: Causes) -> None:
    for name, amount in sorted_items(amounts):
        where = f"{path}[{name}]"
        errs.extend(invalid(where, name, fault) for fault in resource_name_faults(name))
        if "/" not in name and not _is_standard(name):
            errs.append(invalid(where, name, "must be a standard resource for quota"))
        validate_amount(name, amount, where, errs)


def _is_standard(name: str) -> bool:
    return name in QUOTA or is_huge_page(name) or name.startswith("requests.hugepages-")


def _scope_fits(scope: str, resource: str) -> bool:
    if scope not in SCOPES or not _is_standard(resource):
        return True
    if scope == "BestEffort":
        return resource == "pods"
    if scope == "VolumeAttributesClass":
        return resource in ("persistentvolumeclaims", "requests.storage")
    return resource in POD_RESOURCES


def _scopes(spec: Dict, errs: Causes) -> None:
    given = spec.get("scopes") or []
    for scope in given:
        if scope not in SCOPES:
            errs.append(invalid("spec.scopes", given, "unsupported scope"))
        for name in spec.get("hard") or ():
            if not _scope_fits(scope, name):
                errs.append(invalid("spec.scopes", given, "unsupported scope applied to resource"))
    for pair in CONFLICTING:
        if set(pair) <= set(given):
            errs.append(invalid("spec.scopes", given, "conflicting scopes"))


def _scope_selector(spec: Dict, errs: Causes) -> None:
    path = "spec.scopeSelector.matchExpressions"
    expressions = (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    for expression in expressions:
        scope = expression.get("scopeName") or ""
        if scope not in SCOPES:
            errs.append(invalid(f"{path}.scopeName", scope, "unsupported scope"))
        for name in spec.get("hard") or ():
            if not _scope_fits(scope, name):
                errs.append(invalid(path, _printed(expressions), "unsupported scope applied to resource"))
        _scope_operator(expression, path, errs)
    found = {each.get("scopeName") for each in expressions}
    for pair in CONFLICTING:
        if set(pair) <= found:
            errs.append(invalid(path, spec.get("scopes"), "conflicting scopes"))


def _printed(expressions: Iterable[Dict]) -> Dict:
    """As upstream prints a selector: by the names of its Go fields."""
    keys = {"ScopeName": "scopeName", "Operator": "operator", "Values": "values"}
    return {"MatchExpressions": [{name: each.get(key) for name, key in keys.items()} for each in expressions]}


def _scope_operator(expression: Dict, path: str, errs: Causes) -> None:
    scope, operator, values = (expression.get(k) or "" for k in ("scopeName", "operator", "values"))
    if scope in SCOPES and scope not in ("PriorityClass", "VolumeAttributesClass") and operator != "Exists":
        words = (
            "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
            "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
        )
        errs.append(invalid(f"{path}.operator", operator, words))
    if operator in ("In", "NotIn"):
        if not values:
            errs.append(required(f"{path}.values", "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            words = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
            errs.append(invalid(f"{path}.values", values, words))
    else:
        errs.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))


def validate_quota(obj: Dict) -> list[Cause]:
    errs: Causes = []
    spec = obj.get("spec") or {}
    _amounts(spec.get("hard"), "spec.hard", errs)
    _scopes(spec, errs)
    _scope_selector(spec, errs)
    return errs


def validate_quota_update(obj: Dict, old: Dict) -> list[Cause]:
    new, before = (o["spec"].get("scopes") for o in (obj, old))
    return [invalid("spec.scopes", new, "field is immutable")] if {*(new or ())} != {*(before or ())} else []


def validate_quota_status(obj: Dict, old: Dict) -> list[Cause]:
    errs: Causes = []
    for name in ("hard", "used"):
        _amounts((obj.get("status") or {}).get(name), f"status.{name}", errs)
    return errs


RESOURCE_QUOTA = Strategy(
    default=default_quota,
    prepare_for_create=prepare_quota_for_create,
    validate=validate_quota,
    validate_update=validate_quota_update,
    validate_status=validate_quota_status,
    has_generation=False,
)


# --- LimitRange --------------------------------------------------------------------------------

TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_BOUNDS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def default_limit_range(obj: Dict) -> None:
    for limit in spec_of(obj).get("limits") or ():
        for name in _BOUNDS:
            round_up_to_milli(limit.get(name))
        if limit.get("type") != "Container":
            continue
        limits = {**(limit.get("max") or {}), **(limit.get("default") or {})}
        requests = {**(limit.get("min") or {}), **limits, **(limit.get("defaultRequest") or {})}
        if limits:
            limit["default"] = limits
        if requests:
            limit["defaultRequest"] = requests


def _ordered(limit: Dict, name: str, path: str, errs: Causes) -> None:
    """Of a resource: min <= defaultRequest <= default <= max."""
    low, high, usual, asked, ratio = (
        (limit.get(bound) or {}).get(name) for bound in ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
    )

    def check(small: str | None, big: str | None, field: str, shown: str | None, words: str) -> None:
        if small is not None and big is not None and parse(small) > parse(big):
            errs.append(invalid(f"{path}.{field}[{name}]", shown, words))

    check(low, high, "min", low, f"min value {low} is greater than max value {high}")
    check(low, asked, "defaultRequest", asked, f"min value {low} is greater than default request value {asked}")
    check(asked, high, "defaultRequest", asked, f"default request value {asked} is greater than max value {high}")
    check(asked, usual, "defaultRequest", asked, f"default request value {asked} is greater than default limit value {usual}")
    check(low, usual, "default", low, f"min value {low} is greater than default value {usual}")
    check(usual, high, "default", high, f"default value {usual} is greater than max value {high}")
    if ratio is not None:
        where = f"{path}.maxLimitRequestRatio[{name}]"
        if parse(ratio) < parse("1"):
            errs.append(invalid(where, ratio, f"ratio {ratio} is less than 1"))
        if low is not None and high is not None and parse(low).nanos > 0:
            most = parse(high).nanos / parse(low).nanos
            if parse(ratio).nanos / 10**9 > most:
                errs.append(invalid(where, ratio, f"ratio {ratio} is greater than max/min = {most:f}"))
    if not is_overcommit_allowed(name) and usual is not None and asked is not None and parse(usual) != parse(asked):
        words = f"default value {usual} must equal to defaultRequest value {asked} in {name}"
        errs.append(invalid(f"{path}.defaultRequest[{name}]", asked, words))


def _limit(limit: Dict, path: str, errs: Causes) -> None:
    kind = limit.get("type") or ""
    by_rule(kind, names.is_qualified_name, f"{path}.type", errs)
    if kind and "/" not in kind and kind not in TYPES:
        errs.append(invalid(f"{path}.type", kind, "must be a standard limit type or fully qualified"))
    rule = container_resource_faults if kind in ("Pod", "Container") else resource_name_faults
    used: set[str] = set()
    for bound in _BOUNDS:
        if kind == "Pod" and bound in ("default", "defaultRequest"):
            if limit.get(bound):
                errs.append(forbidden(f"{path}.{bound}", "may not be specified when `type` is 'Pod'"))
            continue
        for name in sorted(limit.get(bound) or ()):
            errs.extend(invalid(f"{path}.{bound}[{name}]", name, fault) for fault in rule(name))
            used.add(name)
    if kind == "PersistentVolumeClaim" and not any("storage" in (limit.get(bound) or {}) for bound in ("min", "max")):
        words = "either minimum or maximum storage value is required, but neither was provided"
        errs.append(required(f"{path}.limits", words))
    for name in sorted(used):
        _ordered(limit, name, path, errs)


def validate_limit_range(obj: Dict) -> list[Cause]:
    errs: Causes = []
    seen = set()
    for i, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{i}]", limit.get("type") or ""
        _limit(limit, path, errs)
        if kind in seen:
            errs.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
    return errs


LIMIT_RANGE = Strategy(default=default_limit_range, validate=validate_limit_range, has_generation=False)
