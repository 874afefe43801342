"""What the node has promised each Pod, which is not always what its spec asks for (KEP-1287).

A Pod runs with its allocation.  When its spec asks for more, the kubelet says yes, not yet, or never; until yes, everything on
the node sees the Pod as it was.  Nothing is kept on disk: what a Pod has been given is told in its status.
https://kubernetes.io/docs/tasks/configure-pod-container/resize-container-resources/
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from wherry.api.pod import effective_requests, is_sidecar, qos_class
from wherry.api.types import core_v1
from wherry.apimachinery import quantity
from wherry.kubelet.admission import out_of_resources
from wherry.kubelet.events import Events
from wherry.kubelet.podutil import is_terminal
from wherry.kubelet.status.conditions import Json

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
DEFERRED, INFEASIBLE, ERROR = "Deferred", "Infeasible", "Error"
RETRY_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Allocation:
    """Of the whole Pod, and of each container by name."""

    whole: core_v1.ResourceRequirements | None
    containers: Mapping[str, core_v1.ResourceRequirements]


def asked(pod: core_v1.Pod) -> Allocation:
    """What its spec says now."""
    return Allocation(pod.spec.resources, {each.name: each.resources for each in (*pod.spec.init_containers, *pod.spec.containers)})


def given(pod: core_v1.Pod) -> Allocation:
    """What an earlier kubelet gave it, by its status; what is not told there is what it asks for."""
    wish, status = asked(pod), pod.status
    sidecars = {each.name for each in pod.spec.init_containers if is_sidecar(each)}
    told = {each.name: each.resources for each in status.container_statuses if each.resources is not None and each.container_id}
    told |= {
        each.name: each.resources for each in status.init_container_statuses
        if each.name in sidecars and each.resources is not None and each.container_id
    }
    whole = status.resources if wish.whole is not None and told and status.resources is not None else wish.whole
    return Allocation(
        _restored(wish.whole, whole) if wish.whole is not None and whole is not None else wish.whole,
        {name: _restored(amounts, told[name]) if name in told else amounts for name, amounts in wish.containers.items()},
    )


def _restored(wish: core_v1.ResourceRequirements, told: core_v1.ResourceRequirements) -> core_v1.ResourceRequirements:
    """Only CPU and memory can differ; a request that follows from its limit is told, though nobody asked for it."""
    def amounts(asks: Mapping[str, str], has: Mapping[str, str]) -> dict[str, str]:
        return {name: has.get(name, amount) if name in ("cpu", "memory") else amount for name, amount in asks.items()}

    return msgspec.structs.replace(wish, requests=amounts(wish.requests, told.requests), limits=amounts(wish.limits, told.limits))


def as_allocated(pod: core_v1.Pod, allocation: Allocation) -> core_v1.Pod:
    """The Pod as the node sees it."""
    if _same(asked(pod), allocation):
        return pod

    def sized(containers: Iterable[core_v1.Container]) -> list[core_v1.Container]:
        return [msgspec.structs.replace(each, resources=allocation.containers.get(each.name, each.resources)) for each in containers]

    spec = msgspec.structs.replace(
        pod.spec, resources=allocation.whole, containers=sized(pod.spec.containers), init_containers=sized(pod.spec.init_containers),
    )
    return msgspec.structs.replace(pod, spec=spec)


def _same(one: Allocation, other: Allocation) -> bool:
    return one.whole == other.whole and one.containers == other.containers


def infeasible(pod: core_v1.Pod, capacity: Mapping[str, str]) -> str:
    """Why the node could not give what is asked for if it were empty; "" when it could."""
    requests = effective_requests(pod)
    for name in ("memory", "cpu"):
        if name in requests:
            amount = quantity.Quantity.milli if name == "cpu" else quantity.Quantity.value
            wanted, has = amount(requests[name]), amount(quantity.parse(capacity.get(name, "0")))
            if wanted > has:
                return f"Node didn't have enough capacity: {name}, requested: {wanted}, capacity: {has}"
    return ""


def summary(pod: core_v1.Pod, told: str, error: str = "") -> str:
    """The message of an event about a resize: what the containers ask for, as JSON."""
    found: Json = {}
    for kind, containers in (("initContainers", pod.spec.init_containers), ("containers", pod.spec.containers)):
        if containers:
            found[kind] = [{"name": each.name, "resources": _sorted(each.resources)} for each in containers]
    found["generation"] = pod.metadata.generation or 0
    if error:
        found["error"] = error
    return f"{told}: {json.dumps(found, separators=(',', ':'))}"


def _sorted(resources: core_v1.ResourceRequirements) -> Json:
    both = (("limits", resources.limits), ("requests", resources.requests))
    return {name: dict(sorted(amounts.items())) for name, amounts in both if amounts}


@dataclass(slots=True)
class AllocationManager:
    """One a kubelet.  `pods` gives the API's Pods of the node that are not refused; `changed` is told the uid of one to look at."""

    capacity: Callable[[], Mapping[str, str]]
    pods: Callable[[], Collection[core_v1.Pod]]
    events: Events
    changed: Callable[[str], None]
    _allocated: dict[str, Allocation] = field(default_factory=dict)
    _conditions: dict[str, dict[str, Json]] = field(default_factory=dict)  # by uid, then by type
    _deferred: dict[str, None] = field(default_factory=dict)  # uids, those that have waited longest first

    def of(self, pod: core_v1.Pod) -> core_v1.Pod:
        """The Pod with what it was promised."""
        known = self._allocated.get(pod.metadata.uid)
        return pod if known is None else as_allocated(pod, known)

    def add(self, pod: core_v1.Pod) -> core_v1.Pod:
        """A Pod that the node takes, or had already."""
        uid = pod.metadata.uid
        if uid not in self._allocated:
            self._allocated[uid] = given(pod)
        self.update(pod)
        return self.of(pod)

    def forget(self, uid: str) -> None:
        self._allocated.pop(uid, None)
        self._conditions.pop(uid, None)
        self._deferred.pop(uid, None)

    def conditions(self, uid: str) -> list[Json]:
        return [dict(each) for each in self._conditions.get(uid, {}).values()]

    # -- what is asked for ---------------------------------------------------------------------------

    def update(self, pod: core_v1.Pod) -> None:
        """Its spec may ask for other amounts than it has."""
        uid = pod.metadata.uid
        known = self._allocated.get(uid)
        if known is None:
            return
        self._deferred.pop(uid, None)
        if _same(asked(pod), known) or is_terminal(pod.status.phase):
            self._clear(uid, PENDING)
            return
        reason, message = self._refusal(pod)
        if reason:
            if reason == DEFERRED:
                self._deferred[uid] = None
            if self._set(pod, PENDING, reason, message):
                self.events.pod(pod, "Warning", f"Resize{reason}", summary(pod, f"Pod resize {reason}", message))
            return
        self._allocated[uid] = asked(pod)
        self._clear(uid, PENDING)
        self._clear(uid, IN_PROGRESS)
        self._set(pod, IN_PROGRESS)
        self.events.pod(pod, "Normal", "ResizeStarted", summary(pod, "Pod resize started"))

    def _refusal(self, pod: core_v1.Pod) -> tuple[str, str]:
        if why := infeasible(pod, self.capacity()):
            return INFEASIBLE, why
        others = [self.of(each) for each in self.pods() if each.metadata.uid != pod.metadata.uid and not is_terminal(each.status.phase)]
        found = out_of_resources(pod, others, self.capacity())
        return (DEFERRED, found.message) if found is not None else ("", "")

    def retry(self) -> None:
        """Room may have come: whoever asks for no more is first, then by priority, by quality of service, and by time."""
        if not self._deferred:
            return
        by_uid = {each.metadata.uid: each for each in self.pods()}
        waiting = [by_uid[uid] for uid in self._deferred if uid in by_uid]
        order = list(self._deferred)
        for pod in sorted(waiting, key=lambda each: (self._grows(each), -(each.spec.priority or 0), qos_class(each) != "Guaranteed")):
            uid, before = pod.metadata.uid, self.conditions(pod.metadata.uid)
            self.update(pod)
            if self.conditions(uid) != before:
                self.changed(uid)
        self._deferred = {uid: None for uid in order if uid in self._deferred}

    def _grows(self, pod: core_v1.Pod) -> bool:
        has, wants = effective_requests(self.of(pod)), effective_requests(pod)
        return any(wants.get(name, quantity.ZERO) > has.get(name, quantity.ZERO) for name in ("cpu", "memory"))

    # -- what becomes of it --------------------------------------------------------------------------

    def actuated(self, pod: core_v1.Pod, done: bool) -> None:
        """Whether the containers have what was promised."""
        uid = pod.metadata.uid
        if not done:
            if IN_PROGRESS not in self._conditions.get(uid, {}):
                self._set(pod, IN_PROGRESS)
            return
        was = self._clear(uid, IN_PROGRESS)
        if was is not None:
            meta = msgspec.structs.replace(pod.metadata, generation=was.get("observedGeneration"))
            told = summary(msgspec.structs.replace(pod, metadata=meta), "Pod resize completed")
            self.events.pod(pod, "Normal", "ResizeCompleted", told)

    def failed(self, pod: core_v1.Pod, message: str) -> None:
        """The runtime could not give it."""
        known = self._conditions.get(pod.metadata.uid, {}).get(IN_PROGRESS, {})
        if self._set(pod, IN_PROGRESS, ERROR, message, known.get("observedGeneration")):
            self.events.pod(pod, "Warning", "ResizeError", summary(pod, "Pod resize error", message))

    def _set(self, pod: core_v1.Pod, kind: str, reason: str = "", message: str = "", generation: int | None = None) -> bool:
        """Whether it says anything new."""
        made: Json = {"type": kind, "status": "True"}
        if reason:
            made |= {"reason": reason, "message": message}
        if seen := generation or pod.metadata.generation:
            made["observedGeneration"] = seen
        known = self._conditions.setdefault(pod.metadata.uid, {})
        new = known.get(kind) != made
        known[kind] = made
        return new

    def _clear(self, uid: str, kind: str) -> Json | None:
        return self._conditions.get(uid, {}).pop(kind, None)
