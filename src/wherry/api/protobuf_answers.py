"""Answers in protobuf, for clients that accept nothing else: JSON objects turned into messages (`protobuf.py` reads them).

The table of field numbers is of one release.  What it has no number for cannot be said in protobuf: that is an error
here, never left out, for a client that read an object without a field would write it back without it.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec

from wherry.api.protobuf import INLINE, MAGIC, MAX_DEPTH, ProtobufError, Row, message_fields, message_name
from wherry.apimachinery.protowire import double, integer, length_delimited

Object = dict[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Plan:
    """How to write one message: its own fields by JSON name, and those of messages that Go embeds."""

    fields: dict[str, tuple[int, Row]] = field(default_factory=dict)
    inline: dict[str, tuple[int, str]] = field(default_factory=dict)  # JSON name -> (number, message) of what is embedded


def to_protobuf(obj: Object) -> bytes:
    """An object with its kind and apiVersion, enveloped.  Raises ProtobufError."""
    api_version, kind = str(obj.get("apiVersion", "")), str(obj.get("kind", ""))
    name = message_name(api_version, kind)
    body = _message({key: value for key, value in obj.items() if key not in ("kind", "apiVersion")}, name, 0)
    type_meta = length_delimited(1, api_version.encode()) + length_delimited(2, kind.encode())
    return MAGIC + length_delimited(1, type_meta) + length_delimited(2, body) + length_delimited(3, b"") + length_delimited(4, b"")


def watch_frame(kind: str, obj: Object) -> bytes:
    """A watch event (an object in an envelope, in a RawExtension), with its length before it."""
    event = length_delimited(1, kind.encode()) + length_delimited(2, length_delimited(1, to_protobuf(obj)))
    return struct.pack(">I", len(event)) + event


@cache
def _plan(name: str) -> _Plan:
    plan = _Plan()
    for number, row in message_fields(name).items():
        label, kind, repeated, target = row
        if kind == "message" and not repeated and label in INLINE:
            inner = _plan(target)
            for embedded in (*inner.fields, *inner.inline):
                plan.inline.setdefault(embedded, (number, target))
        else:
            plan.fields[label] = (number, row)
    return plan


def _message(obj: Object, name: str, depth: int) -> bytes:
    if depth > MAX_DEPTH:
        raise ProtobufError("exceeded max depth")
    plan = _plan(name)
    parts: list[bytes] = []
    embedded: dict[tuple[int, str], Object] = {}
    for key, value in obj.items():
        if value is None:
            continue
        known = plan.fields.get(key)
        if known is not None:
            parts.append(_field(known[0], known[1], value, name, depth))
        elif key in ("kind", "apiVersion") and "metadata" in plan.fields:
            continue  # an object within another: its type is the field's
        elif key in plan.inline:
            embedded.setdefault(plan.inline[key], {})[key] = value
        else:
            raise ProtobufError(f"{name} has no number for its field {key}: ask for JSON instead")
    parts += [length_delimited(number, _message(inner, target, depth + 1)) for (number, target), inner in embedded.items()]
    return b"".join(parts)


def _field(number: int, row: Row, value: Any, name: str, depth: int) -> bytes:
    label, kind, repeated, target = row
    if kind == "message" and repeated and target.startswith(name + ".") and target.endswith("Entry"):
        if not isinstance(value, dict):
            raise ProtobufError(f"{label} is no map")
        rows = message_fields(target)
        entries = [_one(1, rows[1], key, depth) + _one(2, rows[2], item, depth) for key, item in value.items()]
        return b"".join(length_delimited(number, entry) for entry in entries)
    if repeated:
        if not isinstance(value, list):
            raise ProtobufError(f"{label} is no list")
        return b"".join(_one(number, row, item, depth) for item in value)
    return _one(number, row, value, depth)


def _one(number: int, row: Row, value: Any, depth: int) -> bytes:
    label, kind, _, target = row
    try:
        match kind:
            case "string":
                return length_delimited(number, str(value).encode("utf-8", "surrogatepass"))
            case "bytes":
                return length_delimited(number, base64.b64decode(value or "", validate=True))
            case "message":
                special = _SPECIAL.get(target)
                return length_delimited(number, special(value) if special else _struct(value, target, depth))
            case "double":
                return double(number, float(value))
        return integer(number, int(value))
    except (TypeError, ValueError, AttributeError, binascii.Error) as error:
        if isinstance(error, ProtobufError):
            raise
        raise ProtobufError(f"{label}: {error}") from None


def _struct(value: Any, target: str, depth: int) -> bytes:
    if isinstance(value, list):  # a named list of Go's (ExtraValue): a message of nothing but its items
        ((number, row),) = message_fields(target).items()
        return b"".join(_one(number, row, item, depth) for item in value)
    return _message(value if value is not None else {}, target, depth + 1)


def _quantity(value: Any) -> bytes:
    return length_delimited(1, str(value).encode())


def _time(value: Any) -> bytes:
    """Seconds and nanoseconds since 1970; of a Time the latter are none, so MicroTime is written the same."""
    since = datetime.fromisoformat(value) - _EPOCH
    seconds = since.days * 86400 + since.seconds
    return integer(1, seconds) + integer(2, since.microseconds * 1000)


def _int_or_string(value: Any) -> bytes:
    text = isinstance(value, str)
    return integer(1, int(text)) + integer(2, 0 if text else int(value)) + length_delimited(3, value.encode() if text else b"")


def _raw(value: Any) -> bytes:
    return length_delimited(1, msgspec.json.encode(value))


_META = "k8s.io.apimachinery.pkg.apis.meta.v1."
_SPECIAL: dict[str, Callable[[Any], bytes]] = {
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    _META + "Time": _time,
    _META + "MicroTime": _time,
    _META + "FieldsV1": _raw,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw,
}
