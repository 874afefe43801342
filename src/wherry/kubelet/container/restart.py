"""Whether a container that ended runs again: the Pod's restart policy, or the container's own (KEP-5307)."""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.kubelet.container.state import PodState
from wherry.kubelet.podutil import Container, restart_policy
from wherry.runtime.interface import ContainerState


def policy_of(pod: core_v1.Pod, container: Container) -> str:
    """Always, OnFailure or Never, for this container."""
    return container.restart_policy or restart_policy(pod)


def restarts_after(pod: core_v1.Pod, container: Container, exit_code: int) -> bool:
    """Whether a container that ended with `exit_code` is started again."""
    for rule in container.restart_policy_rules:
        if rule.exit_codes is None or rule.action != "Restart":
            continue
        if (exit_code in rule.exit_codes.values) == (rule.exit_codes.operator == "In"):
            return True
    policy = policy_of(pod, container)
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def should_restart(pod: core_v1.Pod, container: Container, state: PodState) -> bool:
    """Whether `container` should be (re)started, given what the runtime says.  Upstream's ShouldContainerBeRestarted."""
    if pod.metadata.deletion_timestamp:
        return False
    status = state.find(container.name)
    if status is None:
        return True
    if status.state == ContainerState.RUNNING:
        return False
    if status.state in (ContainerState.UNKNOWN, ContainerState.CREATED):
        return True
    return restarts_after(pod, container, status.exit_code)
