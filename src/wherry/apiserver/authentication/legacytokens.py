"""Which tokens of Secrets are in use: their Secrets are labelled with the day (KEP-2799).

https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#legacy-serviceaccount-token-tracking-controller
The controller manager's cleaner goes by these labels, and by the day since which they have been kept.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Protocol

from wherry.apimachinery.errors import StatusError
from wherry.util.clock import Clock, rfc3339

LAST_USED = "kubernetes.io/legacy-token-last-used"
log = logging.getLogger(__name__)


class Labeller(Protocol):
    async def write_labels(self, group: str, plural: str, namespace: str, name: str, labels: dict[str, str]) -> None: ...


def today(clock: Clock) -> str:
    """The day in UTC, as labels have it."""
    return rfc3339(clock.time())[:10]


class LegacyTokenTracker:
    """Writes behind the request that used the token, at most once a day and Secret."""

    def __init__(self, server: Labeller, clock: Clock) -> None:
        self._server, self._clock = server, clock
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def used(self, namespace: str, secret: str, labels: Mapping[str, str]) -> None:
        day, key = today(self._clock), (namespace, secret)
        if labels.get(LAST_USED) == day or key in self._tasks:
            return
        writing = self._write(namespace, secret, day)
        task = self._tasks[key] = asyncio.get_running_loop().create_task(writing, name=f"last use of {namespace}/{secret}")
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _write(self, namespace: str, secret: str, day: str) -> None:
        try:
            await self._server.write_labels("", "secrets", namespace, secret, {LAST_USED: day})
        except (StatusError, OSError) as error:
            log.warning("secret %s/%s: the day of its last use cannot be written: %s", namespace, secret, error)

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
