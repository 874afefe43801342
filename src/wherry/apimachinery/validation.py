"""What every object's metadata must obey, whatever its kind, in upstream's words.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from typing import Any

from wherry.apimachinery import fielderrors, names
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.managedfields.entries import entry_faults

Meta = Mapping[str, Any]

MAX_ANNOTATIONS = 256 << 10
IMMUTABLE = "field is immutable"
ONE_CONTROLLER = "Only one reference can have Controller set to true."
STANDARD_FINALIZERS = frozenset(("kubernetes", "orphan", "foregroundDeletion"))

_KEPT = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def _anything(name: str) -> list[str]:
    return []


def _is_ip(name: str) -> list[str]:
    """The name of an IPAddress is the address, in its one canonical form."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    return [] if str(address) == name else [f"must be in canonical form ({fielderrors.quote(str(address))})"]


NAME_RULES: dict[str, Callable[[str], list[str]]] = {
    "subdomain": names.is_dns1123_subdomain,
    "label": names.is_dns1123_label,
    "label1035": names.is_dns1035_label,
    "path": names.is_path_segment_name,
    "ip": _is_ip,
    "any": _anything,
}


def validate_object_meta(meta: Meta, *, namespaced: bool, name_rule: str, path: str = "metadata") -> list[Cause]:
    """Every fault of an object's metadata.  `name_rule` is a key of `NAME_RULES`."""
    rule = NAME_RULES[name_rule]
    causes: list[Cause] = []
    name, prefix, namespace = meta.get("name") or "", meta.get("generateName") or "", meta.get("namespace") or ""
    if prefix:
        causes += [fielderrors.invalid(f"{path}.generateName", prefix, fault) for fault in rule(_as_prefix(prefix))]
    if not name:
        causes.append(fielderrors.required(f"{path}.name", "name or generateName is required"))
    else:
        causes += [fielderrors.invalid(f"{path}.name", name, fault) for fault in rule(name)]
    if namespaced and not namespace:
        causes.append(fielderrors.required(f"{path}.namespace"))
    elif namespaced:
        causes += [fielderrors.invalid(f"{path}.namespace", namespace, fault) for fault in names.is_dns1123_label(namespace)]
    elif namespace:
        causes.append(fielderrors.forbidden(f"{path}.namespace", "not allowed on this type"))
    if (meta.get("generation") or 0) < 0:
        generation = meta["generation"]
        causes.append(fielderrors.invalid(f"{path}.generation", generation, "must be greater than or equal to 0"))
    for field, validate in _PARTS:
        if value := meta.get(field):
            causes += validate(value, f"{path}.{field}")
    for index, entry in enumerate(meta.get("managedFields") or ()):
        causes += entry_faults(entry, f"{path}.managedFields[{index}]")
    return causes


def validate_object_meta_update(new: Meta, old: Meta, path: str = "metadata") -> list[Cause]:
    """What an update may not change.  `new` alone is judged by `validate_object_meta`."""
    causes: list[Cause] = []
    if old.get("deletionTimestamp"):
        added = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if added:
            shown = "[]string{" + ", ".join(json.dumps(each) for each in added) + "}"
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}"
            causes.append(fielderrors.forbidden(f"{path}.finalizers", why))
    if (new.get("generation") or 0) < (old.get("generation") or 0):
        causes.append(fielderrors.invalid(f"{path}.generation", new.get("generation") or 0, "must not be decremented"))
    for name in _KEPT:
        if (new.get(name) or None) != (old.get(name) or None):
            causes.append(fielderrors.invalid(f"{path}.{name}", new.get(name), IMMUTABLE))
    return causes


def validate_labels(labels: Mapping[str, str] | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for key, value in (labels or {}).items():
        causes += [fielderrors.invalid(path, key, fault) for fault in names.is_qualified_name(key)]
        causes += [fielderrors.invalid(path, value, fault) for fault in names.is_label_value(value)]
    return causes


def validate_annotations(annotations: Mapping[str, str] | None, path: str) -> list[Cause]:
    """Keys as of labels, but in any case; together at most 256 KiB."""
    causes: list[Cause] = []
    size = 0
    for key, value in (annotations or {}).items():
        causes += [fielderrors.invalid(path, key, fault) for fault in names.is_qualified_name(key.lower())]
        size += _size(key) + _size(value)
    if size > MAX_ANNOTATIONS:
        causes.append(fielderrors.too_long(path, MAX_ANNOTATIONS))
    return causes


def validate_owner_references(references: list[dict[str, Any]] | None, path: str) -> list[Cause]:
    causes: list[Cause] = []
    controller = ""
    for each in references or ():
        api_version = each.get("apiVersion") or ""
        if not api_version.rpartition("/")[2]:
            causes.append(fielderrors.invalid(f"{path}.apiVersion", api_version, "version must not be empty"))
        for name in ("kind", "name", "uid"):
            if not each.get(name):
                causes.append(fielderrors.invalid(f"{path}.{name}", "", "must not be empty"))
        if (api_version, each.get("kind")) == ("v1", "Event"):
            causes.append(fielderrors.invalid(path, each, "/v1, Kind=Event is disallowed from being an owner"))
        if each.get("controller"):
            current = f"{each.get('kind')}/{each.get('name')}"
            if controller:
                found = f'Found "true" in references for {controller} and {current}'
                causes.append(fielderrors.invalid(path, references, f"{ONE_CONTROLLER} {found}"))
            controller = controller or current
    return causes


def validate_finalizers(finalizers: list[str] | None, path: str) -> list[Cause]:
    """A finalizer is a qualified name, and one of upstream's own when it has no domain."""
    causes: list[Cause] = []
    finalizers = finalizers or []
    for index, name in enumerate(finalizers):
        causes += [fielderrors.invalid(f"{path}[{index}]", name, fault) for fault in names.is_qualified_name(name)]
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        causes.append(fielderrors.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
    for index, name in enumerate(finalizers):
        if "/" not in name and name not in STANDARD_FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(fielderrors.invalid(f"{path}[{index}]", name, why))
    return causes


_PARTS: tuple[tuple[str, Callable[[Any, str], list[Cause]]], ...] = (
    ("labels", validate_labels), ("annotations", validate_annotations), ("ownerReferences", validate_owner_references),
    ("finalizers", validate_finalizers),
)


def _as_prefix(prefix: str) -> str:
    """A generateName as a name: what follows the dash at its end will be alphanumeric."""
    return f"{prefix[:-2]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
