"""The storage seam: what the API server asks of a store.  SQLite and memory pass one suite.

Keys are `/registry/<resource or group/resource>/<namespace>/<name>` as upstream's etcd keys; values
are encoded objects (JSON bytes without `resourceVersion`, which is the revision itself).  One global
revision counts every write.  Nothing is visible, to any reader or watcher, before it is durable.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol


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


class StorageClosed(StorageError):
    """The store is closed, or closes."""

    def __init__(self) -> None:
        super().__init__("the store is closed")


class StorageLocked(StorageError):
    """Another process has the data file open."""


class Entry(NamedTuple):
    """A key's value at the revision that last changed it."""

    key: str
    value: bytes
    revision: int
    create_revision: int


class Event(NamedTuple):
    """A committed change.  `previous` is the value before it; `entry.value` of a deletion is that value too."""

    type: str  # "PUT" or "DELETE"
    entry: Entry  # of a DELETE: the last value, with the deletion's revision
    previous: Entry | None


Events = list[Event]  # a name for it where a class has a method `list`


class Change(NamedTuple):
    """One write as the store's log has it.  `value` of a deletion is the last value."""

    key: str
    value: bytes
    revision: int
    create_revision: int
    previous_revision: int  # 0: a creation
    deleted: bool = False

    @property
    def entry(self) -> Entry:
        return Entry(*self[:4])


OnChanges = Callable[[Sequence[Change]], None]


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
        """The newest durable revision.  It never goes back; that of an empty store is 1."""
        ...

    @property
    def compacted(self) -> int:
        """The oldest revision that can still be listed, or watched from."""
        ...

    async def create(self, key: str, value: bytes, ttl: float | None = None) -> Entry:
        """Raises KeyExists, StorageFull.  `ttl` in seconds: the entry is deleted (an event) after it."""
        ...

    async def get(self, key: str) -> Entry | None:
        """The newest durable entry."""
        ...

    def pending(self, key: str) -> Entry | None:
        """The newest version staged but not yet durable, for one use: to base an `update` on it in the same turn
        of the loop, so that many writers of one key share a commit.  None: nothing staged, or a deletion is.
        Whoever would answer from it without writing must `settle` first."""
        ...

    async def settle(self, key: str) -> None:
        """Wait until what is staged for `key` is durable.  Raises StorageFull when its commit failed."""
        ...

    async def wait_for(self, revision: int) -> None:
        """Wait until `self.revision` is at least `revision`."""
        ...

    def subscribe(self, prefix: str, on_changes: OnChanges) -> Callable[[], None]:
        """Call `on_changes` with every later change under `prefix` (it ends in "/"), a commit at a time and in
        revision order, after `self.revision` has moved and before the writers get their answers: so what follows
        the store this way is never behind an answer.  Returns the function that ends it."""
        ...

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

    def watch(self, prefix: str, revision: int) -> AsyncIterator[Events]:
        """Batches of events after `revision`, in revision order, without gaps, for ever.
        Raises FutureRevision, and Compacted when history no longer reaches back, at once or because the reader
        fell too far behind."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`; never stalls writers for long.  Raises Compacted, FutureRevision."""
        ...

    async def close(self) -> None:
        """Finish what is staged, then release files."""
        ...
