"""One task a Pod: it syncs, then terminates, then has terminated; never two of these at once for one Pod.

Updates that arrive while a Pod is worked on are folded into one more round.  A Pod once terminating never
goes back; a Pod made again under the same name is another Pod (by uid) and waits till this one is gone.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from wherry.api.types import core_v1
from wherry.kubelet.container.kill import Grace
from wherry.kubelet.interrupt import Interrupt, Interrupted
from wherry.kubelet.podutil import is_terminal, key
from wherry.util.clock import Clock, wait_until

log = logging.getLogger(__name__)

_FORCED_GRACE = 2.0  # seconds that a Pod gets whose object is gone already


class Phase(StrEnum):
    SYNC = "sync"
    TERMINATING = "terminating"
    TERMINATED = "terminated"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sync says: whether the Pod has come to its end, and when it wants to be looked at again (seconds)."""

    terminal: bool = False
    retry_in: float | None = None
    exact: bool = False  # retry at that very time; otherwise spread a little


class PodSyncer(Protocol):
    """The work itself, one phase a method.  Raised errors are tried again."""

    async def sync_pod(self, pod: core_v1.Pod, interrupt: Interrupt) -> Outcome: ...

    async def sync_terminating_pod(self, pod: core_v1.Pod | None, uid: str, grace: Grace) -> None:
        """Stop all its containers.  `pod` is None for one that only the runtime knows."""
        ...

    async def sync_terminated_pod(self, pod: core_v1.Pod | None, uid: str) -> None:
        """Take away its volumes and tell the last status."""
        ...


@dataclass(slots=True)
class _Worker:
    uid: str
    name: str  # namespace/name
    pod: core_v1.Pod | None
    phase: Phase = Phase.SYNC
    started: bool = False  # a sync has begun: something may exist
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    interrupt: Interrupt = field(default_factory=Interrupt)
    grace: Grace = field(default_factory=Grace)
    task: asyncio.Task[None] | None = None
    deleted: bool = False  # the object is gone from the API


class PodWorkers:
    """Owns the tasks.  `on_finished(uid)` is called when nothing of a Pod is left to do."""

    def __init__(
        self, syncer: PodSyncer, clock: Clock, *, retry: float, resync: float,
        on_finished: Callable[[str], None] = lambda uid: None, rng: random.Random | None = None,
    ) -> None:
        self._syncer, self._clock, self._retry, self._resync = syncer, clock, retry, resync
        self._workers: dict[str, _Worker] = {}
        self._names: dict[str, str] = {}  # namespace/name -> uid of the newest worker
        self._waiting: dict[str, list[core_v1.Pod]] = {}  # namespace/name -> Pods that wait for a namesake to go
        self._on_finished = on_finished
        self._rng = rng or random.Random()

    # What is asked of it -----------------------------------------------------------------------

    def update(self, pod: core_v1.Pod) -> None:
        """The Pod is new, or its object changed."""
        uid = pod.metadata.uid
        worker = self._workers.get(uid)
        if worker is None:
            holder = self._workers.get(self._names.get(key(pod), ""))
            if holder is not None and holder.phase != Phase.FINISHED:
                waiting = self._waiting.setdefault(key(pod), [])
                waiting[:] = [each for each in waiting if each.metadata.uid != uid] + [pod]
                return
            worker = self._start(_Worker(uid, key(pod), pod))
            if is_terminal(pod.status.phase):
                # It ended before this kubelet began: what is left of it is taken away, nothing is started.
                self._terminate(worker)
        marked = worker.pod is not None and worker.pod.metadata.deletion_timestamp
        worker.pod = pod
        if pod.metadata.deletion_timestamp:
            left = pod.metadata.deletion_grace_period_seconds
            # A second deletion may shorten what is left; it never lengthens it.  Whoever deletes by force marks it with none.
            if left is not None and (worker.phase == Phase.TERMINATING or (worker.phase == Phase.SYNC and left == 0)):
                worker.grace.shorten(float(left) or _FORCED_GRACE)
            if worker.phase == Phase.FINISHED and not marked:  # it had ended before; now its object may go, too
                worker.phase = Phase.TERMINATED
            self._terminate(worker)
        worker.wake.set()

    def remove(self, pod: core_v1.Pod) -> None:
        """The object is gone from the API: whatever still runs is stopped, quickly if it was deleted by force."""
        waiting = self._waiting.get(key(pod), [])
        waiting[:] = [each for each in waiting if each.metadata.uid != pod.metadata.uid]
        worker = self._workers.get(pod.metadata.uid)
        if worker is None:
            return
        worker.deleted = True
        if worker.phase in (Phase.SYNC, Phase.TERMINATING):
            worker.pod = pod
            worker.grace.shorten(max(_FORCED_GRACE, float(pod.metadata.deletion_grace_period_seconds or 0)))
        self._terminate(worker)
        worker.wake.set()

    def remove_orphan(self, uid: str, name: str) -> None:
        """The runtime has containers of a Pod that the API does not know."""
        if uid not in self._workers:
            worker = self._start(_Worker(uid, name, None, deleted=True))
            self._terminate(worker)
            worker.wake.set()

    def kick(self, uid: str) -> None:
        """Something about the Pod changed on the node: look at it again."""
        worker = self._workers.get(uid)
        if worker is not None:
            worker.wake.set()

    def kill(self, uid: str, grace: float) -> None:
        """End a Pod that the kubelet itself decided to end, within `grace` seconds."""
        worker = self._workers.get(uid)
        if worker is not None:
            worker.grace.shorten(max(_FORCED_GRACE, grace))
            self._terminate(worker)
            worker.wake.set()

    def could_have_running_containers(self, uid: str) -> bool:
        worker = self._workers.get(uid)
        return worker is not None and worker.phase in (Phase.SYNC, Phase.TERMINATING)

    def is_terminating(self, uid: str) -> bool:
        worker = self._workers.get(uid)
        return worker is not None and worker.phase != Phase.SYNC

    def known(self) -> set[str]:
        return set(self._workers)

    def phase(self, uid: str) -> Phase | None:
        worker = self._workers.get(uid)
        return worker.phase if worker else None

    async def close(self) -> None:
        """Let go of every Pod as it is; containers run on."""
        tasks = [worker.task for worker in self._workers.values() if worker.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # The loop ----------------------------------------------------------------------------------

    def _start(self, worker: _Worker) -> _Worker:
        self._workers[worker.uid] = worker
        self._names[worker.name] = worker.uid
        worker.task = asyncio.get_running_loop().create_task(self._run(worker), name=f"pod {worker.name}")
        return worker

    @staticmethod
    def _terminate(worker: _Worker) -> None:
        if worker.phase == Phase.SYNC:
            worker.phase = Phase.TERMINATING
            worker.interrupt.set()

    async def _run(self, worker: _Worker) -> None:
        """Rounds until the Pod's object is gone and nothing is left."""
        while True:
            await self._next_round(worker, await self._round(worker))
            if worker.phase == Phase.FINISHED and worker.deleted:
                break
        del self._workers[worker.uid]
        if self._names.get(worker.name) == worker.uid:
            del self._names[worker.name]
        self._on_finished(worker.uid)
        for pod in self._waiting.pop(worker.name, []):
            self.update(pod)

    async def _next_round(self, worker: _Worker, delay: float | None) -> None:
        """Wait for something to do, at most `delay` seconds (None: until woken)."""
        if delay is None:
            if worker.phase == Phase.FINISHED and worker.deleted:
                return
            await worker.wake.wait()
            return
        if not worker.wake.is_set():
            try:
                await wait_until(self._clock, self._clock.monotonic() + delay, worker.wake.wait())
            except TimeoutError:
                worker.wake.set()

    async def _round(self, worker: _Worker) -> float | None:
        """Do what the phase asks for; the time until the next round, None when only an event can bring one."""
        worker.wake.clear()
        try:
            if worker.phase == Phase.SYNC and worker.pod is not None:
                return await self._sync(worker, worker.pod)
            if worker.phase == Phase.TERMINATING:
                await self._syncer.sync_terminating_pod(worker.pod, worker.uid, worker.grace)
                worker.phase = Phase.TERMINATED
                return 0.0
            if worker.phase == Phase.TERMINATED:
                await self._syncer.sync_terminated_pod(worker.pod, worker.uid)
                worker.phase = Phase.FINISHED
                return None
        except Interrupted:
            return 0.0
        except Exception:
            log.exception("pod %s: %s failed; trying again", worker.name, worker.phase)
            return self._spread(self._retry)
        return None

    async def _sync(self, worker: _Worker, pod: core_v1.Pod) -> float | None:
        worker.started = True
        outcome = await self._syncer.sync_pod(pod, worker.interrupt)
        if outcome.terminal:
            self._terminate(worker)
            return 0.0
        if outcome.retry_in is not None:
            return outcome.retry_in if outcome.exact else self._spread(outcome.retry_in)
        return self._spread(self._resync)

    def _spread(self, seconds: float) -> float:
        return seconds * (1 + 0.5 * self._rng.random())
