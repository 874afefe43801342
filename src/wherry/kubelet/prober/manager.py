"""A worker for each probe of each container of the node's Pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wherry.api.pod import is_sidecar
from wherry.api.types import core_v1
from wherry.kubelet.podutil import Container
from wherry.kubelet.prober.probe import Prober
from wherry.kubelet.prober.results import Result, Results
from wherry.kubelet.prober.worker import PodView, Worker
from wherry.util.clock import Clock

Key = tuple[str, str, str]  # pod uid, container, kind


class ProbeManager:
    """Owns the workers' tasks; `close` ends them."""

    def __init__(
        self, prober: Prober, clock: Clock, view: Callable[[str], PodView | None],
        on_change: Callable[[str, str, str, Result], None],
    ) -> None:
        """`on_change(kind, container id, pod uid, result)` is called for each result that changed."""
        self._prober, self._clock, self._view = prober, clock, view
        self.results = {
            kind: Results(lambda container_id, uid, result, kind=kind: on_change(kind, container_id, uid, result))  # type: ignore[misc]
            for kind in ("Liveness", "Readiness", "Startup")
        }
        self._workers: dict[Key, Worker] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def add_pod(self, pod: core_v1.Pod) -> None:
        """Begin to probe; again is no error."""
        containers: list[core_v1.Container] = [c for c in pod.spec.init_containers if is_sidecar(c)]
        for container in [*containers, *pod.spec.containers]:
            probes = {
                "Startup": container.startup_probe, "Readiness": container.readiness_probe, "Liveness": container.liveness_probe,
            }
            for kind, probe in probes.items():
                if probe is not None:
                    self._add(pod, container, kind, probe)

    def _add(self, pod: core_v1.Pod, container: core_v1.Container, kind: str, probe: core_v1.Probe) -> None:
        uid = pod.metadata.uid
        key = (uid, container.name, kind)
        if key in self._tasks:
            return

        async def ask(pod: core_v1.Pod, container: Container, container_id: str) -> Result:
            view = self._view(uid)
            pod_ip = view.status.get("podIP", "") if view else ""
            return await self._prober.probe(kind, probe, pod, container, container_id, pod_ip)

        worker = Worker(
            kind, probe, container, uid, view=lambda: self._view(uid), ask=ask, results=self.results[kind], clock=self._clock,
        )
        self._workers[key] = worker
        name = f"{kind.lower()} probe of {pod.metadata.name}/{container.name}"
        task = asyncio.get_running_loop().create_task(worker.run(), name=name)
        self._tasks[key] = task
        task.add_done_callback(lambda done, key=key: self._done(key, done))  # type: ignore[misc]

    def _done(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
            del self._workers[key]

    def trigger(self, uid: str) -> None:
        """A container of this Pod began to run: ask its readiness and startup probes at once."""
        for key, worker in self._workers.items():
            if key[0] == uid and key[2] != "Liveness":
                worker.trigger()

    def stop_liveness_and_startup(self, uid: str) -> None:
        """The Pod terminates: nothing may restart its containers, but readiness goes on being told."""
        self._stop(lambda key: key[0] == uid and key[2] != "Readiness")

    def remove_pod(self, uid: str) -> None:
        self._stop(lambda key: key[0] == uid)

    def _stop(self, chosen: Callable[[Key], bool]) -> None:
        for key in [key for key in self._tasks if chosen(key)]:
            self._tasks[key].cancel()

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
