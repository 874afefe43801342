"""A full disk: writes fail and say so, reads and watches go on, and writes work again when there is space."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wherry.storage.interface import Entry, StorageFull
from wherry.storage.sqlite import SQLiteStorage
from wherry.util.clock import RealClock

PREFIX = "/registry/configmaps/"


async def write_until_full(storage: SQLiteStorage) -> list[Entry]:
    written: list[Entry] = []
    for n in range(2000):
        try:
            written.append(await storage.create(f"{PREFIX}full/{n:04}", os.urandom(8000)))
        except StorageFull:
            return written
    raise AssertionError("the disk did not fill up")


async def check(path: Path, fill: Callable[[], None], free: Callable[[], None]) -> None:
    async with await SQLiteStorage.open(path, RealClock()) as storage:
        first = await storage.create(f"{PREFIX}default/a", b"1")
        fill()
        written = await write_until_full(storage)
        newest = storage.revision
        assert newest == (written[-1] if written else first).revision
        results = await asyncio.gather(
            storage.update(first.key, os.urandom(50_000), first.revision),
            *(storage.create(f"{PREFIX}default/{n}", os.urandom(50_000)) for n in range(5)),
            return_exceptions=True,
        )
        assert {type(result) for result in results} == {StorageFull}
        assert storage.revision == newest
        assert await storage.get(first.key) == first
        assert (await storage.list(PREFIX)).entries == [first, *written]
        watch = storage.watch(PREFIX, first.revision - 1)
        assert (await anext(watch))[0].entry == first
        free()
        updated = await storage.update(first.key, b"2", first.revision)
        assert updated.revision > newest
        last = await storage.create(f"{PREFIX}default/b", os.urandom(50_000))
    async with await SQLiteStorage.open(path, RealClock()) as storage:
        assert (await storage.list(PREFIX)).entries == [updated, last, *written]
        assert storage.revision == last.revision


async def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    old = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, old[1]))

    def free() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)

    try:
        await check(tmp_path / "state.db", fill, free)
    finally:
        free()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    with small_disk(tmp_path):
        ballast = tmp_path / "ballast"

        def fill() -> None:
            ballast.write_bytes(b"x" * (7 << 20))

        await check(tmp_path / "state.db", fill, ballast.unlink)
