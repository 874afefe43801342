"""Sets of fields, and their algebra.

A set is held as FieldsV1 writes it, as nested dicts: `{"f:spec": {"f:replicas": {}}}`, so nothing is
converted when an object is read or written.  Keys are `f:name`, `k:{"name":"c"}`, `v:"x"` or `i:0`.
A child that is `{}` is a member; one with children of its own is a member if it holds ".".  No child is
ever without both.  The root is never a member: `{}` is the empty set.

Sets are values: no function changes its arguments, and results share what they can with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import msgspec

Fields = dict[str, Any]

SELF = "."
EMPTY: Fields = {}
REMEMBERED = 1024  # sets in their order
_canonical: dict[bytes, Fields] = {}
_encode = msgspec.json.Encoder().encode


def member(name: str) -> str:
    """The key of a named field."""
    return f"f:{name}"


# --- algebra -----------------------------------------------------------------------------------


def union(left: Fields, right: Fields) -> Fields:
    """What is in either."""
    if not left:
        return right
    if not right or left is right:
        return left
    return _union(left, right)


def _union(left: Fields, right: Fields) -> Fields:
    result = dict(left)
    for key, theirs in right.items():
        if key == SELF:
            result[SELF] = {}
            continue
        ours = result.get(key)
        if ours is None:
            result[key] = theirs
        elif ours is not theirs:
            result[key] = _union_child(ours, theirs)
    return result


def _union_child(left: Fields, right: Fields) -> Fields:
    if not left:
        return right if not right or SELF in right else {SELF: {}, **right}
    if not right:
        return left if SELF in left else {SELF: {}, **left}
    return _union(left, right)


def difference(left: Fields, right: Fields) -> Fields:
    """What is in `left` and not in `right`; `left` itself when they have nothing in common."""
    if not left or not right:
        return left
    rest = _difference(left, right, root=True)
    return EMPTY if rest is None else rest


def _difference(left: Fields, right: Fields, root: bool = False) -> Fields | None:
    """None when nothing is left."""
    if not left and not root:  # a member without children
        return None if not right or SELF in right else left
    result: Fields | None = None
    if not right:  # takes away the node itself, nothing below it
        if SELF not in left:
            return left
        right = {SELF: {}}
    small = left if len(left) < len(right) else right
    for key in small:
        if key not in left or key not in right:
            continue
        ours = left[key]
        rest = None if key == SELF else _difference(ours, right[key])
        if rest is ours:
            continue
        if result is None:
            result = dict(left)
        if rest is None:
            del result[key]
        else:
            result[key] = rest
    if result is None:
        return left
    return _normal(result, member=SELF in result)


def _normal(node: Fields, member: bool) -> Fields | None:
    """A node whose only content is itself is `{}`; one without content is nothing."""
    if member and len(node) == 1:
        return {}
    return node or None


def intersection(left: Fields, right: Fields) -> Fields:
    """What is in both."""
    result: Fields = {}
    small, large = (left, right) if len(left) < len(right) else (right, left)
    for key, ours in small.items():
        if key in large and (both := _intersection(ours, large[key])) is not None:
            result[key] = both
    return result


def _intersection(left: Fields, right: Fields) -> Fields | None:
    is_member = (not left or SELF in left) and (not right or SELF in right)
    children = intersection({k: v for k, v in left.items() if k != SELF}, right) if left and right else {}
    if is_member:
        return {SELF: {}, **children} if children else {}
    return children or None


def recursive_difference(left: Fields, right: Fields) -> Fields:
    """What is in `left` and neither in `right` nor below a member of it."""
    if not left or not right:
        return left
    result: Fields | None = None
    for key, theirs in right.items():
        ours = left.get(key)
        if ours is None:
            continue
        if not theirs or SELF in theirs:
            rest: Fields | None = None
        elif not ours:
            continue
        else:
            rest = recursive_difference(ours, theirs) or None
            if rest is ours:
                continue
            rest = None if rest is None else _normal(rest, SELF in rest)
        if result is None:
            result = dict(left)
        if rest is None:
            del result[key]
        else:
            result[key] = rest
    return left if result is None else result


def contains(node: Fields | None) -> bool:
    """Whether a child node is a member itself."""
    return node is not None and (not node or SELF in node)


# --- order, paths ------------------------------------------------------------------------------


def _order(key: str) -> tuple[int, Any]:
    """Upstream's order of path elements: itself, fields, keys, values, indexes."""
    kind = key[:2]
    if key == SELF:
        return 0, ""
    if kind == "f:":
        return 1, key
    if kind == "i:":
        return 4, int(key[2:])
    value = _read(key)
    if kind == "k:":
        return 2, tuple((name, _comparable(each)) for name, each in sorted(value.items()))
    return 3, _comparable(value)


def _comparable(value: Any) -> tuple[int, Any]:
    """JSON values of several types in upstream's order: numbers, text, truth values, null."""
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, (int, float)):
        return 0, value
    if isinstance(value, str):
        return 1, value
    return 3, json.dumps(value, sort_keys=True)


def canonical(fields: Fields) -> Fields:
    """The same set with every key in upstream's order.

    Writes of one kind by one client touch the same fields, so few sets come often: they are remembered.
    """
    key = _encode(fields)
    found = _canonical.get(key)
    if found is None:
        if len(_canonical) >= REMEMBERED:
            _canonical.clear()
        found = _canonical[key] = _ordered(fields)
    return found


def _ordered(fields: Fields) -> Fields:
    if len(fields) > 1:
        plain = all(key.startswith("f:") or key == SELF for key in fields)
        keys: Iterable[str] = sorted(fields) if plain else sorted(fields, key=_order)
        return {key: _ordered(fields[key]) if fields[key] else {} for key in keys}
    return {key: _ordered(each) if each else {} for key, each in fields.items()}


def members(fields: Fields, prefix: str = "") -> Iterator[str]:
    """Every member's path as upstream prints it: `.spec.containers[name="c"].image`."""
    for key, child in fields.items():
        if key == SELF:
            continue
        path = prefix + _shown(key)
        if contains(child):
            yield path
        if child:
            yield from members(child, path)


@lru_cache(maxsize=4096)
def _read(key: str) -> Any:
    return json.loads(key[2:])


def _shown(key: str) -> str:
    if key.startswith("f:"):
        return f".{key[2:]}"
    if key.startswith("i:"):
        return f"[{key[2:]}]"
    if key.startswith("v:"):
        return f"[={key[2:]}]"
    return "[" + ",".join(f"{name}={_json(value)}" for name, value in sorted(_read(key).items())) + "]"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def value_key(value: Any) -> str:
    """The key of an element of a set."""
    return f"v:{_json(value)}"


@lru_cache(maxsize=16384)
def item_key(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """The key of an item of an associative list."""
    return f"k:{_json(dict(zip(names, values, strict=True)))}"


@lru_cache(maxsize=256)
def _path_set(paths: tuple[str, ...]) -> Fields:
    result: Fields = {}
    for path in paths:
        node: Fields = {}
        for name in reversed(path.split(".")):
            node = {member(name): node}
        result = union(result, node)
    return result


def field_paths(*paths: str) -> Fields:
    """The set of the given fields, each as a dotted path of names: `field_paths("status", "metadata.labels")`."""
    return _path_set(paths)


# --- reading what others wrote -----------------------------------------------------------------


def is_well_formed(fields: Any) -> bool:
    """Whether `fields` is FieldsV1 in the form that this module relies on."""
    return isinstance(fields, dict) and all(_is_well_formed(key, child) for key, child in fields.items() if key != SELF)


def _is_well_formed(key: Any, child: Any) -> bool:
    if not isinstance(key, str) or key[:2] not in ("f:", "k:", "v:", "i:"):
        return False
    try:
        if key[0] == "i":
            int(key[2:])
        elif key[0] == "k" and not isinstance(_read(key), dict):
            return False
        elif key[0] == "v":
            _read(key)
    except (ValueError, RecursionError):
        return False
    return is_well_formed(child)
