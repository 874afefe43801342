"""The scheduling queue: Pods to try now, Pods that wait out a back-off, Pods that nothing could place, gated Pods.

https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/  A Pod that was refused is tried again when
something happened that may help it, as the plugins say that refused it, and in any case after a few minutes.  What
happens while a Pod is being tried is written down and looked at when it comes back.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from wherry.api.types import core_v1
from wherry.scheduler.framework import ASSIGNED_POD, UNSCHEDULED_POD, Action, EventHint, Resource
from wherry.scheduler.journal import Journal
from wherry.util.clock import Clock

INITIAL_BACKOFF, MAX_BACKOFF = 1.0, 10.0  # seconds
EARLY = 0.1  # of its back-off a Pod waits at least, when there is nothing else to try
FLUSH_AFTER = 300.0
Hints = Mapping[str, Mapping[str, Sequence[EventHint]]]  # by schedulerName and plugin
ACTIVE, BACKOFF, UNSCHEDULABLE, GATED, FLYING = "active", "backoff", "unschedulable", "gated", "flying"


@dataclass(slots=True)
class Happened:
    """Something that may help Pods; `answers` keeps what plugins said about equal Pods."""

    resource: Resource
    actions: Action
    old: Any
    new: Any
    answers: dict[tuple[bytes, frozenset[str]], bool] = field(default_factory=dict)


@dataclass
class Queued:
    """A Pod that waits, and what refused it last.  `since`: when it came, or came back: newer ones are not behind one that is refused."""

    pod: core_v1.Pod
    since: float
    first: float = 0.0  # when it was tried for the first time
    attempts: int = 0
    refused_by: frozenset[str] = frozenset()
    parked_at: float = 0.0
    taken_at: int = 0  # position in the journal of what happened
    backs_off: int = 0  # which back-off it is in, or was last

    @cached_property
    def template(self) -> bytes:
        """The same for Pods that no hint can tell apart."""
        pod = self.pod
        told = [pod.metadata.namespace, pod.metadata.labels, pod.spec, pod.status.resource_claim_statuses]
        return hashlib.blake2b(msgspec.json.encode(told), digest_size=16).digest()

    def replace(self, pod: core_v1.Pod) -> None:
        self.pod = pod
        self.__dict__.pop("template", None)


class SchedulingQueue:
    """Keyed by the Pod's uid; ordered by priority, then by age (PrioritySort)."""

    def __init__(
        self, clock: Clock, hints: Hints | None = None, initial_backoff: float = INITIAL_BACKOFF, max_backoff: float = MAX_BACKOFF, *,
        ungated: Collection[str] = (),  # schedulers that take no notice of gates
        gate: Callable[[core_v1.Pod], str] = lambda pod: "",
    ) -> None:
        self._clock, self._hints, self._ungated, self._gate = clock, hints or {}, frozenset(ungated), gate
        self._initial, self._max = initial_backoff, max_backoff
        self._active: list[tuple[int, float, int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._early: list[tuple[float, int, str]] = []  # the same Pods, but for those that wait for an error to pass
        self._unschedulable: dict[str, Queued] = {}
        self._entries: dict[str, Queued] = {}
        self._state: dict[str, str] = {}
        self._happened: Journal[Happened] = Journal()
        self._flying: dict[str, int] = {}  # Pods that are being tried, the first first: position in that journal
        self._order = itertools.count()
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def counts(self) -> dict[str, int]:
        """How many Pods are in each state."""
        return Counter(self._state.values())

    def refusals(self) -> Counter[tuple[str, str]]:
        """How many Pods each plugin of each profile has refused."""
        told = Counter[tuple[str, str]]()
        for entry in self._entries.values():
            told.update((plugin, entry.pod.spec.scheduler_name) for plugin in entry.refused_by)
        return told

    def state_of(self, uid: str) -> str:
        """active, backoff, unschedulable, gated, flying (being tried), or "" when it is not here."""
        return self._state.get(uid, "")

    def holds(self, entry: Queued) -> bool:
        """Whether the Pod that is being tried is still to be placed."""
        return self._entries.get(entry.pod.metadata.uid) is entry

    # -- Pods come and go --------------------------------------------------------------------------

    def add(self, pod: core_v1.Pod) -> None:
        """A new Pod, or a newer version of one that waits."""
        uid = pod.metadata.uid
        entry = self._entries.get(uid)
        if entry is None:
            entry = self._entries[uid] = Queued(pod, self._clock.monotonic())
            self._enter(uid, entry)
            return
        old = entry.pod
        entry.replace(pod)
        if self._state[uid] == GATED:
            self._enter(uid, entry)
            return
        actions = own_actions(old, pod)
        if actions:
            self.happened(UNSCHEDULED_POD, actions, old, pod, only=uid)

    def _enter(self, uid: str, entry: Queued) -> None:
        """Into the active queue, unless a gate is closed (SchedulingGates)."""
        if entry.pod.spec.scheduling_gates and entry.pod.spec.scheduler_name not in self._ungated:
            self._set(uid, GATED)
        else:
            self._activate(uid, entry)

    def remove(self, uid: str) -> None:
        """It has a node, or is gone."""
        self._entries.pop(uid, None)
        self._state.pop(uid, None)
        self._unschedulable.pop(uid, None)
        self._flying.pop(uid, None)

    def _set(self, uid: str, state: str) -> None:
        if self._state.get(uid) == UNSCHEDULABLE:
            del self._unschedulable[uid]
        self._flying.pop(uid, None)
        self._state[uid] = state
        if state == UNSCHEDULABLE:
            self._unschedulable[uid] = self._entries[uid]

    def _activate(self, uid: str, entry: Queued) -> None:
        """To be tried; or to wait untried for what a plugin says (PreEnqueue), until that plugin's events help."""
        if plugin := self._gate(entry.pod):
            entry.refused_by, entry.parked_at = frozenset((plugin,)), self._clock.monotonic()
            self._set(uid, UNSCHEDULABLE)
            return
        self._set(uid, ACTIVE)
        heapq.heappush(self._active, (-(entry.pod.spec.priority or 0), entry.since, next(self._order), uid))
        self._ready.set()

    # -- tries -------------------------------------------------------------------------------------

    def take(self) -> Queued | None:
        """The next Pod, or None when there is none now; every Pod taken must be `park`ed or `remove`d."""
        while self._active:
            *_, uid = heapq.heappop(self._active)
            entry = self._entries.get(uid)
            if entry is not None and self._state[uid] == ACTIVE:
                self._set(uid, FLYING)
                entry.attempts += 1
                if entry.attempts == 1:
                    entry.first = self._clock.monotonic()
                entry.taken_at = self._flying[uid] = self._happened.end
                return entry
        if self._early:
            self._changed.set()  # nothing to do: those that back off may come early
        return None

    async def wait(self) -> None:
        """Until there may be something to take."""
        while not self._active:
            self._ready.clear()
            await self._ready.wait()

    def park(self, entry: Queued, refused_by: frozenset[str], *, retry: bool = False) -> None:
        """It could not be placed: back off if something that helps happened meanwhile (or `retry`), else wait for it."""
        uid = entry.pod.metadata.uid
        if self._entries.get(uid) is not entry:
            return
        entry.refused_by = refused_by
        entry.parked_at = entry.since = self._clock.monotonic()
        missed = self._happened.since(entry.taken_at)
        if retry or missed is None or any(self._helps(each, entry) for each in missed):
            self._back_off(uid, entry)
        else:
            self._set(uid, UNSCHEDULABLE)

    def _back_off(self, uid: str, entry: Queued) -> None:
        delay = min(self._max, self._initial * 2 ** min(30, entry.attempts - 1)) if entry.attempts else 0.0
        due = entry.parked_at + delay
        if due <= self._clock.monotonic():
            self._activate(uid, entry)
            return
        self._set(uid, BACKOFF)
        entry.backs_off = next(self._order)
        heapq.heappush(self._backoff, (due, entry.backs_off, uid))
        if entry.refused_by:
            heapq.heappush(self._early, (entry.parked_at + EARLY * delay, entry.backs_off, uid))
        self._changed.set()

    # -- what happens ------------------------------------------------------------------------------

    def happened(self, resource: Resource, actions: Action, old: Any, new: Any, *, only: str = "") -> None:
        """Every Pod that it may help (`only`: that Pod alone) is tried again, its back-off honoured."""
        event = Happened(resource, actions, old, new)
        self._happened.append(event)
        self._happened.forget(next(iter(self._flying.values()), self._happened.end))
        for uid in [only] if only else list(self._unschedulable):
            entry = self._unschedulable.get(uid)
            if entry is not None and self._helps(event, entry):
                self._back_off(uid, entry)

    def _helps(self, event: Happened, entry: Queued) -> bool:
        """Whether one of the plugins that refused the Pod has a hint for it."""
        uid = entry.pod.metadata.uid
        if event.resource == UNSCHEDULED_POD and event.new.metadata.uid != uid:
            return False
        if event.resource == ASSIGNED_POD and uid in (each.metadata.uid for each in (event.old, event.new) if each is not None):
            return False  # what it had taken itself and gave back helps others
        if not entry.refused_by:
            return True
        key = entry.template, entry.refused_by
        answer = event.answers.get(key)
        if answer is None:
            answer = event.answers[key] = self._ask(event, entry)
        return answer

    def _ask(self, event: Happened, entry: Queued) -> bool:
        by_plugin = self._hints.get(entry.pod.spec.scheduler_name, {})
        for plugin in entry.refused_by:
            hints = by_plugin.get(plugin)
            if not hints:  # it does not say: anything may help
                return True
            for each in hints:
                if each.resource == event.resource and each.actions & event.actions and each.hint(entry.pod, event.old, event.new):
                    return True
        return False

    # -- time --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Move Pods whose time has come, until cancelled."""
        while True:
            now = self._clock.monotonic()
            while self._backoff and self._backoff[0][0] <= now:
                self._resume(*heapq.heappop(self._backoff)[1:])
            self._come_early(now)
            while self._unschedulable:  # in the order in which they came
                uid, entry = next(iter(self._unschedulable.items()))
                if now - entry.parked_at < FLUSH_AFTER:
                    break
                self._activate(uid, entry)
            await self._nap(now)

    def _resume(self, backs_off: int, uid: str) -> None:
        """Its back-off is over, unless that was over before."""
        entry = self._entries.get(uid)
        if entry is not None and self._state[uid] == BACKOFF and entry.backs_off == backs_off:
            self._activate(uid, entry)

    def _come_early(self, now: float) -> None:
        """An idle scheduler tries what backs off (upstream's SchedulerPopFromBackoffQ), all of one moment by priority.

        Not at once, as upstream does: a Pod that each event wakes in vain would keep the whole process busy.
        """
        idle = not any(self._state.get(uid) == ACTIVE for *_, uid in self._active)
        while self._early and self._early[0][0] <= now:
            _, backs_off, uid = self._early[0]
            entry = self._entries.get(uid)
            waits = entry is not None and self._state[uid] == BACKOFF and entry.backs_off == backs_off
            if waits and not idle:
                return
            heapq.heappop(self._early)
            if waits:
                self._resume(backs_off, uid)

    async def _nap(self, now: float) -> None:
        """Until the next Pod falls due, or another earlier one comes."""
        due = self._backoff[0][0] if self._backoff else now + FLUSH_AFTER / 10
        if self._early and not self._active:
            due = min(due, self._early[0][0])
        self._changed.clear()
        alarm = asyncio.ensure_future(self._clock.sleep(due - now))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({alarm, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            changed.cancel()
            await asyncio.gather(alarm, changed, return_exceptions=True)


def own_actions(old: core_v1.Pod, new: core_v1.Pod) -> Action:
    """What changed of a waiting Pod that may make it fit."""
    actions = Action(0)
    if old.metadata.labels != new.metadata.labels:
        actions |= Action.UPDATE_POD_LABEL
    if old.spec.tolerations != new.spec.tolerations:
        actions |= Action.UPDATE_POD_TOLERATION
    if old.spec.scheduling_gates and not new.spec.scheduling_gates:
        actions |= Action.UPDATE_POD_SCHEDULING_GATES_ELIMINATED
    if [c.resources for c in old.spec.containers] != [c.resources for c in new.spec.containers] or old.spec.resources != new.spec.resources:
        actions |= Action.UPDATE_POD_SCALE_DOWN
    if old.status.resource_claim_statuses != new.status.resource_claim_statuses:
        actions |= Action.UPDATE_POD_GENERATED_RESOURCE_CLAIM
    return actions
