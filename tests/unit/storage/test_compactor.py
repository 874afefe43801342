"""History of the last interval stays; what is older goes."""

from __future__ import annotations

import asyncio

from wherry.storage.compactor import compact_periodically
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import FakeClock


async def test_what_is_older_than_an_interval_is_forgotten() -> None:
    clock = FakeClock()
    async with await MemoryStorage.open(clock) as storage:
        task = asyncio.ensure_future(compact_periodically(storage, clock, 300))
        seen = []
        for n in range(3):
            await clock.advance(299)
            await storage.create(f"/registry/pods/default/{n}", b"")
            await clock.advance(1)
            seen.append((storage.revision, storage.compacted))
        assert seen == [(2, 1), (3, 2), (4, 3)]
        await storage.close()
        await clock.advance(300)
        await asyncio.wait_for(task, 10)
