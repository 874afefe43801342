"""A cluster without nodes for controller tests: the real API server over memory, in-process, on a fake clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from wherry.api.registry import BUILTIN
from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.http import Handler, UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options as ServerOptions
from wherry.apiserver.install import install
from wherry.apiserver.server import APIServer
from wherry.client import Client, InProcessTransport
from wherry.controller.controller import Controller, Options
from wherry.controller.manager import ControllerManager
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import FakeClock

ADMIN = UserInfo("kubernetes-admin", ("system:masters", "system:authenticated"))


class World:
    """The API, a fake clock, and controllers that run.  `settle` lets everything that can happen now happen."""

    def __init__(self, server: APIServer, clock: FakeClock, signer: Signer) -> None:
        self.server, self.clock, self.signer = server, clock, signer
        self.client = Client(InProcessTransport(server.handle, ADMIN))
        self.manager: ControllerManager | None = None
        self.kubelets: dict[str, Handler] = {}  # what answers for a node
        self._group: asyncio.TaskGroup | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def connect(self, node: str) -> Handler:
        if node not in self.kubelets:
            raise OSError(f"no route to {node}")
        return self.kubelets[node]

    def start(self, *controllers: type[Controller], options: Options | None = None) -> None:
        self.manager = ControllerManager(lambda name: self.client, self.clock, options, controllers=controllers)
        assert self._group is not None
        self._tasks.append(self._group.create_task(self.manager.run()))

    async def settle(self) -> None:
        """Until the controllers are idle, and stay so for some turns of the loop."""
        quiet = 0
        for _ in range(5000):
            await asyncio.sleep(0)
            quiet = quiet + 1 if self.manager is None or self.manager.idle else 0
            if quiet > 60:
                return
        raise AssertionError("the controllers do not come to rest")

    async def advance(self, seconds: float) -> None:
        """Let time pass, a second at a time."""
        while seconds > 0:
            await self.clock.advance(min(1.0, seconds))
            await self.settle()
            seconds -= 1

    async def namespace(self, name: str = "default") -> None:
        await self.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name=name)))
        await self.client.create(core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="default", namespace=name)))

    async def pods(self, namespace: str = "default", selector: str = "") -> list[core_v1.Pod]:
        found = await self.client.list(core_v1.Pod, namespace, label_selector=selector)
        return sorted(found.items, key=lambda pod: pod.metadata.name)

    async def events(self, namespace: str = "default") -> list[tuple[str, str, str]]:
        """(kind/name, reason, message) in the order written."""
        found = (await self.client.list(core_v1.Event, namespace)).items
        found.sort(key=lambda event: int(event.metadata.resource_version))
        return [(f"{e.involved_object.kind}/{e.involved_object.name}", e.reason, e.message) for e in found]

    async def set_pod(self, pod: core_v1.Pod, phase: str = "Running", ready: bool = True, **status: Any) -> None:
        """Play the kubelet: write a Pod's phase and readiness."""
        from wherry.util.clock import rfc3339

        now = rfc3339(self.clock.time())
        conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now}]
        body = {"status": {"phase": phase, "conditions": conditions, **status}}
        await self.client.patch(core_v1.Pod, pod.metadata.name, body, pod.metadata.namespace, subresource="status")

    async def kubelet_step(self) -> bool:
        """Play the kubelet for one Pod: end a terminating one, else make one ready.  False when none needed it."""
        pods = (await self.client.list(core_v1.Pod)).items
        pods.sort(key=lambda pod: int(pod.metadata.resource_version))
        for pod in pods:
            if pod.metadata.deletion_timestamp is not None:
                await self.remove_pod(pod)
                return True
        for pod in pods:
            if not any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions):
                await self.set_pod(pod)
                return True
        return False

    async def run_kubelet(self, steps: int = 100) -> None:
        """Until every Pod is ready or gone, controllers answering after each step."""
        await self.settle()
        for _ in range(steps):
            if not await self.kubelet_step():
                return
            await self.settle()
        raise AssertionError("the Pods do not come to rest")

    async def remove_pod(self, pod: core_v1.Pod) -> None:
        """Play the kubelet that has ended a Pod."""
        await self.client.delete(core_v1.Pod, pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0)


@asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    clock = FakeClock()
    storage = await MemoryStorage.open(clock)
    server = APIServer(BUILTIN, storage, clock)
    await server.start()
    signer = Signer(ec.generate_private_key(ec.SECP256R1()))
    world = World(server, clock, signer)
    install(server, ServerOptions("10.96.0.0/16", signer, connect=world.connect))
    try:
        async with asyncio.TaskGroup() as group:
            world._group = group
            yield world
            for task in world._tasks:
                task.cancel()
    finally:
        await server.close()
        await storage.close()
