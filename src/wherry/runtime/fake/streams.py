"""Streams of a fake process: what it prints is known beforehand, what it reads is kept."""

from __future__ import annotations

import asyncio
from collections import deque


class FakeStreams:
    """`Streams` whose output is fed by the fake runtime and which ends when told."""

    def __init__(self, tty: bool = False) -> None:
        self._output: deque[tuple[int, bytes]] = deque()
        self._changed = asyncio.Event()
        self._exit: int | None = None
        self.tty = tty
        self.stdin = bytearray()
        self.stdin_closed = False
        self.size = (0, 0)

    def feed(self, stream: int, data: bytes) -> None:
        if data:
            self._output.append((1 if self.tty else stream, data))
            self._changed.set()

    def end(self, exit_code: int) -> None:
        if self._exit is None:
            self._exit = exit_code
        self._changed.set()

    async def write_stdin(self, data: bytes) -> None:
        if self.stdin_closed:
            raise BrokenPipeError("stdin is closed")
        self.stdin += data

    async def close_stdin(self) -> None:
        self.stdin_closed = True

    async def read(self) -> tuple[int, bytes] | None:
        while not self._output:
            if self._exit is not None:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._output.popleft()

    async def resize(self, width: int, height: int) -> None:
        self.size = (width, height)

    async def wait(self) -> int:
        while self._exit is None:
            self._changed.clear()
            await self._changed.wait()
        return self._exit

    async def close(self) -> None:
        self.end(137)
