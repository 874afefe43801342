"""A raw connection after a 101: what exec, attach and port-forward speak over."""

from __future__ import annotations

import asyncio
from typing import cast

LIMIT = 1 << 20


class RawConnection(asyncio.Protocol):
    """A Duplex over an asyncio transport: one that was taken from its HTTP protocol, or one that is made with it."""

    _transport: asyncio.Transport

    def __init__(self, transport: asyncio.Transport | None = None) -> None:
        if transport is not None:
            self._transport = transport
        self._parts: list[bytes] = []
        self._size = 0
        self._eof = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost = False

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by name

    def data_received(self, data: bytes) -> None:
        self._parts.append(bytes(data))
        self._size += len(data)
        if self._size > LIMIT:
            self._transport.pause_reading()
        self._readable.set()

    def eof_received(self) -> bool:
        self._eof = True
        self._readable.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._eof = self._lost = True
        self._readable.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def push_back(self, data: bytes) -> None:
        """Read this first: it came with what was read before."""
        if data:
            self._parts.insert(0, data)
            self._size += len(data)

    # Duplex

    async def read(self, limit: int = 65536) -> bytes:
        while not self._parts:
            if self._eof:
                return b""
            self._readable.clear()
            await self._readable.wait()
        data = b"".join(self._parts)
        taken, rest = data[:limit], data[limit:]
        self._parts = [rest] if rest else []
        if self._size > LIMIT >= len(rest) and not self._lost:
            self._transport.resume_reading()
        self._size = len(rest)
        return taken

    async def write(self, data: bytes) -> None:
        if self._lost:
            raise ConnectionResetError("the client went away")
        self._transport.write(data)
        await self._writable.wait()

    async def close(self) -> None:
        self._transport.close()
