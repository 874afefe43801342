"""Follows APIServices: which requests are passed on and where, what discovery and OpenAPI tell, and the condition Available.

Upstream has a controller for each of these in its API server, and so has this one: they must see what requests will meet.
A request pays one look into a dictionary (`APIServer.aggregated`), and nothing while no API is aggregated.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wherry.api.discovery import Discovery, Registered, builtin_priorities, by_group
from wherry.api.resource import Object
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response
from wherry.apiserver.aggregator.availability import FAILED, LOCAL, PASSED, probe, with_condition
from wherry.apiserver.aggregator.backend import AGGREGATOR, Backend
from wherry.apiserver.aggregator.documents import Told, read
from wherry.apiserver.aggregator.model import GROUP, PLURAL, APIService, parse
from wherry.apiserver.aggregator.resolve import Unresolved, Verdict, places, verdict
from wherry.apiserver.codec import decode_json
from wherry.client.forward import Unreachable
from wherry.client.workqueue import RateLimiter, WorkQueue
from wherry.storage.cached import WatchEvents

if TYPE_CHECKING:
    from wherry.apiserver.server import APIServer

log = logging.getLogger(__name__)
LOOK_AGAIN = 30.0  # seconds until a server is asked again
SLICES, SERVICE_LABEL = ("discovery.k8s.io", "endpointslices"), "kubernetes.io/service-name"
WORKERS = 5


class Aggregator:
    """`certificate`: by which other servers know us (the front proxy's).  `simulated`: addresses that lead nowhere."""

    def __init__(self, server: APIServer, certificate: tuple[Path, Path] | None, simulated: Sequence[str] = ()) -> None:
        self._server, self._certificate, self._simulated = server, certificate, simulated
        self.services: dict[str, APIService] = {}
        self._backends: dict[str, Backend] = {}
        self.told: dict[str, Told] = {}
        self._hidden: set[tuple[str, str]] = set()  # group versions whose APIService was deleted
        self._builtin = {(each.group, each.version): each for each in builtin_priorities(by_group(server.registry.resources))}
        self._discovery: Discovery | None = None
        self.on_change: list[Callable[[], None]] = []  # what is made of `told` is out of date
        metrics = server.metrics.metrics
        metrics.gauge_of("aggregator_unavailable_apiservice", "APIServices that are marked as unavailable.", self._unavailable, ("name",))
        self._broken = metrics.counter(
            "aggregator_unavailable_apiservice_total", "How often an APIService became unavailable, by reason.", ("name", "reason"),
        )
        self._queue: WorkQueue[str] = WorkQueue(server.clock, RateLimiter(server.clock, base=0.005, cap=30.0))
        self._tasks: list[asyncio.Task[None]] = []
        self._closing: set[asyncio.Task[None]] = set()

    # -- life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Follow the caches of a started server."""
        cacher = self._server.store(GROUP, PLURAL).cacher
        cacher.subscribe(cacher.revision, "", self._changed, lambda: None)
        for cached in cacher.list("", None):
            self._put(parse(decode_json(cached.value)))
        for group, plural, name_of in (("", "services", None), (*SLICES, SERVICE_LABEL)):
            followed = self._server.store(group, plural).cacher
            followed.subscribe(followed.revision, "", self._follower(name_of), lambda: None)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._work(), name="aggregator") for _ in range(WORKERS)]
        self._tasks.append(loop.create_task(self._queue.run(), name="aggregator's queue"))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._closing, return_exceptions=True)
        for backend in self._backends.values():
            await backend.close()

    # -- what there is -------------------------------------------------------------------------------

    def _changed(self, events: WatchEvents) -> None:
        for event in events:
            obj = decode_json(event.object.value)
            if event.type == "DELETED":
                self._remove(obj["metadata"]["name"])
            else:
                self._put(parse(obj))

    def _put(self, service: APIService) -> None:
        old, self.services[service.name] = self.services.get(service.name), service
        place = service.group, service.version
        self._hidden.discard(place)
        backend = self._backends.get(service.name)
        if service.service is None or service.group == GROUP:
            self._drop(service.name, place)
        else:
            if backend is None or not backend.same_server(service):
                self._drop(service.name, place)
                backend = self._backends[service.name] = Backend(service, self.places, self._certificate)
            backend.service = service
            if place in FALLBACK and not service.available:
                self._server.aggregated.pop(place, None)
            else:
                self._server.aggregated[place] = backend.handle
        if service != old:
            self._tell()
            self._queue.add(service.name)

    def _remove(self, name: str) -> None:
        service = self.services.pop(name, None)
        if service is None:
            return
        place = service.group, service.version
        self._drop(name, place)
        if place in self._builtin and service.group != GROUP and place not in FALLBACK:
            self._hidden.add(place)
        self._tell()

    def _drop(self, name: str, place: tuple[str, str]) -> None:
        self.told.pop(name, None)
        backend = self._backends.pop(name, None)
        if backend is not None:
            self._server.aggregated.pop(place, None)
            task = asyncio.get_running_loop().create_task(backend.close(), name=f"connections of {name}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _follower(self, label: str | None) -> Callable[[WatchEvents], None]:
        """Of Services, or of what bears their name in a label: asks again for the APIs that they serve."""

        def heard(events: WatchEvents) -> None:
            if not self._backends:
                return
            seen = {(e.object.namespace, e.object.name if label is None else e.object.labels.get(label, "")) for e in events}
            for backend in self._backends.values():
                reference = backend.service.service
                if reference is not None and (reference.namespace, reference.name) in seen:
                    self._queue.add(backend.service.name)

        return heard

    def _tell(self) -> None:
        self._discovery = None
        for changed in self.on_change:
            changed()

    @property
    def discovery(self) -> Discovery:
        """The documents of all that is served, made when they are asked for."""
        if self._discovery is None:
            self._discovery = Discovery(self._server.registry.resources, list(self._registered()), self._hidden)
        return self._discovery

    def _registered(self) -> list[Registered]:
        found = []
        for service in self.services.values():
            row = Registered(service.group, service.version, service.group_priority, service.version_priority)
            if (service.group, service.version) in self._server.aggregated:
                told = self.told.get(service.name, Told())
                row = Registered(row.group, row.version, row.group_priority, row.version_priority, told.resources, told.fresh)
            if row != self._builtin.get((service.group, service.version)):
                found.append(row)
        return found

    def _unavailable(self) -> dict[tuple[str, ...], float]:
        return {(name,): float(not backend.service.available) for name, backend in self._backends.items()}

    # -- the servers ---------------------------------------------------------------------------------

    def _parts(self, service: APIService) -> tuple[Object | None, list[Object]]:
        reference = service.service
        assert reference is not None
        labelled = self._server.cached_list(*SLICES, reference.namespace)
        slices = [decode_json(each.value) for each in labelled if each.labels.get(SERVICE_LABEL) == reference.name]
        return self._server.read("", "services", reference.namespace, reference.name), slices

    def places(self, service: APIService) -> list[str]:
        """host:port of each place that serves it.  Raises Unresolved."""
        assert service.service is not None
        return places(service.service, *self._parts(service), self._simulated)

    def openapi_v2(self) -> dict[str, Mapping[str, Any]]:
        """By place (`apis/GROUP/VERSION`): the paths and definitions that its server tells."""
        found = ((self.services[name], told) for name, told in sorted(self.told.items()))
        return {service.path.strip("/"): told.openapi_v2 for service, told in found if told.openapi_v2}

    def openapi_v3(self) -> dict[str, str]:
        """By place: the URL of its document, with its hash."""
        found = ((self.services[name], told) for name, told in self.told.items())
        return {service.path.strip("/"): told.openapi_v3 for service, told in found if told.openapi_v3}

    async def openapi_document(self, place: str, request: Request) -> Response:
        """The OpenAPI v3 document, as its server gives it."""
        backend = next(each for each in self._backends.values() if each.service.path.strip("/") == place)
        wanted = Request("GET", request.path, request.query, request.headers, user=AGGREGATOR, target=request.target)
        return await backend.handle(wanted)

    async def _work(self) -> None:
        while True:
            name = await self._queue.get()
            try:
                good = await self._reconcile(name)
            except (StatusError, OSError) as error:
                log.warning("apiservice %s: %s", name, error)
                good = False
            except Exception:
                log.exception("apiservice %s", name)
                good = False
            finally:
                self._queue.done(name)
            if good:
                self._queue.forget(name)
            else:
                self._queue.add_rate_limited(name)

    async def _reconcile(self, name: str) -> bool:
        """False when it is to be tried again soon."""
        service, backend = self.services.get(name), self._backends.get(name)
        if service is None:
            return True
        if backend is None:
            await self._write(name, LOCAL)
            return True
        found, place = await self._check(service, backend)
        if self._backends.get(name) is not backend:  # changed meanwhile, and queued again
            return True
        before = self.told.get(name, Told())
        told = before.stale()
        if place:
            try:
                told = await read(backend, place, service, before)
            except (Unreachable, ValueError, KeyError, AttributeError, TypeError, OSError) as error:
                log.warning("apiservice %s: discovery: %s", name, error)
        if self._backends.get(name) is not backend:
            return True
        if told != before or name not in self.told:
            self.told[name] = told
            self._tell()
        await self._write(name, found)
        self._queue.add_after(name, LOOK_AGAIN)
        return found.reason != FAILED

    async def _check(self, service: APIService, backend: Backend) -> tuple[Verdict, str]:
        """The verdict, and a place that answered."""
        assert service.service is not None
        owner, slices = self._parts(service)
        found = verdict(service.service, owner, slices)
        if found is not None:
            return found, ""
        try:
            candidates = places(service.service, owner, slices, self._simulated)
        except Unresolved as error:
            return Verdict("False", FAILED, str(error)), ""
        if backend.broken:
            return Verdict("False", FAILED, backend.broken), ""
        place, why = await probe(backend, service, candidates)
        return (PASSED, place) if place else (Verdict("False", FAILED, why), "")

    async def _write(self, name: str, found: Verdict) -> None:
        obj = self._server.read(GROUP, PLURAL, "", name)
        if obj is None:
            return
        status = with_condition(obj, found, self._server.clock.time())
        if status is not None:
            if found.status != "True":
                self._broken.inc(name, found.reason)
            await self._server.write_status(GROUP, PLURAL, "", name, status)


# Served by this server while nobody else does: in other clusters an add-on serves it, whose APIService is created and
# deleted like any other.  Installing that add-on never takes figures away that are there already.
FALLBACK = frozenset({("metrics.k8s.io", "v1beta1")})
