"""Time as everything in wherry sees it: one injected clock, sleeps included.

Nothing calls `time.time()`, `asyncio.sleep` or `datetime.now` directly (transport time-outs
excepted); everything takes a `Clock`.  Tests drive a `FakeClock` and never sleep.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol, TypeVar

from wherry.util.tasks import unless

T = TypeVar("T")


class Clock(Protocol):
    """Wall time for what users see, monotonic time for measuring, and sleep."""

    def time(self) -> float:
        """Seconds since the epoch (may jump)."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never jumps."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time; at once (but yielding) when not positive."""
        ...


class RealClock:
    """The machine's own clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class FakeClock:
    """A clock that moves only when told: `await clock.advance(5)` wakes sleepers in order."""

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._offset = start
        self._now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self._offset + self._now

    def monotonic(self) -> float:
        return self._now

    def jump(self, seconds: float) -> None:
        """Move wall time alone, as an administrator or NTP would."""
        self._offset += seconds

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiter = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass; every sleeper that falls due runs before later ones do."""
        end = self._now + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, waiter = heapq.heappop(self._sleepers)
            self._now = max(self._now, due)
            if not waiter.done():
                waiter.set_result(None)
            await self.settle()
        self._now = end
        await self.settle()

    async def settle(self, turns: int = 20) -> None:
        """Give tasks that can run now their turns of the loop."""
        for _ in range(turns):
            await asyncio.sleep(0)


def rfc3339(seconds: float) -> str:
    """Wall time as the API writes it (metav1.Time): `2026-11-23T20:23:50Z`."""
    return _rfc3339(int(seconds))


@lru_cache(maxsize=256)  # many writes happen in one second
def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(seconds: float) -> str:
    """Wall time with microseconds (metav1.MicroTime): `2026-11-23T20:23:50.123456Z`."""
    whole, micro = divmod(round(seconds * 1e6), 1_000_000)
    return f"{_rfc3339(whole)[:-1]}.{micro:06d}Z"


@lru_cache(maxsize=4096)  # thousands of Pods became ready within the same minutes
def parse_rfc3339(text: str) -> float:
    """Seconds since the epoch.  Raises ValueError when `text` is no RFC 3339 time."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


async def wait_until(clock: Clock, deadline: float, thing: Awaitable[T]) -> T:
    """Await `thing`, but raise TimeoutError once `clock.monotonic()` reaches `deadline`."""
    return await unless(clock.sleep(deadline - clock.monotonic()), thing, TimeoutError)
