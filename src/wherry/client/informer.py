"""Informers: a local, indexed copy of a collection, kept by list and watch, with handlers on every change.

An informer keeps its copy in step: list, watch from that revision, again from the last revision when a
watch ends, list anew when history is gone (410).  `SharedInformerFactory` gives every component of a
process that asks for the same collection the same informer, and makes one of metadata alone from the
informer of the whole objects where there is one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import msgspec

from wherry.apimachinery.errors import StatusError
from wherry.client.backoff import Backoff
from wherry.client.client import AT_ONCE, Client
from wherry.client.codec import PartialObjectMetadata
from wherry.client.paths import ResourceInfo, info_of
from wherry.client.store import Store, key_of
from wherry.util.clock import Clock

T = TypeVar("T")
log = logging.getLogger(__name__)

PAGE = 500  # objects a list request
BREATH = 256  # objects of a list handled before the loop gets a turn
WATCH_SECONDS = (300, 600)  # a watch ends by itself within these, so that clients spread over servers


@dataclass(slots=True)
class Handler(Generic[T]):
    """Called in order, in the reflector's task: must be quick and must not wait.

    `on_delete` gets the last object known; the one that was deleted may have been newer.
    """

    on_add: Callable[[T], None] | None = None
    on_update: Callable[[T, T], None] | None = None
    on_delete: Callable[[T], None] | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which objects: a resource, in one namespace or all, that match the selectors."""

    kind: type[Any]
    resource: ResourceInfo
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""


class Informer(Generic[T]):
    """One collection's copy: `store`, and handlers.  `run` is its owner's task."""

    def __init__(self, client: Client, scope: Scope, clock: Clock, rng: random.Random | None = None) -> None:
        self.store: Store[T] = Store()
        self.scope = scope
        self.resource_version = ""  # of the newest event or list that the store holds
        self._client, self._clock, self._rng = client, clock, rng or random.Random()
        self._handlers: list[Handler[T]] = []
        self._on_add: list[Callable[[T], None]] = []
        self._on_update: list[Callable[[T, T], None]] = []
        self._on_delete: list[Callable[[T], None]] = []
        self._synced = asyncio.Event()

    @property
    def has_synced(self) -> bool:
        """The first list is in the store, and every handler has seen it."""
        return self._synced.is_set()

    async def wait_for_sync(self) -> None:
        await self._synced.wait()

    def add_handler(self, handler: Handler[T]) -> None:
        """What is known already is added to a late handler at once."""
        self._handlers.append(handler)
        self._sort_handlers()
        if handler.on_add is not None:
            for obj in self.store:
                tell([handler.on_add], obj)

    def remove_handler(self, handler: Handler[T]) -> None:
        self._handlers.remove(handler)
        self._sort_handlers()

    def _sort_handlers(self) -> None:
        """By what they want to hear of."""
        handlers = self._handlers
        self._on_add = [each.on_add for each in handlers if each.on_add is not None]
        self._on_update = [each.on_update for each in handlers if each.on_update is not None]
        self._on_delete = [each.on_delete for each in handlers if each.on_delete is not None]

    async def run(self) -> None:
        """List and watch for ever; a failure is told once and tried again, later and later."""
        backoff = Backoff(self._clock, rng=self._rng)
        while True:
            try:
                if not self.resource_version:
                    await self._list()
                await self._watch()
                continue
            except StatusError as error:
                if error.code == 410:
                    log.debug("%s: history is gone, listing anew", self.scope.resource)
                    self.resource_version = ""
                elif error.code != 429:
                    log.warning("%s: %s", self.scope.resource, error.message)
                    self.resource_version = ""
            except OSError as error:
                log.debug("%s: %s", self.scope.resource, error)
            except (msgspec.MsgspecError, ValueError):
                log.exception("%s: an answer that cannot be read", self.scope.resource)
                self.resource_version = ""
            await backoff.wait()

    async def _list(self) -> None:
        scope, items, continue_, version = self.scope, [], "", ""
        while True:
            page = await self._client.list(
                scope.kind, scope.namespace, label_selector=scope.label_selector, field_selector=scope.field_selector,
                limit=PAGE, continue_=continue_, resource=scope.resource,
            )
            items += page.items
            version, continue_ = version or page.resource_version, page.continue_
            if not continue_:
                break
        await self._replace(items)
        self.resource_version = version
        self._synced.set()

    async def _replace(self, items: list[T]) -> None:
        """Make the store hold exactly `items`; what has gone meanwhile is deleted."""
        found = {key_of(obj) for obj in items}
        for key in self.store.keys():  # noqa: SIM118 - a copy: the store changes meanwhile
            if key not in found:
                self._deleted(key)
        for number, obj in enumerate(items, 1):
            self._put(obj)
            if number % BREATH == 0:
                await self._clock.sleep(0)

    async def _watch(self) -> None:
        scope = self.scope
        watch = self._client.watch(
            scope.kind, scope.namespace, resource_version=self.resource_version, label_selector=scope.label_selector,
            field_selector=scope.field_selector, allow_bookmarks=True, timeout_seconds=self._rng.randint(*WATCH_SECONDS),
            resource=scope.resource, overtaken=False,
        )
        started = self._clock.monotonic()
        seen = 0
        async with aclosing(watch) as stream:
            async for events in stream:
                for event in events:
                    if event.type == "DELETED":
                        self._deleted(key_of(event.object), event.object)
                    elif event.type != "BOOKMARK":
                        self._put(event.object)
                self.resource_version = events[-1].object.metadata.resource_version
                seen += len(events)
                if len(events) == AT_ONCE:  # there may be more of them, and others wait for the loop
                    await self._clock.sleep(0)
        if not seen and self._clock.monotonic() - started < 1:
            raise OSError("the watch ended at once")  # a server that is going away: do not spin

    def _put(self, obj: T) -> None:
        old = self.store.put(obj)
        if old is None:
            tell(self._on_add, obj)
            return
        before, now = old.metadata, obj.metadata  # type: ignore[attr-defined]
        if before.resource_version == now.resource_version:
            return
        if before.uid == now.uid:
            tell(self._on_update, old, obj)
            return
        for handler in self._handlers:  # deleted and made again while nobody watched
            if handler.on_delete is not None:
                tell([handler.on_delete], old)
            if handler.on_add is not None:
                tell([handler.on_add], obj)

    def _deleted(self, key: str, last: T | None = None) -> None:
        old = self.store.remove(key)
        if old is not None:
            tell(self._on_delete, old if last is None else last)


class MetadataInformer(Informer[PartialObjectMetadata]):
    """The metadata of what another informer of the process holds whole: no second watch, and nothing decoded or kept twice.

    It is as far as the other one whenever anybody looks: the other's handler puts each change into this store.
    """

    def __init__(self, client: Client, scope: Scope, clock: Clock, whole: Informer[Any]) -> None:
        super().__init__(client, scope, clock)
        self._whole = whole

    async def run(self) -> None:
        put = self._put_of
        handler = Handler[Any](put, lambda old, new: put(new), lambda obj: self._deleted(key_of(obj), _metadata(obj)))
        self._whole.add_handler(handler)
        try:
            await self._whole.wait_for_sync()
            self._synced.set()
            await asyncio.Event().wait()
        finally:
            self._whole.remove_handler(handler)

    def _put_of(self, obj: Any) -> None:
        self._put(_metadata(obj))


def _metadata(obj: Any) -> PartialObjectMetadata:
    return PartialObjectMetadata(api_version=obj.api_version, kind=obj.kind, metadata=obj.metadata)


def tell(handlers: Sequence[Callable[..., None]], *objects: Any) -> None:
    """One handler's error is not another's, nor the reflector's."""
    for handler in handlers:
        try:
            handler(*objects)
        except Exception:
            log.exception("a handler failed")


@dataclass(slots=True)
class SharedInformerFactory:
    """The informers of a process, each started once.  `run` owns their tasks, also of those asked for later."""

    client: Client
    clock: Clock
    _informers: dict[Scope, Informer[Any]] = field(default_factory=dict, init=False)
    _tasks: dict[Scope, asyncio.Task[None]] = field(default_factory=dict, init=False)
    _group: asyncio.TaskGroup | None = field(default=None, init=False)

    def informer(
        self, kind: type[T], *, namespace: str = "", label_selector: str = "", field_selector: str = "",
        resource: ResourceInfo | None = None,
    ) -> Informer[T]:
        """The shared informer of a collection; it runs as soon as the factory does."""
        scope = Scope(kind, resource or info_of(kind), namespace, label_selector, field_selector)
        found = self._informers.get(scope)
        if found is None:
            found = Informer(self.client, scope, self.clock)
            self._add(found)
        return found

    def metadata_informer(self, resource: ResourceInfo, *, namespace: str = "") -> Informer[PartialObjectMetadata]:
        """An informer of any resource that holds metadata alone: garbage collection, namespaces, quota."""
        scope = Scope(PartialObjectMetadata, resource, namespace)
        found = self._informers.get(scope)
        if found is None:
            whole = next((each for each in self._informers if each == replace(scope, kind=each.kind)), None)
            if whole is None:
                found = Informer(self.client, scope, self.clock)
            else:
                found = MetadataInformer(self.client, scope, self.clock, self._informers[whole])
            self._add(found)
        return found

    def _add(self, informer: Informer[Any]) -> None:
        self._informers[informer.scope] = informer
        if self._group is not None:
            self._start(self._group, informer.scope)

    def stop(self, informer: Informer[Any]) -> None:
        """End an informer of metadata, say because its resource is served no more."""
        self._informers.pop(informer.scope, None)
        task = self._tasks.pop(informer.scope, None)
        if task is not None:
            task.cancel()

    def _start(self, group: asyncio.TaskGroup, scope: Scope) -> None:
        self._tasks[scope] = group.create_task(self._informers[scope].run(), name=f"informer {scope.resource}")

    async def run(self) -> None:
        """Run until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for scope in self._informers:
                    self._start(group, scope)
                await asyncio.Event().wait()
        finally:
            self._group = None
            self._tasks.clear()

    async def wait_for_sync(self) -> None:
        """Until every informer that was asked for has synced."""
        for informer in list(self._informers.values()):
            await informer.wait_for_sync()
