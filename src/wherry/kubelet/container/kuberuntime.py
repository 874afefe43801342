"""Carries out a Pod's plan on the runtime: kill, make the sandbox, start what is due.

The thin executor beside `plan`; upstream's kubeGenericRuntimeManager.  What went wrong with a container is
kept by name, so that the status can say what it waits for.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherry.api.types import core_v1, node_v1
from wherry.kubelet.backoff import Backoff
from wherry.kubelet.config import RUNTIME_HANDLERS, KubeletConfig
from wherry.kubelet.container.kill import Killer
from wherry.kubelet.container.makeconfig import ConfigError, ContainerInputs, container_config, log_directory, sandbox_config
from wherry.kubelet.container.plan import PodActions, compute_pod_actions
from wherry.kubelet.container.resources import CPU_PERIOD, container_resources, pod_resources
from wherry.kubelet.container.state import PodState
from wherry.kubelet.env import EnvError, EnvSources, GetConfigMap, GetSecret, make_environment
from wherry.kubelet.events import Events
from wherry.kubelet.hosts import Resolver, parse_resolv_conf
from wherry.kubelet.image_manager import ImageError, ImageManager
from wherry.kubelet.interrupt import Interrupt
from wherry.kubelet.lifecycle import HookError, run_hook
from wherry.kubelet.pleg import PodCache
from wherry.kubelet.podutil import Container, full_name
from wherry.kubelet.prober.results import Results
from wherry.runtime.interface import ContainerState, ContainerStatus, Resources, Runtime, RuntimeFault
from wherry.util.clock import Clock

log = logging.getLogger(__name__)


TELLING_SECONDS = 3.0  # so soon after a look that began a back-off, another one only tells of it


class StartError(Exception):
    """A container could not be started.  `reason` is what it then waits for."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class ResizeError(Exception):
    """A container may not be given the resources that were promised."""


class SandboxError(Exception):
    """A Pod's sandbox could not be made."""


@dataclass(slots=True)
class SyncResult:
    """What a sync of a Pod's containers came to.  `retry_in`: seconds until back-off allows another start."""

    failed: bool = False
    resized: bool = False  # a container has other resources now: its status is to be told anew
    resize_fault: str = ""  # why one could not be given others
    retry_in: float | None = None


@dataclass(slots=True)
class KubeRuntime:
    """One a kubelet."""

    runtime: Runtime
    cache: PodCache
    images: ImageManager
    killer: Killer
    events: Events
    clock: Clock
    config: KubeletConfig
    backoff: Backoff
    get_config_map: GetConfigMap
    get_secret: GetSecret
    get_runtime_class: Callable[[str], Awaitable[node_v1.RuntimeClass | None]]
    services: Callable[[], Iterable[core_v1.Service]]
    allocatable: Callable[[], dict[str, str]]
    memory_capacity: int
    liveness: Results
    startup: Results
    on_sandbox: Callable[[core_v1.Pod], None]
    reasons: dict[str, dict[str, tuple[str, str]]] = field(default_factory=dict)  # uid -> container -> (reason, message)
    waits: dict[str, dict[str, tuple[str, float]]] = field(default_factory=dict)  # uid -> container -> (its runs, when BackOff was told)

    # The plan, carried out ---------------------------------------------------------------------

    async def sync_pod(self, pod: core_v1.Pod, state: PodState, volumes: dict[str, Path], interrupt: Interrupt) -> SyncResult:
        """Bring the Pod's containers nearer to its spec.  Raises SandboxError, RuntimeFault, Interrupted."""
        actions = compute_pod_actions(pod, state, self.liveness.get, self.startup.get)
        result = SyncResult()
        if actions.kill_pod:
            await self.kill_pod(pod, state)
        else:
            for kill in actions.containers_to_kill:
                status = next(c for c in state.containers if c.id == kill.container_id)
                await self.killer.kill(pod, status, kill.message, kill.reason)
                await self.cache.observe_container(kill.container_id)
            try:
                result.resized = await self._resize(pod, state, {kill.container_id for kill in actions.containers_to_kill})
            except (RuntimeFault, ResizeError) as error:
                result.failed, result.resize_fault = True, str(error)
        sandbox_id = actions.sandbox_id
        if actions.create_sandbox:
            interrupt.check()
            sandbox_id = await self._create_sandbox(pod, actions, state)
        if not (actions.ephemeral_containers_to_start or actions.init_containers_to_start or actions.containers_to_start):
            return result
        await self._start_all(pod, state, actions, sandbox_id, volumes, interrupt, result)
        return result

    async def _resize(self, pod: core_v1.Pod, state: PodState, killed: set[str]) -> bool:
        """Bring changed requests and limits to containers that run (KEP-1287), without a restart.

        A container whose resizePolicy asks for a restart was planned to be killed instead.  True when something changed.
        """
        changed = [(container, status) for container, status in self.to_resize(pod, state) if status.id not in killed]
        for container, status in changed:
            await self._check_memory(pod, container, status)
        sandbox = state.ready_sandbox
        if sandbox is None:
            return False
        # What lies in a cgroup must never be allowed more than the whole: grow that first, and shrink it last.
        have = sandbox.config.cpu_quota, sandbox.config.cpu_shares, sandbox.config.memory_limit
        want = tuple(amount or old for amount, old in zip(pod_resources(pod), have, strict=True))
        if want != have:
            quota, shares, memory = (max(a, b) if a and b else 0 for a, b in zip(have, want, strict=True))
            await self.runtime.update_pod_sandbox_resources(sandbox.id, Resources(CPU_PERIOD, quota, shares, memory))
        for container, status in changed:
            wanted = container_resources(pod, container, self.memory_capacity, self.config.pod_pids_limit)
            await self.runtime.update_container_resources(status.id, wanted)
            await self.cache.observe_container(status.id)
        if want != have:
            await self.runtime.update_pod_sandbox_resources(sandbox.id, Resources(CPU_PERIOD, *want))
            await self.cache.observe_sandbox(sandbox.id)
        return bool(changed)

    async def _check_memory(self, pod: core_v1.Pod, container: Container, status: ContainerStatus) -> None:
        """Raises ResizeError for a limit that would end the container: it uses more already."""
        limit, was = container_resources(pod, container, self.memory_capacity).memory_limit, status.config.resources.memory_limit
        if limit and (not was or limit < was):
            used = (await self.runtime.container_stats(status.id)).memory_usage
            if used >= limit:
                what = f'attempting to set container "{container.name}" memory limit ({limit}) below current usage ({used})'
                raise ResizeError(what)

    def to_resize(self, pod: core_v1.Pod, state: PodState) -> list[tuple[core_v1.Container, ContainerStatus]]:
        """The containers that run with other resources than their spec says."""
        return [
            (container, status) for container in [*pod.spec.init_containers, *pod.spec.containers]
            if (status := state.find(container.name)) is not None and status.state == ContainerState.RUNNING
            and not self.has_resources(pod, container, status)
        ]

    def has_resources(self, pod: core_v1.Pod, container: Container, status: ContainerStatus) -> bool:
        """Whether a container runs with what its spec says now."""
        return container_resources(pod, container, self.memory_capacity, self.config.pod_pids_limit) == status.config.resources

    async def _start_all(
        self, pod: core_v1.Pod, state: PodState, actions: PodActions, sandbox_id: str, volumes: dict[str, Path],
        interrupt: Interrupt, result: SyncResult,
    ) -> None:
        groups: Sequence[tuple[Sequence[Container], list[int]]] = (
            (pod.spec.ephemeral_containers, actions.ephemeral_containers_to_start),
            (pod.spec.init_containers, actions.init_containers_to_start),
            (pod.spec.containers, actions.containers_to_start),
        )
        for containers, indexes in groups:
            for index in indexes:
                container = containers[index]
                interrupt.check()
                failure = await self._start_one(pod, container, state, sandbox_id, volumes, interrupt, result)
                # A sidecar that does not start holds up those after it.
                if failure and containers is pod.spec.init_containers:
                    return

    async def _start_one(
        self, pod: core_v1.Pod, container: Container, state: PodState, sandbox_id: str, volumes: dict[str, Path],
        interrupt: Interrupt, result: SyncResult,
    ) -> bool:
        """Start a container unless it must wait; True when it did not start."""
        reasons = self.reasons.setdefault(pod.metadata.uid, {})
        try:
            self._check_backoff(pod, container, state, result)
            await self._start(pod, container, state, sandbox_id, volumes, interrupt)
        except StartError as error:
            reasons[container.name] = (error.reason, error.message)
            result.failed = result.failed or error.reason != "CrashLoopBackOff"
            return True
        reasons.pop(container.name, None)
        return False

    def _check_backoff(self, pod: core_v1.Pod, container: Container, state: PodState, result: SyncResult) -> None:
        """Raises StartError while a container that ended may not start again yet."""
        ended = next((c for c in state.find_all(container.name) if c.state == ContainerState.EXITED), None)
        if ended is None:
            return
        key = f"{pod.metadata.uid}_{container.name}_{container.image}"
        left = self.backoff.remaining(key, ended.finished_at)
        if left <= 0:
            self.backoff.next(key, ended.finished_at)
            return
        self._tell_backoff(pod, container, " ".join(f"{c.id}:{c.state}" for c in state.find_all(container.name)))
        result.retry_in = left if result.retry_in is None else min(left, result.retry_in)
        delay = f"{self.backoff.get(key):g}s" if self.backoff.get(key) < 60 else _minutes(self.backoff.get(key))
        told = f"back-off {delay} restarting failed container={container.name} pod={full_name(pod)}"
        raise StartError("CrashLoopBackOff", told)

    def _tell_backoff(self, pod: core_v1.Pod, container: Container, runs: str) -> None:
        """Once a look; but not by the one that follows only to bring the reason into the Pod's status."""
        waits, now = self.waits.setdefault(pod.metadata.uid, {}), self.clock.monotonic()
        told, at = waits.get(container.name, ("", 0.0))
        if told == runs and now - at < TELLING_SECONDS:
            return
        waits[container.name] = (runs, now)
        message = f"Back-off restarting failed container {container.name} in pod {full_name(pod)}"
        self.events.container(pod, container, "Warning", "BackOff", message)

    # Sandboxes ---------------------------------------------------------------------------------

    async def _create_sandbox(self, pod: core_v1.Pod, actions: PodActions, state: PodState) -> str:
        try:
            await self._check_handler(pod)
            resolver = await self.config.offload(self._host_resolver)
            config = sandbox_config(pod, actions.attempt, self.config, resolver)
            await self.config.offload(_make_directory, log_directory(pod, self.config))
            sandbox_id = await self.runtime.run_pod_sandbox(config)
        except (RuntimeFault, ConfigError, OSError) as error:
            self.events.pod(pod, "Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            raise SandboxError(str(error)) from error
        await self.cache.observe_sandbox(sandbox_id)
        if state.sandboxes:
            self.events.pod(pod, "Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        self.on_sandbox(pod)
        return sandbox_id

    async def _check_handler(self, pod: core_v1.Pod) -> None:
        """Raises ConfigError when the Pod's class of runtimes is not one that this node has."""
        name = pod.spec.runtime_class_name
        if not name:
            return
        found = await self.get_runtime_class(name)
        if found is None:
            raise ConfigError(f'RuntimeClass "{name}" not found')
        if found.handler not in RUNTIME_HANDLERS:
            raise ConfigError(f'failed to get sandbox runtime: no runtime for "{found.handler}" is configured')

    def _host_resolver(self) -> Resolver:
        try:
            return parse_resolv_conf(self.config.resolv_conf.read_text())
        except OSError:
            return Resolver()

    async def kill_pod(self, pod: core_v1.Pod | None, state: PodState) -> None:
        """Stop every container and then the sandboxes."""
        await self.killer.kill_all(pod, state)
        await self.stop_sandboxes(state)

    async def stop_sandboxes(self, state: PodState) -> None:
        for sandbox in state.sandboxes:
            await self.runtime.stop_pod_sandbox(sandbox.id)
        await self.cache.refresh(state.uid)

    async def remove_pod(self, state: PodState) -> None:
        """Leave nothing of a Pod in the runtime."""
        for sandbox in state.sandboxes:
            await self.runtime.remove_pod_sandbox(sandbox.id)
        await self.cache.refresh(state.uid)

    # Containers --------------------------------------------------------------------------------

    async def _start(
        self, pod: core_v1.Pod, container: Container, state: PodState, sandbox_id: str, volumes: dict[str, Path],
        interrupt: Interrupt,
    ) -> None:
        """Image, configuration, create, start, hook.  Raises StartError; each failure has its event."""
        container_id = await self._create(pod, container, state, sandbox_id, volumes, interrupt)
        await self.cache.observe_container(container_id)
        self.events.container(pod, container, "Normal", "Created", "Container created")
        try:
            await self.runtime.start_container(container_id)
        except RuntimeFault as fault:
            await self.cache.observe_container(container_id)
            raise self._failed(pod, container, fault.reason or "RunContainerError", str(fault)) from fault
        await self.cache.observe_container(container_id)
        self.events.container(pod, container, "Normal", "Started", "Container started")
        await self._remove_older_runs(pod, container)
        if container.lifecycle is not None and container.lifecycle.post_start is not None:
            await self._post_start(pod, container, container.lifecycle.post_start, container_id, interrupt)

    def _failed(self, pod: core_v1.Pod, container: Container, reason: str, message: str) -> StartError:
        self.events.container(pod, container, "Warning", "Failed", f"Error: {message}")
        return StartError(reason, message)

    async def _create(
        self, pod: core_v1.Pod, container: Container, state: PodState, sandbox_id: str, volumes: dict[str, Path],
        interrupt: Interrupt,
    ) -> str:
        try:
            image = await interrupt.run(self.images.ensure(pod, container))
            pictures = {
                volume.name: (await interrupt.run(self.images.ensure(pod, container, volume.image))).id
                for volume in pod.spec.volumes
                if volume.image is not None and any(mount.name == volume.name for mount in container.volume_mounts)
            }
        except ImageError as error:
            self.events.container(pod, container, "Warning", "Failed", f"Error: {error.reason}")
            raise StartError(error.reason, error.message) from error
        previous = state.find(container.name)
        pod_ips = self.cache.get(pod.metadata.uid).ips
        sources = EnvSources(
            self.get_config_map, self.get_secret, self.services(), self.config.node_ip,
            pod_ips or ((self.config.node_ip,) if pod.spec.host_network else ()), self.allocatable(),
            volumes, self.config.offload,
        )
        try:
            envs = await interrupt.run(make_environment(pod, container, sources))
            inputs = ContainerInputs(
                attempt=previous.config.attempt + 1 if previous else 0, image=image, envs=envs, volumes=volumes,
                pod_ips=pod_ips, memory_capacity=self.memory_capacity, pictures=pictures,
            )
            config = await self.config.offload(container_config, pod, container, inputs, self.config)
        except (EnvError, ConfigError, OSError) as error:
            raise self._failed(pod, container, "CreateContainerConfigError", str(error)) from error
        try:
            return await self.runtime.create_container(sandbox_id, config)
        except RuntimeFault as fault:
            raise self._failed(pod, container, fault.reason or "CreateContainerError", str(fault)) from fault

    async def _post_start(
        self, pod: core_v1.Pod, container: Container, handler: core_v1.LifecycleHandler, container_id: str, interrupt: Interrupt,
    ) -> None:
        ips = self.cache.get(pod.metadata.uid).ips
        try:
            await interrupt.run(run_hook(handler, pod, container, container_id, ips[0] if ips else "", self.runtime, self.clock))
        except HookError as error:
            self.events.container(pod, container, "Warning", "FailedPostStartHook", "PostStartHook failed")
            status = await self.runtime.container_status(container_id)
            await self.killer.kill(pod, status, "FailedPostStartHook", "failedPostStartHook")
            await self.cache.observe_container(container_id)
            raise StartError("PostStartHookError", str(error)) from error

    async def _remove_older_runs(self, pod: core_v1.Pod, container: Container) -> None:
        """Keep the newest run and the one before, whose log `kubectl logs --previous` shows.

        One that was made and never started, because the kubelet ended in between, has no log and is no run.
        """
        older = self.cache.get(pod.metadata.uid).find_all(container.name)[1:]
        for made in [each for each in older if each.state == ContainerState.CREATED]:
            await self.remove_run(made)
        for old in [each for each in older if each.state != ContainerState.CREATED][1:]:
            await self.remove_run(old)

    async def remove_run(self, status: ContainerStatus) -> None:
        """Remove a container that does not run, with its log and its termination log."""
        if status.state not in (ContainerState.EXITED, ContainerState.CREATED):
            return
        await self.runtime.remove_container(status.id)
        await self.cache.observe_container(status.id)
        if status.log_path:
            await self.config.offload(_unlink, Path(status.log_path))

    def forget(self, uid: str) -> None:
        """The Pod's object is gone."""
        self.reasons.pop(uid, None)
        self.waits.pop(uid, None)
        self.backoff.forget(f"{uid}_")
        self.images.forget(uid)


def _minutes(seconds: float) -> str:
    """As Go prints a duration: `2m40s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s"


def _make_directory(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
    for rotated in path.parent.glob(path.name + ".*"):
        rotated.unlink(missing_ok=True)
