"""Values: Python's own, but for what Python has no word for.  Equality and order are CEL's, where True is not 1."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from wherry.apimachinery.cel.errors import EvaluationError
from wherry.apimachinery.cel.types import BOOL, BYTES, DOUBLE, DURATION, DYN, INT, NULL, STRING, TIMESTAMP, TYPE, UINT, Type

INT_MAX, INT_MIN, UINT_MAX = 2**63 - 1, -(2**63), 2**64 - 1
Timestamp, Duration = datetime.datetime, datetime.timedelta


class Uint(int):
    """An unsigned 64-bit integer."""


class Optional:
    """A value that may be there or not."""

    __slots__ = ("there", "value")

    def __init__(self, there: bool, value: Any = None) -> None:
        self.there, self.value = there, value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Optional) and self.there == other.there and equal(self.value, other.value)

    __hash__ = None  # type: ignore[assignment]


NONE = Optional(False)


class TypeValue(str):
    """A type as a value: `type(1)`."""


_PRIMITIVE: dict[type, Type] = {
    bool: BOOL, int: INT, Uint: UINT, float: DOUBLE, str: STRING, bytes: BYTES, type(None): NULL, Timestamp: TIMESTAMP,
    Duration: DURATION, TypeValue: TYPE, Optional: Type("optional_type"),
}
OPAQUE: dict[type, Type] = {}  # classes that libraries bring, and their types


def type_of(value: Any) -> Type:
    """The type of a value, without what lists and maps hold."""
    kind = type(value)
    found = _PRIMITIVE.get(kind) or OPAQUE.get(kind)
    if found is not None:
        return found
    if isinstance(value, Mapping):
        return Type("map")
    if isinstance(value, Sequence):
        return Type("list")
    return DYN


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def equal(left: Any, right: Any) -> bool:
    """Numbers by value whatever their kind; values of different types are not equal, and that is no error."""
    if is_number(left) or is_number(right):
        return is_number(left) and is_number(right) and bool(left == right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping):
        return isinstance(right, Mapping) and len(left) == len(right) and all(
            key in right and equal(value, right[key]) for key, value in left.items()
        )
    if isinstance(left, (list, tuple)):
        return isinstance(right, (list, tuple)) and len(left) == len(right) and all(map(equal, left, right))
    return type(left) is type(right) and bool(left == right)


def checked_int(number: int) -> int:
    if not INT_MIN <= number <= INT_MAX:
        raise EvaluationError("integer overflow")
    return number


def checked_uint(number: int) -> Uint:
    if not 0 <= number <= UINT_MAX:
        raise EvaluationError("unsigned integer overflow")
    return Uint(number)


def valid_key(key: Any) -> bool:
    return isinstance(key, (str, bool, int))
