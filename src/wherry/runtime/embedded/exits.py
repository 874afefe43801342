"""Waits for processes that are nobody's child here, by pidfd: nothing polls."""

import asyncio
import contextlib
import os
import select

from wherry.runtime.embedded.records import ProcessId


async def ended(process: ProcessId) -> None:
    """Return when the process has ended (at once when it already has)."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except (OSError, ValueError):
        return
    try:
        if process.alive():  # otherwise the number belongs to another process, or it ended meanwhile
            await _readable(descriptor)
    finally:
        os.close(descriptor)


async def collect(child: int) -> int:
    """Wait for a child of this process; its exit code as a shell tells it (128 and the signal)."""
    descriptor = os.pidfd_open(child)
    try:
        await _readable(descriptor)
    finally:
        os.close(descriptor)
    return _exit_code(child)


def _exit_code(child: int) -> int:
    """Of a child that has ended, so that this does not wait."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()
    loop.add_reader(descriptor, lambda: None if waiter.done() else waiter.set_result(None))
    try:
        await waiter
    finally:
        loop.remove_reader(descriptor)


def reap_within(pid: int, seconds: float) -> None:
    """Collect a child that is about to end.  One that is no child, or does not end in time, is let be.  Blocks."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = os.pidfd_open(pid)
        try:
            select.select([descriptor], [], [], seconds)
        finally:
            os.close(descriptor)
        os.waitpid(pid, os.WNOHANG)


def reap(process: ProcessId) -> None:
    """Collect a process that has ended, if it is this one's child (see `linux.adopt_orphans`)."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
