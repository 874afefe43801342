"""A real controller on a made-up cluster whose events come late, twice or never, and whose controller may die.

The server's side is a dict; each informer has the real store and handlers, and a queue of events that were not
delivered yet.  A relist drops that queue and shows only the difference, as after a watch that broke.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from typing import Any

import msgspec

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError
from wherry.client.informer import Handler
from wherry.client.store import Store, key_of
from wherry.controller.controller import Context, Controller
from wherry.controller.podutil import is_active, is_terminal
from wherry.util.clock import FakeClock, rfc3339

replace = msgspec.structs.replace


class LaggingInformer:
    """What the controller knows of one kind."""

    has_synced = True

    def __init__(self) -> None:
        self.store: Store[Any] = Store()
        self.handlers: list[Handler[Any]] = []
        self.pending: deque[tuple[Any, bool]] = deque()  # (object, whether it is gone)

    def add_handler(self, handler: Handler[Any]) -> None:
        self.handlers.append(handler)
        for obj in self.store if handler.on_add is not None else ():
            handler.on_add(obj)

    def deliver(self, count: int) -> None:
        for _ in range(min(count, len(self.pending))):
            self._show(*self.pending.popleft())

    def repeat(self, choice: int) -> None:
        """An event that changes nothing."""
        if len(self.store):
            obj = list(self.store)[choice % len(self.store)]
            for handler in self.handlers:
                if handler.on_update is not None:
                    handler.on_update(obj, obj)

    def relist(self, live: dict[str, Any]) -> None:
        self.pending.clear()
        for key in self.store.keys():  # noqa: SIM118
            if key not in live:
                self._show(self.store.get_by_key(key), True)
        for key, obj in live.items():
            if self.store.get_by_key(key) != obj:
                self._show(obj, False)

    def _show(self, obj: Any, gone: bool) -> None:
        old = self.store.remove(key_of(obj)) if gone else self.store.put(obj)
        for handler in self.handlers:
            if gone and handler.on_delete is not None:
                handler.on_delete(obj)
            elif not gone and old is None and handler.on_add is not None:
                handler.on_add(obj)
            elif not gone and old is not None and handler.on_update is not None:
                handler.on_update(old, obj)


class Died(Exception):
    """The controller was killed."""


class LaggingWorld:
    """The server, and the controller's client to it."""

    def __init__(self, kind: type[Controller], *objects: Any) -> None:
        self.kind, self.clock = kind, FakeClock()
        self.live: dict[type[Any], dict[str, Any]] = {}
        self.informers: dict[type[Any], LaggingInformer] = {}
        self.deleted: list[core_v1.Pod] = []  # by the controller, as they were
        self._ids = itertools.count(1)
        self._left: int | None = None  # writes until the controller is killed
        for obj in objects:
            self.put(obj)
        self.restart()

    # -- the server ------------------------------------------------------------------------------------

    def put(self, obj: Any) -> Any:
        number, meta = next(self._ids), obj.metadata
        name = meta.name or f"{meta.generate_name}{number}"
        obj = replace(obj, metadata=replace(
            meta, name=name, uid=meta.uid or f"u{number}", resource_version=str(number),
            creation_timestamp=meta.creation_timestamp or rfc3339(self.clock.time()),
        ))
        self.live.setdefault(type(obj), {})[key_of(obj)] = obj
        self._tell(obj, False)
        return obj

    def drop(self, obj: Any) -> None:
        del self.live[type(obj)][key_of(obj)]
        self._tell(obj, True)

    def _tell(self, obj: Any, gone: bool) -> None:
        if type(obj) in self.informers:
            self.informers[type(obj)].pending.append((obj, gone))

    def pods(self) -> list[core_v1.Pod]:
        return list(self.live.get(core_v1.Pod, {}).values())

    def active(self) -> list[core_v1.Pod]:
        return [pod for pod in self.pods() if is_active(pod)]

    def set_pod(self, pod: core_v1.Pod, phase: str = "Running", ready: bool = True) -> None:
        now = rfc3339(self.clock.time())
        conditions = [core_v1.PodCondition(type="Ready", status="True" if ready else "False", last_transition_time=now)]
        self.put(replace(pod, status=core_v1.PodStatus(phase=phase, conditions=conditions)))

    def ask_to_go(self, pod: core_v1.Pod) -> None:
        if pod.metadata.deletion_timestamp is None:
            going = replace(pod, metadata=replace(pod.metadata, deletion_timestamp=rfc3339(self.clock.time())))
            self.put(going)

    def kubelet(self) -> None:
        """Whoever was asked to go does; whoever lives becomes ready."""
        for pod in self.pods():
            if pod.metadata.deletion_timestamp is not None:
                self.drop(pod)
            elif not is_terminal(pod) and not pod.status.conditions:
                self.set_pod(pod)

    # -- the controller's client -------------------------------------------------------------------------

    def _find(self, kind: type[Any], name: str, namespace: str) -> Any:
        found = self.live.get(kind, {}).get(f"{namespace}/{name}")
        if found is None:
            raise StatusError(404, "NotFound", f"{name} not found")
        return found

    async def get(self, kind: type[Any], name: str, namespace: str = "") -> Any:
        return self._find(kind, name, namespace)

    async def create(self, obj: Any) -> Any:
        self._write()
        if obj.metadata.name and key_of(obj) in self.live.get(type(obj), {}):
            raise StatusError(409, "AlreadyExists", "it exists")
        return self.put(obj)

    async def delete(self, kind: type[Any], name: str, namespace: str = "", *, uid: str = "") -> None:
        self._write()
        found = self._find(kind, name, namespace)
        if found.metadata.uid != uid:
            raise StatusError(409, "Conflict", "another uid")
        if kind is core_v1.Pod:
            self.deleted.append(found)
            self.ask_to_go(found)
        else:
            self.drop(found)

    async def patch(self, kind: type[Any], name: str, body: dict[str, Any], namespace: str = "", **_: Any) -> Any:
        self._write()
        live = self._find(kind, name, namespace)
        expected = body.get("metadata", {})
        if expected.get("uid", live.metadata.uid) != live.metadata.uid:
            raise StatusError(409, "Conflict", "another uid")
        if expected.get("resourceVersion", live.metadata.resource_version) != live.metadata.resource_version:
            raise StatusError(409, "Conflict", "it has changed")
        found = msgspec.to_builtins(live)
        return self.put(msgspec.convert(_merged(found, body), kind))

    # -- what befalls the controller ---------------------------------------------------------------------

    def restart(self) -> None:
        """It begins with nothing but what the server holds."""
        self.informers = {}
        context = Context(lambda name: self, self, self.clock)  # type: ignore[arg-type, return-value]
        self.controller = self.kind(context)

    def informer(self, kind: type[Any]) -> LaggingInformer:
        """As of SharedInformerFactory."""
        if kind not in self.informers:
            self.informers[kind] = LaggingInformer()
            self.informers[kind].relist(self.live.get(kind, {}))
        return self.informers[kind]

    def lose_events(self) -> None:
        for kind, informer in self.informers.items():
            informer.relist(self.live.get(kind, {}))

    def wait(self, seconds: float) -> None:
        asyncio.run(self.clock.advance(seconds))

    def sync(self, key: str, writes: int | None = None) -> list[core_v1.Pod]:
        """One reconcile, killed after so many writes; gives the Pods that it has deleted, as they were."""
        self.deleted, self._left = [], writes
        with contextlib.suppress(StatusError, Died):
            asyncio.run(self.controller.reconcile(key))
        if self._left == 0:
            self.restart()
        self._left = None
        return self.deleted

    def _write(self) -> None:
        if self._left == 0:
            raise Died
        if self._left is not None:
            self._left -= 1

    def settle(self, key: str) -> None:
        """No more faults, and every delay is over."""
        for _ in range(60):
            self.lose_events()
            before = {kind: dict(found) for kind, found in self.live.items()}
            self.wait(1000)
            self.sync(key)
            self.kubelet()
            if before == self.live:
                return
        raise AssertionError("it does not come to rest")


def _merged(old: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    base = old if isinstance(old, dict) else {}
    return {key: _merged(base.get(key), patch[key]) if key in patch else base[key] for key in {**base, **patch} if patch.get(key, 0) is not None}
