"""The supervisor: starts, starts again, tells why it cannot, and leaves no process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from component_world import eventually, settings

from wherry.apimachinery.errors import StatusError
from wherry.cluster import processes
from wherry.cluster.config import ClusterConfig
from wherry.cluster.identities import ADMIN
from wherry.cluster.lifecycle import explain
from wherry.cluster.supervisor import ComponentFailed, Supervisor

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are told by /proc")


@pytest.fixture
async def config(tmp_path: Path) -> AsyncIterator[ClusterConfig]:
    made = settings("itest-sup", tmp_path, "api", apart=True)
    yield made
    processes.end_left(made)
    shutil.rmtree(made.run, ignore_errors=True)


class Told:
    def __init__(self) -> None:
        self.said: list[object] = []
        self.ready = asyncio.Event()

    def __call__(self, **fields: object) -> None:
        self.said += [fields["text"]] if "text" in fields else []
        if "ready" in fields:
            self.ready.set()


async def test_what_dies_is_started_again_and_the_end_is_complete(config: ClusterConfig) -> None:
    told, stop = Told(), asyncio.Event()
    admin = ADMIN.client(config, "test")
    work = asyncio.create_task(Supervisor(config, told).run(stop))

    async def answers() -> bool:
        try:
            return (await admin.raw("GET", "/readyz")).body == b"ok"
        except StatusError:
            return False

    async with asyncio.timeout(60):
        await told.ready.wait()
    assert told.said == ["API server", "components"]
    assert await answers()
    before = {each.name: each for each in processes.running(config)}
    assert set(before) == {"apiserver", "controller-manager"}
    os.kill(before["apiserver"].pid, signal.SIGKILL)

    async def again() -> bool:
        found = {each.name: each for each in processes.running(config)}
        return "apiserver" in found and found["apiserver"].restarts == 1 and await answers()

    await eventually(again, "the API server, started again")
    after = {each.name: each for each in processes.running(config)}
    assert after["controller-manager"] == before["controller-manager"]
    assert not work.done()
    await admin.close()
    stop.set()
    await asyncio.wait_for(work, 30)
    assert processes.running(config) == []


async def test_what_a_component_cannot_is_told_and_nothing_stays(config: ClusterConfig) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", config.port))
        holder.listen()
        with pytest.raises(ExceptionGroup) as raised:
            await Supervisor(config, Told()).run(asyncio.Event())
    [error] = raised.value.exceptions
    assert isinstance(error, ComponentFailed)
    assert str(error).startswith("apiserver: OSError: ")
    assert f"port {config.port} is taken" in explain(str(error), config)
    assert processes.running(config) == []


async def test_a_start_that_is_broken_off_leaves_nothing(config: ClusterConfig) -> None:
    work = asyncio.create_task(Supervisor(config, Told()).run(asyncio.Event()))

    async def begun() -> bool:
        return bool(processes.running(config))

    await eventually(begun, "the first process")
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert processes.running(config) == []
