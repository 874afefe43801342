"""Encoding: an object is encoded once, when written; every answer is made of those bytes.

Stored bytes begin `{"kind":K,"apiVersion":V,"metadata":{` and hold no resourceVersion, for that is
the revision, known only once the write is done; it is spliced in right there.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wherry.api.printers.default import NAME_AGE
from wherry.api.resource import Object, Printer, Resource, Version
from wherry.api.schemas import definition
from wherry.apimachinery.schema import Schema
from wherry.storage.cached import CachedObject

_plain = msgspec.json.Encoder().encode
decode_json = msgspec.json.Decoder().decode
_METADATA = b'"metadata":{'


_ESCAPES = tuple((char.encode(), b"\\u%04x" % ord(char)) for char in "<>&\u2028\u2029")


def _encode(obj: Any) -> bytes:
    """As Go writes JSON, whose strings may stand in HTML: kubectl compares a revision's raw bytes with its own."""
    value = _plain(obj)
    for char, escape in _ESCAPES:
        if char in value:
            value = value.replace(char, escape)
    return value


def encode_stored(obj: Object) -> bytes:
    """The bytes that storage keeps: kind, apiVersion and metadata first, no resourceVersion."""
    metadata = obj["metadata"]
    if "resourceVersion" in metadata:
        metadata = {k: v for k, v in metadata.items() if k != "resourceVersion"}
    ordered = {"kind": obj["kind"], "apiVersion": obj["apiVersion"], "metadata": metadata}
    for key, value in obj.items():
        if key not in ordered:
            ordered[key] = value
    return _encode(ordered)


def with_revision(value: bytes, revision: int) -> bytes:
    """The bytes that clients see: `value` with its resourceVersion."""
    return value.replace(_METADATA, b'"metadata":{"resourceVersion":"%d",' % revision, 1)


def without_revision(value: bytes, revision: int) -> bytes:
    """The stored bytes of what `with_revision` made."""
    return value.replace(b'"resourceVersion":"%d",' % revision, b"", 1)


def decoded(cached: CachedObject) -> Object:
    """A cached object, decoded once a version and shared by all who ask: not to be changed."""
    found: Object | None = cached.memo.get("decoded")
    if found is None:
        found = cached.memo["decoded"] = decode_json(cached.value)
    return found


def encode(obj: Any) -> bytes:
    """Any JSON value, compactly."""
    return _encode(obj)


class Codec:
    """How one served version of a resource reads and shows the stored form."""

    def __init__(self, resource: Resource, version: Version, schema: Schema | None = None) -> None:
        group = resource.group if version.group is None else version.group
        hub_group = resource.group if resource.hub.group is None else resource.hub.group
        self.resource = resource
        self.version = version
        self.group = group
        self.api_version = f"{group}/{version.name}" if group else version.name
        self.hub_api_version = f"{hub_group}/{resource.hub.name}" if hub_group else resource.hub.name
        self.kind = resource.kind
        self.list_kind = f"{resource.kind}List"
        self._schema = schema
        self._memo = f"body {self.api_version}"
        self._hub_prefix = self._prefix(self.hub_api_version)
        self._own_prefix = self._prefix(self.api_version)
        self.is_hub = self.api_version == self.hub_api_version
        self._skip = len(self._own_prefix) - 1

    def _prefix(self, api_version: str) -> bytes:
        return b'{"kind":"%s","apiVersion":"%s",' % (self.kind.encode(), api_version.encode())

    @property
    def printer(self) -> Printer:
        """How this version's Table looks."""
        return self.version.printer or self.resource.printer or NAME_AGE

    @property
    def prints_hub(self) -> bool:
        """Whether the printer reads the stored form."""
        return self.version.printer is None

    @property
    def schema(self) -> Schema:
        """This version's schema, compiled when first asked for."""
        if self._schema is None:
            self._schema = definition(self.version.schema)
        return self._schema

    def from_hub(self, obj: Object) -> Object:
        """The stored form as this version shows it (`obj` may be changed)."""
        if self.is_hub:
            return obj
        if self.version.from_hub is not None:
            obj = self.version.from_hub(obj)
        return {**obj, "kind": self.kind, "apiVersion": self.api_version}

    def to_hub(self, obj: Object) -> Object:
        """This version's form as it is stored (`obj` may be changed)."""
        if self.is_hub:
            return obj
        if self.version.to_hub is not None:
            obj = self.version.to_hub(obj)
        return {**obj, "kind": self.kind, "apiVersion": self.hub_api_version}

    def body(self, cached: CachedObject) -> bytes:
        """The whole object as this version's JSON; made once an object version."""
        if self.is_hub:
            return cached.value
        found = cached.memo.get(self._memo)
        if found is None:
            if self.version.from_hub is None:
                found = self._own_prefix + cached.value[len(self._hub_prefix) :]
            else:
                found = self.encode_object(self.from_hub(decode_json(cached.value)))
            cached.memo[self._memo] = found
        return found

    def encode_object(self, obj: Object) -> bytes:
        """An object that is not stored (a dry run, a transient kind): kind and apiVersion first."""
        ordered = {"kind": self.kind, "apiVersion": self.api_version}
        return _encode({**ordered, **{k: v for k, v in obj.items() if k not in ordered}})

    def item(self, cached: CachedObject) -> bytes:
        """The object as an item of a list, which does not repeat kind and apiVersion."""
        body = self.body(cached)
        return b"{" + body[self._skip + 1 :] if body.startswith(self._own_prefix) else body
