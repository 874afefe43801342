"""Server-side apply: merge what a manager declares, keep what others own, drop what nobody claims any more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from wherry.apimachinery.errors import Cause, StatusError, bad_request
from wherry.apimachinery.managedfields.entries import (
    APPLY,
    UPDATE,
    Entry,
    arranged,
    entries_of,
    identity,
    identity_of,
    make_entry,
    ownable,
)
from wherry.apimachinery.managedfields.fieldset import (
    EMPTY,
    Fields,
    difference,
    field_paths,
    intersection,
    members,
    recursive_difference,
    union,
)
from wherry.apimachinery.managedfields.merge import merge, prune
from wherry.apimachinery.managedfields.typed import (
    UNKNOWN,
    Untyped,
    child_of,
    compare,
    field_set_of,
    groups_of,
    is_list,
    is_map,
)
from wherry.apimachinery.managedfields.update import compare_without, update_managed, without_touched
from wherry.apimachinery.schema import Schema
from wherry.apimachinery.values import deep_copy

Object = dict[str, Any]

BEFORE_FIRST_APPLY = "before-first-apply"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
MAX_LAST_APPLIED = 256 << 10


def apply_patch(
    live: Object | None, applied: Object, *, schema: Schema, manager: str, api_version: str, now: str,
    subresource: str = "", force: bool = False, default: Callable[[Object], Any] | None = None, ignored: Iterable[str] = (),
) -> Object:  # fmt: skip
    """The object after `manager` applied `applied` to `live` (None: it is created).

    `default` fills in the merged object in place.  `ignored` are dotted paths of fields that this write
    cannot set.  When nothing changes, the result equals `live`, times included.  Raises StatusError: 409
    with a cause a field when others own what would change, 400 or 500 when `applied` has no fields to own.
    """
    if (applied.get("metadata") or {}).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    if applied.get("apiVersion", api_version) != api_version:
        versions = f"Specified patch version: {applied['apiVersion']}, expected: {api_version}"
        raise bad_request(f"Incorrect version specified in apply patch. {versions}")
    entries = entries_of(live)
    base = _without_entries(live) if live is not None else {}
    if live is not None and not entries:
        entries = update_managed(None, base, schema=schema, manager=BEFORE_FIRST_APPLY, api_version=api_version, now=now)
    claimed = recursive_difference(_claim(applied, schema, api_version), field_paths(*ignored))
    me = identity(manager, APPLY, api_version, subresource)
    last = next((entry for entry in entries if identity_of(entry) == me), None)
    others = [entry for entry in entries if entry is not last]
    try:
        merged = merge(base, applied, schema)
        if last is not None:
            owners = [claimed, *(entry["fieldsV1"] for entry in others)]
            merged = prune(merged, last["fieldsV1"], owners, schema)
        change = compare_without(base, merged, schema, ignored)
    except Untyped as error:
        raise _no_typed(applied, api_version, str(error), "live") from None
    if not force:
        _refuse_conflicts(others, change.changed, _allowed(base, manager, schema))
    kept = without_touched(others, change, api_version, None)
    mine = ownable(claimed)
    if mine:
        same = last is not None and not change.changed and not change.removed and _equal(last["fieldsV1"], mine)
        kept.append(last if same and last else make_entry(manager, APPLY, api_version, subresource, now, mine))
    return _finished(merged, applied, manager, arranged(kept), default)


def _finished(
    merged: Object, applied: Object, manager: str, entries: list[Entry], default: Callable[[Object], Any] | None
) -> Object:
    result = deep_copy(merged)
    metadata = result.setdefault("metadata", {})
    if manager == "kubectl" and LAST_APPLIED in (metadata.get("annotations") or {}):
        _sync_last_applied(metadata["annotations"], applied)
    if default is not None:
        default(result)
    if entries:
        metadata["managedFields"] = deep_copy(entries)
    return result


def _equal(left: Fields, right: Fields) -> bool:
    return not difference(left, right) and not difference(right, left)


def _without_entries(obj: Object) -> Object:
    return {**obj, "metadata": {name: value for name, value in (obj.get("metadata") or {}).items() if name != "managedFields"}}


# --- conflicts -------------------------------------------------------------------------------------


def _refuse_conflicts(others: list[Entry], changed: Fields, allowed: Fields) -> None:
    """Raises StatusError 409 when `changed` touches what others own, but for what is `allowed`."""
    found: list[tuple[Entry, list[str]]] = []
    conflicting = EMPTY
    for entry in others:
        fields = intersection(entry["fieldsV1"], changed)
        conflicting = union(conflicting, fields)
        if paths := list(members(difference(fields, allowed))):
            found.append((entry, paths))
    if not found or not difference(conflicting, allowed):
        return
    found.sort(key=lambda each: identity_of(each[0]))
    causes = [Cause("FieldManagerConflict", f"conflict with {_shown(entry)}", path) for entry, paths in found for path in paths]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        told = [line for entry, paths in found for line in (f"conflicts with {_shown(entry)}:", *(f"- {path}" for path in paths))]
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(told)
    raise StatusError(409, "Conflict", message, {"causes": [cause.to_json() for cause in causes]})


def _shown(entry: Entry) -> str:
    text = json.dumps(entry.get("manager", ""), ensure_ascii=False)
    if entry.get("subresource"):
        text += f" with subresource {json.dumps(entry['subresource'])}"
    return f"{text} using {entry.get('apiVersion', '')}" if entry.get("operation") == UPDATE else text


# --- kubectl's way from client-side apply ------------------------------------------------------------


def _allowed(live: Object, manager: str, schema: Schema) -> Fields:
    """What `kubectl apply --server-side` may take over: what kubectl had applied from the client's side before."""
    text = ((live.get("metadata") or {}).get("annotations") or {}).get(LAST_APPLIED)
    if manager != "kubectl" or not text:
        return EMPTY
    try:
        before = json.loads(text)
        if not isinstance(before, dict):
            return EMPTY
        change = compare(before, live, schema)
        return difference(difference(field_set_of(before, schema), change.changed), change.removed)
    except (ValueError, Untyped, RecursionError):
        return EMPTY


def _sync_last_applied(annotations: dict[str, str], applied: Object) -> None:
    """Keep the annotation in step, so that client-side apply still works afterwards."""
    text = json.dumps(applied, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
    if len(text.encode("utf-8", "surrogatepass")) > MAX_LAST_APPLIED:
        del annotations[LAST_APPLIED]
    else:
        annotations[LAST_APPLIED] = text


# --- what may be applied -----------------------------------------------------------------------------


def _claim(applied: Object, schema: Schema, api_version: str) -> Fields:
    try:
        faults = list(_faults(applied, schema, ""))
        fields = EMPTY if faults else field_set_of(applied, schema)
    except Untyped as error:
        faults = [str(error)]
    if faults:
        why = faults[0] if len(faults) == 1 else "errors:\n" + "\n".join(f"  {each}" for each in faults)
        raise _no_typed(applied, api_version, why)
    return fields


def _no_typed(applied: Object, api_version: str, why: str, what: str = "patch") -> StatusError:
    """Upstream lets these through as plain errors, which the API answers with 500."""
    metadata = applied.get("metadata") or {}
    of = f"{metadata.get('namespace') or ''}/{metadata.get('name') or ''}; {api_version}, Kind={applied.get('kind', '')}"
    return StatusError(500, "", f"failed to create typed {what} object ({of}): {why}")


def _faults(value: Any, schema: Schema, path: str) -> Iterable[str]:
    """Fields that the schema does not know, and items that have one key."""
    if isinstance(value, dict) and is_map(schema):
        closed = schema.type == "object" and schema.fields and not schema.values and not schema.preserve_unknown
        for name, each in value.items():
            if closed and name not in schema.fields:
                yield f"{path}.{name}: field not declared in schema"
            else:
                yield from _faults(each, child_of(schema, name), f"{path}.{name}")
    elif isinstance(value, list) and is_list(schema):
        try:
            groups = groups_of(schema, value)
        except Untyped as error:
            raise Untyped(f"{path}: {error}") from None
        for key, group in groups.items():
            shown = next(iter(members({key: {}})))
            if len(group) > 1:
                yield f"{path}: duplicate entries for key {shown}"
            else:
                yield from _faults(group[0], schema.items or UNKNOWN, path + shown)
