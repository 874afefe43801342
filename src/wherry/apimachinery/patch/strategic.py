"""Strategic merge patch: a merge patch that knows which lists are sets and maps, and obeys directives.

The directives are `$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/x` and
`$deleteFromPrimitiveList/x`.  Which lists merge, and by which key, is said by the `Schema`.
https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wherry.apimachinery.patch.error import PatchError
from wherry.apimachinery.schema import Schema
from wherry.apimachinery.values import deep_copy, go_format, same

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
SET_ORDER = "$setElementOrder/"
DELETE_FROM = "$deleteFromPrimitiveList/"

_UNKNOWN = Schema()
_Map = dict[str, Any]
_List = list[Any]


def apply_strategic_merge_patch(doc: _Map, patch: Any, schema: Schema) -> _Map:
    """`doc` with `patch` merged into it; what the patch does not touch is `doc`'s own.  Raises PatchError in upstream's words."""
    if not isinstance(patch, dict):
        raise PatchError("error decoding patch: a strategic merge patch is an object")
    return _merge_map(doc, deep_copy(patch), schema)


def _fault(message: str) -> PatchError:
    """Upstream lets most faults of a patch through as plain errors, which the API answers with 500."""
    return PatchError(message, 500, "")


def _child(schema: Schema, key: str) -> Schema:
    if schema.type == "map":
        return schema.values or _UNKNOWN
    return schema.fields.get(key, _UNKNOWN)


# --- maps --------------------------------------------------------------------------------------


def _merge_map(original: _Map, patch: _Map, schema: Schema) -> _Map:
    if DIRECTIVE in patch:
        return _directed(patch)
    original = dict(original)
    _retain_keys(original, patch)
    _set_element_orders(original, patch, schema)
    for written, value in patch.items():
        deleting = written.startswith(DELETE_FROM)
        key = written.removeprefix(DELETE_FROM)
        if deleting and not isinstance(value, list):
            raise PatchError("invalid patch format of primitive list")
        if value is None:
            original.pop(key, None)
        elif key not in original or type(original[key]) is not type(value):
            if not deleting:
                original[key] = _without_directives(value)
        elif isinstance(value, dict):
            child = _child(schema, key)
            replace = "replace" in child.patch_strategy
            original[key] = _without_directives(value) if replace else _merge_map(original[key], value, child)
        elif isinstance(value, list):
            original[key] = _merge_list(original[key], value, _child(schema, key), deleting)
        else:
            original[key] = value
    return original


def _directed(patch: _Map) -> _Map:
    directive = patch[DIRECTIVE]
    if directive == "replace":
        replaced: _Map = _without_directives(patch)
        return replaced
    if directive == "delete":
        return {}
    raise _fault(f"unknown patch type '{go_format(directive)}' in map: {go_format(patch)}")


def _retain_keys(original: _Map, patch: _Map) -> None:
    if RETAIN_KEYS not in patch:
        return
    kept = patch.pop(RETAIN_KEYS)
    set_keys = [key for key, value in patch.items() if value is not None and not key.startswith((SET_ORDER, DELETE_FROM))]
    if not isinstance(kept, list) or any(key not in kept for key in set_keys):
        raise PatchError("invalid patch format of retainKeys")
    for key in [key for key in original if key not in kept]:
        del original[key]


def _without_directives(value: Any) -> Any:
    """A value that meets nothing to merge with: nulls, directives and deleted items fall away."""
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if each is not None and not _is_directive(key)}
        return {key: _without_directives(each) for key, each in kept.items() if not _is_deletion(each)}
    if isinstance(value, list):
        items = [each for each in value if not _is_deletion(each)]
        return [_without_directives(each) for each in items if not (isinstance(each, dict) and each == {DIRECTIVE: "replace"})]
    return value


def _is_directive(key: str) -> bool:
    return key in (DIRECTIVE, RETAIN_KEYS) or key.startswith((SET_ORDER, DELETE_FROM))


def _is_deletion(value: Any) -> bool:
    return isinstance(value, dict) and value.get(DIRECTIVE) == "delete"


# --- lists -------------------------------------------------------------------------------------


def _merge_list(original: _List, patch: _List, schema: Schema, deleting: bool) -> _List:
    if not deleting and "merge" not in schema.patch_strategy:
        replaced: _List = _without_directives(patch)
        return replaced
    if not original and not patch:
        return original
    if _holds_maps(original, patch):
        key = schema.patch_merge_key
        if not key:
            name = (schema.items or _UNKNOWN).name.rpartition(".")[2]
            raise _fault(f"cannot merge lists without merge key for {name}")
        kept, rest = _obey_items(original, patch, key)
        if rest is None:
            return kept
        merged = _merge_items(list(kept), rest, key, schema.items or _UNKNOWN)
        return _ordered(merged, rest, kept, key)
    if deleting:
        return [each for each in original if each not in patch]
    return _ordered(list(dict.fromkeys([*original, *patch])), patch, original, "")


def _holds_maps(*lists: _List) -> bool:
    """Whether the elements are maps.  Raises when they are lists or of several kinds."""
    kinds = {dict if isinstance(each, dict) else type(each) for items in lists for each in items}
    if list in kinds:
        raise PatchError("lists of lists are not supported", 422, "Invalid", {})
    if dict in kinds and len(kinds) > 1:
        raise _fault("list element types are not identical")
    return dict in kinds


def _obey_items(original: _List, patch: _List, key: str) -> tuple[_List, _List | None]:
    """What is left of `original` and of `patch` once the items that are directives are obeyed; None: replaced."""
    plain, replace = [], False
    for item in patch:
        directive = item.get(DIRECTIVE)
        if DIRECTIVE not in item:
            plain.append(item)
        elif directive == "delete":
            wanted = _key_of(item, key)
            original = [each for each in original if key not in each or not same(each[key], wanted)]
        elif directive == "replace":
            replace = True
        elif directive == "merge":
            raise _fault("merging lists cannot yet be specified in the patch")
        else:
            raise _fault(f"unknown patch type '{go_format(directive)}' in map: {go_format(item)}")
    if replace:
        return _without_directives(plain), None
    return original, plain


def _key_of(item: _Map, key: str) -> Any:
    if key not in item:
        raise _fault(f"map: {go_format(item)} does not contain declared merge key: {key}")
    return item[key]


def _merge_items(original: _List, patch: _List, key: str, schema: Schema) -> _List:
    for item in patch:
        wanted = _key_of(item, key)
        for index, each in enumerate(original):
            if key in each and same(each[key], wanted):
                original[index] = _merge_map(each, item, schema)
                break
        else:
            original.append(_without_directives(item))
    return original


# --- order -------------------------------------------------------------------------------------


def _set_element_orders(original: _Map, patch: _Map, schema: Schema) -> None:
    """Obey each `$setElementOrder/x`, together with the list `x` of the patch."""
    for directive in [key for key in patch if key.startswith(SET_ORDER)]:
        order = patch.pop(directive)
        name = directive.removeprefix(SET_ORDER)
        field = _child(schema, name)
        key = field.patch_merge_key
        changes = patch.pop(name, None)
        have = original.get(name)
        if not isinstance(order, list) or not all(each is None or isinstance(each, list) for each in (changes, have)):
            raise PatchError("invalid patch format of setElementOrder list")
        if changes is None and have is None:
            continue
        if key and any(not isinstance(each, dict) or key not in each for each in order):
            raise PatchError("invalid patch format of setElementOrder list")
        _check_order(changes or [], order, key)
        if changes is None:
            merged = have or []
        elif have is None:
            merged = _without_directives(changes)
        else:
            merged = _merge_list(have, changes, field, deleting=False)
        original[name] = _ordered(merged, order, have or [], key)


def _identity(key: str) -> Callable[[Any], Any]:
    """What tells an element of a list from another: its merge key, or itself."""

    def identify(item: Any) -> Any:
        value = item.get(key) if key and isinstance(item, dict) else item
        return go_format(value) if isinstance(value, (dict, list)) else value

    return identify


def _check_order(changes: _List, order: _List, key: str) -> None:
    """The list in the patch must keep to the order that the patch declares."""
    identify = _identity(key)
    places = {identify(each): index for index, each in enumerate(order)}
    last = -1
    for item in changes:
        if isinstance(item, dict) and DIRECTIVE in item:
            continue
        place = places.get(identify(item), -1)
        if place < last or place < 0:
            told = f"The order in patch list:\n{go_format(changes)}\n doesn't match $setElementOrder list:\n{go_format(order)}\n"
            raise _fault(told)
        last = place


def _ordered(merged: _List, order: _List, before: _List, key: str) -> _List:
    """`merged` in upstream's order: patched items as in `order`, the others as they stood `before`.

    Of one item of each kind the server's goes first only if it stood before the other already.
    """
    identify = _identity(key)
    wanted = {identify(each): index for index, each in enumerate(order)}
    stood = {identify(each): index for index, each in enumerate(before)}
    patched = sorted((each for each in merged if identify(each) in wanted), key=lambda each: wanted[identify(each)])
    others = sorted((each for each in merged if identify(each) not in wanted), key=lambda each: stood.get(identify(each), 0))
    result: _List = []
    i = j = 0
    while i < len(others) and j < len(patched):
        left, right = stood.get(identify(others[i])), stood.get(identify(patched[j]))
        if left is not None and right is not None and left < right:
            result.append(others[i])
            i += 1
        else:
            result.append(patched[j])
            j += 1
    return result + others[i:] + patched[j:]
