"""JSON to typed objects and back, with what components need of it: shared results and small memory.

In one process the server gives all its watchers the same bytes; `Decoder` remembers the objects of
the newest of them, so that components which watch the same kind share one object.
Structs leave defaults out when they are encoded, `kind` and `apiVersion` too: `encode` puts those in front.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct
from wherry.client.paths import info_of

T = TypeVar("T")

REMEMBERED = 512  # encodings: enough for all watchers in a process to pass the same event


class PartialObjectMetadata(Struct, frozen=True):
    """An object of any kind without its spec and status (meta.k8s.io/v1)."""

    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())


class ItemList(Struct, frozen=True):
    """A list of any kind.  Go servers write null for no items."""

    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())
    items: list[msgspec.Raw] | None = None


class WatchEvent(Struct, Generic[T], frozen=True):
    """ADDED, MODIFIED, DELETED or BOOKMARK (whose object has nothing but metadata); ERROR, whose object is a dict."""

    object: T
    type: str = ""


Events = list[WatchEvent[T]]  # a name for it where a class has a method `list`


def encode(obj: Any) -> bytes:
    """The JSON of a struct, or of anything plain; a typed object names its kind and apiVersion."""
    body = msgspec.json.encode(obj)
    if not isinstance(obj, Struct) or not getattr(obj, "kind", ""):
        return body
    try:
        info = info_of(type(obj))
        kind, api_version = info.kind, info.api_version
    except LookupError:  # Binding, Eviction, TokenRequest: served as subresources alone
        kind, api_version = obj.kind, obj.api_version  # type: ignore[attr-defined]
    head = msgspec.json.encode({"kind": kind, "apiVersion": api_version})
    return head if body == b"{}" else head[:-1] + b"," + body[1:]


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


class Decoder(Generic[T]):
    """Decodes one kind.  Objects are frozen and may be shared by everyone in the process."""

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind
        self._json = msgspec.json.Decoder(kind)
        self._event = msgspec.json.Decoder(WatchEvent[kind])  # type: ignore[valid-type]
        self._recent: OrderedDict[bytes, WatchEvent[T]] = OrderedDict()

    def decode(self, raw: bytes | msgspec.Raw) -> T:
        """Raises msgspec.ValidationError when the object does not fit its type."""
        try:
            return self._json.decode(raw)
        except msgspec.ValidationError:
            # Explicit nulls are legal JSON for any field, and rare.
            return msgspec.convert(_without_nulls(msgspec.json.decode(raw)), self.kind)

    def decode_event(self, line: bytes) -> WatchEvent[T]:
        """A watch event, shared between watchers of the same bytes."""
        known = self._recent.get(line)
        if known is not None:
            return known
        event: Any
        try:
            event = self._event.decode(line)
        except msgspec.ValidationError:
            raw = _RAW_EVENT.decode(line)
            event = raw if raw.type == "ERROR" else WatchEvent(self.decode(raw.object), raw.type)
        if event.type == "ERROR":
            event = _ANY_EVENT.decode(line)
        self._recent[line] = event
        if len(self._recent) > REMEMBERED:
            self._recent.popitem(last=False)
        return event  # type: ignore[no-any-return]


class _Name(Struct, frozen=True):
    namespace: str = ""
    name: str = ""


class _Object(Struct, frozen=True):
    metadata: _Name


class _Named(Struct, frozen=True):
    """Which object a watch event is of."""

    object: _Object


def newest(lines: list[bytes]) -> list[bytes]:
    """Watch events without the MODIFIED ones that another of the same object follows, with no other type between.

    An object that changes fast is decoded, indexed and told to handlers once a batch.
    """
    if len(lines) < 2:
        return lines
    kept: list[bytes] = []
    later: set[tuple[str, str]] = set()
    for line in reversed(lines):
        if line.startswith(_MODIFIED):
            which = _which(line)
            if which in later:
                continue
            later.add(which)
        else:
            later.clear()
        kept.append(line)
    kept.reverse()
    return kept


@lru_cache(maxsize=REMEMBERED)
def _which(line: bytes) -> tuple[str, str]:
    """The object of a watch event."""
    metadata = _NAMED.decode(line).object.metadata
    return metadata.namespace, metadata.name


_MODIFIED = b'{"type":"MODIFIED",'
_NAMED = msgspec.json.Decoder(_Named)
_RAW_EVENT, _ANY_EVENT = msgspec.json.Decoder(WatchEvent[msgspec.Raw]), msgspec.json.Decoder(WatchEvent[Any])
LIST = msgspec.json.Decoder(ItemList)


_decoders: dict[type[Any], Decoder[Any]] = {}


def decoder_of(kind: type[T]) -> Decoder[T]:
    """The process's one decoder of a kind."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = Decoder(kind)
    return decoder
