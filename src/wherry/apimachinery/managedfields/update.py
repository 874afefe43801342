"""What every ordinary write does to `managedFields`: who changes a field owns it, and nobody else does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from wherry.apimachinery.managedfields.entries import (
    UPDATE,
    Entry,
    arranged,
    entries_to_go_on_with,
    identity,
    identity_of,
    make_entry,
    ownable,
)
from wherry.apimachinery.managedfields.fieldset import (
    EMPTY,
    Fields,
    canonical,
    difference,
    field_paths,
    intersection,
    recursive_difference,
    union,
)
from wherry.apimachinery.managedfields.typed import Comparison, Untyped, compare
from wherry.apimachinery.schema import Schema

Object = dict[str, Any]
Convert = Callable[[Object, str], tuple[Object, Schema] | None]
"""(object, API version) -> the object in that version and the version's schema; None when it is not served."""


def update_managed(
    live: Object | None, new: Object, *, schema: Schema, manager: str, api_version: str, now: str,
    subresource: str = "", ignored: Iterable[str] = (), convert: Convert | None = None,
) -> list[Entry]:  # fmt: skip
    """The `managedFields` that `new` is to have once `manager` has written it over `live` (None: created it).

    Call it before admission, as upstream does: what admission sets has no owner.  `ignored` are dotted
    paths of fields that this write cannot change (the strategy resets them: `status` for the main
    resource, `spec` for /status).  `now` is RFC 3339.  `convert` is for kinds of several versions: fields
    that were written in another version are judged in that version; without it names are taken as they are.
    """
    entries = entries_to_go_on_with(live, new, subresource)
    try:
        change = compare_without(live or {}, new, schema, ignored)
    except Untyped:  # objects that cannot be named field by field keep their owners
        return list(entries)
    changed, removed = change
    if not changed and not removed:
        return list(entries) if live is not None else arranged(entries)
    mine = ownable(changed)
    if live is None and not entries:  # as most objects begin
        return [make_entry(manager, UPDATE, api_version, subresource, now, mine)] if mine else []
    me = identity(manager, UPDATE, api_version, subresource)
    kept = without_touched(entries, change, api_version, _in_version(live or {}, new, ignored, convert), keep=me)
    if mine:
        index = next((i for i, entry in enumerate(kept) if identity_of(entry) == me), len(kept))
        before = next((entry for entry in entries if identity_of(entry) == me), None)
        if before is not None and _owned_already(before["fieldsV1"], mine, removed):
            kept[index : index + 1] = [{**before, "time": now}]  # as most writes
        else:
            previous: Fields = kept[index]["fieldsV1"] if index < len(kept) else EMPTY
            kept[index : index + 1] = [make_entry(manager, UPDATE, api_version, subresource, now, canonical(union(previous, mine)))]
    return arranged(entry for entry in kept if entry["fieldsV1"])


def _owned_already(fields: Fields, changed: Fields, removed: Fields) -> bool:
    """Whether a manager with these fields keeps just them."""
    return not difference(changed, fields) and (not removed or not intersection(removed, fields))


def compare_without(old: Object, new: Object, schema: Schema, ignored: Iterable[str]) -> Comparison:
    """What a change touched, outside of the `ignored` fields.  Raises Untyped."""
    change = compare(old, new, schema)
    if not ignored:
        return change
    out = field_paths(*ignored)
    return Comparison(recursive_difference(change.changed, out), recursive_difference(change.removed, out))


def without_touched(
    entries: Iterable[Entry], change: Comparison, api_version: str, in_version: Callable[[str], Comparison | None] | None,
    keep: tuple[str, str, str, str] | None = None,
) -> list[Entry]:  # fmt: skip
    """Entries less what the change touched; those left without fields vanish, but for the one of identity `keep`."""
    touched = {api_version: union(change.changed, change.removed)}
    kept = []
    for entry in entries:
        version = entry.get("apiVersion", "")
        if version not in touched:
            other = change if in_version is None else in_version(version)
            if other is None:  # no longer served: upstream forgets such owners
                continue
            touched[version] = union(other.changed, other.removed)
        fields = entry["fieldsV1"]
        rest = difference(fields, touched[version])
        if rest is not fields:
            entry = {**entry, "fieldsV1": rest}
        if rest or (keep is not None and identity_of(entry) == keep):
            kept.append(entry)
    return kept


def _in_version(
    old: Object, new: Object, ignored: Iterable[str], convert: Convert | None
) -> Callable[[str], Comparison | None] | None:
    """The same change as another version sees it."""
    if convert is None:
        return None

    def compare_in(version: str) -> Comparison | None:
        after = convert(new, version)
        before = convert(old, version) if old else None
        if after is None or (old and before is None):
            return None
        return compare_without(before[0] if before else {}, after[0], after[1], ignored)

    return compare_in
