"""What one round of a Pod does: tell its status, ready its volumes, act on its containers; and how it ends.

Upstream's SyncPod, SyncTerminatingPod and SyncTerminatedPod.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.allocation import AllocationManager
from wherry.kubelet.config import KubeletConfig
from wherry.kubelet.container.kill import Grace
from wherry.kubelet.container.kuberuntime import KubeRuntime, SandboxError
from wherry.kubelet.container.makeconfig import log_directory
from wherry.kubelet.container.state import PodState
from wherry.kubelet.container.termination import termination_message
from wherry.kubelet.events import Events
from wherry.kubelet.interrupt import Interrupt
from wherry.kubelet.object_manager import ObjectManager
from wherry.kubelet.pleg import PodCache
from wherry.kubelet.pod_workers import Outcome
from wherry.kubelet.podutil import is_terminal
from wherry.kubelet.prober.manager import ProbeManager
from wherry.kubelet.status.conditions import Json
from wherry.kubelet.status.generate import StatusInputs, finish, generate_status
from wherry.kubelet.status.manager import StatusManager
from wherry.kubelet.token_manager import TokenManager
from wherry.kubelet.volumes.manager import VolumeManager, Waiter
from wherry.kubelet.volumes.plugin import VolumeError
from wherry.runtime.interface import ContainerState, RuntimeFault
from wherry.util.clock import Clock, parse_rfc3339, wait_until

log = logging.getLogger(__name__)

# Between a Pod's deletion and its SIGTERM, when a Service sends it requests: so long it may take until no proxy does.
DRAIN_SECONDS = 0.5
# When a container begins to wait the Pod is looked at again soon, so that its status says why.  Between the failure of a
# pull and its back-off it is not: which of the two a status tells changes with each try, as upstream's does.
TELL_AGAIN = 1.0
_DEADLINE = ("Failed", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


@dataclass(slots=True)
class PodSync:
    """The kubelet's `PodSyncer`."""

    config: KubeletConfig
    clock: Clock
    cache: PodCache
    kuberuntime: KubeRuntime
    statuses: StatusManager
    volumes: VolumeManager
    probes: ProbeManager
    config_maps: ObjectManager[core_v1.ConfigMap]
    secrets: ObjectManager[core_v1.Secret]
    tokens: TokenManager
    events: Events
    allocation: AllocationManager
    runtime_name: str
    wait_for_change: Callable[[str], Waiter]
    ready: dict[str, frozenset[str]] = field(default_factory=dict)  # uid -> containers that ran at the last round
    deadlines: dict[str, tuple[float, float]] = field(default_factory=dict)  # uid -> (wall, monotonic) end of its deadline
    ended: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # uid -> (phase, reason, message): ours to end

    # Running -----------------------------------------------------------------------------------

    async def sync_pod(self, pod: core_v1.Pod, interrupt: Interrupt) -> Outcome:
        uid = pod.metadata.uid
        state = await self.cache.refresh(uid)
        self.allocation.actuated(pod, not self.kuberuntime.to_resize(pod, state))
        status = await self._status(pod, state)
        self.statuses.update(pod, status, could_run=True)
        if is_terminal(status["phase"]):
            return Outcome(terminal=True)
        self._trigger_probes(uid, state)
        self.config_maps.register(pod)
        self.secrets.register(pod)
        before = dict(self.kuberuntime.reasons.get(uid, {}))
        try:
            paths = await interrupt.run(self.volumes.mount(pod, self.wait_for_change(uid)))
            self.probes.add_pod(pod)
            result = await self.kuberuntime.sync_pod(pod, state, paths, interrupt)
        except (VolumeError, SandboxError, RuntimeFault) as error:
            log.info("pod %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)
            return Outcome(retry_in=self.config.retry_period)
        if result.resize_fault:
            self.allocation.failed(pod, result.resize_fault)
            self.statuses.update(pod, await self._status(pod, self.cache.get(uid)), could_run=True)
        if result.resized:
            return Outcome(retry_in=0.0, exact=True)
        if _began_to_wait(before, self.kuberuntime.reasons.get(uid, {})):
            return Outcome(retry_in=TELL_AGAIN, exact=True)
        return self._next_look(pod, result.retry_in, result.failed)

    def _next_look(self, pod: core_v1.Pod, backoff: float | None, failed: bool) -> Outcome:
        """The earliest of: back-off's end, the retry of a failure, the Pod's deadline, its token's renewal."""
        times = [] if backoff is None else [backoff]
        left = self._deadline_in(pod)
        if left is not None:
            times.append(max(0.0, left))
        refresh = self.tokens.refresh_at(pod.metadata.uid)
        if refresh is not None:
            times.append(max(1.0, refresh - self.clock.time()))
        spread = self.config.retry_period if failed else self.config.sync_frequency
        if times and min(times) <= spread:
            return Outcome(retry_in=min(times), exact=True)
        return Outcome(retry_in=spread)

    async def _status(self, pod: core_v1.Pod, state: PodState, *, terminal: bool = False) -> Json:
        old = self.statuses.get(pod)
        inputs = StatusInputs(
            host_ip=self.config.node_ip, runtime_name=self.runtime_name,
            reasons={} if terminal else self.kuberuntime.reasons.get(pod.metadata.uid, {}),
            readiness=self.probes.results["Readiness"].get, startup=self.probes.results["Startup"].get,
            messages=await self._messages(state), terminal=terminal, resizing=self.allocation.conditions(pod.metadata.uid),
            up_to_date=lambda container, run: self.kuberuntime.has_resources(pod, container, run),
        )
        status = generate_status(pod, state, old, inputs)
        self._tell_deadline(pod)
        if pod.metadata.uid in self.ended:
            inputs.forced = self.ended[pod.metadata.uid]
            status = generate_status(pod, state, old, inputs)
        return status

    def _tell_deadline(self, pod: core_v1.Pod) -> None:
        """That its time is over: said again, as upstream's does, at every step of its end."""
        left, uid = self._deadline_in(pod), pod.metadata.uid
        if left is None or left > 0 or pod.metadata.deletion_timestamp:
            return
        if self.ended.get(uid) == _DEADLINE or not is_terminal(pod.status.phase):
            self.events.pod(pod, "Normal", _DEADLINE[1], _DEADLINE[2])
            self.ended.setdefault(uid, _DEADLINE)

    async def _messages(self, state: PodState) -> dict[str, str]:
        found = {}
        for each in state.containers:
            if each.state == ContainerState.EXITED:
                found[each.id] = await self.config.offload(termination_message, each)
        return found

    def _deadline_in(self, pod: core_v1.Pod) -> float | None:
        """Seconds until activeDeadlineSeconds is over; None without one.

        Its end is reckoned once, so that a clock that is set meanwhile ends no Pod early or late.
        """
        started, seconds = self.statuses.get(pod).get("startTime"), pod.spec.active_deadline_seconds
        if seconds is None or not started:
            return None
        wall, now = parse_rfc3339(started) + seconds, self.clock.monotonic()
        known = self.deadlines.get(pod.metadata.uid)
        if known is None or known[0] != wall:
            known = self.deadlines[pod.metadata.uid] = wall, now + min(wall - self.clock.time(), float(seconds))
        return known[1] - now

    def end(self, uid: str, reason: str, message: str) -> None:
        """The Pod fails at its next round, for this reason.  The first reason stands."""
        self.ended.setdefault(uid, ("Failed", reason, message))

    def _trigger_probes(self, uid: str, state: PodState) -> None:
        """Readiness is asked as soon as a container runs, not at its probe's next period."""
        running = frozenset(each.id for each in state.containers if each.state == ContainerState.RUNNING)
        if running - self.ready.get(uid, frozenset()):
            self.probes.trigger(uid)
        self.ready[uid] = running

    # Ending ------------------------------------------------------------------------------------

    async def sync_terminating_pod(self, pod: core_v1.Pod | None, uid: str, grace: Grace) -> None:
        state = await self.cache.refresh(uid)
        if pod is not None:
            serving = has_traffic(pod, self.statuses.get(pod), self.kuberuntime.services())
            self.statuses.update(pod, await self._status(pod, state, terminal=True), could_run=True)
            self.probes.stop_liveness_and_startup(uid)
            if serving and state.running():
                with contextlib.suppress(TimeoutError):
                    await wait_until(self.clock, self.clock.monotonic() + DRAIN_SECONDS, grace.changed())
        await self.kuberuntime.killer.kill_all(pod, state, grace)
        await self.kuberuntime.stop_sandboxes(state)
        if pod is not None:
            self._tell_deadline(pod)
        self.probes.remove_pod(uid)
        self.ready.pop(uid, None)

    async def sync_terminated_pod(self, pod: core_v1.Pod | None, uid: str) -> None:
        state = await self.cache.refresh(uid)
        if pod is not None:
            # Before the volumes go, because termination logs go with them.
            self.statuses.update(pod, finish(await self._status(pod, state, terminal=True)))
        await self.volumes.unmount(uid)
        self.config_maps.unregister(uid)
        self.secrets.unregister(uid)
        self.tokens.forget(uid)
        if pod is not None and pod.metadata.deletion_timestamp:
            self.statuses.pod_gone(pod)

    async def remove_remains(self, pod: core_v1.Pod | None, uid: str) -> None:
        """The object is gone: its containers' records and logs go, too."""
        state = await self.cache.refresh(uid)
        directories = {each.config.log_directory for each in state.sandboxes if each.config.log_directory}
        if pod is not None:
            directories.add(str(log_directory(pod, self.config)))
        await self.kuberuntime.remove_pod(state)
        await self.config.offload(_remove_directories, directories)
        self.kuberuntime.forget(uid)
        self.statuses.forget(uid)
        self.ended.pop(uid, None)
        self.deadlines.pop(uid, None)


def _began_to_wait(before: dict[str, tuple[str, str]], now: dict[str, tuple[str, str]]) -> bool:
    return any(why != before.get(name) and (name not in before or why[0] == "CrashLoopBackOff") for name, why in now.items())


def has_traffic(pod: core_v1.Pod, status: Json, services: Iterable[core_v1.Service]) -> bool:
    """Whether requests come to a Pod that was asked to go, and there is time to let them go elsewhere."""
    if not pod.metadata.deletion_timestamp or (pod.metadata.deletion_grace_period_seconds or 0) <= DRAIN_SECONDS:
        return False
    if not any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", [])):
        return False
    labels = pod.metadata.labels.items()
    return any(
        service.metadata.namespace == pod.metadata.namespace and service.spec.selector and service.spec.selector.items() <= labels
        for service in services
    )


def remove_logs(logs: Path, known: set[str]) -> None:
    """Remove the logs of Pods that nobody knows: a kubelet that ended before it removed them left them."""
    for directory in logs.glob("*_*_*"):  # namespace_name_uid, none of which holds an underscore
        if directory.name.rpartition("_")[2] not in known:
            shutil.rmtree(directory, ignore_errors=True)


def _remove_directories(directories: set[str]) -> None:
    for directory in directories:
        shutil.rmtree(Path(directory), ignore_errors=True)


def change_waiter(clock: Clock, changed: Callable[[], Awaitable[None]]) -> Waiter:
    """A sleep that `changed` cuts short."""

    async def wait(seconds: float) -> None:
        try:
            await wait_until(clock, clock.monotonic() + seconds, changed())
        except TimeoutError:
            return

    return wait
