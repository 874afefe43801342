"""A Pod's status from what the runtime knows: a pure function, in the words of upstream's `generateAPIPodStatus`.

Statuses are plain JSON, because empty members that upstream always writes (`lastState: {}`) must be there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wherry.api.pod import is_sidecar
from wherry.api.types import core_v1
from wherry.kubelet.container.restart import policy_of, should_restart
from wherry.kubelet.container.state import PodState
from wherry.kubelet.podutil import Container, is_terminal, pod_totals, requests_and_limits
from wherry.kubelet.status.conditions import RESIZING, Json, condition, containers_ready, initialized, ready
from wherry.runtime.interface import ContainerState, ContainerStatus
from wherry.util.clock import rfc3339

Reasons = Mapping[str, tuple[str, str]]  # container name -> (reason, message) of its last failed start
_LOST: Json = {
    "exitCode": 137, "reason": "ContainerStatusUnknown",
    "message": "The container could not be located when the pod was terminated", "startedAt": None, "finishedAt": None,
}
ProbeState = Callable[[str], str | None]


def _unprobed(container_id: str) -> str | None:
    return None


@dataclass(slots=True)
class StatusInputs:
    """Beside the Pod and the runtime's state: what else a status is made of."""

    host_ip: str = ""
    runtime_name: str = "wherry"
    reasons: Reasons = field(default_factory=dict)
    readiness: ProbeState = _unprobed  # "success" | "failure" | "unknown" | None: no result
    startup: ProbeState = _unprobed
    messages: Mapping[str, str] = field(default_factory=dict)  # container id -> termination message
    forced: tuple[str, str, str] | None = None  # (phase, reason, message), as for activeDeadlineSeconds
    up_to_date: Callable[[Container, ContainerStatus], bool] = lambda container, run: True  # it has the resources that its spec says
    terminal: bool = False  # the Pod is being ended: nothing of it will start again
    resizing: Sequence[Json] = ()  # conditions of a resize


def generate_status(pod: core_v1.Pod, state: PodState, old: Json, inputs: StatusInputs) -> Json:
    """The whole status.  `old` is the status last made or read: times and foreign conditions come from it."""
    init = _statuses(pod, pod.spec.init_containers, state, old.get("initContainerStatuses", []), inputs, init=True)
    regular = _statuses(pod, pod.spec.containers, state, old.get("containerStatuses", []), inputs)
    ephemeral = _statuses(pod, pod.spec.ephemeral_containers, state, old.get("ephemeralContainerStatuses", []), inputs)
    for statuses, containers, are_init in ((init, pod.spec.init_containers, True), (regular, pod.spec.containers, False)):
        _add_readiness(statuses, containers, inputs, are_init)
    phase = pod_phase(pod, init, regular, inputs.terminal)
    status: Json = {"phase": phase}
    if is_terminal(old.get("phase", "")):
        status["phase"] = old["phase"]  # a Pod that ended stays ended
        for name in ("reason", "message"):
            if old.get(name):
                status[name] = old[name]
    elif inputs.forced:
        status["phase"], status["reason"], status["message"] = inputs.forced
    if pod.metadata.generation:
        status["observedGeneration"] = pod.metadata.generation
    others = [each for each in old.get("conditions", []) if each["type"] not in (*_MADE_HERE, *RESIZING)]
    of_containers = containers_ready(pod, init, regular, status["phase"])
    status["conditions"] = [
        *(dict(each) for each in inputs.resizing),
        condition("PodReadyToStartContainers", state.ready_sandbox is not None),
        initialized(pod, init, regular, status["phase"]),
        ready(pod, of_containers, others),
        of_containers,
        *_foreign(others),
    ]
    _add_addresses(pod, state, status, inputs)
    made = {"initContainerStatuses": init, "containerStatuses": regular, "ephemeralContainerStatuses": ephemeral}
    status.update({name: statuses for name, statuses in made.items() if statuses})
    if old.get("qosClass"):
        status["qosClass"] = old["qosClass"]
    _add_pod_resources(pod, status)
    return status


_MADE_HERE = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")


def _foreign(others: Sequence[Json]) -> list[Json]:
    """Conditions of others, PodScheduled among them (always there, because the Pod is here)."""
    if any(each["type"] == "PodScheduled" for each in others):
        return [dict(each) for each in others]
    return [condition("PodScheduled", True), *(dict(each) for each in others)]


def _add_addresses(pod: core_v1.Pod, state: PodState, status: Json, inputs: StatusInputs) -> None:
    if not inputs.host_ip:
        return
    status["hostIP"], status["hostIPs"] = inputs.host_ip, [{"ip": inputs.host_ip}]
    ips = state.ips or ((inputs.host_ip,) if pod.spec.host_network else ())
    if ips:
        status["podIP"], status["podIPs"] = ips[0], [{"ip": ip} for ip in ips]


def _add_pod_resources(pod: core_v1.Pod, status: Json) -> None:
    requests, limits = pod_totals(pod)
    if requests:
        status["allocatedResources"] = requests
    status["resources"] = {name: amounts for name, amounts in (("limits", limits), ("requests", requests)) if amounts}


# Containers ------------------------------------------------------------------------------------


def _statuses(
    pod: core_v1.Pod, containers: Sequence[Container], state: PodState, old: Sequence[Json], inputs: StatusInputs, *,
    init: bool = False,
) -> list[Json]:
    previous = {each["name"]: each for each in old}
    return [_container_status(pod, container, state, previous.get(container.name), inputs, init) for container in containers]


def _container_status(
    pod: core_v1.Pod, container: Container, state: PodState, old: Json | None, inputs: StatusInputs, init: bool,
) -> Json:
    runs = state.find_all(container.name)
    waiting = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
    if not runs:
        status = _never_seen(container, waiting, old)
    else:
        status = _seen(runs, container, inputs, waiting)
        if runs[0].state == ContainerState.RUNNING and old is not None and "resources" in old and not inputs.up_to_date(container, runs[0]):
            status["resources"] = old["resources"]  # it is resized only after this is told
    _add_waiting_reason(pod, container, state, status, inputs, init)
    if container.volume_mounts:
        status["volumeMounts"] = [_mount_status(mount) for mount in container.volume_mounts]
    return status


def _never_seen(container: Container, waiting: str, old: Json | None) -> Json:
    """The runtime does not know it (yet, or any more): what was told before stands."""
    if old is not None and old.get("containerID"):
        kept = {key: value for key, value in old.items() if key != "volumeMounts"}
        if "running" in kept["state"]:
            kept["state"] = {"terminated": _LOST}
        return {**kept, "ready": False, "started": False}
    return {
        "name": container.name, "state": {"waiting": {"reason": waiting}}, "lastState": {}, "ready": False,
        "restartCount": 0, "image": container.image, "imageID": "", "started": False,
    }


def _seen(runs: list[ContainerStatus], container: Container, inputs: StatusInputs, waiting: str) -> Json:
    newest = runs[0]
    status: Json = {
        "name": container.name,
        "state": _state(newest, inputs, waiting),
        "lastState": {},
        "ready": False,
        "restartCount": newest.config.attempt,
        "image": newest.image or container.image,
        "imageID": newest.image_ref,
        "containerID": f"{inputs.runtime_name}://{newest.id}",
        "started": False,
    }
    if len(runs) > 1:
        last = _state(runs[1], inputs, waiting)
        if "terminated" in last:
            status["lastState"] = last
    requests, limits = requests_and_limits(container)
    if requests:
        status["allocatedResources"] = requests
    status["resources"] = {name: amounts for name, amounts in (("limits", limits), ("requests", requests)) if amounts}
    if newest.user is not None:
        user = {"uid": newest.user.uid, "gid": newest.user.gid}
        status["user"] = {"linux": {**user, **({"supplementalGroups": list(newest.user.groups)} if newest.user.groups else {})}}
    return status


def _state(run: ContainerStatus, inputs: StatusInputs, waiting: str) -> Json:
    if run.state == ContainerState.RUNNING:
        return {"running": {"startedAt": rfc3339(run.started_at)}}
    if run.state == ContainerState.CREATED:
        return {"waiting": {"reason": waiting}}
    if run.state == ContainerState.UNKNOWN:
        return {"terminated": {**_LOST, "containerID": f"{inputs.runtime_name}://{run.id}"}}
    ended: Json = {"exitCode": run.exit_code, "reason": run.reason or ("Completed" if run.exit_code == 0 else "Error")}
    message = inputs.messages.get(run.id, "") or run.message
    if message:
        ended["message"] = message
    ended["startedAt"] = rfc3339(run.started_at)
    ended["finishedAt"] = rfc3339(run.finished_at)
    ended["containerID"] = f"{inputs.runtime_name}://{run.id}"
    return {"terminated": ended}


def _add_waiting_reason(
    pod: core_v1.Pod, container: Container, state: PodState, status: Json, inputs: StatusInputs, init: bool,
) -> None:
    """A container that failed to start, and will be tried again, waits for the reason that it failed for."""
    failure = inputs.reasons.get(container.name)
    if failure is None or not should_restart(pod, container, state):
        return
    newest = state.find(container.name)
    plain_init = init and not is_sidecar(container)
    if plain_init and newest is not None and newest.state == ContainerState.EXITED and newest.exit_code == 0:
        return
    if "terminated" in status["state"]:
        status["lastState"] = status["state"]
    reason, message = failure
    status["state"] = {"waiting": {"reason": reason, "message": message} if message else {"reason": reason}}


def _mount_status(mount: core_v1.VolumeMount) -> Json:
    shown: Json = {"name": mount.name, "mountPath": mount.mount_path}
    if mount.read_only:
        shown["readOnly"] = True
        shown["recursiveReadOnly"] = "Enabled" if mount.recursive_read_only in ("Enabled", "IfPossible") else "Disabled"
    return shown


def _add_readiness(statuses: Sequence[Json], containers: Sequence[Container], inputs: StatusInputs, init: bool) -> None:
    """Fill in `started` and `ready`.  Upstream's prober UpdatePodStatus."""
    for status, container in zip(statuses, containers, strict=True):
        if "running" not in status["state"]:
            if init and not is_sidecar(container):
                ended = status["state"].get("terminated")
                status["ready"] = ended is not None and ended["exitCode"] == 0
            continue
        run_id = status["containerID"].partition("://")[2]
        status["started"] = container.startup_probe is None or inputs.startup(run_id) == "success"
        if init and not is_sidecar(container):
            continue
        status["ready"] = status["started"] and (container.readiness_probe is None or inputs.readiness(run_id) == "success")


# Phase -----------------------------------------------------------------------------------------


def pod_phase(pod: core_v1.Pod, init: Sequence[Json], regular: Sequence[Json], terminal: bool = False) -> str:
    """https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase

    A `terminal` Pod restarts nothing, whatever its policy.
    """
    pending_init, failed_init = _init_progress(pod, init, regular)
    waiting = running = stopped = succeeded = unknown = 0
    will_restart = False
    for container, status in zip(pod.spec.containers, regular, strict=True):
        state = status["state"]
        if "running" in state:
            running += 1
        elif "terminated" in state:
            stopped += 1
            succeeded += state["terminated"]["exitCode"] == 0
            will_restart = will_restart or _restarts(pod, container, state["terminated"]["exitCode"])
        elif "waiting" in state:
            if "terminated" in status["lastState"]:
                stopped += 1
                will_restart = True
            else:
                waiting += 1
        else:
            unknown += 1
    if failed_init:
        return "Failed"
    if pending_init or waiting:
        return "Pending"
    if running and not unknown:
        return "Running"
    if stopped and not unknown:
        if will_restart and not terminal:
            return "Running"
        if succeeded == stopped:
            # A sidecar that still runs keeps the Pod from having ended.
            return "Running" if _sidecar_runs(pod, init) else "Succeeded"
        return "Running" if _sidecar_runs(pod, init) else "Failed"
    return "Pending"


def _restarts(pod: core_v1.Pod, container: Container, exit_code: int) -> bool:
    policy = policy_of(pod, container)
    for rule in container.restart_policy_rules:
        if rule.exit_codes and (exit_code in rule.exit_codes.values) == (rule.exit_codes.operator == "In"):
            return True
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def _sidecar_runs(pod: core_v1.Pod, init: Sequence[Json]) -> bool:
    both = zip(pod.spec.init_containers, init, strict=True)
    return any(is_sidecar(container) and "running" in status["state"] for container, status in both)


def _init_progress(pod: core_v1.Pod, init: Sequence[Json], regular: Sequence[Json]) -> tuple[bool, bool]:
    """(initialization goes on, it failed for good)."""
    if any("terminated" in status["state"] or "running" in status["state"] or status["lastState"] for status in regular):
        return False, False
    pending = failed = False
    for container, status in zip(pod.spec.init_containers, init, strict=True):
        state = status["state"]
        if is_sidecar(container):
            pending = pending or not (status.get("started") or "terminated" in state)
        elif "running" in state or "waiting" in state:
            pending = True
        elif state["terminated"]["exitCode"] != 0:
            if policy_of(pod, container) == "Never":
                failed = True
            else:
                pending = True
    return pending and not failed, failed


def finish(status: Json) -> Json:
    """The last status of a Pod that was ended: a phase that is terminal, and no container that seems to go on."""
    finished = {**status}
    for name in ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"):
        if name in status:
            finished[name] = [_ended(each, init=name.startswith("init")) for each in status[name]]
    if not is_terminal(status["phase"]):
        finished["phase"] = "Failed"
    return finished


def _ended(status: Json, *, init: bool) -> Json:
    """Nobody can tell how a container ended that the runtime does not know; one that never began to initialize stays so."""
    if "terminated" in status["state"] or (init and "waiting" in status["state"]):
        return status
    if status["state"].get("waiting", {}).get("reason") == "PodInitializing":
        return status
    return {**status, "state": {"terminated": _LOST}}


def merge_times(new: Json, old: Json, now: str) -> Json:
    """Give each condition of `new` its lastTransitionTime, and observedGeneration where this status has one."""
    before: dict[str, Any] = {each["type"]: each for each in old.get("conditions", [])}
    generation = new.get("observedGeneration")
    for each in new["conditions"]:
        was = before.get(each["type"])
        same = was is not None and was["status"] == each["status"] and was.get("lastTransitionTime")
        each["lastTransitionTime"] = was["lastTransitionTime"] if same and was is not None else now
        if generation is not None and each["type"] in (*_MADE_HERE, "PodScheduled"):
            each["observedGeneration"] = generation
    return new
