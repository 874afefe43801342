"""Byte plumbing that both framings share: a bounded pipe, an exact reader, and a bounded wait."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Coroutine
from typing import Any

from wherry.apimachinery.http import Duplex
from wherry.util.clock import Clock, wait_until

LIMIT = 256 << 10  # bytes a pipe holds before its writer waits
CREATION_TIMEOUT = 30.0  # seconds a client has to make the streams it announced (as upstream)
_LINGER = 5.0


class Pipe:
    """Bytes from one task to another; the writer waits while the reader is slow."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._parts: deque[bytes] = deque()
        self._size, self._limit = 0, limit
        self._ended = self._discarding = False
        self._changed = asyncio.Condition()

    async def put(self, data: bytes) -> None:
        """Add `data`, first waiting for room.  Dropped when nobody will read it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._size < self._limit or self._discarding)
            if data and not self._discarding and not self._ended:
                self._parts.append(data)
                self._size += len(data)
                self._changed.notify_all()

    async def end(self) -> None:
        """No more comes."""
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    async def discard(self) -> None:
        """Nobody reads any more: drop what is here and what comes."""
        async with self._changed:
            self._discarding = True
            self._parts.clear()
            self._size = 0
            self._changed.notify_all()

    async def get(self) -> bytes:
        """The next bytes; empty at the end."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._parts or self._ended or self._discarding)
            if not self._parts:
                return b""
            data = self._parts.popleft()
            self._size -= len(data)
            self._changed.notify_all()
            return data


class ExactReader:
    """Reads a Duplex by counted bytes."""

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        self._buffer = bytearray()

    async def exactly(self, count: int) -> bytes:
        """Raises EOFError when the other side ends first."""
        buffer = self._buffer
        while len(buffer) < count:
            data = await self._duplex.read()
            if not data:
                raise EOFError
            buffer += data
        taken = bytes(buffer[:count])
        del buffer[:count]
        return taken


async def linger(clock: Clock, gone: Awaitable[None]) -> None:
    """Let the client close first: closing a socket with unread input would reset it, and lose our last words."""
    with contextlib.suppress(TimeoutError):
        await wait_until(clock, clock.monotonic() + _LINGER, gone)


async def first(*works: Coroutine[Any, Any, Any]) -> None:
    """Run until one of `works` ends; the others are cancelled.  Raises what the one that ended raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in tasks:
        if task in done:
            task.result()
