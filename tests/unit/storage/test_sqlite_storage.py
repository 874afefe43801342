"""The SQLite store under the shared suite and the model, and what only a file has: restarts, a lock, full disks."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import settings
from storage_model import StorageMachine
from storage_suite import PODS, A, B, C, StorageSuite, take, told, values

from wherry.storage.interface import Compacted, Storage, StorageError, StorageFull, StorageLocked
from wherry.storage.sqlite import SQLiteStorage, compaction
from wherry.util.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
async def storage(clock: FakeClock, path: Path) -> AsyncIterator[SQLiteStorage]:
    async with await SQLiteStorage.open(path, clock) as storage:
        yield storage


class TestSQLiteStorage(StorageSuite):
    pass


class SQLiteMachine(StorageMachine):
    async def open(self) -> Storage:
        self.folder = tempfile.TemporaryDirectory()
        return await SQLiteStorage.open(Path(self.folder.name) / "state.db", FakeClock())

    async def reopen(self) -> Storage:
        await self.storage.close()
        return await SQLiteStorage.open(Path(self.folder.name) / "state.db", FakeClock())

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


TestSQLiteModel = SQLiteMachine.TestCase
TestSQLiteModel.settings = settings(TestSQLiteModel.settings, max_examples=8)


async def test_everything_survives_a_restart(path: Path, clock: FakeClock) -> None:
    async with await SQLiteStorage.open(path, clock) as storage:
        a = await storage.create(A, b"1")
        b = await storage.create(B, b"1")
        a2 = await storage.update(A, b"2", a.revision)
        gone = await storage.delete(B, b.revision)
    async with await SQLiteStorage.open(path, clock) as storage:
        assert storage.revision == gone.revision
        assert await storage.get(A) == a2
        assert await storage.get(B) is None
        assert (await storage.list(PODS, revision=b.revision)).entries == [a, b]
        assert told(await take(storage.watch(PODS, b.revision), 2)) == [("PUT", A, b"2"), ("DELETE", B, b"1")]
        assert (await storage.create(B, b"2")).revision == gone.revision + 1


async def test_the_revision_outlives_the_row_that_had_it(path: Path, clock: FakeClock) -> None:
    async with await SQLiteStorage.open(path, clock) as storage:
        entry = await storage.create(A, b"1")
        gone = await storage.delete(A, entry.revision)
        await storage.compact(gone.revision)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM log").fetchone() == (0,)
    connection.close()
    async with await SQLiteStorage.open(path, clock) as storage:
        assert (storage.revision, storage.compacted) == (gone.revision, gone.revision)
        with pytest.raises(Compacted):
            await storage.list(PODS, revision=entry.revision)


async def test_compaction_that_a_crash_cut_short_is_finished_by_the_next(path: Path, clock: FakeClock) -> None:
    async with await SQLiteStorage.open(path, clock) as storage:
        entry = await storage.create(A, b"")
        for n in range(20):
            entry = await storage.update(A, b"%d" % n, entry.revision)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE progress SET compacted = 15")
    connection.commit()
    connection.close()
    async with await SQLiteStorage.open(path, clock) as storage:
        assert storage.compacted == 15
        await storage.compact(storage.revision)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT revision FROM log").fetchall() == [(entry.revision,)]
    connection.close()


async def test_writers_get_their_turn_between_steps_of_compaction(storage: SQLiteStorage) -> None:
    entry = await storage.create(A, b"")
    for _ in range(20):
        for n in range(200):
            change = asyncio.ensure_future(storage.update(A, b"%d" % n, entry.revision + n))
            await asyncio.sleep(0)
        entry = await change
    steps = storage.revision // compaction.STEP
    compacting = asyncio.ensure_future(storage.compact(storage.revision))
    written = 0
    while not compacting.done():
        await storage.create(f"{PODS}other/{written}", b"")
        written += 1
    assert written >= steps / 2


async def test_a_ttl_survives_a_restart(path: Path, clock: FakeClock) -> None:
    async with await SQLiteStorage.open(path, clock) as storage:
        await storage.create(A, b"", ttl=60)
        b = await storage.create(B, b"", ttl=60)
        await storage.update(B, b"", b.revision)
        await storage.create(C, b"", ttl=3600)
    clock.jump(100)
    async with await SQLiteStorage.open(path, clock) as storage:
        watch = storage.watch(PODS, storage.revision)
        await clock.settle()
        assert told(await take(watch, 1)) == [("DELETE", A, b"")]
        assert set(values((await storage.list(PODS)).entries)) == {B, C}


async def test_a_second_opener_is_refused_and_told_who_has_it(path: Path, clock: FakeClock, storage: SQLiteStorage) -> None:
    with pytest.raises(StorageLocked, match=r"state\.db is in use by process \d+"):
        await SQLiteStorage.open(path, clock)
    await storage.close()
    async with await SQLiteStorage.open(path, clock):
        pass


async def test_files_are_private(path: Path, storage: SQLiteStorage) -> None:
    await storage.create(A, b"")
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["state.db", "state.db-shm", "state.db-wal", "state.db.lock"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


async def test_another_programs_file_is_refused(path: Path, clock: FakeClock) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StorageError, match="another program"):
        await SQLiteStorage.open(path, clock)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="cannot be opened"):
        await SQLiteStorage.open(path, clock)


class Trigger:
    """Makes the file itself refuse rows whose value is `bad`."""

    def __init__(self, path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.execute("CREATE TRIGGER refuse BEFORE INSERT ON log WHEN new.value = x'626164' BEGIN SELECT raise(ABORT, 'no'); END")
        connection.close()


async def test_a_commit_that_fails_fails_all_that_rests_on_it_and_nothing_else(path: Path, storage: SQLiteStorage) -> None:
    a = await storage.create(A, b"1")
    Trigger(path)
    before = storage.revision
    watch = storage.watch(PODS, before)
    first = [storage.update(A, b"bad", a.revision), storage.create(B, b"1"), storage.update(A, b"2", a.revision + 1)]
    results = await asyncio.gather(*first, return_exceptions=True)
    assert [type(r) for r in results] == [StorageFull] * 3
    assert storage.revision == before
    assert storage.pending(A) is None
    assert await storage.get(A) == a
    b = await storage.create(B, b"2")
    a2 = await storage.update(A, b"3", a.revision)
    assert a2.revision > b.revision > before + 3  # revisions of failed writes are not used again
    assert [event.entry for event in await take(watch, 2)] == [b, a2]


async def test_what_was_decided_by_a_write_that_failed_is_decided_again(path: Path, storage: SQLiteStorage) -> None:
    a = await storage.create(A, b"1")
    Trigger(path)
    bad = asyncio.ensure_future(storage.update(A, b"bad", a.revision))
    good = asyncio.ensure_future(storage.update(A, b"2", a.revision))  # a mismatch, were it not for the failure
    results = await asyncio.gather(bad, good, return_exceptions=True)
    assert isinstance(results[0], StorageFull)
    assert results[1] == await storage.get(A)


async def test_a_cancelled_caller_of_a_write_that_fails_leaves_no_trace(path: Path, storage: SQLiteStorage) -> None:
    Trigger(path)
    bad = asyncio.ensure_future(storage.create(A, b"bad"))
    await asyncio.sleep(0)
    bad.cancel()
    with pytest.raises(StorageFull):
        await storage.settle(A)
    assert await storage.get(A) is None


async def test_groups_larger_than_a_statement_are_one_commit(path: Path, storage: SQLiteStorage) -> None:
    Trigger(path)
    writes = [storage.create(f"{PODS}default/{n}", b"bad" if n == 199 else b"") for n in range(200)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(r) for r in results} == {StorageFull}
    assert (await storage.list(PODS)).entries == []
    writes = [storage.create(f"{PODS}default/{n}", b"") for n in range(1000)]
    await asyncio.gather(*writes)
    assert len((await storage.list(PODS)).entries) == 1000
