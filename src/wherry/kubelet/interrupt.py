"""Leaving a wait early: a Pod that must stop does not wait for an image or a hook to finish.

Only waits are left so; a runtime verb that has begun is always let finish, so that nothing is half made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from wherry.util.tasks import unless

T = TypeVar("T")


class Interrupted(Exception):
    """The sync was called off."""


class Interrupt:
    """Set once, when a Pod begins to terminate."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        self._event.set()

    def is_set(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        if self._event.is_set():
            raise Interrupted

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await `work`, but cancel it and raise Interrupted when the interrupt is set."""
        if self._event.is_set():
            work.close()
            raise Interrupted
        return await unless(self._event.wait(), work, Interrupted)
