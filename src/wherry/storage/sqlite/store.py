"""`SQLiteStorage`: the store's rules over a file.  Blocking SQLite never runs on the event loop.

Two threads: one writes (group commit, compaction, checkpoints), one reads.  Readers of a WAL see a
commit only after it was synced, and read as of a revision that the loop already knows.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from wherry.storage.engine import Loaded, Sink, Write
from wherry.storage.interface import Entry, Event
from wherry.storage.sqlite import compaction, reader, schema
from wherry.storage.sqlite.lock import FileLock
from wherry.storage.sqlite.writer import Writer
from wherry.storage.store import Store
from wherry.util.clock import Clock

T = TypeVar("T")


class SQLiteStorage(Store):
    """Open with `await SQLiteStorage.open(path, clock)`."""

    @classmethod
    async def open(cls, path: Path, clock: Clock) -> Self:
        """Make or open the file at `path`, whose folder must be there.

        Raises StorageLocked, OSError, and StorageError for a file that is none of ours.
        """
        store = cls(clock)
        engine, loaded = await asyncio.to_thread(_open, path, store, asyncio.get_running_loop())
        engine.start()
        store._start(engine, loaded)
        return store


class SQLiteEngine:
    """`Engine` over a file: hands writes to the writer's thread and questions to the reader's."""

    def __init__(self, lock: FileLock, writer: Writer, reading: sqlite3.Connection) -> None:
        self._lock = lock
        self._writer = writer
        self._reading = reading
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="sqlite reader")
        self._closing = False

    def start(self) -> None:
        self._writer.start()

    def submit(self, writes: list[Write]) -> None:
        self._writer.submit(writes)

    async def fetch(self, revision: int) -> Entry | None:
        return await self._read(reader.fetch, revision)

    async def page(self, prefix: str, revision: int, start_after: str, limit: int) -> tuple[list[Entry], int]:
        return await self._read(reader.page, prefix, revision, start_after, limit)

    async def since(self, prefix: str, after: int, upto: int, limit: int) -> list[Event]:
        return await self._read(reader.since, prefix, after, upto, limit)

    async def compact(self, revision: int) -> None:
        """A step at a time: what was staged meanwhile is committed between steps."""
        await self._writer.run(partial(compaction.begin, revision=revision))
        while not self._closing and not await self._writer.run(partial(compaction.step, revision=revision)):
            pass

    async def close(self) -> None:
        self._closing = True
        self._reader.submit(self._reading.close)
        await asyncio.to_thread(self._reader.shutdown)
        await self._writer.close()
        self._lock.release()

    async def _read(self, question: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._reader, question, self._reading, *args)


def _open(path: Path, sink: Sink, loop: asyncio.AbstractEventLoop) -> tuple[SQLiteEngine, Loaded]:
    lock = FileLock(path.with_name(path.name + ".lock"))
    lock.acquire()
    try:
        writing = schema.connect(path)
        try:
            loaded = schema.load(writing)
            reading = schema.connect_reader(path)
        except BaseException:
            writing.close()
            raise
    except BaseException:
        lock.release()
        raise
    return SQLiteEngine(lock, Writer(writing, sink, loop), reading), loaded
