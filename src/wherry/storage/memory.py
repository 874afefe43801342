"""Storage without a disk: for clusters that keep nothing and for tests.  The same rules over a plain log."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from itertools import islice
from typing import Self

from wherry.storage.engine import Loaded, Sink, Write
from wherry.storage.interface import Change, Entry, Event
from wherry.storage.store import Store
from wherry.util.clock import Clock

STEP = 500  # changes looked at by compaction in one turn of the loop


class MemoryStorage(Store):
    """Open with `await MemoryStorage.open(clock)`."""

    @classmethod
    async def open(cls, clock: Clock) -> Self:
        store = cls(clock)
        store._start(MemoryEngine(store), Loaded())
        return store


class MemoryEngine:
    """`Engine` over lists.  Commits in the next turn of the loop, so that writes are pending for a while as on disk."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._log: list[Change] = []  # by revision
        self._versions: dict[str, list[Change]] = {}  # of each key, by revision
        self._keys: list[str] = []  # sorted
        self._submitted: list[Write] = []

    def submit(self, writes: list[Write]) -> None:
        if not self._submitted:
            self._loop.call_soon(self._commit)
        self._submitted += writes

    def _commit(self) -> None:
        writes, self._submitted = self._submitted, []
        if not writes:
            return
        for write in writes:
            if write.needs_value:
                previous = self._versions[write.change.key][-1]
                write.change = write.change._replace(value=previous.value)
            self._append(write.change)
        self._sink.committed(writes)

    def _append(self, change: Change) -> None:
        versions = self._versions.get(change.key)
        if versions is None:
            versions = self._versions[change.key] = []
            insort(self._keys, change.key)
        versions.append(change)
        self._log.append(change)

    def _at(self, key: str, revision: int) -> Change | None:
        versions = self._versions.get(key, [])
        place = bisect_right(versions, revision, key=_revision)
        return versions[place - 1] if place and not versions[place - 1].deleted else None

    async def fetch(self, revision: int) -> Entry | None:
        place = bisect_right(self._log, revision, key=_revision)
        change = self._log[place - 1] if place else None
        return change.entry if change and change.revision == revision and not change.deleted else None

    async def page(self, prefix: str, revision: int, start_after: str, limit: int) -> tuple[list[Entry], int]:
        start = max(bisect_left(self._keys, prefix), bisect_right(self._keys, start_after))
        keys = []
        for key in islice(self._keys, start, None):
            if not key.startswith(prefix):
                break
            keys.append(key)
        found = [change.entry for key in keys if (change := self._at(key, revision))]
        end = limit or len(found)
        return found[:end], len(found[end:])

    async def since(self, prefix: str, after: int, upto: int, limit: int) -> list[Event]:
        events: list[Event] = []
        for change in islice(self._log, bisect_right(self._log, after, key=_revision), None):
            if change.revision > upto or len(events) == limit:
                break
            if change.key.startswith(prefix):
                previous = self._at(change.key, change.revision - 1)
                events.append(Event("DELETE" if change.deleted else "PUT", change.entry, previous and previous.entry))
        return events

    async def compact(self, revision: int) -> None:
        kept: list[Change] = []
        end = bisect_right(self._log, revision, key=_revision)
        for start in range(0, end, STEP):
            kept += [change for change in self._log[start : min(start + STEP, end)] if self._shows(change, revision)]
            await asyncio.sleep(0)
        self._log[:end] = kept

    def _shows(self, change: Change, revision: int) -> bool:
        """Whether `change`, which is not after it, is still to be seen at `revision`; forgets it by its key if not."""
        versions = self._versions[change.key]
        if versions[bisect_right(versions, revision, key=_revision) - 1] is change and not change.deleted:
            return True
        versions.remove(change)
        if not versions:
            del self._versions[change.key]
            del self._keys[bisect_right(self._keys, change.key) - 1]
        return False

    async def close(self) -> None:
        self._commit()


def _revision(change: Change) -> int:
    return change.revision
