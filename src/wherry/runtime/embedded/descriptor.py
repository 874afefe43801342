"""A pipe, terminal or socket end that the event loop reads and writes without blocking."""

import asyncio
import errno
import os
from collections.abc import Callable


class Descriptor:
    """Owns a file descriptor.  One reader and one writer at a time."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._loop = asyncio.get_running_loop()
        self._waiters: set[asyncio.Future[None]] = set()
        os.set_blocking(number, False)

    @property
    def closed(self) -> bool:
        return self._number < 0

    @property
    def waiting(self) -> bool:
        """Whether somebody waits for it: there is nothing to read, or no room to write."""
        return bool(self._waiters)

    @property
    def number(self) -> int:
        return self._number

    async def read(self, limit: int = 65536) -> bytes:
        """Nothing at the end; a terminal whose other side has closed has ended."""
        while self._number >= 0:
            try:
                return os.read(self._number, limit)
            except BlockingIOError:
                await self._ready(self._loop.add_reader, self._loop.remove_reader)
            except OSError as error:
                if error.errno in (errno.EIO, errno.ECONNRESET):
                    return b""
                raise
        return b""

    async def write(self, data: bytes, most: int = 65536) -> None:
        """Write all, at most `most` bytes at a time.  Raises BrokenPipeError when nobody reads."""
        view = memoryview(data)
        while view:
            if self._number < 0:
                raise BrokenPipeError(errno.EPIPE, "the stream is closed")
            try:
                view = view[os.write(self._number, view[:most]) :]
            except BlockingIOError:
                await self._ready(self._loop.add_writer, self._loop.remove_writer)

    async def _ready(self, add: Callable[..., object], remove: Callable[[int], object]) -> None:
        waiter: asyncio.Future[None] = self._loop.create_future()
        number = self._number
        self._waiters.add(waiter)
        add(number, _wake, waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if self._number == number:
                remove(number)

    def close(self) -> None:
        """Again is no error; whoever waits sees the end."""
        number, self._number = self._number, -1
        if number < 0:
            return
        self._loop.remove_reader(number)
        self._loop.remove_writer(number)
        os.close(number)
        for waiter in self._waiters:
            _wake(waiter)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
