"""The storage seam: what the API server asks of a store.  SQLite and memory pass one suite.

Keys are `/registry/<resource or group/resource>/<namespace>/<name>` as upstream's etcd keys; values
are encoded objects (JSON bytes without `resourceVersion`, which is the revision itself).  One global
revision counts every write.  Nothing is visible, to any reader or watcher, before it is durable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


class StorageError(Exception):
    """Base of what a store raises."""


class KeyExists(StorageError):
    """`create` found the key taken."""


class KeyMissing(StorageError):
    """No such key."""


class RevisionMismatch(StorageError):
    """`update` or `delete` named another revision than the newest pending or committed one."""

    def __init__(self, current: Entry | None = None) -> None:
        super().__init__("revision mismatch")
        self.current = current


class Compacted(StorageError):
    """The revision asked for is older than the history kept."""


class FutureRevision(StorageError):
    """The revision asked for has not happened yet."""

    def __init__(self, current: int) -> None:
        super().__init__(f"current revision is {current}")
        self.current = current


class StorageFull(StorageError):
    """The disk is full or the store cannot write: the write did not happen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value at the revision that last changed it."""

    key: str
    value: bytes
    revision: int
    create_revision: int


@dataclass(frozen=True, slots=True)
class Event:
    """A committed change.  `previous` is the value before it; `entry.value` of a deletion is that value too."""

    type: str  # "PUT" or "DELETE"
    entry: Entry  # of a DELETE: the last value, with the deletion's revision
    previous: Entry | None


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list: `revision` is what all pages show; `remaining` counts what is left after it."""

    entries: list[Entry]
    revision: int
    more: bool
    remaining: int


class Storage(Protocol):
    """See the module's docstring.  Every method may raise StorageError's children."""

    @property
    def revision(self) -> int:
        """The newest durable revision."""
        ...

    async def create(self, key: str, value: bytes, ttl: float | None = None) -> Entry:
        """Raises KeyExists, StorageFull.  `ttl` in seconds: the entry is deleted (an event) after it."""
        ...

    async def get(self, key: str) -> Entry | None: ...

    async def list(self, prefix: str, *, revision: int = 0, start_after: str = "", limit: int = 0) -> Page:
        """Entries whose key begins with `prefix`, in key order, as they were at `revision` (0: now).
        Raises Compacted, FutureRevision."""
        ...

    async def update(self, key: str, value: bytes, revision: int, ttl: float | None = None) -> Entry:
        """Replace if the newest (pending writes count) revision is `revision`.
        Raises KeyMissing, RevisionMismatch, StorageFull."""
        ...

    async def delete(self, key: str, revision: int) -> Entry:
        """Delete if unchanged; the entry returned has the last value and the deletion's revision.
        Raises KeyMissing, RevisionMismatch, StorageFull."""
        ...

    def watch(self, prefix: str, revision: int) -> AsyncIterator[list[Event]]:
        """Batches of events after `revision`, in revision order, without gaps, for ever.
        Raises Compacted when history no longer reaches back, or when the reader fell too far behind."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`; never stalls writers for long."""
        ...

    async def close(self) -> None:
        """Finish what is staged, then release files."""
        ...
