"""The one loop of all controllers: informer → key → work queue → `reconcile(key)`.

A controller says what it watches (in its constructor) and how to reconcile one key; what it decides
is a pure function in its `plan.py`.  Failures are tried again, later and later, and never end the loop.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from wherry.apimachinery.errors import StatusError
from wherry.client.client import Client
from wherry.client.informer import Handler, Informer, SharedInformerFactory
from wherry.client.recorder import EventRecorder
from wherry.client.store import key_of
from wherry.client.workqueue import QueueShutDown, WorkQueue
from wherry.util.clock import Clock
from wherry.util.metrics import Metrics

T = TypeVar("T")
log = logging.getLogger(__name__)
SLICE = 500  # objects looked at before the loop gets a turn: some milliseconds


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Reconcile the key again after so many seconds, whatever happens until then."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Options:
    """What differs between clusters.  Seconds, where not said otherwise."""

    root_ca: str = ""  # PEM: what Pods trust
    ca_key: str = field(default="", repr=False)  # PEM: the key of root_ca; without, no certificate is issued
    sign_token: Callable[[dict[str, Any]], str] | None = field(default=None, repr=False)  # claims -> a service account's token
    node_monitor_period: float = 5.0
    node_monitor_grace_period: float = 50.0
    node_startup_grace_period: float = 60.0
    terminated_pod_gc_threshold: int = 12500
    enabled: frozenset[str] | None = None  # names of controllers; None: all


@dataclass(slots=True)
class Context:
    """What the manager gives to every controller."""

    client_for: Callable[[str], Client]
    informers: SharedInformerFactory
    clock: Clock
    options: Options = field(default_factory=Options)


class Controller(ABC):
    """One controller.  `run` is its owner's task and owns all of its own."""

    name: ClassVar[str]  # of its user: "deployment-controller"
    component: ClassVar[str] = ""  # its events' source, where it differs from `name`
    workers: ClassVar[int] = 5

    def __init__(self, context: Context) -> None:
        self.client = context.client_for(self.name)
        self.informers, self.clock, self.options = context.informers, context.clock, context.options
        self.recorder = EventRecorder(self.client, self.clock, self.component or self.name)
        self.queue: WorkQueue[str] = WorkQueue(self.clock)
        self.figures = Metrics()  # what it counts beside its queue's
        self._followed: list[Informer[Any]] = []

    @abstractmethod
    async def reconcile(self, key: str) -> RequeueAfter | None:
        """Bring what `key` names a step nearer to what it should be.  Raises to be called again, later and later."""

    def background(self) -> Iterable[Coroutine[Any, Any, None]]:
        """Further tasks to run beside the workers, for ever."""
        return ()

    # -- watching ------------------------------------------------------------------------------------

    def informer(self, kind: type[T]) -> Informer[T]:
        """The shared informer of all objects of a kind; `run` waits until it has synced."""
        return self.followed(self.informers.informer(kind))

    def followed(self, informer: Informer[T]) -> Informer[T]:
        if informer not in self._followed:
            self._followed.append(informer)
        return informer

    def enqueue(self, obj: Any) -> None:
        self.queue.add(key_of(obj))

    def enqueue_all(self, informer: Informer[T], keys: Callable[[T], Iterable[str]] | None = None) -> None:
        """Reconcile, on every change of an object, the keys that `keys` gives of it (its own, without)."""
        keys_of = keys or (lambda obj: (key_of(obj),))

        def changed(obj: T) -> None:
            for key in keys_of(obj):
                self.queue.add(key)

        def updated(old: T, new: T) -> None:
            for key in {*keys_of(old), *keys_of(new)}:
                self.queue.add(key)

        informer.add_handler(Handler(changed, updated, changed))

    @property
    def idle(self) -> bool:
        """What it watches has synced, and nothing waits to be reconciled now."""
        return all(informer.has_synced for informer in self._followed) and self.queue.idle and self.recorder.idle

    async def in_slices(self, objects: Sequence[T]) -> AsyncIterator[Sequence[T]]:
        """`objects`, some at a time: between two slices the loop gets a turn, so that thousands hold nobody up.

        The whole is as it was when it was given, as a list that was copied is: what happens between wakes the key again.
        """
        for start in range(0, len(objects), SLICE):
            if start:
                await self.clock.sleep(0)
            yield objects[start:start + SLICE]

    # -- running -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.recorder.run(), name=f"{self.name} events")
            for informer in self._followed:
                await informer.wait_for_sync()
            group.create_task(self.queue.run(), name=f"{self.name} delays")
            for number in range(self.workers):
                group.create_task(self._work(), name=f"{self.name} {number}")
            for task in self.background():
                group.create_task(task)

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except QueueShutDown:
                return
            try:
                await self.process(key)
            finally:
                self.queue.done(key)

    async def process(self, key: str) -> None:
        """Reconcile `key` once and see to its next time."""
        try:
            result = await self.reconcile(key)
        except StatusError as error:
            level = logging.DEBUG if error.code in (404, 409) else logging.WARNING
            log.log(level, "%s: %s: %s", self.name, key, error.message)
            self.queue.add_rate_limited(key)
        except OSError as error:
            log.debug("%s: %s: %s", self.name, key, error)
            self.queue.add_rate_limited(key)
        except Exception:
            log.exception("%s: %s", self.name, key)
            self.queue.add_rate_limited(key)
        else:
            self.queue.forget(key)
            if result is not None:
                self.queue.add_after(key, result.seconds)
