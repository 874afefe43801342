"""Small facts about a Pod's spec that several parts of the kubelet ask for."""

from __future__ import annotations

from collections.abc import Iterator

from wherry.api.pod import effective_limits, effective_requests
from wherry.api.types import core_v1

Container = core_v1.Container | core_v1.EphemeralContainer


def full_name(pod: core_v1.Pod) -> str:
    """`name_namespace(uid)`, as messages name a Pod."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"


def key(pod: core_v1.Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def all_containers(pod: core_v1.Pod) -> Iterator[Container]:
    yield from pod.spec.init_containers
    yield from pod.spec.containers
    yield from pod.spec.ephemeral_containers


def find_container(pod: core_v1.Pod, name: str) -> Container | None:
    return next((c for c in all_containers(pod) if c.name == name), None)


def field_path(pod: core_v1.Pod, container: Container) -> str:
    """Where events say a container stands: `spec.containers{c}`."""
    for field, containers in (("containers", pod.spec.containers), ("initContainers", pod.spec.init_containers),
                              ("ephemeralContainers", pod.spec.ephemeral_containers)):
        if any(each.name == container.name for each in containers):
            return f"spec.{field}{{{container.name}}}"
    return ""


def is_terminal(phase: str) -> bool:
    return phase in ("Succeeded", "Failed")


def restart_policy(pod: core_v1.Pod) -> str:
    return pod.spec.restart_policy or "Always"


def requests_and_limits(container: Container) -> tuple[dict[str, str], dict[str, str]]:
    """Effective requests (a limit stands in for a missing request) and limits."""
    limits = dict(container.resources.limits)
    return {**limits, **container.resources.requests}, limits


def pod_totals(pod: core_v1.Pod) -> tuple[dict[str, str], dict[str, str]]:
    """The Pod's requests and limits, those that it has as a whole included.

    A resource that some container does not limit has no limit, unless the Pod as a whole limits it.
    """
    whole = pod.spec.resources.limits if pod.spec.resources is not None else {}
    together = [*pod.spec.containers, *pod.spec.init_containers]
    requests = {name: str(amount) for name, amount in effective_requests(pod).items()}
    limits = {
        name: str(amount) for name, amount in effective_limits(pod).items()
        if name in whole or all(name in each.resources.limits for each in together)
    }
    return requests, limits
