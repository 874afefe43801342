"""What the watch cache hands out: one shared instance an object version, one an event, and bounded history."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Any

import msgspec

from wherry.storage.interface import Compacted

HISTORY_EVENTS = 10_000
HISTORY_BYTES = 4 << 20  # of values; what derived encodings an event carries comes on top
HISTORY_LEAST = 200  # events kept however large they are


class CachedObject(msgspec.Struct, gc=False, eq=False):
    """An object version.  Shared by every reader: nothing but `memo` may be changed.

    `value` is the whole JSON, resourceVersion included.  `memo` is the API server's: encodings that
    it derived from this version.  (No cycles can go through it, so the collector need not look.)
    """

    key: str
    namespace: str  # "" when the resource has none
    name: str
    revision: int
    value: bytes
    labels: dict[str, str]
    fields: dict[str, str]  # selectable fields, but for metadata.name and metadata.namespace
    memo: dict[str, Any]


class WatchEvent(msgspec.Struct, gc=False, eq=False):
    """A change.  `object` of a deletion is the last state at the deletion's revision."""

    type: str  # ADDED, MODIFIED or DELETED
    object: CachedObject
    previous: CachedObject | None
    revision: int


CachedObjects = list[CachedObject]  # names for them where a class has a method `list`
WatchEvents = list[WatchEvent]


class History:
    """The newest events of a resource, bounded in number and bytes."""

    def __init__(self, revision: int) -> None:
        self.oldest = revision
        """Every event after this revision is here."""
        self._events: deque[WatchEvent] = deque()
        self._bytes = 0

    def add(self, events: WatchEvents) -> None:
        for event in events:
            self._events.append(event)
            self._bytes += len(event.object.value)
        while len(self._events) > HISTORY_EVENTS or (self._bytes > HISTORY_BYTES and len(self._events) > HISTORY_LEAST):
            gone = self._events.popleft()
            self._bytes -= len(gone.object.value)
            self.oldest = gone.revision

    def after(self, revision: int) -> WatchEvents:
        """Raises Compacted."""
        if revision < self.oldest:
            raise Compacted(f"the cache has events after revision {self.oldest}, not after {revision}")
        if not self._events or self._events[-1].revision <= revision:
            return []
        events = list(self._events)
        return events[bisect_right(events, revision, key=_revision) :]


def _revision(event: WatchEvent) -> int:
    return event.revision
