"""The v2 document as protobuf: gnostic's `openapi.v2.Document`, which is what kubectl asks for.

Field numbers are those of gnostic's OpenAPIv2.proto.  Pieces of the document come as JSON values and go as
bytes, so a document is joined of pieces and never stands in memory as a whole.
https://github.com/google/gnostic/blob/main/openapiv2/OpenAPIv2.proto
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

Document = dict[str, Any]
Writer = Callable[[int, Any], bytes]

_json = msgspec.json.Encoder().encode
_LENGTH, _VARINT, _DOUBLE = 2, 0, 1


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | _LENGTH) + _varint(len(body)) + body


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _texts(field: int, values: Iterable[str]) -> bytes:
    return b"".join(_text(field, value) for value in values)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(int(value) & 0xFFFF_FFFF_FFFF_FFFF)


def _double(field: int, value: float) -> bytes:
    import struct  # only a custom resource's limits are doubles

    return _varint(field << 3 | _DOUBLE) + struct.pack("<d", value)


def _any(field: int, value: Any) -> bytes:
    """`Any`: the value as YAML, which JSON is."""
    return _message(field, _message(2, _json(value) + b"\n"))


def _anys(field: int, values: Iterable[Any]) -> bytes:
    return b"".join(_any(field, value) for value in values)


def _named(field: int, name: str, body: bytes) -> bytes:
    """One entry of the `Named…` messages that stand for maps."""
    return _message(field, _text(1, name) + _message(2, body))


def _additional(field: int, value: Any) -> bytes:
    return _message(field, _number(2, value) if isinstance(value, bool) else _message(1, schema(value)))


_SCHEMA: dict[str, tuple[int, Writer]] = {
    "$ref": (1, _text), "format": (2, _text), "title": (3, _text), "description": (4, _text), "default": (5, _any),
    "multipleOf": (6, _double), "maximum": (7, _double), "exclusiveMaximum": (8, _number), "minimum": (9, _double),
    "exclusiveMinimum": (10, _number), "maxLength": (11, _number), "minLength": (12, _number), "pattern": (13, _text),
    "maxItems": (14, _number), "minItems": (15, _number), "uniqueItems": (16, _number), "maxProperties": (17, _number),
    "minProperties": (18, _number), "required": (19, _texts), "enum": (20, _anys), "additionalProperties": (21, _additional),
    "type": (22, lambda field, value: _message(field, _text(1, value))),
    "items": (23, lambda field, value: _message(field, _message(1, schema(value)))),
    "properties": (25, lambda field, value: _message(field, b"".join(_named(1, k, schema(v)) for k, v in value.items()))),
    "externalDocs": (29, lambda field, value: _message(field, _described(value))),
}


def _described(value: Document) -> bytes:
    return _text(1, value.get("description", "")) + _text(2, value.get("url", ""))


def _write(value: Document, table: dict[str, tuple[int, Writer]], extensions: int) -> bytes:
    """A message by its table; marks (`x-…`) go to its vendor extensions.  Raises KeyError for what it has no field for."""
    parts: list[bytes] = []
    for key, member in value.items():
        if key.startswith("x-"):
            parts.append(_message(extensions, _text(1, key) + _any(2, member)))
        else:
            field, writer = table[key]
            parts.append(writer(field, member))
    return b"".join(parts)


def schema(value: Document) -> bytes:
    """`Schema`."""
    return _write(value, _SCHEMA, 31)


# Query and path parameters differ by one field, from which on all numbers are one apart.
_PARAMETER: dict[str, tuple[int, Writer]] = {
    "required": (1, _number), "in": (2, _text), "description": (3, _text), "name": (4, _text),
}
_QUERY: dict[str, tuple[int, Writer]] = {**_PARAMETER, "type": (6, _text), "format": (7, _text), "uniqueItems": (20, _number)}
_PATH: dict[str, tuple[int, Writer]] = {**_PARAMETER, "type": (5, _text), "format": (6, _text), "uniqueItems": (19, _number)}
_BODY: dict[str, tuple[int, Writer]] = {
    "description": (1, _text), "name": (2, _text), "in": (3, _text), "required": (4, _number),
    "schema": (5, lambda field, value: _message(field, schema(value))),
}


def _parameters(field: int, values: Iterable[Document]) -> bytes:
    """`ParametersItem`s: parameter, then body or not, then where it stands."""
    parts: list[bytes] = []
    for value in values:
        place = value["in"]
        if place == "body":
            written = _message(1, _write(value, _BODY, 6))
        elif place == "query":
            written = _message(2, _message(3, _write(value, _QUERY, 23)))
        else:
            written = _message(2, _message(4, _write(value, _PATH, 22)))
        parts.append(_message(field, _message(1, written)))
    return b"".join(parts)


def _responses(field: int, values: Document) -> bytes:
    parts: list[bytes] = []
    for code, response in values.items():
        written = _text(1, response["description"])
        if "schema" in response:
            written += _message(2, _message(1, schema(response["schema"])))
        parts.append(_named(1, code, _message(1, written)))
    return _message(field, b"".join(parts))


_OPERATION: dict[str, tuple[int, Writer]] = {
    "tags": (1, _texts), "summary": (2, _text), "description": (3, _text), "operationId": (5, _text), "produces": (6, _texts),
    "consumes": (7, _texts), "parameters": (8, _parameters), "responses": (9, _responses), "schemes": (10, _texts),
    "deprecated": (11, _number),
}


def _operation(field: int, value: Document) -> bytes:
    return _message(field, _write(value, _OPERATION, 13))


_ITEM: dict[str, tuple[int, Writer]] = {
    "get": (2, _operation), "put": (3, _operation), "post": (4, _operation), "delete": (5, _operation),
    "patch": (8, _operation), "parameters": (9, _parameters),
}


def path(name: str, item: Document) -> bytes:
    """One entry of the document's `Paths`."""
    return _named(2, name, _write(item, _ITEM, 10))


def definition(name: str, value: Document) -> bytes:
    """One entry of the document's `Definitions`."""
    return _named(1, name, schema(value))


def document(title: str, version: str, paths: Iterable[bytes], definitions: Iterable[bytes]) -> bytes:
    """`Document`, of what `path` and `definition` made."""
    info = _text(1, title) + _text(2, version)
    return b"".join((
        _text(1, "2.0"), _message(2, info), _message(8, b"".join(paths)), _message(9, b"".join(definitions)),
    ))
