"""Settings of a cluster on loopback, and waiting for what it does."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from wherry.cluster.components import COMPONENTS, Setting
from wherry.cluster.config import ClusterConfig, folders
from wherry.cluster.supervisor import write_identities
from wherry.util.clock import RealClock

T = TypeVar("T")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(name: str, folder: Path, fidelity: str, nodes: int = 1, *, apart: bool = False) -> ClusterConfig:
    """Written down; `apart`: so that processes of their own find them, who look for the run folder where it belongs."""
    run = folders(name)[1] if apart else folder / "run"
    config = ClusterConfig(name, fidelity, folder / "data", run, free_port(), nodes, processes=True)
    shutil.rmtree(config.run, ignore_errors=True)
    config.data.mkdir(parents=True)
    config.run.mkdir(parents=True)
    config.save()
    write_identities(config)
    return config


async def eventually(check: Callable[[], Awaitable[T]], what: str, seconds: float = 60.0) -> T:
    """Ask until it is true; an API that is away is not yet."""
    last: object = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    found = await check()
                    if found:
                        return found
                    last = found
                except OSError as error:
                    last = error
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {last}") from None


@asynccontextmanager
async def running(config: ClusterConfig, component: str, node: str = "") -> AsyncIterator[asyncio.Task[None]]:
    """A component on this test's loop, from when it is ready."""
    ready = asyncio.Event()

    async def run() -> None:
        await COMPONENTS[component].run(Setting(config, RealClock(), ready.set, node))

    task = asyncio.create_task(run(), name=component)
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        waiting.cancel()
        task.result()
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
