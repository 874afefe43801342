"""A Pod's conditions, from the statuses of its containers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.pod import is_sidecar
from wherry.api.types import core_v1

Json = dict[str, Any]
RESIZING = ("PodResizePending", "PodResizeInProgress")
OWNED = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def condition(kind: str, status: bool, reason: str = "", message: str = "") -> Json:
    made: Json = {"type": kind, "status": "True" if status else "False"}
    if reason:
        made["reason"] = reason
    if message:
        made["message"] = message
    return made


def _by_name(statuses: Sequence[Json]) -> dict[str, Json]:
    return {status["name"]: status for status in statuses}


def _go_list(names: Sequence[str]) -> str:
    return f"[{' '.join(names)}]"


def initialized(pod: core_v1.Pod, init_statuses: Sequence[Json], regular: Sequence[Json], phase: str) -> Json:
    kind = "Initialized"
    found = _by_name(init_statuses)
    unknown = [c.name for c in pod.spec.init_containers if c.name not in found]
    incomplete = []
    for container in pod.spec.init_containers:
        status = found.get(container.name)
        if status is None:
            continue
        done = bool(status.get("started")) if is_sidecar(container) else bool(status["ready"])
        if not done:
            incomplete.append(container.name)
    if phase == "Succeeded":
        return condition(kind, True, "PodCompleted")
    # Once a regular container has run, initialization stays done whatever becomes of a sidecar.
    if any(status["state"].keys() & {"running", "terminated"} or "terminated" in status["lastState"] for status in regular):
        return condition(kind, True)
    messages = []
    if unknown:
        messages.append(f"containers with unknown status: {_go_list(unknown)}")
    if incomplete:
        messages.append(f"containers with incomplete status: {_go_list(incomplete)}")
    return condition(kind, False, "ContainersNotInitialized", ", ".join(messages)) if messages else condition(kind, True)


def containers_ready(pod: core_v1.Pod, init_statuses: Sequence[Json], regular: Sequence[Json], phase: str) -> Json:
    kind = "ContainersReady"
    if phase == "Succeeded":
        return condition(kind, False, "PodCompleted")
    if phase == "Failed":
        return condition(kind, False, "PodFailed")
    found = _by_name([*init_statuses, *regular])
    wanted = [c.name for c in pod.spec.init_containers if is_sidecar(c)] + [c.name for c in pod.spec.containers]
    unknown = [name for name in wanted if name not in found]
    unready = [name for name in wanted if name in found and not found[name]["ready"]]
    messages = []
    if unknown:
        messages.append(f"containers with unknown status: {_go_list(unknown)}")
    if unready:
        messages.append(f"containers with unready status: {_go_list(unready)}")
    return condition(kind, False, "ContainersNotReady", ", ".join(messages)) if messages else condition(kind, True)


def ready(pod: core_v1.Pod, of_containers: Json, others: Sequence[Json]) -> Json:
    """Ready: the containers are, and every readiness gate is True."""
    if of_containers["status"] != "True":
        return {**of_containers, "type": "Ready"}
    found = {each["type"]: each for each in others}
    messages = []
    for gate in pod.spec.readiness_gates:
        given = found.get(gate.condition_type)
        if given is None:
            messages.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif given["status"] != "True":
            messages.append(f'the status of pod readiness gate "{gate.condition_type}" is not "True", but {given["status"]}')
    if messages:
        return condition("Ready", False, "ReadinessGatesNotReady", ", ".join(messages))
    return condition("Ready", True)
