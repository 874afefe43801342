"""What a Pod's containers need next: a pure function from spec, runtime state and probe results to actions.

The rules are upstream's `computePodActions`, sidecars (KEP-753) included.  Nothing here does I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wherry.api.pod import is_sidecar
from wherry.api.types import core_v1
from wherry.kubelet.container.restart import policy_of, should_restart
from wherry.kubelet.container.state import CONTAINER_HASH, PodState, container_hash, needs_restart_to_resize
from wherry.kubelet.podutil import Container, restart_policy
from wherry.runtime.interface import ContainerState, ContainerStatus, SandboxState

ProbeResult = Callable[[str], str | None]  # container id -> "success" | "failure" | "unknown"; None: not probed


def _no_result(container_id: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True)
class Kill:
    """A container to stop.  `reason` is "" | "startupProbe" | "livenessProbe" | "failedPostStartHook" | "unknown"."""

    name: str
    container_id: str
    message: str
    reason: str = ""


@dataclass(slots=True)
class PodActions:
    """Done in this order: kill, sandbox, ephemeral containers, init containers, containers (by index in the spec)."""

    kill_pod: bool = False
    create_sandbox: bool = False
    sandbox_id: str = ""  # the sandbox in use, or the one that is replaced
    attempt: int = 0  # of the sandbox to create
    ephemeral_containers_to_start: list[int] = field(default_factory=list)
    init_containers_to_start: list[int] = field(default_factory=list)
    containers_to_start: list[int] = field(default_factory=list)
    containers_to_kill: list[Kill] = field(default_factory=list)

    def kill(self, status: ContainerStatus, message: str, reason: str = "") -> None:
        self.containers_to_kill.append(Kill(status.config.name, status.id, message, reason))


def sandbox_changed(pod: core_v1.Pod, state: PodState) -> tuple[bool, int, str]:
    """(whether a sandbox must be made, its attempt, the newest one's id)."""
    if not state.sandboxes:
        return True, 0, ""
    newest = state.sandboxes[0]
    ready = sum(sandbox.state == SandboxState.READY for sandbox in state.sandboxes)
    host_network = bool(pod.spec.host_network)
    unfit = (
        ready > 1
        or newest.state != SandboxState.READY
        or newest.config.host_network != host_network
        or (not host_network and not newest.ips)
    )
    return unfit, newest.config.attempt + 1 if unfit else newest.config.attempt, newest.id


def compute_pod_actions(
    pod: core_v1.Pod, state: PodState, liveness: ProbeResult = _no_result, startup: ProbeResult = _no_result,
) -> PodActions:
    """What brings the Pod nearer to its spec.  A pod whose work is done gives `kill_pod` and nothing to start."""
    create, attempt, sandbox_id = sandbox_changed(pod, state)
    actions = PodActions(kill_pod=create, create_sandbox=create, sandbox_id=sandbox_id, attempt=attempt)
    if create:
        _plan_new_sandbox(pod, state, actions)
        return actions
    actions.ephemeral_containers_to_start = [
        index for index, container in enumerate(pod.spec.ephemeral_containers) if state.find(container.name) is None
    ]
    initialized = _plan_init_containers(pod, state, actions, liveness, startup)
    if actions.kill_pod or not initialized:
        return actions
    _plan_containers(pod, state, actions, liveness, startup)
    return actions


def _plan_new_sandbox(pod: core_v1.Pod, state: PodState, actions: PodActions) -> None:
    """The sandbox is missing or broken: start over, unless the Pod may not run again."""
    if restart_policy(pod) == "Never" and actions.attempt != 0 and state.containers:
        actions.create_sandbox = False
        return
    to_start = [
        index for index, container in enumerate(pod.spec.containers)
        if not (policy_of(pod, container) == "OnFailure" and _succeeded(state.find(container.name)))
    ]
    if not to_start and any_regular_container_created(pod, state):
        actions.create_sandbox = False
    elif pod.spec.init_containers:
        actions.init_containers_to_start = [0]
    else:
        actions.containers_to_start = to_start


def _succeeded(status: ContainerStatus | None) -> bool:
    return status is not None and status.state == ContainerState.EXITED and status.exit_code == 0


def any_regular_container_created(pod: core_v1.Pod, state: PodState) -> bool:
    """Initialization is over once any regular container was made."""
    return any(state.find(container.name) is not None for container in pod.spec.containers)


def _plan_init_containers(
    pod: core_v1.Pod, state: PodState, actions: PodActions, liveness: ProbeResult, startup: ProbeResult,
) -> bool:
    """Plan the next init container and keep sidecars alive.  True when regular containers may run."""
    containers = pod.spec.init_containers
    if not containers:
        return True
    initialized = earlier = any_regular_container_created(pod, state)
    # From the last one backwards: the last with a status tells how far initialization got, those before
    # it have done their part and only sidecars among them are kept alive.
    for index in reversed(range(len(containers))):
        container = containers[index]
        status = state.find(container.name)
        if status is None:
            if earlier and is_sidecar(container):
                actions.init_containers_to_start.append(index)
            continue
        if not is_sidecar(container):
            if not earlier:
                if _init_failed_for_good(pod, container, status):
                    actions.kill_pod, actions.init_containers_to_start = True, []
                    return False
                done = _plan_plain_init(index, status, actions)
                initialized = initialized or _advance(containers, index, done, actions)
            earlier = True
            continue
        passed = _plan_sidecar(index, container, status, actions, liveness, startup)
        if not earlier:
            initialized = initialized or _advance(containers, index, passed, actions)
            earlier = True
    if not earlier:
        actions.init_containers_to_start.append(0)
    actions.init_containers_to_start.sort()
    return initialized


def _init_failed_for_good(pod: core_v1.Pod, container: Container, status: ContainerStatus) -> bool:
    failed = status.state == ContainerState.EXITED and status.exit_code != 0
    return failed and policy_of(pod, container) == "Never"


def _advance(containers: list[core_v1.Container], index: int, done: bool, actions: PodActions) -> bool:
    """After step `index`: True when that was the last; otherwise the next one is planned."""
    if done and index + 1 < len(containers):
        actions.init_containers_to_start.append(index + 1)
        return False
    return done


def _plan_plain_init(index: int, status: ContainerStatus, actions: PodActions) -> bool:
    """Plan an init container that runs to its end.  True when it has succeeded."""
    if status.state == ContainerState.EXITED:
        if status.exit_code == 0:
            return True
        actions.init_containers_to_start.append(index)
    elif status.state == ContainerState.UNKNOWN:
        actions.kill(status, "Init container is in unknown state, try killing it before restart", "unknown")
        actions.init_containers_to_start.append(index)
    elif status.state == ContainerState.CREATED:
        actions.init_containers_to_start.append(index)
    return False


def _plan_sidecar(
    index: int, container: Container, status: ContainerStatus, actions: PodActions, liveness: ProbeResult, startup: ProbeResult,
) -> bool:
    """Keep a sidecar running.  True when it has started, so that what comes after it may start."""
    if status.state == ContainerState.UNKNOWN:
        actions.kill(status, "Init container is in unknown state, try killing it before restart", "unknown")
    if status.state != ContainerState.RUNNING:
        actions.init_containers_to_start.append(index)
        return False
    name = container.name
    if container.startup_probe is not None and startup(status.id) != "success":
        if startup(status.id) == "failure":
            actions.kill(status, f"Init container {name} failed startup probe, will be restarted", "startupProbe")
            actions.init_containers_to_start.append(index)
        return False
    if _changed(container, status):
        actions.kill(status, f"Init container {name} definition changed, will be restarted")
        actions.init_containers_to_start.append(index)
    elif liveness(status.id) == "failure":
        actions.kill(status, f"Init container {name} failed liveness probe, will be restarted", "livenessProbe")
        actions.init_containers_to_start.append(index)
    return True


def _changed(container: Container, status: ContainerStatus) -> bool:
    made_of = status.config.annotations.get(CONTAINER_HASH)
    return made_of is not None and made_of != container_hash(container)


def _plan_containers(
    pod: core_v1.Pod, state: PodState, actions: PodActions, liveness: ProbeResult, startup: ProbeResult,
) -> None:
    kept = 0
    for index, container in enumerate(pod.spec.containers):
        status = state.find(container.name)
        if status is None or status.state != ContainerState.RUNNING:
            if should_restart(pod, container, state):
                actions.containers_to_start.append(index)
                if status is not None and status.state == ContainerState.UNKNOWN:
                    actions.kill(status, "Container is in unknown state, try killing it before restart", "unknown")
            continue
        restart = policy_of(pod, container) != "Never"
        if _changed(container, status):
            message, reason, restart = f"Container {container.name} definition changed", "", True
        elif liveness(status.id) == "failure":
            message, reason = f"Container {container.name} failed liveness probe", "livenessProbe"
        elif startup(status.id) == "failure":
            message, reason = f"Container {container.name} failed startup probe", "startupProbe"
        elif needs_restart_to_resize(container, status.config.annotations):
            message, reason, restart = f"Container {container.name} resize requires restart", "", True
        else:
            kept += 1
            continue
        if restart:
            message += ", will be restarted"
            actions.containers_to_start.append(index)
        actions.kill(status, message, reason)
    if kept == 0 and not actions.containers_to_start:
        actions.kill_pod = True
        actions.init_containers_to_start = []
