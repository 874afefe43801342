"""One probe of one container: when to ask, and what the answers amount to.

The schedule is absolute: a probe that takes long, or a loop that was busy, does not shift those after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from wherry.api.types import core_v1
from wherry.kubelet.container.restart import policy_of
from wherry.kubelet.podutil import Container, is_terminal
from wherry.kubelet.prober.results import Result, Results
from wherry.util.clock import Clock, parse_rfc3339, wait_until

Ask = Callable[[core_v1.Pod, Container, str], Awaitable[Result]]  # pod, container, container id
INITIAL = {"Liveness": Result.SUCCESS, "Readiness": Result.FAILURE, "Startup": Result.UNKNOWN}


@dataclass(slots=True)
class PodView:
    """What a worker sees of its Pod when it asks: the newest object and the newest status."""

    pod: core_v1.Pod
    status: dict[str, Any]


class Worker:
    """`run` is a task of the prober's manager; it returns when there is nothing more to probe."""

    def __init__(
        self, kind: str, probe: core_v1.Probe, container: Container, uid: str, *, view: Callable[[], PodView | None],
        ask: Ask, results: Results, clock: Clock,
    ) -> None:
        self.kind, self._probe, self._container, self._uid = kind, probe, container, uid
        self._view, self._ask, self._results, self._clock = view, ask, results, clock
        self._container_id = ""
        self._on_hold = False  # it failed for good: the container will be replaced
        self._not_before: float | None = None
        self._last: Result | None = None
        self._run_length = 0
        self._trigger = asyncio.Event()
        self.started_at: list[float] = []  # monotonic times of the last few probes: how a missed period is seen

    def trigger(self) -> None:
        """Ask now, not only when the period is over."""
        self._trigger.set()

    async def run(self) -> None:
        period = float(self._probe.period_seconds or 10)
        due = self._clock.monotonic()
        try:
            while await self.once():
                due += period
                now = self._clock.monotonic()
                if due < now:  # ticks that passed while the probe ran are dropped, the beat stays
                    due += (now - due) // period * period
                await self._wait(due)
        finally:
            if self._container_id:
                self._results.remove(self._container_id)

    async def _wait(self, due: float) -> None:
        try:
            await wait_until(self._clock, due, self._trigger.wait())
        except TimeoutError:
            return
        self._trigger.clear()

    async def once(self) -> bool:
        """Ask if it is time.  False when this worker is done for ever."""
        view = self._view()
        if view is None:
            return True
        if is_terminal(view.status.get("phase", "")):
            return False
        status = self._find_status(view.status)
        if status is None or not status.get("containerID"):
            return True
        self._notice_container(status["containerID"].partition("://")[2])
        if self._on_hold:
            return True
        running = status["state"].get("running")
        if running is None:
            self._results.set(self._container_id, self._uid, Result.FAILURE)
            ended = "terminated" in status["state"]
            return not ended or policy_of(view.pod, self._container) != "Never"
        if view.pod.metadata.deletion_timestamp and self.kind in ("Liveness", "Startup"):
            self._results.set(self._container_id, self._uid, Result.SUCCESS)
            return False
        first = self._first_due(running)  # before the clock is read again: a real clock moves between two looks
        if self._clock.monotonic() < first:
            return True
        # The startup probe goes first, alone, and ends with its first success.
        if bool(status.get("started")) == (self.kind == "Startup"):
            return True
        self.started_at = [*self.started_at[-9:], self._clock.monotonic()]
        self._count(await self._ask(view.pod, self._container, self._container_id))
        return True

    def _first_due(self, running: dict[str, Any]) -> float:
        """When the initial delay is over, in monotonic seconds: reckoned once, so that a clock set back silences no probe."""
        if self._not_before is None:
            delay = float(self._probe.initial_delay_seconds or 0)
            started_at = parse_rfc3339(running["startedAt"]) if running.get("startedAt") else 0.0
            left = started_at + delay - self._clock.time()
            self._not_before = self._clock.monotonic() + min(max(0.0, left), delay)
        return self._not_before

    def _find_status(self, status: dict[str, Any]) -> dict[str, Any] | None:
        for name in ("containerStatuses", "initContainerStatuses"):
            for each in status.get(name, []):
                if each["name"] == self._container.name:
                    return dict(each)
        return None

    def _notice_container(self, container_id: str) -> None:
        if container_id == self._container_id:
            return
        if self._container_id:
            self._results.remove(self._container_id)
        self._container_id = container_id
        self._results.set(container_id, self._uid, INITIAL[self.kind])
        self._on_hold, self._run_length, self._last = False, 0, None
        self._not_before = None

    def _count(self, result: Result) -> None:
        """A result counts once it has come as often in a row as the probe's threshold says."""
        if result == self._last:
            self._run_length += 1
        else:
            self._last, self._run_length = result, 1
        threshold = self._probe.failure_threshold or 3 if result == Result.FAILURE else self._probe.success_threshold or 1
        if self._run_length < threshold:
            return
        self._results.set(self._container_id, self._uid, result)
        if self.kind in ("Liveness", "Startup") and result == Result.FAILURE:
            # The container will be killed; probing the old one while that happens would tell nothing.
            self._on_hold, self._run_length = True, 0
        elif self.kind == "Startup" and result == Result.SUCCESS:
            self._run_length = 0
