"""Measures storage and watch cache alone: `python tools/bench_storage.py [FOLDER]` (the folder's disk is what counts)."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from wherry.api.registry import BUILTIN
from wherry.apimachinery.labels import Selector
from wherry.storage.cached import WatchEvent
from wherry.storage.cacher import Cacher
from wherry.storage.interface import Storage
from wherry.storage.sqlite import SQLiteStorage
from wherry.util.clock import RealClock

VALUE = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{"x":"%s"}}' % (b"x" * 900)


def pod(number: int) -> bytes:
    meta = {"name": f"p{number}", "namespace": "default", "labels": {"app": f"a{number % 100}", "tier": "x"}}
    return json.dumps({"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": {"x": "y" * 2000}}).encode()


def encode(value: bytes, revision: int) -> bytes:
    return value.replace(b'"metadata": {', b'"metadata": {"resourceVersion":"%d",' % revision, 1)


async def rate(what: str, count: int, work: Awaitable[object]) -> None:
    begin = time.perf_counter()
    await work
    print(f"{what:50} {count / (time.perf_counter() - begin):10,.0f} /s")


async def side_by_side(writers: int, count: int, write: Callable[[int, int], Awaitable[object]]) -> None:
    async def writer(number: int) -> None:
        for n in range(count):
            await write(number, n)

    await asyncio.gather(*(writer(number) for number in range(writers)))


async def writes(storage: Storage) -> None:
    for writers, count in ((1, 3000), (16, 2000), (64, 500)):

        async def create(number: int, n: int, writers: int = writers) -> None:
            await storage.create(f"/registry/configmaps/w{writers}-{number}/{n}", VALUE)

        await rate(f"creates, durable, {writers} writers", writers * count, side_by_side(writers, count, create))
    hot = await storage.create("/registry/deployments/default/hot", VALUE)

    async def update(number: int, n: int) -> None:
        newest = storage.pending(hot.key) or await storage.get(hot.key)
        newest = storage.pending(hot.key) or newest
        assert newest is not None
        await storage.update(hot.key, VALUE, newest.revision)

    await rate("updates of one object, 16 writers", 16_000, side_by_side(16, 1000, update))
    page_begin = time.perf_counter()
    page = await storage.list("/registry/", limit=500)
    print(f"{f'a page of 500 of {500 + page.remaining}, from the file':50} {(time.perf_counter() - page_begin) * 1e3:10.1f} ms")
    begin = time.perf_counter()
    await storage.compact(storage.revision)
    print(f"{'compaction of it all':50} {(time.perf_counter() - begin) * 1e3:10.1f} ms")


async def cache(storage: Storage) -> None:
    pods = next(row for row in BUILTIN.resources if row.plural == "pods" and not row.group)
    cacher = await Cacher.open(storage, pods, encode)
    await asyncio.gather(*(storage.create(f"/registry/pods/default/p{n}", pod(n)) for n in range(1000)))

    async def lists(selector: Selector | None, count: int) -> None:
        for _ in range(count):
            cacher.list("default", selector)

    await rate("lists of 1,000 from the cache", 2000, lists(None, 2000))
    await rate("lists by a label that 1 % have", 20_000, lists(Selector.parse("app=a7"), 20_000))
    delivered = 0

    def on_events(events: list[WatchEvent]) -> None:
        nonlocal delivered
        delivered += len(events)

    for _ in range(100):
        cacher.subscribe(cacher.revision, "", on_events, lambda: None)

    async def update(number: int, n: int) -> None:
        found = cacher.get("default", f"p{number}")
        assert found is not None
        await storage.update(found.key, pod(number), found.revision)

    await rate("events to 100 watchers, 16 writers", 16 * 500 * 100, side_by_side(16, 500, update))
    assert delivered == 16 * 500 * 100
    cacher.close()


async def main(folder: str | None) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        async with await SQLiteStorage.open(Path(place) / "state.db", RealClock()) as storage:
            await writes(storage)
            await cache(storage)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
