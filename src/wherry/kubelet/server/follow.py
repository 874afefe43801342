"""Waiting for a file to grow or to be replaced: inotify where there is one, a glance now and then elsewhere."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from pathlib import Path
from typing import Protocol

from wherry.util.clock import Clock

_IN_MODIFY, _IN_CREATE, _IN_MOVED_TO = 0x2, 0x100, 0x80
_NONBLOCK = os.O_NONBLOCK
_GLANCE = 0.2  # seconds between looks without inotify


class FileWatch(Protocol):
    """`wait` returns when something in the file's directory changed since the last call (or might have)."""

    async def wait(self) -> None: ...

    def close(self) -> None: ...


class Inotify:
    """One directory's changes."""

    def __init__(self, directory: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd = libc.inotify_init1(_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        if libc.inotify_add_watch(self._fd, os.fsencode(directory), _IN_MODIFY | _IN_CREATE | _IN_MOVED_TO) < 0:
            error = ctypes.get_errno()
            os.close(self._fd)
            raise OSError(error, "inotify_add_watch")
        self._changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._read)

    def _read(self) -> None:
        try:
            while os.read(self._fd, 65536):
                self._changed.set()
        except BlockingIOError:
            pass

    async def wait(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)


class Glance:
    """Without inotify: look again after a moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def wait(self) -> None:
        await self._clock.sleep(_GLANCE)

    def close(self) -> None:
        return None


def watch_file(path: Path, clock: Clock) -> FileWatch:
    """Watch the directory of `path`, so that its replacement is seen, too."""
    if sys.platform == "linux":
        try:
            return Inotify(path.parent)
        except OSError:  # no more watches, or no directory yet
            return Glance(clock)
    return Glance(clock)
