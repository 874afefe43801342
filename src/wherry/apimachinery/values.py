"""JSON values as Python holds them: copied, compared and shown as upstream does.

A patch may be applied again to a newer object, and server-side apply must never share structure with the object
that it started from (defaulting and admission change objects in place), so copying is a hot path: through msgspec
it costs a third of `copy.deepcopy`.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def deep_copy(value: T) -> T:
    """An equal JSON value that shares nothing with `value`."""
    try:
        return _decode(_encode(value))  # type: ignore[no-any-return]
    except (UnicodeEncodeError, msgspec.MsgspecError, RecursionError):
        return copy.deepcopy(value)


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: unlike Python's `==`, true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(key in right and same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def go_format(value: Any) -> str:
    """A value as Go's `%v` shows it, which is how it stands in many of upstream's messages: `map[name:c]`."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_format(value[key])}' for key in sorted(value))}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(map(go_format, value))}]"
    return str(value)
