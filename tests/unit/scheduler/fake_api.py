"""An API server for one scheduler, as bad as a test wants it: events come late and twice, bindings fail."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
from naive import Picture, priority

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError
from wherry.client.client import ListResult
from wherry.client.codec import Events, WatchEvent
from wherry.client.store import key_of

Pod = core_v1.Pod
NOW = "2026-01-01T00:00:00Z"


class FakeApi:
    """Holds nodes and Pods; what changes is `held` until it is delivered to the watches."""

    def __init__(self) -> None:
        self.objects: dict[type[Any], dict[str, Any]] = defaultdict(dict)
        self.held: deque[tuple[type[Any], str, Any]] = deque()
        self.told: list[tuple[type[Any], str, Any]] = []  # what was delivered, to be told again
        self.outcomes: deque[str] = deque()  # of the next bindings: refused, lost (done, but nobody hears of it); else done
        self.evicted: list[str] = []
        self._streams: dict[type[Any], asyncio.Queue[tuple[str, Any]]] = defaultdict(asyncio.Queue)
        self._version = 1

    # -- what a test does --------------------------------------------------------------------------

    def put(self, obj: Any) -> Any:
        """Create or replace."""
        self._version += 1
        meta = msgspec.structs.replace(obj.metadata, resource_version=str(self._version))
        obj = msgspec.structs.replace(obj, metadata=meta)
        kind, key = type(obj), key_of(obj)
        self.held.append((kind, "MODIFIED" if key in self.objects[kind] else "ADDED", obj))
        self.objects[kind][key] = obj
        return obj

    def remove(self, obj: Any) -> None:
        if (gone := self.objects[type(obj)].pop(key_of(obj), None)) is not None:
            self.held.append((type(obj), "DELETED", gone))

    def change(self, pod: Pod, *, meta: dict[str, Any] | None = None, spec: dict[str, Any] | None = None, status: dict[str, Any] | None = None) -> Pod:
        made: Pod = self.put(msgspec.structs.replace(
            pod, metadata=msgspec.structs.replace(pod.metadata, **(meta or {})), spec=msgspec.structs.replace(pod.spec, **(spec or {})),
            status=msgspec.structs.replace(pod.status, **(status or {})),
        ))
        return made

    @property
    def pods(self) -> list[Pod]:
        return list(self.objects[Pod].values())

    def kubelet(self) -> None:
        """What was asked to go goes."""
        for pod in self.pods:
            if pod.metadata.deletion_timestamp:
                self.remove(pod)

    def deliver(self, count: int = 1 << 30) -> None:
        while self.held and count > 0:
            count -= 1
            kind, type_, obj = self.held.popleft()
            self.told.append((kind, type_, obj))
            self._streams[kind].put_nowait((type_, obj))

    def repeat(self, index: int) -> None:
        """An old version is told once more, and then the newest that was: a watch that began again too early."""
        if not self.told:
            return
        kind, type_, obj = self.told[index % len(self.told)]
        later = [each for each in self.told if each[0] is kind and key_of(each[2]) == key_of(obj)]
        if type_ == "DELETED" or any(each[1] == "DELETED" for each in later):
            return
        for each in ("MODIFIED", obj), ("MODIFIED", later[-1][2]):
            self._streams[kind].put_nowait(each)

    def picture(self) -> Picture:
        """Nodes, and the Pods on them that have not ended."""
        placed = {p.metadata.uid: p for p in self.pods if p.spec.node_name and p.status.phase not in ("Succeeded", "Failed")}
        return Picture(dict(self.objects[core_v1.Node]), placed, {"default": {}})

    # -- what a client asks ------------------------------------------------------------------------

    async def list(self, kind: type[Any], namespace: str = "", **options: Any) -> ListResult[Any]:
        return ListResult([], "1", "")

    async def watch(self, kind: type[Any], namespace: str = "", **options: Any) -> AsyncGenerator[Events[Any], None]:
        while True:
            type_, obj = await self._streams[kind].get()
            yield [WatchEvent(obj, type_)]

    def _pod(self, name: str, namespace: str, uid: str | None) -> Pod:
        found: Pod | None = self.objects[Pod].get(f"{namespace}/{name}")
        if found is None:
            raise StatusError(404, "NotFound", f'pods "{name}" not found')
        if uid and found.metadata.uid != uid:
            raise StatusError(409, "Conflict", "another of that name")
        return found

    async def post(self, obj: Any, *, subresource: str = "", name: str = "", namespace: str | None = None) -> Any:
        await asyncio.sleep(0)
        if not subresource:
            return obj  # an event
        outcome = self.outcomes.popleft() if self.outcomes else "done"
        if outcome == "refused":
            raise StatusError(500, "InternalError", "not now")
        pod = self._pod(name, obj.metadata.namespace, obj.metadata.uid)
        if pod.spec.node_name or pod.metadata.deletion_timestamp:
            raise StatusError(409, "Conflict", "it has a node")
        self.change(pod, spec={"node_name": obj.target.name}, status={"nominated_node_name": ""})
        if outcome == "lost":
            raise OSError("the connection broke")
        return obj

    async def patch(self, kind: type[Any], name: str, body: Any, namespace: str = "", **options: Any) -> Any:
        await asyncio.sleep(0)
        if kind is not Pod:
            return None
        pod = self._pod(name, namespace, body["metadata"].get("uid"))
        changed: dict[str, Any] = {}
        if "nominatedNodeName" in body["status"]:
            changed["nominated_node_name"] = body["status"]["nominatedNodeName"] or ""
        for raw in body["status"].get("conditions", ()):
            condition = msgspec.convert(raw, core_v1.PodCondition)
            changed["conditions"] = [*(c for c in pod.status.conditions if c.type != condition.type), condition]
        return self.change(pod, status=changed)

    async def delete(self, kind: type[Any], name: str, namespace: str = "", *, uid: str | None = None, **options: Any) -> None:
        """Only a scheduler that preempts deletes: somebody more important waits."""
        await asyncio.sleep(0)
        pod = self._pod(name, namespace, uid)
        assert any(priority(other) > priority(pod) for other in self.pods if not other.spec.node_name), f"{name} was evicted for nobody"
        self.evicted.append(name)
        self.change(pod, meta={"deletion_timestamp": NOW})
