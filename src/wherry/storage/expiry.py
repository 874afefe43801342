"""TTL: deletes what has outlived its time, as an ordinary deletion that watchers see."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Iterable

from wherry.storage.engine import Expiring
from wherry.storage.interface import KeyMissing, RevisionMismatch, StorageError
from wherry.util.clock import Clock

log = logging.getLogger(__name__)

LONGEST_SLEEP = 60.0  # seconds: wall time may be set forward while we sleep in monotonic time
RETRY = 5.0  # seconds until a deletion that the disk refused is tried again
AT_ONCE = 100  # deletions staged together: an hour's Events falling due after a restart do not crowd out writers


class Expiry:
    """A heap of times.  Entries of versions that were replaced since stay until due and are then ignored."""

    def __init__(self, clock: Clock, delete: Callable[[str, int], Awaitable[object]], known: Iterable[Expiring]) -> None:
        self._clock = clock
        self._delete = delete
        self._heap = list(known)
        heapq.heapify(self._heap)
        self._sooner = asyncio.Event()

    def add(self, item: Expiring) -> None:
        heapq.heappush(self._heap, item)
        if self._heap[0] is item:
            self._sooner.set()

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            wait = self._heap[0].when - self._clock.time() if self._heap else None
            if wait is None or wait > 0:
                await self._sleep(wait)
                continue
            due = self._take_due()
            results = await asyncio.gather(*(self._expire(item) for item in due))
            if not all(results):
                await self._clock.sleep(RETRY)

    def _take_due(self) -> list[Expiring]:
        now = self._clock.time()
        due: list[Expiring] = []
        while self._heap and self._heap[0].when <= now and len(due) < AT_ONCE:
            due.append(heapq.heappop(self._heap))
        return due

    async def _expire(self, item: Expiring) -> bool:
        try:
            await self._delete(item.key, item.revision)
        except (KeyMissing, RevisionMismatch):
            return True
        except StorageError as error:
            log.warning("%s has outlived its time but cannot be deleted: %s", item.key, error)
            heapq.heappush(self._heap, item)
            return False
        return True

    async def _sleep(self, seconds: float | None) -> None:
        """Until `seconds` have passed (None: for ever) or something is due sooner."""
        self._sooner.clear()
        if seconds is None:
            await self._sooner.wait()
            return
        waits = {
            asyncio.ensure_future(self._clock.sleep(min(seconds, LONGEST_SLEEP))),
            asyncio.ensure_future(self._sooner.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
