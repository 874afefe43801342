"""A real API server and a real scheduler over it in one process: hollow nodes, a clock that a test turns, no kubelet."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from wherry.api.registry import BUILTIN
from wherry.apimachinery.http import UserInfo
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.client import Client, InProcessTransport
from wherry.scheduler.config import SchedulerConfig
from wherry.scheduler.scheduler import Scheduler
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import FakeClock

ADMIN = UserInfo("kubernetes-admin", ("system:masters", "system:authenticated"))
CORE, PODS = "/api/v1", "/api/v1/namespaces/default/pods"
Object = dict[str, Any]
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class World:
    """Objects are as a user writes them, in JSON."""

    def __init__(self, server: APIServer, clock: FakeClock) -> None:
        self.clock, self.server = clock, server
        self.client = Client(InProcessTransport(server.handle, ADMIN))
        self.scheduler: Scheduler

    async def ask(self, method: str, path: str, body: Object | None = None, content_type: str = "application/json") -> Object:
        sent = json.dumps(body).encode() if body is not None else b""
        answer: Object = json.loads((await self.client.raw(method, path, body=sent, content_type=content_type)).body)
        return answer

    async def node(self, name: str, *, labels: Object | None = None, taints: list[Object] | None = None, **amounts: str) -> None:
        """Ready, with 4 CPU, 8Gi and 110 Pods unless said otherwise."""
        held = {"cpu": "4", "memory": "8Gi", "pods": "110", **{key.replace("__", "/"): value for key, value in amounts.items()}}
        made = {
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}}, "spec": {},
            "status": {"capacity": held, "allocatable": held, "conditions": [{"type": "Ready", "status": "True"}]},
        }
        await self.ask("POST", f"{CORE}/nodes", made)
        await self.ask("PATCH", f"{CORE}/nodes/{name}", {"spec": {"taints": taints or None}}, MERGE)  # without a new node's "not ready"

    async def pod(self, name: str, cpu: str = "", *, labels: Object | None = None, namespace: str = "default", **spec: Any) -> Object:
        container: Object = {"name": "c", "image": "app"}
        if cpu:
            container["resources"] = {"requests": {"cpu": cpu}}
        made = {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": [container], **spec}}
        return await self.ask("POST", f"{CORE}/namespaces/{namespace}/pods", made)

    async def get(self, name: str, namespace: str = "default") -> Object:
        return await self.ask("GET", f"{CORE}/namespaces/{namespace}/pods/{name}")

    async def change(self, name: str, body: Object, subresource: str = "") -> Object:
        return await self.ask("PATCH", f"{PODS}/{name}{subresource and '/'}{subresource}", body, STRATEGIC)

    async def delete(self, name: str) -> None:
        await self.ask("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 0})

    async def where(self, name: str) -> str:
        return str((await self.get(name))["spec"].get("nodeName", ""))

    async def condition(self, name: str, kind: str = "PodScheduled") -> Object:
        found = (await self.get(name))["status"].get("conditions", [])
        return next((each for each in found if each["type"] == kind), {})

    async def why(self, name: str) -> str:
        return str((await self.condition(name)).get("message", ""))

    async def events(self, name: str) -> list[tuple[str, str, str]]:
        """(type, reason, message) of a Pod's events, oldest first."""
        found = (await self.ask("GET", f"{CORE}/namespaces/default/events"))["items"]
        about = [each for each in found if each["involvedObject"]["name"] == name]
        return [(each["type"], each["reason"], each["message"]) for each in sorted(about, key=lambda each: str(each["eventTime"]))]

    async def settle(self, seconds: float = 3.0) -> None:
        """Let the scheduler do all that it can in so much time."""
        for _ in range(int(seconds / 0.5)):
            await self.clock.advance(0.5)
            await self.clock.settle(60)


@asynccontextmanager
async def open_world(config: SchedulerConfig | None = None, between: Callable[[Any], Any] = lambda inner: inner) -> AsyncIterator[World]:
    """`between`: what stands between the scheduler and the server."""
    clock = FakeClock()
    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        await server.start()
        install(server, Options("10.96.0.0/16", Signer(ec.generate_private_key(ec.SECP256R1()))))
        world = World(server, clock)
        await world.ask("POST", f"{CORE}/namespaces", {"metadata": {"name": "default"}})
        await world.ask("POST", f"{CORE}/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        world.scheduler = Scheduler(Client(between(InProcessTransport(server.handle, ADMIN))), clock, config, random.Random(1))
        task = asyncio.create_task(world.scheduler.run())
        try:
            yield world
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await server.close()
