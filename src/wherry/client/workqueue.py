"""client-go's work queue: each key is handled by one worker at a time, and never forgotten.

A key that is added while it waits is one key; one that is added while a worker has it waits for
that worker's `done`.  `run` serves the delayed ones and is a task of the queue's owner.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from typing import Generic, TypeVar

from wherry.util.clock import Clock, wait_until
from wherry.util.metrics import DECADES, Distribution

K = TypeVar("K", bound=str)


class QueueShutDown(Exception):
    """Nothing more will come."""


class RateLimiter:
    """How long a key that failed waits: the longer of its own exponential delay and the common token bucket."""

    def __init__(self, clock: Clock, base: float = 0.005, cap: float = 1000.0, qps: float = 10.0, burst: int = 100) -> None:
        self._clock, self._base, self._cap, self._qps, self._burst = clock, base, cap, qps, burst
        self._failures: dict[str, int] = {}
        self._tokens, self._filled = float(burst), clock.monotonic()  # below zero: promised to waiters

    def when(self, key: str) -> float:
        """Seconds until `key` may be tried again; counts one more failure."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        own = min(self._base * 2.0 ** min(failures, 60), self._cap)
        return max(own, self._take())

    def _take(self) -> float:
        now = self._clock.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._qps) - 1
        self._filled = now
        return max(0.0, -self._tokens / self._qps)

    def forget(self, key: str) -> None:
        self._failures.pop(key, None)

    def failures(self, key: str) -> int:
        return self._failures.get(key, 0)


class WorkQueue(Generic[K]):
    """Keys to reconcile, in order of arrival."""

    def __init__(self, clock: Clock, limiter: RateLimiter | None = None) -> None:
        self._clock = clock
        self.limiter = limiter or RateLimiter(clock)
        self._queue: deque[K] = deque()  # in order; every key in it is dirty and not processing
        self._dirty: set[K] = set()  # needs work: in the queue, or processing and added again since
        self._processing: set[K] = set()  # a worker has it; it is in the queue only after its `done`
        self._waiting: list[tuple[float, K]] = []  # a heap; may hold stale entries, `_due` says which count
        self._due: dict[K, float] = {}  # the earliest time each delayed key falls due
        self._ready = asyncio.Event()  # set while the queue holds something, or is shut down
        self._delayed = asyncio.Event()  # set when the first due time has changed
        self._shut_down = False
        # For metrics: upstream's workqueue_*.
        self.adds = self.retries = 0
        self.waited, self.worked = Distribution(DECADES), Distribution(DECADES)  # seconds
        self._added: dict[K, float] = {}  # monotonic: since when a key waits
        self._begun: dict[K, float] = {}  # since when a worker has it

    @property
    def unfinished(self) -> tuple[float, float]:
        """Seconds that workers have had the keys which they have now: (in all, the longest)."""
        now = self._clock.monotonic()
        each = [now - begun for begun in self._begun.values()]
        return sum(each), max(each, default=0.0)

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Nothing is queued or being worked on (delayed keys aside)."""
        return not self._queue and not self._processing

    def add(self, key: K) -> None:
        if self._shut_down or key in self._dirty:
            return
        self._dirty.add(key)
        self.adds += 1
        self._added[key] = self._clock.monotonic()
        if key not in self._processing:
            self._queue.append(key)
            self._ready.set()

    async def get(self) -> K:
        """The next key; call `done` with it, whatever happens.  Raises QueueShutDown once empty after `shut_down`."""
        while not self._queue:
            if self._shut_down:
                raise QueueShutDown
            self._ready.clear()
            await self._ready.wait()
        key = self._queue.popleft()
        self._processing.add(key)
        self._dirty.discard(key)
        now = self._begun[key] = self._clock.monotonic()
        self.waited.observe(now - self._added.pop(key, now))
        return key

    def done(self, key: K) -> None:
        self._processing.discard(key)
        begun = self._begun.pop(key, None)
        if begun is not None:
            self.worked.observe(self._clock.monotonic() - begun)
        if key in self._dirty:
            self._queue.append(key)
            self._ready.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Add `key` once `seconds` have passed; an earlier time that it waits for already stays."""
        if seconds <= 0:
            self.add(key)
            return
        if self._shut_down:
            return
        due = self._clock.monotonic() + seconds
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._waiting, (due, key))
            self._delayed.set()

    def add_rate_limited(self, key: K) -> None:
        self.retries += 1
        self.add_after(key, self.limiter.when(key))

    def forget(self, key: K) -> None:
        """`key` has succeeded: its failures do not count any more."""
        self.limiter.forget(key)

    def num_requeues(self, key: K) -> int:
        return self.limiter.failures(key)

    def shut_down(self) -> None:
        self._shut_down = True
        self._ready.set()

    async def run(self) -> None:
        """Move delayed keys into the queue as they fall due, until cancelled."""
        while True:
            self._delayed.clear()
            now = self._clock.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                due, key = heapq.heappop(self._waiting)
                if self._due.get(key) == due:
                    del self._due[key]
                    self.add(key)
            if not self._waiting:
                await self._delayed.wait()
                continue
            try:
                await wait_until(self._clock, self._waiting[0][0], self._delayed.wait())
            except TimeoutError:
                continue
