"""Types of expressions, and which may stand where which is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Type:
    """`list(int)` is Type("list", (INT,)).  A lower-case parameter of functions is a Type named "<A>".

    `size` bounds the elements or characters of its values, for the estimate of costs; it is no part of the type.
    """

    name: str
    params: tuple[Type, ...] = ()
    fields: Mapping[str, Type] | None = field(default=None, compare=False)
    size: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.params))})" if self.params else self.name

    @property
    def is_dynamic(self) -> bool:
        return self.name in ("dyn", "any")


BOOL, INT, UINT, DOUBLE, STRING, BYTES = (Type(name) for name in ("bool", "int", "uint", "double", "string", "bytes"))
NULL, DYN, ANY, TYPE = Type("null_type"), Type("dyn"), Type("any"), Type("type")
TIMESTAMP, DURATION = Type("google.protobuf.Timestamp"), Type("google.protobuf.Duration")
A, B = Type("<A>"), Type("<B>")


def list_of(items: Type, size: int | None = None) -> Type:
    return Type("list", (items,), size=size)


def map_of(keys: Type, values: Type, size: int | None = None) -> Type:
    return Type("map", (keys, values), size=size)


def optional_of(value: Type) -> Type:
    """A value that may be there or not: `map.?key`."""
    return Type("optional_type", (value,))


def object_of(name: str, fields: Mapping[str, Type]) -> Type:
    """A value with known fields."""
    return Type(name, fields=fields)


def fits(wanted: Type, given: Type, bound: dict[str, Type]) -> bool:
    """Whether `given` may stand where `wanted` is asked for; parameters are bound on the way."""
    if wanted.name.startswith("<"):
        known = bound.get(wanted.name)
        if known is None or known.is_dynamic:
            bound[wanted.name] = given
            return True
        if given.is_dynamic or fits(known, given, bound):
            return True
        if fits(given, known, bound):  # the wider of the two
            bound[wanted.name] = given
            return True
        return False
    if wanted.is_dynamic or given.is_dynamic:
        return True
    if wanted.name != given.name:
        return given == NULL and (wanted.fields is not None or wanted.name.startswith("google."))
    if len(wanted.params) != len(given.params):
        return not wanted.params or not given.params
    return all(fits(w, g, bound) for w, g in zip(wanted.params, given.params, strict=True))


def resolved(of: Type, bound: Mapping[str, Type]) -> Type:
    """The type with its parameters replaced."""
    if of.name.startswith("<"):
        return bound.get(of.name, DYN)
    if not of.params:
        return of
    return Type(of.name, tuple(resolved(each, bound) for each in of.params), of.fields, of.size)


def joined(first: Type, second: Type) -> Type:
    """What a list or map holds that has both."""
    if first == second:
        return first
    if fits(first, second, {}) and not first.is_dynamic and not second.is_dynamic:
        return first
    return DYN
