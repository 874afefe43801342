"""Validation of what places a Pod: affinity, tolerations, taints, spreading, gates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wherry.api.strategy.rules import (
    Causes,
    by_rule,
    dns_label,
    label_selector,
    qualified_name,
    supported_if_set,
)
from wherry.apimachinery import names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.fielderrors import duplicate, forbidden, invalid, not_supported, quote, required

Dict = dict[str, Any]
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
WEIGHTS = "must be in the range 1-100"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
UNSATISFIABLE = ("DoNotSchedule", "ScheduleAnyway")


# --- tolerations and taints --------------------------------------------------------------------


def validate_tolerations(tolerations: list[Dict], path: str, errs: Causes) -> None:
    for i, toleration in enumerate(tolerations):
        get, where = toleration.get, f"{path}[{i}]"
        key, operator, effect, value = get("key") or "", get("operator") or "", get("effect") or "", get("value") or ""
        if key:
            if names.is_qualified_name(key):
                qualified_name(key, f"{where}.key", errs)
        elif operator != "Exists":
            words = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
            errs.append(invalid(f"{where}.operator", operator, words))
        if get("tolerationSeconds") is not None and effect != "NoExecute":
            errs.append(invalid(f"{where}.effect", effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
        if operator in ("Equal", ""):
            if faults := names.is_label_value(value):
                errs.append(invalid(f"{where}.operator", value, ";".join(faults)))
        elif operator == "Exists":
            if value:
                errs.append(invalid(f"{where}.operator", value, "value must be empty when `operator` is 'Exists'"))
        else:
            errs.append(not_supported(f"{where}.operator", operator, ("Equal", "Exists")))
        if effect and effect not in EFFECTS:
            errs.append(not_supported(f"{where}.effect", effect, EFFECTS))


def validate_taints(taints: list[Dict], path: str, errs: Causes) -> None:
    """A node's taints: unique by key and effect."""
    seen = set()
    for i, taint in enumerate(taints):
        where, key, value, effect = f"{path}[{i}]", taint.get("key") or "", taint.get("value") or "", taint.get("effect") or ""
        qualified_name(key, f"{where}.key", errs)
        if faults := names.is_label_value(value):
            errs.append(invalid(f"{where}.value", value, ";".join(faults)))
        if effect not in EFFECTS:
            errs.append(not_supported(f"{where}.effect", effect, EFFECTS) if effect else required(f"{where}.effect"))
        if (key, effect) in seen:
            shown = {"Key": key, "Value": value, "Effect": effect, "TimeAdded": taint.get("timeAdded")}
            words = f"Duplicate value: {quote(shown)}: taints must be unique by key and effect pair"
            errs.append(Cause("FieldValueDuplicate", words, where))
        seen.add((key, effect))


# --- affinity ----------------------------------------------------------------------------------


def _node_requirement(requirement: Dict, check_values: bool, path: str, errs: Causes) -> None:
    operator, values = requirement.get("operator") or "", requirement.get("values") or ()
    if operator in ("In", "NotIn"):
        if not values:
            errs.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            errs.append(forbidden(f"{path}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
    elif operator in ("Gt", "Lt"):
        if len(values) != 1:
            errs.append(required(f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"))
    else:
        errs.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    qualified_name(requirement.get("key") or "", f"{path}.key", errs)
    if check_values:
        for i, value in enumerate(values):
            by_rule(value, names.is_label_value, f"{path}.values[{i}]", errs)


def _node_field(requirement: Dict, path: str, errs: Causes) -> None:
    operator, values, key = requirement.get("operator") or "", requirement.get("values") or (), requirement.get("key") or ""
    if operator not in ("In", "NotIn"):
        errs.append(invalid(f"{path}.operator", operator, "not a valid selector operator"))
    elif len(values) != 1:
        words = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errs.append(required(f"{path}.values", words))
    if key != "metadata.name":
        errs.append(invalid(f"{path}.key", key, "not a valid field selector key"))
        return
    for i, value in enumerate(values):
        by_rule(value, names.is_dns1123_subdomain, f"{path}.values[{i}]", errs)


def _node_term(term: Dict, check_values: bool, path: str, errs: Causes) -> None:
    for i, requirement in enumerate(term.get("matchExpressions") or ()):
        _node_requirement(requirement, check_values, f"{path}.matchExpressions[{i}]", errs)
    for i, requirement in enumerate(term.get("matchFields") or ()):
        _node_field(requirement, f"{path}.matchFields[{i}]", errs)


def validate_node_selector(selector: Dict, path: str, errs: Causes) -> None:
    """A NodeSelector: of an affinity, or of a volume."""
    terms = selector.get("nodeSelectorTerms")
    if not terms:
        errs.append(required(f"{path}.nodeSelectorTerms", "must have at least one node selector term"))
    for i, term in enumerate(terms or ()):
        _node_term(term, True, f"{path}.nodeSelectorTerms[{i}]", errs)


def _weight(term: Dict, path: str, errs: Causes) -> None:
    weight = term.get("weight") or 0
    if not 1 <= weight <= 100:
        errs.append(invalid(f"{path}.weight", weight, WEIGHTS))


def _label_keys(keys: list[str], selector: Dict | None, path: str, errs: Causes) -> None:
    if keys and selector is None:
        errs.append(forbidden(path, "must not be specified when labelSelector is not set"))
        return
    for i, key in enumerate(keys):
        qualified_name(key, f"{path}[{i}]", errs)


def _merged_keys(term: Dict, path: str, errs: Causes) -> None:
    """matchLabelKeys and mismatchLabelKeys, which have been merged into the selector: a key that stands there twice was there before."""
    selector = term.get("labelSelector")
    same, other = term.get("matchLabelKeys") or [], term.get("mismatchLabelKeys") or []
    _label_keys(same, selector, f"{path}.matchLabelKeys", errs)
    _label_keys(other, selector, f"{path}.mismatchLabelKeys", errs)
    if selector is not None:
        known = set(selector.get("matchLabels") or ())
        for expression in selector.get("matchExpressions") or ():
            key = expression.get("key")
            if key in same and key in known:
                errs.append(invalid(f"{path}[{same.index(key)}]", key, "exists in both matchLabelKeys and labelSelector"))
            known.add(key)
    for i, key in enumerate(same):
        if key in other:
            errs.append(invalid(f"{path}.matchLabelKeys[{i}]", key, "exists in both matchLabelKeys and mismatchLabelKeys"))


def _pod_term(term: Dict, path: str, errs: Causes) -> None:
    label_selector(term.get("labelSelector"), f"{path}.labelSelector", errs)
    label_selector(term.get("namespaceSelector"), f"{path}.namespaceSelector", errs)
    for name in term.get("namespaces") or ():
        dns_label(name, f"{path}.namespace", errs)
    _merged_keys(term, path, errs)
    if not term.get("topologyKey"):
        errs.append(required(f"{path}.topologyKey", "can not be empty"))
    qualified_name(term.get("topologyKey") or "", f"{path}.topologyKey", errs)


def validate_affinity(affinity: Dict, path: str, errs: Causes) -> None:
    node = affinity.get("nodeAffinity")
    if node is not None:
        where = f"{path}.nodeAffinity"
        if node.get(REQUIRED) is not None:
            validate_node_selector(node[REQUIRED], f"{where}.{REQUIRED}", errs)
        for i, term in enumerate(node.get(PREFERRED) or ()):
            _weight(term, f"{where}.{PREFERRED}[{i}]", errs)
            _node_term(term.get("preference") or {}, False, f"{where}.{PREFERRED}[{i}].preference", errs)
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = affinity.get(kind)
        if terms is None:
            continue
        for i, term in enumerate(terms.get(REQUIRED) or ()):
            _pod_term(term, f"{path}.{kind}.{REQUIRED}[{i}]", errs)
        for i, term in enumerate(terms.get(PREFERRED) or ()):
            where = f"{path}.{kind}.{PREFERRED}[{i}]"
            _weight(term, where, errs)
            _pod_term(term.get("podAffinityTerm") or {}, f"{where}.podAffinityTerm", errs)


# --- spreading and gates -----------------------------------------------------------------------


def validate_topology_spread(constraints: list[Dict], path: str, errs: Causes) -> None:
    for i, constraint in enumerate(constraints):
        where, get = f"{path}[{i}]", constraint.get
        if (get("maxSkew") or 0) <= 0:
            errs.append(invalid(f"{where}.maxSkew", get("maxSkew") or 0, "must be greater than zero"))
        if not get("topologyKey"):
            errs.append(required(f"{where}.topologyKey", "can not be empty"))
        else:
            qualified_name(constraint["topologyKey"], f"{where}.topologyKey", errs)
        action = get("whenUnsatisfiable") or ""
        if action not in UNSATISFIABLE:
            errs.append(not_supported(f"{where}.whenUnsatisfiable", action, UNSATISFIABLE))
        pair = (get("topologyKey"), action)
        if any((other.get("topologyKey"), other.get("whenUnsatisfiable") or "") == pair for other in constraints[:i]):
            errs.append(duplicate(f"{where}.{{topologyKey, whenUnsatisfiable}}", f"{{{pair[0]}, {pair[1]}}}"))
        domains = get("minDomains")
        if domains is not None:
            if domains <= 0:
                errs.append(invalid(f"{where}.minDomains", domains, "must be greater than zero"))
            if action != "DoNotSchedule":
                words = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
                errs.append(invalid(f"{where}.minDomains", domains, words))
        for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
            supported_if_set(get(name), ("Honor", "Ignore"), f"{where}.{name}", errs)
        _merged_keys(constraint, where, errs)
        label_selector(get("labelSelector"), f"{where}.labelSelector", errs)


def validate_gates(gates: list[Dict], path: str, errs: Causes) -> None:
    seen = set()
    for i, gate in enumerate(gates):
        name = gate.get("name") or ""
        qualified_name(name, f"{path}[{i}]", errs)
        if name in seen:
            errs.append(duplicate(f"{path}[{i}]", name))
        seen.add(name)


# --- what the server adds to a new Pod ----------------------------------------------------------


def merge_label_keys(spec: Dict, labels: Mapping[str, str]) -> Dict:
    """The spec with matchLabelKeys and mismatchLabelKeys of its terms merged into their selectors: a copy where that changes it.

    The Pod keeps what its labels were when it was made; what is copied, a second try with another name has as it was.
    """
    made = spec
    if spreads := spec.get("topologySpreadConstraints"):
        made = {**made, "topologySpreadConstraints": [_with_keys(each, labels) for each in spreads]}
    affinity = spec.get("affinity") or {}
    if merged := {kind: _affinity_with_keys(affinity[kind], labels) for kind in ("podAffinity", "podAntiAffinity") if affinity.get(kind)}:
        made = {**made, "affinity": {**affinity, **merged}}
    return made


def _affinity_with_keys(terms: Dict, labels: Mapping[str, str]) -> Dict:
    made = dict(terms)
    if terms.get(REQUIRED):
        made[REQUIRED] = [_with_keys(term, labels) for term in terms[REQUIRED]]
    if terms.get(PREFERRED):
        made[PREFERRED] = [{**each, "podAffinityTerm": _with_keys(each.get("podAffinityTerm") or {}, labels)} for each in terms[PREFERRED]]
    return made


def _with_keys(term: Dict, labels: Mapping[str, str]) -> Dict:
    selector = term.get("labelSelector")
    added = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in term.get(field) or () if key in labels
    ]
    if selector is None or not added:
        return term
    return {**term, "labelSelector": {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *added]}}
