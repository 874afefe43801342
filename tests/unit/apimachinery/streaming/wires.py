"""Both ends of a connection in memory, and the client's side of the framings."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from typing import Any

from wherry.apimachinery.streaming.spdy import DICTIONARY, control
from wherry.apimachinery.streaming.websocket import unmask


class Memory:
    """A Duplex whose other side is the test."""

    def __init__(self) -> None:
        self.sent = bytearray()  # by the server
        self._incoming: asyncio.Queue[bytes] = asyncio.Queue()
        self._wrote = asyncio.Event()
        self.unread = 0

    def feed(self, data: bytes) -> None:
        self._incoming.put_nowait(data)
        self.unread += len(data)

    async def read(self, limit: int = 65536) -> bytes:
        data = await self._incoming.get()
        self.unread -= len(data)
        return data

    async def write(self, data: bytes) -> None:
        self.sent += data
        self._wrote.set()

    async def close(self) -> None:
        pass

    async def until(self, count: int) -> bytes:
        """The next `count` bytes that the server sends."""
        while len(self.sent) < count:
            self._wrote.clear()
            await asyncio.wait_for(self._wrote.wait(), 5)
        taken = bytes(self.sent[:count])
        del self.sent[:count]
        return taken


def masked(opcode: int, data: bytes, *, final: bool = True, mask: bytes = b"\x01\x02\x03\x04") -> bytes:
    """A client's WebSocket frame."""
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2, "big") if size < 65536 else b"\xff" + size.to_bytes(8, "big")
    return bytes([(0x80 if final else 0) | opcode]) + length + mask + unmask(data, mask)


async def message(memory: Memory) -> tuple[int, bytes]:
    """(opcode, data) of the server's next frame."""
    first, size = await memory.until(2)
    if size == 126:
        size = int.from_bytes(await memory.until(2), "big")
    elif size == 127:
        size = int.from_bytes(await memory.until(8), "big")
    return first & 0x0F, await memory.until(size)


class SPDYClient:
    """Writes a client's frames and reads the server's."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def open(self, number: int, headers: dict[str, str], *, end: bool = False) -> None:
        texts = [text.encode() for pair in headers.items() for text in pair]
        plain = struct.pack("!I", len(headers)) + b"".join(struct.pack("!I", len(text)) + text for text in texts)
        block = self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        self.memory.feed(control(1, 1 if end else 0, struct.pack("!IIH", number, 0, 0) + block))

    def data(self, number: int, data: bytes, *, end: bool = False) -> None:
        self.memory.feed(struct.pack("!II", number, (1 << 24 if end else 0) | len(data)) + data)

    def reset(self, number: int) -> None:
        self.memory.feed(control(3, 0, struct.pack("!II", number, 5)))

    async def frame(self) -> tuple[Any, int, bytes]:
        """("data", id) or the control frame's type; flags; payload."""
        first, second = struct.unpack("!II", await self.memory.until(8))
        payload = await self.memory.until(second & 0xFFFFFF)
        return (first & 0xFFFF if first & 0x80000000 else ("data", first)), second >> 24, payload


class FakeProcess:
    """What exec starts: its output is queued by the test."""

    def __init__(self, code: int = 0, *items: tuple[int, bytes]) -> None:
        self.items: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        for item in items:
            self.items.put_nowait(item)
        self.stdin = bytearray()
        self.stdin_closed = asyncio.Event()
        self.sizes: list[tuple[int, int]] = []
        self.closed = asyncio.Event()
        self.code = code

    async def write_stdin(self, data: bytes) -> None:
        self.stdin += data

    async def close_stdin(self) -> None:
        self.stdin_closed.set()
        self.items.put_nowait(None)

    async def read(self) -> tuple[int, bytes] | None:
        return await self.items.get()

    async def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))

    async def wait(self) -> int:
        return self.code

    async def close(self) -> None:
        self.closed.set()


def status(data: bytes) -> Any:
    return json.loads(data)
