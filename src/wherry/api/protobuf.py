"""Request bodies in protobuf, as kubectl's typed commands and Go clients send them, turned into JSON objects.

An envelope (`k8s\\0` and a runtime.Unknown) names the kind; field numbers come from a compiled table
(tools/compile_protobuf.py).  Answers go out as JSON where a client accepts that too (else: `protobuf_answers.py`).
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

from __future__ import annotations

import base64
import gzip
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

MEDIA = "application/vnd.kubernetes.protobuf"
MAGIC = b"k8s\0"
MAX_DEPTH = 64
_META, _API = "k8s.io.apimachinery.pkg.apis.meta.v1.", "k8s.io.api."
# Groups whose package is not the group's first word.
_PACKAGES = {
    "": "core", "rbac.authorization.k8s.io": "rbac", "flowcontrol.apiserver.k8s.io": "flowcontrol",
    "internal.apiserver.k8s.io": "apiserverinternal",
}
_META_KINDS = (
    "DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "Status",
    "APIVersions", "APIGroupList", "APIGroup", "APIResourceList",
)
# Strings that Go holds by pointer: "" is a value there.
_POINTERS = {"storageClassName"}

# Structs that Go embeds: their fields stand in the outer object's JSON.
INLINE = {
    "deviceConfiguration", "ephemeralContainerCommon", "handler", "ingressRuleValue", "localObjectReference",
    "persistentVolumeSource", "rule", "ruleWithOperations", "volumeSource",
}
# Names that a descriptor gives in another case than Go's JSON.
_SPELT = {"uID": "uid", "aPIGroup": "apiGroup", "Webhooks": "webhooks", "Expression": "expression", "Name": "name"}

Row = tuple[str, str, int, str]
Message = dict[int, Row]


class ProtobufError(ValueError):
    """The bytes are not what they claim to be, or hold a field that this table does not know."""


@cache
def _table() -> dict[str, dict[str, Row]]:
    packed = files("wherry.api").joinpath("data/protobuf.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed), type=dict[str, dict[str, Row]])


@cache
def message_fields(name: str) -> Message:
    """A message's fields by number.  Raises ProtobufError."""
    found = _table().get(name)
    if found is None:
        raise ProtobufError(f"no protobuf message {name} is known")
    return {int(number): (_SPELT.get(row[0], row[0]), *row[1:]) for number, row in found.items()}


def message_name(api_version: str, kind: str) -> str:
    """`apps/v1`, `Deployment` -> `k8s.io.api.apps.v1.Deployment`."""
    if kind in _META_KINDS or api_version.startswith("meta.k8s.io/"):
        return _META + kind
    group, _, version = api_version.rpartition("/")
    return f"{_API}{_PACKAGES.get(group, group.partition('.')[0])}.{version}.{kind}"


def to_object(body: bytes) -> dict[str, Any]:
    """The object in an enveloped body.  Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    api_version = kind = encoding = ""
    raw = b""
    for number, value in _fields(body[4:]):
        if number == 1 and isinstance(value, bytes):
            named = {n: v for n, v in _fields(value) if isinstance(v, bytes)}
            api_version, kind = named.get(1, b"").decode(), named.get(2, b"").decode()
        elif number == 2 and isinstance(value, bytes):
            raw = value
        elif number == 3 and isinstance(value, bytes):
            encoding = value.decode("ascii", "replace")
    if encoding:
        raise ProtobufError(f"content encoding {encoding!r} is not supported")
    if not kind:
        raise ProtobufError("the envelope names no kind")
    return {"apiVersion": api_version, "kind": kind, **_decode(raw, message_name(api_version, kind), 0)}


def to_json(body: bytes) -> bytes:
    """The same as JSON bytes.  Raises ProtobufError."""
    return msgspec.json.encode(to_object(body))


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ProtobufError("unexpected EOF")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
        elif wire in (1, 2, 5):
            size = {1: 8, 5: 4}.get(wire, 0)
            if wire == 2:
                size, at = _varint(data, at)
            if at + size > len(data):
                raise ProtobufError("unexpected EOF")
            yield number, data[at : at + size]
            at += size
        else:
            raise ProtobufError(f"illegal wire type {wire}")


def _decode(data: bytes, name: str, depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        raise ProtobufError("exceeded max depth")
    rows = message_fields(name)
    found: dict[str, Any] = {}
    for number, value in _fields(data):
        row = rows.get(number)
        if row is None:
            raise ProtobufError(f"{name} has a field {number} that this server does not know: send JSON instead")
        field, kind, repeated, target = row
        if kind == "message" and repeated and target.startswith(name + ".") and target.endswith("Entry"):
            key, item = _entry(_bytes(value), target, depth)
            found.setdefault(field, {})[key] = item
            continue
        made = _value(value, kind, target, depth)
        if repeated:
            found.setdefault(field, []).append(made)
        elif kind == "message" and field in INLINE:
            found.update(made)
        elif made is not None and (made != "" or field in _POINTERS):
            found[field] = made
    return found


def _entry(data: bytes, name: str, depth: int) -> tuple[str, Any]:
    rows = message_fields(name)
    key, item = "", None
    _, kind, _, target = rows[2]
    for number, value in _fields(data):
        if number == 1:
            key = _text(value)
        elif number == 2:
            item = _value(value, kind, target, depth)
    if item is None:
        item = "" if kind in ("string", "bytes") else {}
    return key, item


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ProtobufError("a number where bytes should be")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        raise ProtobufError("a string that is no UTF-8") from None


def _value(value: int | bytes, kind: str, target: str, depth: int) -> Any:
    match kind:
        case "string":
            return _text(value)
        case "bytes":
            return base64.b64encode(_bytes(value)).decode()
        case "message":
            special = _SPECIAL.get(target)
            return special(_bytes(value)) if special else _decode(_bytes(value), target, depth + 1)
    if isinstance(value, bytes):
        if kind != "double":
            raise ProtobufError("bytes where a number should be")
        return struct.unpack("<d", value)[0]
    if kind == "bool":
        return bool(value)
    return value - (1 << 64) if kind == "int" and value >= 1 << 63 else value


def _only(data: bytes) -> dict[int, int | bytes]:
    return dict(_fields(data))


def _quantity(data: bytes) -> str:
    return _text(_only(data).get(1, b"0"))


def _signed(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value - (1 << 64) if value >= 1 << 63 else value


def _time(data: bytes) -> str | None:
    """An empty message is Go's zero time, which JSON leaves out."""
    found = _only(data)
    if not found:
        return None
    seconds = _signed(found.get(1, 0))
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        raise ProtobufError(f"{seconds} is no time") from None


def _micro_time(data: bytes) -> str | None:
    whole = _time(data)
    nanos = _signed(_only(data).get(2, 0))
    return None if whole is None else f"{whole[:-1]}.{nanos // 1000:06d}Z"


def _int_or_string(data: bytes) -> int | str:
    found = _only(data)
    if found.get(1, 0) == 1:
        return _text(found.get(3, b""))
    return _signed(found.get(2, 0))


def _raw(data: bytes) -> Any:
    """RawExtension, FieldsV1, JSON: JSON within."""
    raw = _bytes(_only(data).get(1, b""))
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise ProtobufError(f"embedded JSON: {error}") from None


_SPECIAL: dict[str, Callable[[bytes], Any]] = {
    "k8s.io.apimachinery.pkg.api.resource.Quantity": _quantity,
    _META + "Time": _time,
    _META + "MicroTime": _micro_time,
    _META + "FieldsV1": _raw,
    "k8s.io.apimachinery.pkg.util.intstr.IntOrString": _int_or_string,
    "k8s.io.apimachinery.pkg.runtime.RawExtension": _raw,
}
