"""Waiting longer after each failure, with jitter, on the injected clock."""

from __future__ import annotations

import random

from wherry.util.clock import Clock


class Backoff:
    """From `base` seconds, times `factor`, up to `cap`; each wait up to `jitter` longer.

    Starts anew when the last failure is older than `reset_after` seconds (client-go's reflector: 0.8 s to 30 s, 2 min).
    """

    def __init__(
        self, clock: Clock, base: float = 0.8, cap: float = 30.0, factor: float = 2.0, jitter: float = 1.0,
        reset_after: float = 120.0, rng: random.Random | None = None,
    ) -> None:
        self._clock, self._base, self._cap, self._factor = clock, base, cap, factor
        self._jitter, self._reset_after, self._rng = jitter, reset_after, rng or random.Random()
        self._next, self._last = base, clock.monotonic()

    async def wait(self) -> None:
        now = self._clock.monotonic()
        if now - self._last > self._reset_after:
            self._next = self._base
        seconds = self._next * (1 + self._rng.random() * self._jitter)
        self._next = min(self._next * self._factor, self._cap)
        self._last = now + seconds
        await self._clock.sleep(seconds)
