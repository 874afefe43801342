"""The form in which objects go out: whole, as a Table, or as metadata alone.

A Table row is made once an object version, but for the cells that depend on the clock: those are
filled in when sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from wherry.api.printers import duration
from wherry.api.resource import Age, Column, Printer
from wherry.apimachinery.decode import internal_package
from wherry.apiserver.codec import Codec, decode_json, encode
from wherry.apiserver.negotiation import Media, check_shape
from wherry.storage.cached import CachedObject
from wherry.util.clock import Clock

INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class _MetadataOnly(msgspec.Struct):
    metadata: msgspec.Raw


_metadata_decoder = msgspec.json.Decoder(_MetadataOnly)


class Shape(Protocol):
    """One negotiated form of one served version."""

    key: str  # tells apart what may stand in an object version's memo
    shareable: bool  # False: depends on the clock, so nothing that is made may be kept

    def single(self, cached: CachedObject) -> bytes: ...

    def event(self, cached: CachedObject) -> bytes:
        """As `single`, for a watch."""
        ...

    def many(self, items: Sequence[CachedObject], revision: int, token: str, remaining: int | None) -> bytes: ...

    def bookmark(self, revision: int, *, initial: bool) -> bytes: ...


def list_meta(revision: int, token: str, remaining: int | None) -> bytes:
    """A list's metadata as JSON."""
    meta: dict[str, Any] = {"resourceVersion": str(revision)}
    if token:
        meta["continue"] = token
        if remaining is not None:
            meta["remainingItemCount"] = remaining
    return encode(meta)


def bookmark_meta(revision: int, *, initial: bool) -> dict[str, Any]:
    """A bookmark's metadata: the revision, and whether the initial events end here."""
    meta: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if initial:
        meta["annotations"] = {INITIAL_EVENTS_END: "true"}
    return meta


class WholeShape:
    """Objects as they are."""

    shareable = True

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.key = codec.api_version
        head = {"kind": codec.list_kind, "apiVersion": codec.api_version}
        self._head = encode(head)[:-1] + b',"metadata":'

    def single(self, cached: CachedObject) -> bytes:
        return self._codec.body(cached)

    event = single

    def many(self, items: Sequence[CachedObject], revision: int, token: str, remaining: int | None) -> bytes:
        item = self._codec.item
        return b'%b%b,"items":[%b]}' % (
            self._head, list_meta(revision, token, remaining), b",".join([item(cached) for cached in items])
        )

    def bookmark(self, revision: int, *, initial: bool) -> bytes:
        return self._codec.encode_object({"metadata": bookmark_meta(revision, initial=initial)})


class MetadataShape:
    """PartialObjectMetadata: for clients that need no more (garbage collection, quota)."""

    shareable = True

    def __init__(self, codec: Codec, media: Media) -> None:
        self._codec = codec
        self._api = f"meta.k8s.io/{media.version}"
        self.key = f"metadata {codec.api_version} {media.version}"
        self._head = b'{"kind":"PartialObjectMetadata","apiVersion":"%b","metadata":' % self._api.encode()

    def single(self, cached: CachedObject) -> bytes:
        found = cached.memo.get(self.key)
        if found is None:
            found = cached.memo[self.key] = self._head + bytes(_metadata_decoder.decode(cached.value).metadata) + b"}"
        return found

    event = single

    def many(self, items: Sequence[CachedObject], revision: int, token: str, remaining: int | None) -> bytes:
        head = encode({"kind": "PartialObjectMetadataList", "apiVersion": self._api})[:-1]
        return b'%b,"metadata":%b,"items":[%b]}' % (
            head, list_meta(revision, token, remaining), b",".join([self.single(cached) for cached in items])
        )

    def bookmark(self, revision: int, *, initial: bool) -> bytes:
        return self._head + encode(bookmark_meta(revision, initial=initial)) + b"}"


class TableShape:
    """A meta.k8s.io Table: what `kubectl get` asks for."""

    shareable = False

    def __init__(self, codec: Codec, media: Media, include: str, clock: Clock) -> None:
        self._codec = codec
        self._printer: Printer = codec.printer
        self._include = include if include in ("None", "Object") else "Metadata"
        self._clock = clock
        self._api = f"meta.k8s.io/{media.version}"
        self.key = f"table {codec.api_version} {media.version} {self._include}"
        self._metadata = MetadataShape(codec, media)
        self._head = b'{"kind":"Table","apiVersion":"%b","metadata":' % self._api.encode()
        self._columns = encode([column_json(column) for column in self._printer.columns])
        self._columns_known = False

    def _table(self, meta: bytes, rows: Sequence[bytes], columns: bytes) -> bytes:
        return b'%b%b,"columnDefinitions":%b,"rows":[%b]}' % (self._head, meta, columns, b",".join(rows))

    def single(self, cached: CachedObject) -> bytes:
        return self._one(cached, self._columns)

    def event(self, cached: CachedObject) -> bytes:
        """Only the first Table of a watch tells the columns, as upstream's does."""
        columns = b"null" if self._columns_known else self._columns
        self._columns_known = True
        return self._one(cached, columns)

    def _one(self, cached: CachedObject, columns: bytes) -> bytes:
        meta = encode({"resourceVersion": str(cached.revision)})
        return self._table(meta, [self._row(cached, self._clock.time(), {})], columns)

    def many(self, items: Sequence[CachedObject], revision: int, token: str, remaining: int | None) -> bytes:
        now = self._clock.time()
        ages: dict[str, bytes] = {}  # many objects of a list are of one second
        return self._table(list_meta(revision, token, remaining), [self._row(cached, now, ages) for cached in items], self._columns)

    def bookmark(self, revision: int, *, initial: bool) -> bytes:
        return self._table(encode(bookmark_meta(revision, initial=initial)), [], self._columns)

    def _row(self, cached: CachedObject, now: float, ages: dict[str, bytes]) -> bytes:
        pieces: tuple[bytes | Age, ...] | None = cached.memo.get(self.key)
        if pieces is None:
            pieces = cached.memo[self.key] = self._pieces(cached)
        return b"".join([piece if isinstance(piece, bytes) else age_cell(piece, now, ages) for piece in pieces])

    def _pieces(self, cached: CachedObject) -> tuple[bytes | Age, ...]:
        """The row with holes where ages stand."""
        obj = decode_json(cached.value if self._codec.prints_hub else self._codec.body(cached))
        pieces: list[bytes | Age] = []
        text = b'{"cells":['
        for index, cell in enumerate(self._printer.cells(obj)):
            text += b"," if index else b""
            if isinstance(cell, Age):
                pieces += [text, cell]
                text = b""
            else:
                text += encode(cell)
        text += b"]"
        if self._printer.conditions is not None and (conditions := self._printer.conditions(obj)):
            text += b',"conditions":' + encode(conditions)
        pieces.append(b'%b,"object":%b}' % (text, self._object(cached)))
        return tuple(pieces)

    def _object(self, cached: CachedObject) -> bytes:
        if self._include == "None":
            return b"null"
        return self._codec.body(cached) if self._include == "Object" else self._metadata.single(cached)


def column_json(column: Column) -> dict[str, Any]:
    """A TableColumnDefinition."""
    return {
        "name": column.name, "type": column.type, "format": column.format,
        "description": column.description, "priority": column.priority,
    }


def age_cell(age: Age, now: float, known: dict[str, bytes]) -> bytes:
    """The cell as JSON, at `now`.  `known` remembers the texts of one list."""
    if age.text != "{}":
        return encode(age.text.replace("{}", duration.age_text(age.since, now)))
    cell = known.get(age.since)
    if cell is None:
        cell = known[age.since] = encode(duration.age_text(age.since, now))
    return cell


def shape_for(codec: Codec, media: Media, include: str, clock: Clock, *, single: bool = True) -> Shape:
    """The shape that was negotiated, for one object (or a watch, that sends one after the other) or a list."""
    check_shape(media, f"{internal_package(codec.group)}.{codec.kind}", single=single)
    if media.as_ == "Table":
        return TableShape(codec, media, include, clock)
    if media.as_:
        return MetadataShape(codec, media)
    return WholeShape(codec)


__all__ = ["MetadataShape", "Shape", "TableShape", "WholeShape", "shape_for"]
