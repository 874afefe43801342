"""Objects seen through their schema: the set of an object's fields, and what a change touched.

Where an object is not as its schema says (a string for a map), the field counts as one leaf.

Go's structs cannot leave out a field that is a struct itself, so upstream's empty objects are not empty:
a new Deployment is compared with one that has `metadata`, `spec`, `spec.template`, `status` ..., and who
creates it owns what is in these, not these themselves.  `always_there` knows which they are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from wherry.apimachinery.managedfields.fieldset import EMPTY, SELF, Fields, item_key, value_key
from wherry.apimachinery.schema import Schema

LEAF: Fields = {}
REMEMBERED = 512  # specs
UNKNOWN = Schema()
DEDUCED = Schema(type="any", preserve_unknown=True)

_BUILT_IN = "io.k8s."
_EMBEDDED = frozenset((
    "metadata", "spec", "status", "template", "jobTemplate", "strategy", "updateStrategy", "resources", "source",
    "loadBalancer", "nodeInfo", "daemonEndpoints", "kubeletEndpoint", "podSelector",
))  # fmt: skip
_ZERO_TEXTS = frozenset(("reportingComponent", "reportingInstance"))  # written though empty, though not required
_POINTERS = frozenset((("ReplicationControllerSpec", "template"), ("PodSpec", "resources"), ("ContainerStatus", "resources")))

_SHARED = frozenset(("spec",))
_encode = msgspec.json.Encoder().encode


class Untyped(Exception):
    """An item of an associative list lacks a key, so its fields have no names.  Says where, and what."""


class Comparison(NamedTuple):
    """What a change touched: fields added or given another value, and fields removed."""

    changed: Fields
    removed: Fields


# --- what a schema says of a value ----------------------------------------------------------------


def is_map(schema: Schema) -> bool:
    """Whether the fields of a value have owners of their own."""
    if schema.type in ("object", "map"):
        return schema.map_type != "atomic"
    return schema.type == "any" and schema.preserve_unknown


def is_list(schema: Schema) -> bool:
    """Whether the items of a value have owners of their own."""
    return schema.type == "array" and schema.list_type != "atomic"


def child_of(schema: Schema, name: str) -> Schema:
    """The schema of a field; unknown ones are deduced from their values."""
    if schema.type == "object":
        return schema.fields.get(name) or schema.values or DEDUCED
    if schema.type == "map":
        return schema.values or UNKNOWN
    return DEDUCED


def keys_of(schema: Schema, items: list[Any]) -> list[str]:
    """The key of each item of an associative list or a set, in order.  Raises Untyped."""
    if schema.list_type != "map":
        return [value_key(item) for item in items]
    names, defaults = schema.list_map_keys, schema.key_defaults
    found = []
    for item in items:
        if not isinstance(item, dict):
            raise Untyped("associative list with keys may not have non-map elements")
        values = tuple(item.get(name) if name in item else defaults.get(name) for name in names)
        if None in values:
            name = names[values.index(None)]
            where = "associative list with keys has an element"
            raise Untyped(f'{where} that omits key field "{name}" (and doesn\'t have default value)')
        try:
            found.append(item_key(names, values))
        except TypeError:
            raise Untyped("associative list has a key that is not a scalar") from None
    return found


def groups_of(schema: Schema, items: list[Any]) -> dict[str, list[Any]]:
    """Items by key.  Stored objects may have several of one key; they count as one field."""
    found: dict[str, list[Any]] = {}
    for key, item in zip(keys_of(schema, items), items, strict=True):
        found.setdefault(key, []).append(item)
    return found


# --- the set of a value's fields -------------------------------------------------------------------


def field_set_of(obj: dict[str, Any], schema: Schema) -> Fields:
    """The fields that an applied configuration claims.  Raises Untyped."""
    return _claimed(obj, schema) or EMPTY


def _claimed(value: Any, schema: Schema) -> Fields | None:
    """A node for `value`, with no "." of its own; None when it claims nothing, LEAF when it is one."""
    if isinstance(value, dict) and is_map(schema):
        node: Fields = {}
        for name, each in value.items():
            child = child_of(schema, name)
            claimed = _claimed(each, child)
            own = each is None or each == {} or not (schema.type == "object" and name in schema.fields)
            if claimed is None:
                if own:
                    node[f"f:{name}"] = LEAF
            else:
                node[f"f:{name}"] = {SELF: {}, **claimed} if own and claimed else claimed
        return node or None
    if isinstance(value, list) and is_list(schema):
        node = {}
        for key, group in groups_of(schema, value).items():
            claimed = _claimed(group[0], schema.items or UNKNOWN) if len(group) == 1 else None
            node[key] = {SELF: {}, **claimed} if claimed else LEAF
        return node or None
    if value is None and (is_map(schema) or is_list(schema)):
        return None
    return LEAF


def whole(value: Any, schema: Schema) -> Fields:
    """The node of a value that came or went as a whole: itself, and everything in it."""
    if value and isinstance(value, dict) and is_map(schema):
        node: Fields = {SELF: {}}
        for name, each in value.items():
            node[f"f:{name}"] = whole(each, child_of(schema, name)) if isinstance(each, (dict, list)) else LEAF
        return node
    if value and isinstance(value, list) and is_list(schema):
        node = {SELF: {}}
        items = schema.items or UNKNOWN
        for key, group in groups_of(schema, value).items():
            node[key] = whole(group[0], items) if len(group) == 1 else LEAF
        return node
    return LEAF


# --- comparing -------------------------------------------------------------------------------------


def compare(old: dict[str, Any], new: dict[str, Any], schema: Schema) -> Comparison:
    """What the change from `old` to `new` touched.  Raises Untyped.

    Values are compared as Python does: in data without a type, 1 to true is no change.
    """
    if old == new:
        return Comparison(EMPTY, EMPTY)
    changed, removed = _compare(old, new, schema)
    return Comparison(changed or EMPTY, removed or EMPTY)


_Nodes = tuple[Fields | None, Fields | None]
_made_before: dict[tuple[int, bytes], tuple[Schema, _Nodes]] = {}  # the schema is held so that its id stays its own


def _compare(old: Any, new: Any, schema: Schema) -> _Nodes:
    """(changed, removed) of two values that differ; neither is absent, though either may be null."""
    if is_map(schema):
        left, right = old or {}, new or {}
        if isinstance(left, dict) and isinstance(right, dict) and (left or right):
            return _compare_maps(left, right, schema)
    elif is_list(schema):
        left, right = old or [], new or []
        if isinstance(left, list) and isinstance(right, list) and (left or right):
            return _compare_lists(left, right, schema)
    return LEAF, None


def _compare_maps(old: dict[str, Any], new: dict[str, Any], schema: Schema) -> _Nodes:
    changed: Fields = {}
    removed: Fields = {}
    for name, value in new.items():
        if name in old:
            if old[name] == value:
                continue
            added, gone = _compare(old[name], value, child_of(schema, name))
        elif not isinstance(value, (dict, list)):
            if value or not _is_zero(schema, name, value):
                changed[f"f:{name}"] = LEAF
            continue
        else:
            child = child_of(schema, name)
            if not always_there(schema, name, child):
                changed[f"f:{name}"] = whole(value, child)
                continue
            if not value:
                continue
            added, gone = _made(value, child) if name in _SHARED else _compare(None, value, child)
        if added is not None:
            changed[f"f:{name}"] = added
        if gone is not None:
            removed[f"f:{name}"] = gone
    if not old.keys() <= new.keys():
        for name in old:
            if name not in new:
                _note_removal(old[name], name, schema, changed, removed)
    return changed or None, removed or None


def _made(value: Any, schema: Schema) -> _Nodes:
    """`_compare` of nothing with what is often the same: the specs of Pods of one template, or of one client."""
    key = id(schema), _encode(value)
    known = _made_before.get(key)
    if known is None:
        if len(_made_before) >= REMEMBERED:
            _made_before.clear()
        known = _made_before[key] = schema, _compare(None, value, schema)
    return known[1]


def _note_removal(value: Any, name: str, schema: Schema, changed: Fields, removed: Fields) -> None:
    child = child_of(schema, name)
    if isinstance(value, (dict, list)) and always_there(schema, name, child):
        if value:
            added, gone = _compare(value, None, child)
            if added is not None:
                changed[f"f:{name}"] = added
            if gone is not None:
                removed[f"f:{name}"] = gone
    else:
        removed[f"f:{name}"] = whole(value, child)


def _compare_lists(old: list[Any], new: list[Any], schema: Schema) -> _Nodes:
    changed: Fields = {}
    removed: Fields = {}
    items = schema.items or UNKNOWN
    before, after = groups_of(schema, old), groups_of(schema, new)
    for key, group in after.items():
        previous = before.get(key)
        if previous is None:
            changed[key] = whole(group[0], items) if len(group) == 1 else LEAF
        elif previous != group:
            if len(group) == len(previous) == 1:
                added, gone = _compare(previous[0], group[0], items)
                if added is not None:
                    changed[key] = added
                if gone is not None:
                    removed[key] = gone
            else:
                changed[key] = LEAF
    for key, group in before.items():
        if key not in after:
            removed[key] = whole(group[0], items) if len(group) == 1 else LEAF
    return changed or None, removed or None


def _is_zero(parent: Schema, name: str, value: Any) -> bool:
    """Whether Go's form of `parent` has this scalar, a zero value, in this field even when nobody set it."""
    if not parent.name.startswith(_BUILT_IN):
        return False
    return value is None or name in parent.required or name in _ZERO_TEXTS


def always_there(parent: Schema, name: str, child: Schema) -> bool:
    """Whether Go's form of `parent` has the field even when nobody set it, so that nobody owns it as such."""
    if not parent.name.startswith(_BUILT_IN):
        return False
    if name in parent.required and child.type in ("object", "array", "map"):
        return True
    if child.type != "object" or name not in _EMBEDDED:
        return False
    return (parent.name.rpartition(".")[2], name) not in _POINTERS
