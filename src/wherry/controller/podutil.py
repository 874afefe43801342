"""What every workload controller asks of Pods.  Pure."""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.util.clock import parse_rfc3339

FINISHED = ("Succeeded", "Failed")


def is_terminal(pod: core_v1.Pod) -> bool:
    """All its containers have ended for good."""
    return pod.status.phase in FINISHED


def is_active(pod: core_v1.Pod) -> bool:
    """Neither finished nor on its way out."""
    return not is_terminal(pod) and pod.metadata.deletion_timestamp is None


def is_terminating(pod: core_v1.Pod) -> bool:
    """Asked to go, and still running."""
    return pod.metadata.deletion_timestamp is not None and not is_terminal(pod)


def condition(pod: core_v1.Pod, type_: str) -> core_v1.PodCondition | None:
    for each in pod.status.conditions:
        if each.type == type_:
            return each
    return None


def is_ready(pod: core_v1.Pod) -> bool:
    found = condition(pod, "Ready")
    return found is not None and found.status == "True"


def ready_since(pod: core_v1.Pod) -> float | None:
    """Wall time since when it is ready; None when it is not."""
    found = condition(pod, "Ready")
    if found is None or found.status != "True" or not found.last_transition_time:
        return None
    return parse_rfc3339(found.last_transition_time)


def available_in(pod: core_v1.Pod, min_ready_seconds: int, now: float) -> float | None:
    """Seconds until the Pod counts as available, not positive when it does; None while it is not ready."""
    if not is_ready(pod):
        return None
    if not min_ready_seconds:
        return 0.0
    since = ready_since(pod)
    return None if since is None else since + min_ready_seconds - now


def is_available(pod: core_v1.Pod, min_ready_seconds: int, now: float) -> bool:
    wait = available_in(pod, min_ready_seconds, now)
    return wait is not None and wait <= 0


def restarts(pod: core_v1.Pod) -> int:
    """The most restarts of any container."""
    most = 0
    for status in pod.status.container_statuses:
        if (count := status.restart_count or 0) > most:
            most = count
    return most


def created(obj: object) -> float:
    """Wall time of creation; 0 for what is not stored yet."""
    text = obj.metadata.creation_timestamp  # type: ignore[attr-defined]
    return parse_rfc3339(text) if text else 0.0
