"""The scheduler is killed at every write, once just before the server has it and once just after; another one goes on.

Between two writes it changes nothing but its own memory.  In the end every Pod that can be placed is, no node holds more
than it has, and no more Pods were made to go than had to.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from scheduler_makers import node

from wherry.api.registry import BUILTIN
from wherry.api.types import core_v1, meta_v1, scheduling_v1
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.client import Client, InProcessTransport
from wherry.scheduler.scheduler import Scheduler
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import FakeClock

ADMIN = UserInfo("kubernetes-admin", ("system:masters", "system:authenticated"))


class Deadly:
    """A transport whose owner dies with its write number `at`."""

    def __init__(self, inner: Any, at: int, after: bool) -> None:
        self.inner, self.at, self.after = inner, at, after
        self.writes: list[str] = []
        self.dead = asyncio.Event()

    async def send(self, request: Request) -> Response:
        if self.dead.is_set():
            await asyncio.Event().wait()
        if request.method != "GET" and "/events" not in request.path:
            self.writes.append(f"{request.method} {request.path}")
            if len(self.writes) == self.at:
                if self.after:
                    await self.inner.send(request)
                self.dead.set()
                await asyncio.Event().wait()
        return await self.inner.send(request)

    async def close(self) -> None:
        await self.inner.close()


class World:
    """Nodes and Pods with requests for CPU; Pods that are to go are gone as soon as time passes."""

    def __init__(self, server: APIServer, clock: FakeClock) -> None:
        self.clock = clock
        self.transport = InProcessTransport(server.handle, ADMIN)
        self.client = Client(self.transport)

    async def add_node(self, name: str, cpu: str) -> None:
        given = node(name, cpu=cpu)
        await self.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name), status=given.status))
        await self.client.patch(core_v1.Node, name, {"spec": {"taints": None}}, patch_type="merge")  # a new node's "not ready"

    async def add_pod(self, name: str, cpu: str, priority: str = "", on: str = "") -> None:
        spec: dict[str, Any] = {"containers": [{"name": "c", "image": "app", "resources": {"requests": {"cpu": cpu}}}]}
        spec |= {"priorityClassName": priority} if priority else {}
        spec |= {"nodeName": on} if on else {}
        await self.client.create(msgspec.convert({"metadata": {"name": name, "namespace": "default"}, "spec": spec}, core_v1.Pod))

    async def pods(self) -> dict[str, core_v1.Pod]:
        return {pod.metadata.name: pod for pod in (await self.client.list(core_v1.Pod, "default")).items}

    async def until(self, reached: Callable[[dict[str, core_v1.Pod]], bool], dead: asyncio.Event) -> bool:
        """False when the scheduler died before that."""
        for _ in range(120):
            await self.clock.advance(0.5)
            await self.clock.settle(100)
            if dead.is_set():
                return False
            found = await self.pods()
            if reached(found):
                return True
            for pod in found.values():
                if pod.metadata.deletion_timestamp:
                    await self.client.delete(core_v1.Pod, pod.metadata.name, "default", grace_period_seconds=0)
        raise AssertionError(f"not within a minute: {[(p.metadata.name, p.spec.node_name) for p in found.values()]}")


@asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    clock = FakeClock()
    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        await server.start()
        install(server, Options("10.96.0.0/16", Signer(ec.generate_private_key(ec.SECP256R1()))))
        world = World(server, clock)
        await world.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="default")))
        await world.client.create(core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="default", namespace="default")))
        try:
            yield world
        finally:
            await server.close()


async def live(world: World, at: int, after: bool, reached: Callable[[dict[str, core_v1.Pod]], bool]) -> Deadly:
    """Schedule until the goal, with one death on the way."""
    transport = Deadly(world.transport, at, after)
    for own in (transport, Deadly(world.transport, 0, False)):
        scheduler = Scheduler(Client(own), world.clock, rng=random.Random(at))
        task = asyncio.create_task(scheduler.run())
        try:
            if await world.until(reached, own.dead):
                return transport
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    raise AssertionError("it died twice")


async def everywhere(
    after: bool, prepare: Callable[[World], Awaitable[None]], reached: Callable[[dict[str, core_v1.Pod]], bool],
    check: Callable[[dict[str, core_v1.Pod]], None],
) -> int:
    """Once for each write; how many there were."""
    for at in range(1, 100):
        async with open_world() as world:
            await prepare(world)
            transport = await live(world, at, after, reached)
            try:
                check(await world.pods())
            except AssertionError as error:
                raise AssertionError(f"died {'after' if after else 'before'} {transport.writes[-1]}") from error
            if not transport.dead.is_set():
                return at - 1
    raise AssertionError("the scenario never ends")


when = pytest.mark.parametrize("after", [pytest.param(False, id="before"), pytest.param(True, id="after")])


async def four_pods_for_two_nodes(world: World) -> None:
    for name in ("n1", "n2"):
        await world.add_node(name, "2")
    for name in "abcde":
        await world.add_pod(name, "1")


def placed(pods: dict[str, core_v1.Pod]) -> int:
    return sum(bool(pod.spec.node_name) for pod in pods.values())


@when
async def test_every_pod_is_placed_once_and_no_node_is_overfull(after: bool) -> None:
    def check(pods: dict[str, core_v1.Pod]) -> None:
        on = [pod.spec.node_name for pod in pods.values() if pod.spec.node_name]
        assert sorted(on) == ["n1", "n1", "n2", "n2"]
        (left,) = (pod for pod in pods.values() if not pod.spec.node_name)
        assert [(c.status, c.reason) for c in left.status.conditions if c.type == "PodScheduled"] == [("False", "Unschedulable")]

    def reached(pods: dict[str, core_v1.Pod]) -> bool:
        told = [c for pod in pods.values() for c in pod.status.conditions if c.type == "PodScheduled" and c.status == "False"]
        return placed(pods) == 4 and len(told) == 1

    assert await everywhere(after, four_pods_for_two_nodes, reached, check) >= 5


async def a_pod_that_needs_room(world: World) -> None:
    for name, value in (("high", 1000), ("middle", 10), ("low", 1)):
        await world.client.create(scheduling_v1.PriorityClass(metadata=meta_v1.ObjectMeta(name=name), value=value))
    for name, priority in (("n1", "low"), ("n2", "middle")):
        await world.add_node(name, "2")
        for number in range(2):
            await world.add_pod(f"{priority}-{number}", "1", priority, on=name)
    await world.add_pod("important", "2", "high")


@when
async def test_room_is_made_once(after: bool) -> None:
    def check(pods: dict[str, core_v1.Pod]) -> None:
        assert pods.keys() == {"middle-0", "middle-1", "important"}  # the least important went, and nobody else
        assert pods["important"].spec.node_name == "n1"
        assert not any(pod.metadata.deletion_timestamp for pod in pods.values())

    def reached(pods: dict[str, core_v1.Pod]) -> bool:
        return bool(pods["important"].spec.node_name)

    assert await everywhere(after, a_pod_that_needs_room, reached, check) >= 6
