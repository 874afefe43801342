"""Roles, bindings, and their cluster-wide kin."""

from __future__ import annotations

from typing import Any

from wherry.api.resource import Strategy
from wherry.api.strategy.rules import Causes, by_rule, dns_label, dns_subdomain, label_selector
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import invalid, not_supported, required

Dict = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"


def default_role(obj: Dict) -> None:
    if obj.get("rules") is None:
        obj["rules"] = None  # shown even when there are none


def _rule(rule: Dict, namespaced: bool, path: str, errs: Causes) -> None:
    if not rule.get("verbs"):
        errs.append(required(f"{path}.verbs", "verbs must contain at least one value"))
    urls = rule.get("nonResourceURLs")
    if urls:
        if namespaced:
            words = "namespaced rules cannot apply to non-resource URLs"
            errs.append(invalid(f"{path}.nonResourceURLs", urls, words))
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            words = "rules cannot apply to both regular resources and non-resource URLs"
            errs.append(invalid(f"{path}.nonResourceURLs", urls, words))
        return
    if not rule.get("apiGroups"):
        errs.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errs.append(required(f"{path}.resources", "resource rules must supply at least one resource"))


def validate_role(obj: Dict) -> list[Cause]:
    errs: Causes = []
    for i, rule in enumerate(obj.get("rules") or ()):
        _rule(rule, True, f"rules[{i}]", errs)
    return errs


def validate_cluster_role(obj: Dict) -> list[Cause]:
    errs: Causes = []
    for i, rule in enumerate(obj.get("rules") or ()):
        _rule(rule, False, f"rules[{i}]", errs)
    aggregation = obj.get("aggregationRule")
    if aggregation is not None:
        selectors, path = aggregation.get("clusterRoleSelectors") or [], "aggregationRule.clusterRoleSelectors"
        if not selectors:
            errs.append(required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"))
        for i, selector in enumerate(selectors):
            label_selector(selector, f"{path}[{i}]", errs)
    return errs


def default_binding(obj: Dict) -> None:
    if obj.get("roleRef") is None:
        obj["roleRef"] = {"kind": "", "name": ""}
    if not obj["roleRef"].get("apiGroup"):
        obj["roleRef"]["apiGroup"] = GROUP
    for subject in obj.get("subjects") or ():
        if not subject.get("apiGroup") and subject.get("kind") in ("User", "Group"):
            subject["apiGroup"] = GROUP


def _subject(subject: Dict, namespaced: bool, path: str, errs: Causes) -> None:
    kind, name, group = (subject.get(key) or "" for key in ("kind", "name", "apiGroup"))
    if not name:
        errs.append(required(f"{path}.name"))
    if kind == "ServiceAccount":
        if name:
            dns_subdomain(name, f"{path}.name", errs)
        if group:
            errs.append(not_supported(f"{path}.apiGroup", group, ("",)))
        if not namespaced and not subject.get("namespace"):
            errs.append(required(f"{path}.namespace"))
        if subject.get("namespace"):
            dns_label(subject["namespace"], f"{path}.namespace", errs)
    elif kind in ("User", "Group"):
        if group != GROUP:
            errs.append(not_supported(f"{path}.apiGroup", group, (GROUP,)))
    else:
        errs.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))


def _binding(obj: Dict, namespaced: bool) -> list[Cause]:
    errs: Causes = []
    ref, kinds = obj.get("roleRef") or {}, ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if ref.get("apiGroup") != GROUP:
        errs.append(not_supported("roleRef.apiGroup", ref.get("apiGroup") or "", (GROUP,)))
    if ref.get("kind") not in kinds:
        errs.append(not_supported("roleRef.kind", ref.get("kind") or "", kinds))
    if not ref.get("name"):
        errs.append(required("roleRef.name"))
    else:
        by_rule(ref["name"], names.is_path_segment_name, "roleRef.name", errs)
    for i, subject in enumerate(obj.get("subjects") or ()):
        _subject(subject, namespaced, f"subjects[{i}]", errs)
    return errs


def validate_binding_update(obj: Dict, old: Dict) -> list[Cause]:
    if obj.get("roleRef") == old.get("roleRef"):
        return []
    ref = obj.get("roleRef") or {}
    shown = {"APIGroup": ref.get("apiGroup"), "Kind": ref.get("kind"), "Name": ref.get("name")}
    return [invalid("roleRef", shown, "cannot change roleRef")]


ROLE = Strategy(default=default_role, validate=validate_role, has_generation=False, allow_create_on_update=True)
CLUSTER_ROLE = Strategy(default=default_role, validate=validate_cluster_role, has_generation=False, allow_create_on_update=True)
ROLE_BINDING = Strategy(
    default=default_binding, validate=lambda obj: _binding(obj, True), validate_update=validate_binding_update,
    has_generation=False, allow_create_on_update=True,
)
CLUSTER_ROLE_BINDING = Strategy(
    default=default_binding, validate=lambda obj: _binding(obj, False), validate_update=validate_binding_update,
    has_generation=False, allow_create_on_update=True,
)
