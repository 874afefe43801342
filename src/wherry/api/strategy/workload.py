"""What the kinds that own Pods through a template share: template against selector, int-or-percent, status counts."""

from __future__ import annotations

import re
from typing import Any

from wherry.api.strategy.pod.validation import validate_template
from wherry.api.strategy.rules import Causes, is_empty_selector, label_selector, matches, not_negative
from wherry.apimachinery import names
from wherry.apimachinery.fielderrors import forbidden, invalid, not_supported, required

Dict = dict[str, Any]
_PERCENT = re.compile(r"[0-9]+%", re.ASCII)
_PERCENT_WORDS = names.regex_words(
    "a valid percent string must be a numeric string followed by an ending '%'", "[0-9]+%", "1%", "93%",
)
MORE_THAN_ALL = "cannot be greater than status.replicas"


def int_or_percent(value: int | str | None, path: str, errs: Causes) -> None:
    """A count or a share; none is zero."""
    if isinstance(value, str):
        if _PERCENT.fullmatch(value) is None:
            errs.append(invalid(path, value, _PERCENT_WORDS))
    else:
        not_negative(value, path, errs)


def at_most_all(value: int | str | None, path: str, errs: Causes) -> None:
    if isinstance(value, str) and _PERCENT.fullmatch(value) and int(value[:-1]) > 100:
        errs.append(invalid(path, value, "must not be greater than 100%"))


def amount(value: int | str | None) -> int:
    """The number in a count or a share: 0 means none of either."""
    if isinstance(value, str):
        return int(value[:-1]) if _PERCENT.fullmatch(value) else 0
    return value or 0


def validate_selector(spec: Dict, kind: str, errs: Causes, path: str = "spec") -> bool:
    """A selector that every workload must have; whether it can be matched against labels."""
    selector, found = spec.get("selector"), list[Any]()
    if selector is None:
        errs.append(required(f"{path}.selector"))
        return False
    label_selector(selector, f"{path}.selector", found)
    errs.extend(found)
    if is_empty_selector(selector):
        errs.append(invalid(f"{path}.selector", selector, f"empty selector is invalid for {kind}"))
    return not found


def validate_selected(spec: Dict, path: str, errs: Causes) -> None:
    """The template's labels must be among those that the selector selects."""
    values = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if not is_empty_selector(spec["selector"]) and not matches(spec["selector"], values):
        errs.append(invalid(f"{path}.metadata.labels", values, "`selector` does not match template `labels`"))


def validate_long_running(template: Dict, path: str, kind: str, errs: Causes) -> None:
    """Pods of a workload that never ends restart always and have no deadline."""
    spec = template.get("spec") or {}
    if spec.get("restartPolicy") != "Always":
        errs.append(not_supported(f"{path}.spec.restartPolicy", spec.get("restartPolicy"), ("Always",)))
    if spec.get("activeDeadlineSeconds") is not None:
        words = f"activeDeadlineSeconds in {kind} is not Supported"
        errs.append(forbidden(f"{path}.spec.activeDeadlineSeconds", words))


def validate_owned_template(spec: Dict, kind: str, errs: Causes) -> None:
    """`spec.template` of a ReplicaSet, Deployment or DaemonSet whose selector is well-formed."""
    validate_selected(spec, "spec.template", errs)
    validate_template(spec.get("template") or {}, "spec.template", errs)
    validate_long_running(spec.get("template") or {}, "spec.template", kind, errs)


def validate_counts(status: Dict, counts: tuple[str, ...], errs: Causes) -> None:
    """Counts of a status: none negative, none of a part above the whole."""
    for name in counts:
        not_negative(status.get(name), f"status.{name}", errs)
    whole, ready = status.get("replicas") or 0, status.get("readyReplicas") or 0
    for name in ("fullyLabeledReplicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        if name in counts and (status.get(name) or 0) > whole:
            errs.append(invalid(f"status.{name}", status[name], MORE_THAN_ALL))
    available = status.get("availableReplicas") or 0
    if available > ready:
        errs.append(invalid("status.availableReplicas", available, "cannot be greater than readyReplicas"))


def validate_collisions(new: Dict, old: Dict, errs: Causes) -> None:
    have, had = ((obj.get("status") or {}).get("collisionCount") or 0 for obj in (new, old))
    if have < had:
        errs.append(invalid("status.collisionCount", have, "cannot be decremented"))


def fill(holder: Dict, **values: Any) -> None:
    """Set what is absent."""
    for name, value in values.items():
        if holder.get(name) is None:
            holder[name] = value


def spec_of(obj: Dict) -> Dict:
    """`spec`, made when absent: it is shown even when empty."""
    spec = obj.get("spec")
    if spec is None:
        spec = obj["spec"] = {}
    found: Dict = spec
    return found
