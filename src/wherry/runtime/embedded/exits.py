"""Waits for processes that are nobody's child here, by pidfd: nothing polls."""

import asyncio
import contextlib
import os

from wherry.runtime.embedded.records import ProcessId


async def ended(process: ProcessId) -> None:
    """Return when the process has ended (at once when it already has)."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (ProcessLookupError, OSError, ValueError):
        return
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def ready() -> None:
        if not waiter.done():
            waiter.set_result(None)

    try:
        if not process.alive():  # the number belongs to another process, or it ended meanwhile
            return
        loop.add_reader(descriptor, ready)
        try:
            await waiter
        finally:
            loop.remove_reader(descriptor)
    finally:
        os.close(descriptor)


def reap(process: ProcessId) -> None:
    """Collect a process that has ended, if it is this one's child (see `linux.adopt_orphans`)."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
