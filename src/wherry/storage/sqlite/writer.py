"""The writer's thread: commits whatever is staged as one group, answers on the loop in one call.

A group is one INSERT statement where it can be, in autocommit: every statement gives up the interpreter's
lock, and getting it back from a busy loop can take longer than the sync to disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from wherry.storage.engine import Sink, Write
from wherry.storage.interface import StorageClosed, StorageError, StorageFull

log = logging.getLogger(__name__)

T = TypeVar("T")

LARGEST_GROUP = 256  # writes
ROWS = 32  # of one INSERT statement; each number of rows is a prepared statement
CHECKPOINT_BYTES = 4 << 20  # written to the WAL before it is copied into the file (an estimate)
PAGES_OF_A_COMMIT = 3 * 4096  # the table's and the index's that every commit writes anew
BESIDE_A_VALUE = 1024
PAGES_OF_A_JOB = 1 << 20  # a step of compaction changes some hundred pages

INSERT = "INSERT INTO log (revision, key, value, create_revision, previous_revision, expires) VALUES "
VALUES = "SELECT revision, value FROM log WHERE revision IN (SELECT value FROM json_each(?))"


@dataclass(slots=True)
class Job:
    """Something else that needs the writing connection, between groups."""

    action: Callable[[sqlite3.Connection], Any]
    done: asyncio.Future[Any]


class Writer:
    """Owns the writing connection.  `submit`, `run` and `close` are called on the loop."""

    def __init__(self, connection: sqlite3.Connection, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._sink = sink
        self._loop = loop
        self._queue: SimpleQueue[list[Write] | Job | None] = SimpleQueue()
        self._failed_epoch = -1
        self._in_wal = 0
        self._closed: asyncio.Future[None] | None = None
        self._thread = threading.Thread(target=self._main, name="sqlite writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, writes: list[Write]) -> None:
        self._queue.put(writes)

    async def run(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """Run `action` between groups.  Raises StorageFull, StorageClosed."""
        if self._closed is not None:
            raise StorageClosed
        job = Job(action, self._loop.create_future())
        self._queue.put(job)
        return await asyncio.shield(job.done)

    async def close(self) -> None:
        """Everything submitted before is done and answered when this returns."""
        if self._closed is None:
            self._closed = self._loop.create_future()
            self._queue.put(None)
        await asyncio.shield(self._closed)
        self._thread.join()

    # In the thread

    def _main(self) -> None:
        item: list[Write] | Job | None = []
        while item is not None:
            item = self._queue.get()
            if isinstance(item, list):
                group, item = self._gather(item)
                self._write(group)
            if isinstance(item, Job):
                self._do(item)
            if self._in_wal > CHECKPOINT_BYTES:
                self._checkpoint()
        try:
            self._connection.close()
        finally:
            assert self._closed is not None
            self._tell(self._closed.set_result, None)

    def _gather(self, group: list[Write]) -> tuple[list[Write], Job | list[Write] | None]:
        """Add what else is staged, up to the next job, which is returned too ([]: there is none)."""
        try:
            while len(group) < LARGEST_GROUP:
                item = self._queue.get_nowait()
                if not isinstance(item, list):
                    return group, item
                group += item
        except Empty:
            pass
        return group, []

    def _write(self, group: list[Write]) -> None:
        doomed = [write for write in group if write.epoch <= self._failed_epoch]
        if doomed:
            self._tell(self._sink.failed, doomed, StorageFull("a write before this one failed"))
            group = [write for write in group if write.epoch > self._failed_epoch]
        if not group:
            return
        try:
            self._fill_values([write for write in group if write.needs_value])
            self._insert([_row(write) for write in group])
        except Exception as error:
            self._roll_back()
            self._failed_epoch = group[-1].epoch
            self._tell(self._sink.failed, group, _failure(error))
        else:
            self._in_wal += PAGES_OF_A_COMMIT + sum(len(write.change.value) + BESIDE_A_VALUE for write in group)
            self._tell(self._sink.committed, group)

    def _fill_values(self, deletions: list[Write]) -> None:
        if not deletions:
            return
        revisions = json.dumps([write.change.previous_revision for write in deletions])
        values: dict[int, bytes] = dict(self._connection.execute(VALUES, (revisions,)).fetchall())
        for write in deletions:
            write.change = write.change._replace(value=values[write.change.previous_revision])

    def _insert(self, rows: list[tuple[Any, ...]]) -> None:
        statements = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
        if len(statements) > 1:
            self._connection.execute("BEGIN IMMEDIATE")
        for part in statements:
            sql = INSERT + ",".join(["(?,?,?,?,?,?)"] * len(part))
            self._connection.execute(sql, [cell for row in part for cell in row])
        if len(statements) > 1:
            self._connection.execute("COMMIT")

    def _do(self, job: Job) -> None:
        try:
            result = job.action(self._connection)
        except Exception as error:
            self._roll_back()
            self._tell(job.done.set_exception, _failure(error))
        else:
            self._in_wal += PAGES_OF_A_JOB
            self._tell(job.done.set_result, result)

    def _checkpoint(self) -> None:
        """Copy the WAL into the file, so that the next write starts the WAL anew."""
        self._in_wal = 0
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            log.warning("the write-ahead log cannot be copied into the data file now: %s", error)

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error:
                log.exception("a failed write cannot be rolled back")

    def _tell(self, function: Callable[..., object], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            log.error("the event loop ended before the store was closed")


def _row(write: Write) -> tuple[Any, ...]:
    change = write.change
    value, created = (None, 0) if change.deleted else (change.value, change.create_revision)
    return (change.revision, change.key, value, created, change.previous_revision, write.expires)


def _failure(error: Exception) -> StorageError:
    if isinstance(error, sqlite3.Error):
        return StorageFull(f"the store cannot write: {error}")
    return StorageError(f"the store cannot write: {error!r}")
