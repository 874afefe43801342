"""One pass over an object by its schema: unknown fields and nulls go, types are checked, scalars take their one form.

`decode` runs it over every body.  A plan is kept on each schema, and what only a wrong body needs (paths,
Go's type names) is worked out when it is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from wherry.apimachinery import quantity, scalars
from wherry.apimachinery.fielderrors import quote
from wherry.apimachinery.schema import Schema

MAX_STRICT_ERRORS = 100  # upstream keeps no more
MAX_HINTS = 5
NEAR = 0.75  # of difflib's ratio: one or two letters of a name


class DecodeError(ValueError):
    """The body cannot become an object of the kind; the text is what upstream's decoder says."""


# Repeated keys of objects by the object's id; the object is held so that its id stays its own.
Duplicates = dict[int, tuple[dict[str, Any], list[str]]]
# Where a value stands: (the place above, its key or index, the struct whose field it is or None).
Place = tuple[Any, Any, Schema | None] | None
Check = Callable[["Walk", Any, Schema, Place], Any]
# A field's plan: the type that needs no look, what looks at the others, the node, whether empty values go.
Plan = dict[str, tuple[type | None, Check, Schema, bool]]


class Walk:
    """One pass over an object.  Checks give the value's stored form, or None to leave it out."""

    __slots__ = ("_duplicates", "_prune", "_tell", "hints", "strict")

    def __init__(
        self, tell: bool, prune: bool = True, duplicates: Duplicates | None = None, strict: list[str] | None = None,
    ) -> None:
        self._tell, self._prune, self._duplicates = tell, prune, duplicates
        self.strict: list[str] = [] if strict is None else strict
        self.hints: list[str] = []  # which fields may have been meant

    def object(self, obj: Any, schema: Schema, place: Place) -> Any:
        """A struct: known fields only."""
        if type(obj) is not dict:
            raise _type_error(obj, schema, place)
        plan: Plan = schema.plan
        if plan is None:
            plan = schema.plan = _plan(schema)
        if self._duplicates and id(obj) in self._duplicates:
            self._told_twice(obj, schema, place)
        changes: list[tuple[str, Any]] | None = None
        for key, value in obj.items():
            entry = plan.get(key)
            if entry is None:
                if schema.preserve_unknown:
                    continue
                self._tell_of("unknown", place, key)
                self._hint(place, key, plan)
                made = None
            elif type(value) is entry[0] and (value or not entry[3]):
                continue
            elif value is None:
                if entry[2].nullable:
                    continue
                made = None
            else:
                made = value if type(value) is entry[0] else entry[1](self, value, entry[2], (place, key, schema))
                if made is value and (made or not entry[3]):
                    continue
                if not made and entry[3]:
                    made = None
            if made is None and entry is not None and not self._prune:
                continue
            if changes is None:
                changes = []
            changes.append((key, made))
        for key, made in changes or ():
            if made is None:
                del obj[key]
            else:
                obj[key] = made
        return obj

    def array(self, value: Any, schema: Schema, place: Place) -> Any:
        """A list; null elements are zero values, as in Go."""
        if type(value) is not list:
            raise _type_error(value, schema, place)
        items = schema.items or _ANY
        easy, check = _CHECKS[items.type]
        for index, item in enumerate(value):
            if type(item) is easy:
                continue
            if item is None:
                if self._prune:
                    value[index] = _zero(items)
                continue
            made = check(self, item, items, (place, index, None))
            if made is not item:
                value[index] = _zero(items) if made is None else made
        return value

    def map(self, value: Any, schema: Schema, place: Place) -> Any:
        """A map; null values are zero values, as in Go."""
        if type(value) is not dict:
            raise _type_error(value, schema, place)
        if self._duplicates and id(value) in self._duplicates:
            self._told_twice(value, schema, place)
        values = schema.values or _ANY
        easy, check = _CHECKS[values.type]
        for key, item in value.items():
            if type(item) is easy:
                continue
            if item is None:
                if self._prune:
                    value[key] = _zero(values)
                continue
            made = check(self, item, values, (place, key, None))
            if made is not item:
                value[key] = _zero(values) if made is None else made
        return value

    def _told_twice(self, obj: dict[str, Any], schema: Schema, place: Place) -> None:
        for key in (self._duplicates or {})[id(obj)][1]:
            if schema.type == "map" or key in schema.fields:
                self._tell_of("duplicate", place, key)

    def _tell_of(self, what: str, place: Place, key: str) -> None:
        if not self._tell or len(self.strict) >= MAX_STRICT_ERRORS:
            return
        told = f"{what} field {quote(path_of((place, key, None)))}"
        if told not in self.strict:
            self.strict.append(told)

    def _hint(self, place: Place, key: str, known: Iterable[str]) -> None:
        if not self._tell or len(self.hints) >= MAX_HINTS:
            return
        near = get_close_matches(key, known, 1, NEAR)
        if near:
            meant, given = (quote(path_of((place, name, None))) for name in (near[0], key))
            self.hints.append(f"did you mean {meant} instead of {given}?")


def path_of(place: Place) -> str:
    """A place as field errors write it: spec.containers[0].name."""
    parts: list[str] = []
    while place is not None:
        place, key, _ = place
        parts.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return "".join(reversed(parts)).removeprefix(".")


def go_type(schema: Schema) -> str:
    """What Go's messages call a type: []v1.Container, map[string]string, int32."""
    if schema.type == "array":
        return f"[]{go_type(schema.items or _ANY)}"
    if schema.type == "map":
        values = schema.values or _ANY
        return "v1.ResourceList" if values.type == "quantity" else f"map[string]{go_type(values)}"
    if schema.type == "object" and schema.name:
        return ".".join(schema.name.split(".")[-2:])
    if schema.type == "integer":
        return schema.format or "int64"
    return {"boolean": "bool", "number": "float64", "bytes": "[]uint8", "int-or-string": "int32"}.get(schema.type, "string")


def _type_error(value: Any, schema: Schema, place: Place, literal: bool = False) -> DecodeError:
    """Go names the struct of the innermost field and the fields that led there, without indexes and keys."""
    shown = scalars.unmarshal_type(value)
    if literal and shown == "number":
        shown = f"number {value!r}"
    fields: list[str] = []
    struct = ""
    while place is not None:
        place, key, owner = place
        if owner is not None:
            fields.append(key)
            struct = struct or owner.name.rsplit(".", 1)[-1]
    where = f"Go struct field {struct}.{'.'.join(reversed(fields))}" if fields else "Go value"
    return DecodeError(f"json: cannot unmarshal {shown} into {where} of type {go_type(schema)}")


def _zero(schema: Schema) -> Any:
    """Go's zero value, which a null in a list or a map is."""
    make = _CONTAINERS.get(schema.type)
    return make() if make is not None else _ZEROS[schema.type]


def _string(walk: Walk, value: Any, schema: Schema, place: Place) -> Any:
    raise _type_error(value, schema, place)


def _integer(walk: Walk, value: Any, schema: Schema, place: Place) -> Any:
    limit = 0x80000000 if schema.format == "int32" else 0x8000000000000000
    if type(value) is int and -limit <= value < limit:
        return value
    raise _type_error(value, schema, place, literal=True)


def _number(walk: Walk, value: Any, schema: Schema, place: Place) -> Any:
    if type(value) is int or type(value) is float:
        return int(value) if value == value // 1 and abs(value) < 1e21 else value
    raise _type_error(value, schema, place)


def _int_or_string(walk: Walk, value: Any, schema: Schema, place: Place) -> Any:
    if type(value) is str or (type(value) is int and -0x80000000 <= value < 0x80000000):
        return value
    raise _type_error(value, schema, place, literal=True)


def _own(read: Callable[[str], str | None]) -> Check:
    """A check for a string that marshals itself."""

    def check(walk: Walk, value: Any, schema: Schema, place: Place) -> Any:
        if type(value) is not str:
            raise _type_error(value, schema, place)
        try:
            return read(value)
        except ValueError as error:
            raise DecodeError(str(error)) from None

    return check


def _quantity(walk: Walk, value: Any, schema: Schema, place: Place) -> Any:
    try:
        return quantity.canonical(value)
    except ValueError as error:
        raise DecodeError(str(error)) from None


def _bytes(walk: Walk, value: Any, schema: Schema, place: Place) -> Any:
    if type(value) is not str:
        raise _type_error(value, schema, place)
    try:
        return scalars.base64_text(value)
    except ValueError as error:
        raise DecodeError(str(error)) from None


def _any(walk: Walk, value: Any, schema: Schema, place: Place) -> Any:
    return value


_ANY = Schema()
_CONTAINERS: dict[str, Callable[[], Any]] = {"object": dict, "map": dict, "array": list}
_ZEROS: dict[str, Any] = {
    "string": "", "bytes": "", "integer": 0, "number": 0, "boolean": False, "int-or-string": 0, "quantity": "0",
    "any": None, "time": None, "micro-time": None,
}
_CHECKS: dict[str, tuple[type | None, Check]] = {
    "object": (None, Walk.object), "array": (None, Walk.array), "map": (None, Walk.map),
    "string": (str, _string), "boolean": (bool, _string), "integer": (None, _integer), "number": (None, _number),
    "int-or-string": (None, _int_or_string), "quantity": (None, _quantity), "bytes": (None, _bytes),
    "time": (None, _own(scalars.time)), "micro-time": (None, _own(scalars.micro_time)), "any": (None, _any),
}


def _plan(schema: Schema) -> Plan:
    """What `Walk.object` needs of each field."""
    plan: Plan = {}
    for name, node in schema.fields.items():
        easy, check = _CHECKS[node.type]
        plan[name] = (easy, check, node, _goes(name, node, schema))
    return plan


def _goes(name: str, node: Schema, schema: Schema) -> bool:
    """Whether an empty value is left out.  Go writes optional lists and maps only when they hold something."""
    return node.omit_zero or (node.type in ("array", "map") and name not in schema.required and not node.nullable)
