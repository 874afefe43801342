"""Stopping containers: the preStop hook, the grace period, and the order in which sidecars go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wherry.api.pod import is_sidecar
from wherry.api.types import core_v1
from wherry.kubelet.container.state import GRACE_PERIOD, PodState
from wherry.kubelet.events import Events
from wherry.kubelet.lifecycle import HookError, run_hook
from wherry.kubelet.podutil import Container, find_container
from wherry.runtime.interface import ContainerState, ContainerStatus, Runtime
from wherry.util.clock import Clock, wait_until

log = logging.getLogger(__name__)

MINIMUM_GRACE = 2.0  # after a preStop hook, upstream's
_DEFAULT_GRACE = 30.0


class Grace:
    """How long a Pod's containers may take to stop.  It can be shortened while they do."""

    def __init__(self, seconds: float | None = None) -> None:
        self.seconds = seconds  # None: each container's own
        self._changed = asyncio.Event()

    def shorten(self, seconds: float) -> None:
        if self.seconds is None or seconds < self.seconds:
            self.seconds = seconds
            self._changed.set()
            self._changed = asyncio.Event()

    async def changed(self) -> None:
        await self._changed.wait()


def grace_period(pod: core_v1.Pod | None, status: ContainerStatus, reason: str) -> float:
    """Seconds between SIGTERM and SIGKILL, from the deletion, the failed probe or the Pod."""
    if pod is None:
        return float(status.config.annotations.get(GRACE_PERIOD, MINIMUM_GRACE))
    if pod.metadata.deletion_grace_period_seconds is not None and pod.metadata.deletion_timestamp:
        return float(pod.metadata.deletion_grace_period_seconds)
    container = find_container(pod, status.config.name)
    probe = None
    if container is not None and reason == "livenessProbe":
        probe = container.liveness_probe
    elif container is not None and reason == "startupProbe":
        probe = container.startup_probe
    if probe is not None and probe.termination_grace_period_seconds is not None:
        return float(probe.termination_grace_period_seconds)
    wanted = pod.spec.termination_grace_period_seconds
    return _DEFAULT_GRACE if wanted is None else float(wanted)


@dataclass(slots=True)
class Killer:
    """One a kubelet.  `stopped(container id)` is called when a container has ended."""

    runtime: Runtime
    events: Events
    clock: Clock

    async def kill(
        self, pod: core_v1.Pod | None, status: ContainerStatus, message: str = "", reason: str = "", grace: Grace | None = None,
        spent: float = 0.0,
    ) -> None:
        """Stop one container, its preStop hook first, and wait until it has ended.

        `spent` seconds of the grace period went by while others stopped.
        """
        container = find_container(pod, status.config.name) if pod is not None else None
        if pod is not None and container is not None:
            self.events.container(pod, container, "Normal", "Killing", message or f"Stopping container {container.name}")
        seconds = grace_period(pod, status, reason)
        limit = grace or Grace()
        if limit.seconds is not None:
            seconds = min(seconds, limit.seconds) if reason else limit.seconds
        if spent:
            seconds = max(min(seconds, MINIMUM_GRACE), seconds - spent)
        began = self.clock.monotonic()
        hook = container.lifecycle.pre_stop if container is not None and container.lifecycle else None
        if hook is not None and pod is not None and container is not None and seconds > 0:
            await self._pre_stop(hook, pod, container, status, seconds, limit)
            seconds = max(MINIMUM_GRACE, seconds - (self.clock.monotonic() - began))
        await self._stop(status.id, seconds, limit)

    async def _pre_stop(
        self, hook: core_v1.LifecycleHandler, pod: core_v1.Pod, container: Container, status: ContainerStatus,
        seconds: float, limit: Grace,
    ) -> None:
        pod_ip = pod.status.pod_ip
        work = run_hook(hook, pod, container, status.id, pod_ip, self.runtime, self.clock)
        try:
            await wait_until(self.clock, self.clock.monotonic() + seconds, _first(work, limit.changed()))
        except TimeoutError:
            log.info("the preStop hook of %s/%s took longer than its grace period", pod.metadata.name, container.name)
        except HookError as error:
            log.info("%s", error)
            self.events.container(pod, container, "Warning", "FailedPreStopHook", "PreStopHook failed")

    async def _stop(self, container_id: str, seconds: float, limit: Grace) -> None:
        """Stop it; when the grace period is shortened meanwhile, ask again with the shorter one."""
        stops = {asyncio.ensure_future(self.runtime.stop_container(container_id, seconds))}
        try:
            while True:
                change = asyncio.ensure_future(limit.changed())
                done, _ = await asyncio.wait({*stops, change}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                finished = done & stops
                if finished:
                    for task in finished:
                        task.result()
                    return
                stops.add(asyncio.ensure_future(self.runtime.stop_container(container_id, limit.seconds or 0)))
        except asyncio.CancelledError:
            for task in stops:
                task.cancel()
            raise
        finally:
            await asyncio.gather(*stops, return_exceptions=True)

    async def kill_all(
        self, pod: core_v1.Pod | None, state: PodState, grace: Grace | None = None,
        stopped: Callable[[str], None] = lambda container_id: None,
    ) -> None:
        """Stop every container of a Pod: the regular ones together, then sidecars, the last one first."""
        running = [c for c in state.containers if c.state != ContainerState.EXITED]
        began = self.clock.monotonic()
        order = [c.name for c in pod.spec.init_containers if is_sidecar(c)] if pod is not None else []
        first = [c for c in running if c.config.name not in order]

        async def one(status: ContainerStatus) -> None:
            await self.kill(pod, status, grace=grace, spent=self.clock.monotonic() - began)
            stopped(status.id)

        await _all(one(status) for status in first)
        by_name: Mapping[str, ContainerStatus] = {c.config.name: c for c in running if c.config.name in order}
        for name in reversed(order):
            if name in by_name:
                await one(by_name[name])


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all of them, and only then raise the first failure: no container is left to itself."""
    results = await asyncio.gather(*works, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _first(work: Coroutine[Any, Any, None], other: Coroutine[Any, Any, None]) -> None:
    """Await `work`, but stop it when `other` ends before."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(other)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
