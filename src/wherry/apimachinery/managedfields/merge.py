"""Joining an applied configuration with the live object, and taking fields out of an object again."""

from __future__ import annotations

from typing import Any

from wherry.apimachinery.managedfields.fieldset import (
    EMPTY,
    SELF,
    Fields,
    contains,
    difference,
    intersection,
    union,
)
from wherry.apimachinery.managedfields.typed import UNKNOWN, always_there, child_of, field_set_of, is_list, is_map, keys_of
from wherry.apimachinery.schema import Schema

Object = dict[str, Any]


# --- merge -----------------------------------------------------------------------------------------


def merge(live: Any, applied: Any, schema: Schema) -> Any:
    """`live` with what `applied` says.  May share structure with both.  Raises Untyped."""
    if is_map(schema):
        if applied is None or (isinstance(applied, dict) and isinstance(live, dict)):
            return _merge_maps(live, applied, schema)
    elif is_list(schema) and (applied is None or (isinstance(applied, list) and isinstance(live, list))):
        if not applied:
            return live if live else applied
        return _merge_lists(live or [], applied, schema)
    return applied


def _merge_maps(live: Any, applied: Any, schema: Schema) -> Any:
    if not applied:
        return live if live else applied
    result = dict(live)
    for name, value in applied.items():
        child = child_of(schema, name)
        if name in live:
            value = merge(live[name], value, child)
        if value is None and child.type != "any":
            result.pop(name, None)
        else:
            result[name] = value
    return result


def _merge_lists(live: list[Any], applied: list[Any], schema: Schema) -> list[Any]:
    """Applied items in their order; the others keep their place before the applied item that followed them."""
    items = schema.items or UNKNOWN
    ours, theirs = keys_of(schema, live), keys_of(schema, applied)
    by_key: dict[str, Any] = {}
    for key, item in zip(ours, live, strict=True):
        by_key[key] = None if key in by_key else item  # of several with one key none is merged with
    wanted = set(theirs)
    shared = [key for key in theirs if key in by_key]
    result: list[Any] = []
    done: set[str] = set()
    left = right = 0
    while left < len(ours) or right < len(theirs):
        if left < len(ours):
            key = ours[left]
            if key not in wanted:
                result.append(live[left])
                left += 1
                continue
            following = next((each for each in shared if each not in done), None)
            if key in done or key != following:
                left += 1
                continue
        key = theirs[right]
        before = by_key.get(key)
        result.append(applied[right] if before is None else merge(before, applied[right], items))
        done.add(key)
        right += 1
    return result


# --- removal ---------------------------------------------------------------------------------------


def remove_items(value: Any, fields: Fields, schema: Schema) -> Any:
    """`value` without the members of `fields`; None when a container is left empty.  Raises Untyped.

    What Go's structs cannot leave out stays, though it be empty.
    """
    if not fields:
        return value
    if isinstance(value, dict) and is_map(schema):
        result = {}
        for name, each in value.items():
            node = fields.get(f"f:{name}")
            if node is not None:
                child = child_of(schema, name)
                stays = child.type == "object" and always_there(schema, name, child)
                if contains(node) and not stays:
                    continue
                rest = remove_items(each, {key: below for key, below in node.items() if key != SELF}, child)
                if rest is None and each is not None:
                    if not stays:
                        continue
                    rest = {}
                each = rest
            result[name] = each
        return result or None
    if isinstance(value, list) and is_list(schema):
        left = []
        for key, each in zip(keys_of(schema, value), value, strict=True):
            node = fields.get(key)
            if contains(node):
                continue
            if node:
                each = remove_items(each, node, schema.items or UNKNOWN)
                if each is None:
                    continue
            left.append(each)
        return left or None
    return value


def named_fields_as_members(fields: Fields, schema: Schema) -> Fields:
    """`fields` with every field of a struct that has members below it: `a.b.c` makes `a` one, but not an item or map key."""
    result: Fields = {}
    for key, child in fields.items():
        if key == SELF:
            result[SELF] = {}
        elif not child:
            result[key] = child
        elif key.startswith("f:"):
            name = key[2:]
            inner = named_fields_as_members(child, child_of(schema, name))
            named = schema.type == "object" and name in schema.fields
            result[key] = {SELF: {}, **inner} if named else inner
        else:
            result[key] = named_fields_as_members(child, schema.items or UNKNOWN)
    return result


def prune(merged: Object, last: Fields, owners: list[Fields], schema: Schema) -> Object:
    """`merged` without what the applier applied last time (`last`) and nobody (`owners`, itself included) claims now."""
    if not last or all(not difference(last, each) for each in owners[:1]):
        return merged

    def named(fields: Fields) -> Fields:
        return named_fields_as_members(fields, schema)

    def fields_of(obj: Object | None) -> Fields:
        return named(field_set_of(obj, schema)) if obj else EMPTY

    before, gone = fields_of(merged), named(last)
    pruned = remove_items(merged, gone, schema) or {}
    owned = fields_of(pruned)
    for each in owners:
        owned = union(owned, named(each))
    pruned = remove_items(merged, difference(before, owned), schema) or {}
    # What the applier never owned stays, though it stood in something that it removed.
    dangling = intersection(difference(before, fields_of(pruned)), gone)
    result: Object = remove_items(merged, dangling, schema) or {}
    return result
