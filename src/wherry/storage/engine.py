"""What a `Store` asks of the place where its log of changes is kept: SQLite's file, or memory.

An engine decides nothing.  It appends what it is given, in order, a group at a time, whole or not at
all, and reads back.  It tells its sink on the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from wherry.storage.interface import Change, Entry, Event, StorageError

FIRST_REVISION = 1  # of an empty store, as etcd's: 0 means "any" in the API


class Head(NamedTuple):
    """The newest version of a key that exists."""

    revision: int
    create_revision: int


class Expiring(NamedTuple):
    """A version that is to be deleted at `when` (wall time) unless the key has changed since."""

    when: float
    key: str
    revision: int


@dataclass(slots=True, eq=False)
class Write:
    """A staged change.

    `epoch` counts failed commits: once a commit failed, everything staged before that was known may rest on
    it, and fails too.  `needs_value` marks a deletion whose last value the engine fills into `change`.
    `answer` is the caller's, who may cancel it; the write goes on, and `settled` and `error` tell what became of it.
    """

    change: Change
    epoch: int
    answer: asyncio.Future[Entry]
    settled: bool = False
    error: StorageError | None = None
    expires: float | None = None
    needs_value: bool = False


@dataclass(slots=True)
class Loaded:
    """What a log holds when it is opened."""

    revision: int = FIRST_REVISION
    compacted: int = FIRST_REVISION
    heads: dict[str, Head] = field(default_factory=dict)
    expiring: list[Expiring] = field(default_factory=list)


class Sink(Protocol):
    """Told of every submitted write, on the loop, in the order of submission."""

    def committed(self, writes: Sequence[Write]) -> None: ...

    def failed(self, writes: Sequence[Write], error: StorageError) -> None: ...


class Engine(Protocol):
    """See the module's docstring.  `revision`s given are never above the newest committed one."""

    def submit(self, writes: list[Write]) -> None:
        """Append `writes` as one group or together with neighbours."""
        ...

    async def fetch(self, revision: int) -> Entry | None:
        """The version written at `revision` (never a deletion), unless it is compacted away."""
        ...

    async def page(self, prefix: str, revision: int, start_after: str, limit: int) -> tuple[list[Entry], int]:
        """Entries as they were at `revision`, and how many follow them."""
        ...

    async def since(self, prefix: str, after: int, upto: int, limit: int) -> list[Event]:
        """Events with after < revision ≤ upto, the oldest `limit` of them."""
        ...

    async def compact(self, revision: int) -> None:
        """Drop, in small steps, what only revisions before `revision` show."""
        ...

    async def close(self) -> None:
        """Finish what was submitted, then release everything."""
        ...
