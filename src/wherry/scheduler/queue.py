"""The scheduling queue: Pods to try now, Pods that wait out a back-off, Pods that nothing could place.

https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/  A Pod that was refused is tried
again when something happened that may help it, and in any case after a few minutes.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from wherry.api.types import core_v1
from wherry.util.clock import Clock

INITIAL_BACKOFF, MAX_BACKOFF = 1.0, 10.0  # seconds
FLUSH_AFTER = 300.0


@dataclass(slots=True)
class Queued:
    """A Pod that waits, and what refused it last."""

    pod: core_v1.Pod
    since: float
    attempts: int = 0
    refused_by: frozenset[str] = frozenset()
    moved: bool = False  # something happened while it was being tried
    parked_at: float = 0.0
    extra: dict[str, object] = field(default_factory=dict)


class SchedulingQueue:
    """Keyed by the Pod's uid; ordered by priority, then by age."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._active: list[tuple[int, float, int, str]] = []
        self._backoff: list[tuple[float, int, str]] = []
        self._entries: dict[str, Queued] = {}
        self._state: dict[str, str] = {}  # active | backoff | unschedulable | flying
        self._order = itertools.count()
        self._ready = asyncio.Event()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def counts(self) -> dict[str, int]:
        """How many Pods are in each state."""
        return Counter(self._state.values())

    def add(self, pod: core_v1.Pod) -> None:
        """A new Pod, or a newer version of one that waits."""
        uid = pod.metadata.uid
        entry = self._entries.get(uid)
        if entry is None:
            entry = self._entries[uid] = Queued(pod, self._clock.monotonic())
            self._activate(uid, entry)
            return
        changed = entry.pod.spec != pod.spec or entry.pod.metadata.labels != pod.metadata.labels
        entry.pod = pod
        if changed:
            entry.moved = True
            if self._state[uid] == "unschedulable":
                self._activate(uid, entry)

    def remove(self, uid: str) -> None:
        """It has a node, or is gone."""
        self._entries.pop(uid, None)
        self._state.pop(uid, None)

    def _activate(self, uid: str, entry: Queued) -> None:
        self._state[uid] = "active"
        heapq.heappush(self._active, (-(entry.pod.spec.priority or 0), entry.since, next(self._order), uid))
        self._ready.set()

    def take(self) -> Queued | None:
        """The next Pod, or None when there is none now; every Pod taken must be `park`ed or `remove`d."""
        while self._active:
            *_, uid = heapq.heappop(self._active)
            entry = self._entries.get(uid)
            if entry is not None and self._state[uid] == "active":
                self._state[uid] = "flying"
                entry.attempts += 1
                entry.moved = False
                return entry
        return None

    async def wait(self) -> None:
        """Until there may be something to take."""
        while not self._active:
            self._ready.clear()
            await self._ready.wait()

    def park(self, entry: Queued, refused_by: frozenset[str], *, retry: bool = False) -> None:
        """It could not be placed: back off if something happened meanwhile (or `retry`), else wait for an event."""
        uid = entry.pod.metadata.uid
        if self._entries.get(uid) is not entry:
            return
        entry.refused_by = refused_by
        entry.parked_at = self._clock.monotonic()
        if entry.moved or retry:
            self._back_off(uid, entry)
        else:
            self._state[uid] = "unschedulable"

    def _back_off(self, uid: str, entry: Queued) -> None:
        delay = min(MAX_BACKOFF, INITIAL_BACKOFF * 2 ** max(0, entry.attempts - 1))
        due = entry.parked_at + delay
        if due <= self._clock.monotonic():
            self._activate(uid, entry)
            return
        self._state[uid] = "backoff"
        heapq.heappush(self._backoff, (due, next(self._order), uid))
        self._changed.set()

    def moved(self, helps: Callable[[Queued], bool]) -> None:
        """Something happened: every Pod that it may help is tried again, its back-off honoured."""
        for uid, entry in self._entries.items():
            state = self._state[uid]
            if state == "flying":
                entry.moved = True
            elif state == "unschedulable" and helps(entry):
                self._back_off(uid, entry)

    async def run(self) -> None:
        """Move Pods whose time has come, until cancelled."""
        while True:
            now = self._clock.monotonic()
            while self._backoff and self._backoff[0][0] <= now:
                *_, uid = heapq.heappop(self._backoff)
                entry = self._entries.get(uid)
                if entry is not None and self._state[uid] == "backoff":
                    self._activate(uid, entry)
            for uid, entry in list(self._entries.items()):
                if self._state[uid] == "unschedulable" and now - entry.parked_at >= FLUSH_AFTER:
                    self._activate(uid, entry)
            await self._nap(now)

    async def _nap(self, now: float) -> None:
        """Until the next Pod falls due, or another earlier one comes."""
        due = self._backoff[0][0] if self._backoff else now + FLUSH_AFTER / 10
        self._changed.clear()
        alarm = asyncio.ensure_future(self._clock.sleep(due - now))
        changed = asyncio.ensure_future(self._changed.wait())
        try:
            await asyncio.wait({alarm, changed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
            changed.cancel()
            await asyncio.gather(alarm, changed, return_exceptions=True)
