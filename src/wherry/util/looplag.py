"""The event loop's lag as a metric: everything shares one loop, so whoever holds it up is told of.

A late wake-up of a periodic sleep is the lag; over 50 ms it is logged with what ran.
"""

from __future__ import annotations

import asyncio
import logging
import time

log = logging.getLogger(__name__)
PERIOD, TOLERATED = 0.1, 0.05


class LoopLag:
    """Measures for ever; `worst` and `total` are seconds since the start."""

    def __init__(self) -> None:
        self.worst = 0.0
        self.total = 0.0
        self.late = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            due = time.monotonic() + PERIOD
            await asyncio.sleep(PERIOD)
            lag = time.monotonic() - due
            self.total += max(0.0, lag)
            self.worst = max(self.worst, lag)
            if lag > TOLERATED:
                self.late += 1
                log.debug("the loop was held up for %.0f ms", lag * 1e3)
