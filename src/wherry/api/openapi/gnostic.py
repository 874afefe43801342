"""The v2 document as protobuf: gnostic's `openapi.v2.Document`, which is what kubectl asks for.

Field numbers are those of gnostic's OpenAPIv2.proto.  Pieces of the document come as JSON values and go as
bytes, so a document is joined of pieces and never stands in memory as a whole.
https://github.com/google/gnostic/blob/main/openapiv2/OpenAPIv2.proto
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from wherry.apimachinery.protowire import double, integer, length_delimited

Document = dict[str, Any]
Writer = Callable[[int, Any], bytes]

_json = msgspec.json.Encoder().encode


def _text(field: int, value: str) -> bytes:
    return length_delimited(field, value.encode())


def _texts(field: int, values: Iterable[str]) -> bytes:
    return b"".join(_text(field, value) for value in values)


def _any(field: int, value: Any) -> bytes:
    """`Any`: the value as YAML, which JSON is."""
    return length_delimited(field, length_delimited(2, _json(value) + b"\n"))


def _anys(field: int, values: Iterable[Any]) -> bytes:
    return b"".join(_any(field, value) for value in values)


def _named(field: int, name: str, body: bytes) -> bytes:
    """One entry of the `Named…` messages that stand for maps."""
    return length_delimited(field, _text(1, name) + length_delimited(2, body))


def _additional(field: int, value: Any) -> bytes:
    return length_delimited(field, integer(2, value) if isinstance(value, bool) else length_delimited(1, schema(value)))


_SCHEMA: dict[str, tuple[int, Writer]] = {
    "$ref": (1, _text), "format": (2, _text), "title": (3, _text), "description": (4, _text), "default": (5, _any),
    "multipleOf": (6, double), "maximum": (7, double), "exclusiveMaximum": (8, integer), "minimum": (9, double),
    "exclusiveMinimum": (10, integer), "maxLength": (11, integer), "minLength": (12, integer), "pattern": (13, _text),
    "maxItems": (14, integer), "minItems": (15, integer), "uniqueItems": (16, integer), "maxProperties": (17, integer),
    "minProperties": (18, integer), "required": (19, _texts), "enum": (20, _anys), "additionalProperties": (21, _additional),
    "type": (22, lambda field, value: length_delimited(field, _text(1, value))),
    "items": (23, lambda field, value: length_delimited(field, length_delimited(1, schema(value)))),
    "properties": (25, lambda field, value: length_delimited(field, b"".join(_named(1, k, schema(v)) for k, v in value.items()))),
    "externalDocs": (29, lambda field, value: length_delimited(field, _described(value))),
}


def _described(value: Document) -> bytes:
    return _text(1, value.get("description", "")) + _text(2, value.get("url", ""))


def _write(value: Document, table: dict[str, tuple[int, Writer]], extensions: int) -> bytes:
    """A message by its table; marks (`x-…`) go to its vendor extensions.  Raises KeyError for what it has no field for."""
    parts: list[bytes] = []
    for key, member in value.items():
        if key.startswith("x-"):
            parts.append(length_delimited(extensions, _text(1, key) + _any(2, member)))
        else:
            field, writer = table[key]
            parts.append(writer(field, member))
    return b"".join(parts)


def schema(value: Document) -> bytes:
    """`Schema`."""
    return _write(value, _SCHEMA, 31)


# Query and path parameters differ by one field, from which on all numbers are one apart.
_PARAMETER: dict[str, tuple[int, Writer]] = {
    "required": (1, integer), "in": (2, _text), "description": (3, _text), "name": (4, _text),
}
_QUERY: dict[str, tuple[int, Writer]] = {**_PARAMETER, "type": (6, _text), "format": (7, _text), "uniqueItems": (20, integer)}
_PATH: dict[str, tuple[int, Writer]] = {**_PARAMETER, "type": (5, _text), "format": (6, _text), "uniqueItems": (19, integer)}
_BODY: dict[str, tuple[int, Writer]] = {
    "description": (1, _text), "name": (2, _text), "in": (3, _text), "required": (4, integer),
    "schema": (5, lambda field, value: length_delimited(field, schema(value))),
}


def _parameters(field: int, values: Iterable[Document]) -> bytes:
    """`ParametersItem`s: parameter, then body or not, then where it stands."""
    parts: list[bytes] = []
    for value in values:
        place = value["in"]
        if place == "body":
            written = length_delimited(1, _write(value, _BODY, 6))
        elif place == "query":
            written = length_delimited(2, length_delimited(3, _write(value, _QUERY, 23)))
        else:
            written = length_delimited(2, length_delimited(4, _write(value, _PATH, 22)))
        parts.append(length_delimited(field, length_delimited(1, written)))
    return b"".join(parts)


def _responses(field: int, values: Document) -> bytes:
    parts: list[bytes] = []
    for code, response in values.items():
        written = _text(1, response["description"])
        if "schema" in response:
            written += length_delimited(2, length_delimited(1, schema(response["schema"])))
        parts.append(_named(1, code, length_delimited(1, written)))
    return length_delimited(field, b"".join(parts))


_OPERATION: dict[str, tuple[int, Writer]] = {
    "tags": (1, _texts), "summary": (2, _text), "description": (3, _text), "operationId": (5, _text), "produces": (6, _texts),
    "consumes": (7, _texts), "parameters": (8, _parameters), "responses": (9, _responses), "schemes": (10, _texts),
    "deprecated": (11, integer),
}


def _operation(field: int, value: Document) -> bytes:
    return length_delimited(field, _write(value, _OPERATION, 13))


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
        _text(1, "2.0"), length_delimited(2, info), length_delimited(8, b"".join(paths)), length_delimited(9, b"".join(definitions)),
    ))
