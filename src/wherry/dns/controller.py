"""Keeps the DNS zone in step with Services and EndpointSlices."""

from __future__ import annotations

import asyncio

from wherry.api.types import core_v1, discovery_v1
from wherry.client import Client
from wherry.client.informer import Handler, SharedInformerFactory
from wherry.dns.records import build
from wherry.dns.responder import Responder
from wherry.util.clock import Clock

GATHER_SECONDS = 0.01


class ZoneController:
    """Run with `await controller.run()`; `synced` once the first zone is loaded."""

    def __init__(self, client: Client, clock: Clock, responder: Responder, domain: str) -> None:
        self._clock, self._responder, self._domain = clock, responder, domain
        self.informers = SharedInformerFactory(client, clock)
        self._services = self.informers.informer(core_v1.Service)
        self._slices = self.informers.informer(discovery_v1.EndpointSlice)
        self._dirty = asyncio.Event()
        self.synced = asyncio.Event()
        changed: Handler[object] = Handler(lambda _: self._dirty.set(), lambda _old, _new: self._dirty.set(), lambda _: self._dirty.set())
        self._services.add_handler(changed)  # type: ignore[arg-type]
        self._slices.add_handler(changed)  # type: ignore[arg-type]

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.informers.run(), name="dns informers")
            await self.informers.wait_for_sync()
            while True:
                self._dirty.clear()
                self._responder.load(build(self._services.store, self._slices.store, self._domain))
                self.synced.set()
                await self._dirty.wait()
                await self._clock.sleep(GATHER_SECONDS)
