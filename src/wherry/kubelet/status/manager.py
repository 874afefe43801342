"""Keeps the newest status of each Pod and brings it to the API server: in order, only what changed.

One task a Pod that has something to send, so that a slow answer for one Pod holds up no other.
"""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Callable
from typing import Any

import msgspec

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, is_conflict, is_not_found
from wherry.client import Client
from wherry.kubelet.podutil import is_terminal
from wherry.kubelet.status.conditions import RESIZING, Json, condition, containers_ready, ready
from wherry.kubelet.status.generate import merge_times
from wherry.kubelet.status.patch import status_patch
from wherry.util.clock import Clock, rfc3339

log = logging.getLogger(__name__)

_RETRY_SECONDS = 1.0
_MAX_RETRY_SECONDS = 30.0


class _Entry:
    """One Pod: the status as it should be, and as the server is known to have it."""

    __slots__ = ("changed", "deletable", "pod", "sent", "status", "task", "told")

    def __init__(self, pod: core_v1.Pod, sent: Json) -> None:
        self.pod = pod
        self.sent = sent
        self.status = copy.deepcopy(sent)
        self.changed = asyncio.Event()
        self.deletable = False  # everything of it is gone from the node: the object may go
        self.task: asyncio.Task[None] | None = None
        self.told = asyncio.Event()  # the server has a status that was found here


class StatusManager:
    """`close` ends its tasks.  `get_pod` gives the newest object by uid, or None when it is gone."""

    def __init__(self, client: Client, clock: Clock, get_pod: Callable[[str], core_v1.Pod | None]) -> None:
        self._client, self._clock, self._get_pod = client, clock, get_pod
        self._entries: dict[str, _Entry] = {}

    def _entry(self, pod: core_v1.Pod) -> _Entry:
        uid = pod.metadata.uid
        if uid not in self._entries:
            self._entries[uid] = _Entry(pod, _as_json(pod.status))
        entry = self._entries[uid]
        entry.pod = pod
        return entry

    def get(self, pod: core_v1.Pod) -> Json:
        """The status that stands, sent or not."""
        return self._entry(pod).status

    def peek(self, uid: str) -> Json | None:
        entry = self._entries.get(uid)
        return entry.status if entry else None

    def update(self, pod: core_v1.Pod, status: Json, *, could_run: bool = False) -> None:
        """Take a new status.  While containers `could_run` still, the phase does not become terminal."""
        entry = self._entry(pod)
        old = entry.status
        if could_run and is_terminal(status["phase"]) and not is_terminal(old.get("phase", "")):
            status = {key: value for key, value in status.items() if key not in ("reason", "message")}
            status["phase"] = old.get("phase") or "Pending"
            status.update({key: old[key] for key in ("reason", "message") if old.get(key)})
        status["startTime"] = old.get("startTime") or rfc3339(self._clock.time())
        self._store(entry, merge_times(status, old, rfc3339(self._clock.time())))

    def _store(self, entry: _Entry, status: Json) -> None:
        if status != entry.status or status != entry.sent:
            entry.status = status
            self._wake(entry)
        else:
            entry.told.set()

    async def told(self, pod: core_v1.Pod) -> None:
        """Until the server has the Pod's status as it was found here first, or knew it already."""
        await self._entry(pod).told.wait()

    def sandbox_ready(self, pod: core_v1.Pod) -> None:
        """Tell at once that the network stands, long before the images may be there."""
        entry = self._entry(pod)
        status = copy.deepcopy(entry.status)
        for each in status.get("conditions", []):
            if each["type"] == "PodReadyToStartContainers" and each["status"] != "True":
                each["status"], each["lastTransitionTime"] = "True", rfc3339(self._clock.time())
        self._store(entry, status)

    def set_readiness(self, uid: str, container_id: str, is_ready: bool) -> None:
        """A readiness probe changed its mind."""
        found = self._find(uid, container_id)
        if found is None:
            return
        entry, status, container = found
        if container["ready"] == is_ready:
            return
        container["ready"] = is_ready
        conditions = status["conditions"]
        of_containers = containers_ready(
            entry.pod, status.get("initContainerStatuses", []), status.get("containerStatuses", []), status["phase"],
        )
        for made in (of_containers, ready(entry.pod, of_containers, conditions)):
            for index, each in enumerate(conditions):
                if each["type"] == made["type"]:
                    conditions[index] = made
        self._store(entry, merge_times(status, entry.status, rfc3339(self._clock.time())))

    def set_started(self, uid: str, container_id: str, started: bool) -> None:
        """A startup probe came to its end."""
        found = self._find(uid, container_id)
        if found is not None and found[2].get("started") != started:
            found[2]["started"] = started
            self._store(found[0], found[1])

    def _find(self, uid: str, container_id: str) -> tuple[_Entry, Json, Json] | None:
        """(entry, a copy of its status, the container's part of the copy)."""
        entry = self._entries.get(uid)
        if entry is None:
            return None
        status = copy.deepcopy(entry.status)
        for name in ("containerStatuses", "initContainerStatuses"):
            for each in status.get(name, []):
                if each.get("containerID", "").endswith(f"//{container_id}"):
                    return entry, status, each
        return None

    def pod_gone(self, pod: core_v1.Pod) -> None:
        """Nothing of the Pod is left on the node: delete its object, once the last status is told."""
        entry = self._entry(pod)
        entry.deletable = True
        self._wake(entry)

    def reconcile(self, pod: core_v1.Pod) -> None:
        """The object changed on the server: what it says is what the server has."""
        entry = self._entries.get(pod.metadata.uid)
        if entry is None:
            return
        entry.pod = pod
        entry.sent = _as_sent(pod, entry.status)
        self._adopt_foreign_conditions(entry)
        if entry.task is None and status_patch(pod.metadata.uid, entry.sent, entry.status) is not None:
            self._wake(entry)

    def _adopt_foreign_conditions(self, entry: _Entry) -> None:
        """Conditions of others (readiness gates) are theirs to change."""
        own = {"PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", *RESIZING}
        theirs = [each for each in entry.sent.get("conditions", []) if each["type"] not in own]
        if not theirs or not entry.status.get("conditions"):
            return
        known = {each["type"]: each for each in entry.status["conditions"] if each["type"] not in own}
        merged = [{**each, **_generation(known.get(each["type"]))} for each in theirs]
        mine = [each for each in entry.status["conditions"] if each["type"] in own]
        entry.status = {**entry.status, "conditions": [*mine, *merged]}

    def forget(self, uid: str) -> None:
        """The object is gone from the server."""
        entry = self._entries.pop(uid, None)
        if entry is not None:
            entry.told.set()
        if entry is not None and entry.task is not None and entry.task is not asyncio.current_task():
            entry.task.cancel()

    def known(self) -> set[str]:
        return set(self._entries)

    async def close(self) -> None:
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def reject(self, pod: core_v1.Pod, reason: str, message: str) -> None:
        """The node does not take the Pod: it fails, without ever having run."""
        entry = self._entry(pod)
        status: Json = {**copy.deepcopy(entry.status), "phase": "Failed", "reason": reason, "message": f"Pod was rejected: {message}"}
        status.setdefault("conditions", [condition("PodScheduled", True)])
        status["startTime"] = status.get("startTime") or rfc3339(self._clock.time())
        if pod.metadata.generation:
            status["observedGeneration"] = pod.metadata.generation
        self._store(entry, merge_times(status, entry.status, rfc3339(self._clock.time())))

    # Sending -----------------------------------------------------------------------------------

    def _wake(self, entry: _Entry) -> None:
        entry.changed.set()
        if entry.task is None:
            name = f"status of {entry.pod.metadata.namespace}/{entry.pod.metadata.name}"
            entry.task = asyncio.get_running_loop().create_task(self._send_all(entry), name=name)

    async def _send_all(self, entry: _Entry) -> None:
        """Send until there is nothing new; then the task ends."""
        delay = _RETRY_SECONDS
        try:
            while entry.changed.is_set():
                entry.changed.clear()
                try:
                    await self._send(entry)
                    delay = _RETRY_SECONDS
                except (StatusError, OSError) as error:
                    if is_not_found(error):
                        log.debug("pod %s is gone already", entry.pod.metadata.name)
                        return
                    if is_conflict(error):
                        log.debug("pod %s was replaced by a namesake", entry.pod.metadata.name)
                        return
                    log.warning("status of pod %s/%s not sent: %s", entry.pod.metadata.namespace, entry.pod.metadata.name, error)
                    entry.changed.set()
                    await self._clock.sleep(delay)
                    delay = min(delay * 2, _MAX_RETRY_SECONDS)
        finally:
            entry.task = None
            entry.told.set()

    async def _send(self, entry: _Entry) -> None:
        meta = entry.pod.metadata
        status = entry.status
        patch = status_patch(meta.uid, entry.sent, status)
        if patch is not None:
            answer = await self._client.patch(
                core_v1.Pod, meta.name, patch, meta.namespace, subresource="status", patch_type="strategic",
            )
            entry.sent = _as_sent(answer, status)
        if entry.deletable and entry.pod.metadata.deletion_timestamp and status == entry.status:
            await self._client.delete(core_v1.Pod, meta.name, meta.namespace, grace_period_seconds=0, uid=meta.uid)


def _as_sent(pod: core_v1.Pod, status: Json) -> Json:
    """What the server has, in the form that `status` has: typed objects leave out what has its default value."""
    theirs: dict[str, Any] = msgspec.to_builtins(pod.status)
    ours: dict[str, Any] = msgspec.to_builtins(msgspec.convert(status, core_v1.PodStatus))
    sent = {name: status[name] if name in status and ours.get(name) == value else value for name, value in theirs.items()}
    if "conditions" in theirs:
        plain = {each["type"]: each for each in ours.get("conditions", [])}
        full = {each["type"]: each for each in status.get("conditions", [])}
        sent["conditions"] = [full[each["type"]] if plain.get(each["type"]) == each else each for each in theirs["conditions"]]
    return sent


def _generation(known: Json | None) -> Json:
    return {"observedGeneration": known["observedGeneration"]} if known and "observedGeneration" in known else {}


def _as_json(status: core_v1.PodStatus) -> Json:
    """As the kubelet wrote it: a struct leaves zeros out, but an exit code is told when it is 0, too."""
    found: Json = msgspec.to_builtins(status)
    for kind in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        for each in found.get(kind, ()):
            for state in (each.get("state", {}), each.get("lastState", {})):
                if "terminated" in state:
                    state["terminated"].setdefault("exitCode", 0)
    return found
