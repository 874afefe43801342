"""The rules of storage, once for every engine: who may write, in which order, and when it shows.

A write is decided on the loop, against the newest version staged or committed, gets its revision
and joins the group that the engine commits next.  When that is durable the new revision shows, to
subscribers first, then to the writer.  When it fails, so does all that was staged before the failure
was known, for that may rest on it.  Revisions of failed writes are not used again: should the disk have
kept such a commit after all, nothing else ever had its numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Self

from wherry.storage.engine import Engine, Expiring, Head, Loaded, Write
from wherry.storage.expiry import Expiry
from wherry.storage.hub import Hub
from wherry.storage.interface import (
    Change,
    Compacted,
    Entry,
    Events,
    FutureRevision,
    KeyExists,
    KeyMissing,
    OnChanges,
    Page,
    RevisionMismatch,
    StorageClosed,
    StorageError,
)
from wherry.util.clock import Clock

WATCH_BATCH = 500  # events read at a time for one watcher


class Store:
    """`Storage` over an engine.  Made by the engines' `open`; used on one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._engine: Engine
        self._loop = asyncio.get_running_loop()
        self._hub = Hub()
        self._heads: dict[str, Head] = {}
        self._pending: dict[str, Write] = {}  # newest staged write of each key; removed when committed or failed
        self._staged: list[Write] = []  # not yet submitted: one turn of the loop makes one submission
        self._epoch = 0
        self._revision = self._newest_revision = self._compacted = 0
        self._compacting = asyncio.Lock()
        self._closing = False

    def _start(self, engine: Engine, loaded: Loaded) -> None:
        self._engine = engine
        self._heads = loaded.heads
        self._revision = self._newest_revision = loaded.revision
        self._compacted = loaded.compacted
        self._expiry = Expiry(self._clock, self.delete, loaded.expiring)
        self._expiry_task = asyncio.create_task(self._expiry.run(), name="storage expiry")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    @property
    def revision(self) -> int:
        return self._revision

    @property
    def compacted(self) -> int:
        return self._compacted

    # Writing

    async def create(self, key: str, value: bytes, ttl: float | None = None) -> Entry:
        while self._newest(key) is not None:
            if await self._settled(key):
                raise KeyExists(key)
        revision = self._newest_revision + 1
        return await self._stage(Change(key, value, revision, revision, 0), ttl)

    async def update(self, key: str, value: bytes, revision: int, ttl: float | None = None) -> Entry:
        head = await self._expect(key, revision)
        return await self._stage(Change(key, value, self._newest_revision + 1, head.create_revision, revision), ttl)

    async def delete(self, key: str, revision: int) -> Entry:
        head = await self._expect(key, revision)
        previous = self._pending.get(key)
        value = b"" if previous is None else previous.change.value
        change = Change(key, value, self._newest_revision + 1, head.create_revision, revision, deleted=True)
        return await self._stage(change, None, needs_value=previous is None)

    def pending(self, key: str) -> Entry | None:
        write = self._pending.get(key)
        return None if write is None or write.change.deleted else write.change.entry

    async def settle(self, key: str) -> None:
        write = self._pending.get(key)
        while write is not None and not write.settled:
            await self._hub.turn()
        if write is not None and write.error is not None:
            raise _again(write.error)

    def _newest(self, key: str) -> Head | None:
        write = self._pending.get(key)
        if write is None:
            return self._heads.get(key)
        return None if write.change.deleted else Head(write.change.revision, write.change.create_revision)

    async def _expect(self, key: str, revision: int) -> Head:
        """The key's head if it is at `revision`; does not give up the loop in that case."""
        while (head := self._newest(key)) is None or head.revision != revision:
            if await self._settled(key):
                if head is None:
                    raise KeyMissing(key)
                raise RevisionMismatch(await self.get(key))
        return head

    async def _settled(self, key: str) -> bool:
        """Whether what `_newest` told is durable.  An answer that rests on a staged write waits for it, and a
        write that failed decides nothing: then the caller looks again."""
        write = self._pending.get(key)
        while write is not None and not write.settled:
            await self._hub.turn()
        return write is None or write.error is None

    async def _stage(self, change: Change, ttl: float | None, needs_value: bool = False) -> Entry:
        self._check_open()
        if ttl is not None and ttl <= 0:
            raise ValueError(f"a ttl of {ttl} seconds")
        expires = None if ttl is None else self._clock.time() + ttl
        write = Write(change, self._epoch, self._loop.create_future(), expires=expires, needs_value=needs_value)
        self._newest_revision = change.revision
        self._pending[change.key] = write
        if not self._staged:
            self._loop.call_soon(self._submit)
        self._staged.append(write)
        return await write.answer

    def _submit(self) -> None:
        if self._staged:
            writes, self._staged = self._staged, []
            self._engine.submit(writes)

    # What the engine tells (see engine.Sink)

    def committed(self, writes: Sequence[Write]) -> None:
        for write in writes:
            change = write.change
            if change.deleted:
                self._heads.pop(change.key, None)
            else:
                self._heads[change.key] = Head(change.revision, change.create_revision)
            if self._pending.get(change.key) is write:
                del self._pending[change.key]
            if write.expires is not None:
                self._expiry.add(Expiring(write.expires, change.key, change.revision))
        self._revision = writes[-1].change.revision
        self._hub.publish([write.change for write in writes])
        for write in writes:
            write.settled = True
            if not write.answer.done():
                write.answer.set_result(write.change.entry)

    def failed(self, writes: Sequence[Write], error: StorageError) -> None:
        failed = max(write.epoch for write in writes)
        if failed >= self._epoch:
            self._epoch = failed + 1
            self._pending.clear()
        for write in writes:
            write.settled, write.error = True, error
            if not write.answer.done():
                write.answer.set_exception(_again(error))
        self._hub.signal()

    # Reading

    async def get(self, key: str) -> Entry | None:
        while (head := self._heads.get(key)) is not None:
            self._check_open()
            entry = await self._engine.fetch(head.revision)
            if entry is not None:
                return entry
            if self._heads.get(key) is head:
                raise StorageError(f"the store has lost {key} at revision {head.revision}")
        return None

    async def list(self, prefix: str, *, revision: int = 0, start_after: str = "", limit: int = 0) -> Page:
        while True:
            at = revision or self._revision
            self._check(at)
            entries, remaining = await self._engine.page(prefix, at, start_after, limit)
            if revision or at >= self._compacted:
                self._check(at)
                return Page(entries, at, remaining > 0, remaining)

    def watch(self, prefix: str, revision: int) -> AsyncIterator[Events]:
        self._check(revision)
        return self._follow(prefix, revision)

    async def _follow(self, prefix: str, position: int) -> AsyncIterator[Events]:
        """Reads the log as the watcher takes it, so nothing is queued for one that is slow."""
        while True:
            self._check(position)
            upto = self._revision
            if position == upto:
                await self._hub.turn()
                continue
            events = await self._engine.since(prefix, position, upto, WATCH_BATCH)
            self._check(position)
            position = events[-1].entry.revision if len(events) == WATCH_BATCH else upto
            if events:
                yield events

    def _check_open(self) -> None:
        if self._closing:
            raise StorageClosed

    def _check(self, revision: int) -> None:
        self._check_open()
        if revision < self._compacted:
            raise Compacted(f"revision {revision} has been compacted, the oldest is {self._compacted}")
        if revision > self._revision:
            raise FutureRevision(self._revision)

    async def wait_for(self, revision: int) -> None:
        while self._revision < revision:
            await self._hub.turn()

    def subscribe(self, prefix: str, on_changes: OnChanges) -> Callable[[], None]:
        return self._hub.subscribe(prefix, on_changes)

    # Upkeep

    async def compact(self, revision: int) -> None:
        async with self._compacting:
            self._check(revision)
            if revision > self._compacted:
                self._compacted = revision
                self._hub.signal()
            await self._engine.compact(self._compacted)

    async def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        self._expiry_task.cancel()
        await asyncio.gather(self._expiry_task, return_exceptions=True)
        self._submit()
        await self._engine.close()
        self._hub.close()


def _again(error: StorageError) -> StorageError:
    """A copy for one more caller: an exception that is raised collects its traceback."""
    return type(error)(*error.args)
