"""`metadata.managedFields`: reading, choosing, ordering and capping its entries.

An entry stays the dict that the API shows; writers replace entries and never change them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from wherry.apimachinery import fielderrors
from wherry.apimachinery.errors import Cause
from wherry.apimachinery.managedfields.fieldset import Fields, canonical, difference, field_paths, is_well_formed, union

Entry = dict[str, Any]
Object = dict[str, Any]

APPLY, UPDATE = "Apply", "Update"
MAX_UPDATE_ENTRIES = 10
ANCIENT_CHANGES = "ancient-changes"
MAX_MANAGER_BYTES = 128
MAX_SUBRESOURCE_BYTES = 256
REMEMBERED = 1024  # sets of what writes touched

# What nobody owns: identity, and what the server itself keeps.  `metadata` is in it as itself, not what is below it.
NEVER_OWNED: Fields = union(
    field_paths("metadata"),
    field_paths("apiVersion", "kind", *(f"metadata.{name}" for name in (
        "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
    ))),
)  # fmt: skip


def identity(manager: str, operation: str, api_version: str, subresource: str) -> tuple[str, str, str, str]:
    """What tells entries apart.  An applier has one entry, whichever version it applies in."""
    return manager, operation, "" if operation == APPLY else api_version, subresource


def identity_of(entry: Entry) -> tuple[str, str, str, str]:
    get = entry.get
    return identity(get("manager", ""), get("operation", ""), get("apiVersion", ""), get("subresource", ""))


_encode = msgspec.json.Encoder().encode
_ownable: dict[bytes, Fields] = {}


def ownable(touched: Fields) -> Fields:
    """What of it can have an owner, in upstream's order.  Few sets come often, so they are remembered."""
    key = _encode(touched)
    found = _ownable.get(key)
    if found is None:
        if len(_ownable) >= REMEMBERED:
            _ownable.clear()
        found = _ownable[key] = canonical(difference(touched, NEVER_OWNED))
    return found


def make_entry(manager: str, operation: str, api_version: str, subresource: str, time: str, fields: Fields) -> Entry:
    """`fields` are in upstream's order."""
    entry = {
        "manager": manager, "operation": operation, "apiVersion": api_version, "time": time,
        "fieldsType": "FieldsV1", "fieldsV1": fields,
    }  # fmt: skip
    if subresource:
        entry["subresource"] = subresource
    return entry


def _given(obj: Object | None) -> Any:
    return ((obj or {}).get("metadata") or {}).get("managedFields")


def entries_of(live: Object | None) -> list[Entry]:
    """The entries of an object; none when they cannot be read."""
    return _readable(_given(live)) or []


def entries_to_go_on_with(live: Object | None, new: Object, subresource: str) -> list[Entry]:
    """The entries that a write starts from: the request's own if it brings some that can be read, else the live object's.

    So clients that know nothing of managedFields do not drop them, and one that sends a single empty entry does.
    """
    have, given = _given(live), _given(new)
    if subresource or not given or given is have or given == have:
        return have if have and isinstance(have, list) else []
    if isinstance(given, list) and len(given) == 1 and isinstance(given[0], dict) and not any(given[0].values()):
        return []
    return _readable(given) or _readable(have) or []


def _readable(entries: Any) -> list[Entry] | None:
    if not isinstance(entries, list):
        return None
    return entries if all(isinstance(each, dict) and is_well_formed(each.get("fieldsV1")) for each in entries) else None


def arranged(entries: Iterable[Entry]) -> list[Entry]:
    """In upstream's order, with at most ten of updates: the oldest of each version flow together."""
    found = sorted(entries, key=_order)
    updates = [each for each in found if each["operation"] != APPLY]
    if len(updates) <= MAX_UPDATE_ENTRIES:
        return found
    return sorted([*(each for each in found if each["operation"] == APPLY), *_capped(updates)], key=_order)


def _order(entry: Entry) -> tuple[str, ...]:
    return (
        entry.get("operation", ""), entry.get("time") or "", entry.get("manager", ""),
        entry.get("apiVersion", ""), entry.get("subresource", ""),
    )  # fmt: skip


def _capped(updates: list[Entry]) -> list[Entry]:
    """Oldest first.  The oldest entry of a version waits for a second one to be merged with."""
    kept = {identity_of(each): each for each in updates}
    first: dict[str, tuple[str, str, str, str]] = {}
    for entry in updates:
        if len(kept) <= MAX_UPDATE_ENTRIES:
            break
        version, this = entry.get("apiVersion", ""), identity_of(entry)
        bucket = identity(ANCIENT_CHANGES, UPDATE, version, "")
        if version not in first:
            first[version] = this
            continue
        if this == bucket:
            continue
        into = kept.get(bucket) or kept.pop(first[version])
        fields = canonical(union(into["fieldsV1"], entry["fieldsV1"]))
        kept[bucket] = make_entry(ANCIENT_CHANGES, UPDATE, version, "", entry.get("time") or "", fields)
        kept.pop(this, None)
    return list(kept.values())


def same_but_for_times(new: Object, old: Object) -> bool:
    """Whether a write would change nothing but the times of managedFields: then it is none, and bumps no revision."""
    if new.keys() != old.keys() or any(new[key] != old[key] for key in new if key != "metadata"):
        return False
    left, right = new.get("metadata") or {}, old.get("metadata") or {}
    if left.keys() != right.keys() or any(left[key] != right[key] for key in left if key != "managedFields"):
        return False
    return _timeless(left.get("managedFields")) == _timeless(right.get("managedFields"))


def _timeless(entries: list[Entry] | None) -> list[Entry]:
    return sorted(({**each, "time": ""} for each in entries or ()), key=_order)


def entry_faults(entry: Any, path: str) -> list[Cause]:
    """What is wrong with an entry that a client sent, in upstream's words."""
    causes = []
    operation, kind, manager = entry.get("operation") or "", entry.get("fieldsType") or "", entry.get("manager") or ""
    subresource = entry.get("subresource")
    if operation not in (APPLY, UPDATE):
        causes.append(fielderrors.invalid(f"{path}.operation", operation, "must be `Apply` or `Update`"))
    if kind not in ("", "FieldsV1"):
        causes.append(fielderrors.invalid(f"{path}.fieldsType", kind, "must be `FieldsV1`"))
    if len(manager.encode("utf-8", "surrogatepass")) > MAX_MANAGER_BYTES:
        causes.append(fielderrors.too_long(f"{path}.manager", MAX_MANAGER_BYTES))
    if not manager.isprintable():
        causes.append(fielderrors.invalid(f"{path}.manager", manager, "should only contain printable characters"))
    if subresource and len(subresource.encode("utf-8", "surrogatepass")) > MAX_SUBRESOURCE_BYTES:
        causes.append(fielderrors.too_long(f"{path}.subresource", MAX_SUBRESOURCE_BYTES))
    return causes
