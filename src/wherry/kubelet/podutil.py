"""Small facts about a Pod's spec that several parts of the kubelet ask for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wherry.api.types import core_v1
from wherry.apimachinery import quantity

Container = core_v1.Container | core_v1.EphemeralContainer


def full_name(pod: core_v1.Pod) -> str:
    """`name_namespace(uid)`, as messages name a Pod."""
    return f"{pod.metadata.name}_{pod.metadata.namespace}({pod.metadata.uid})"


def key(pod: core_v1.Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"


def is_sidecar(container: Container) -> bool:
    """A restartable init container (KEP-753).  Ask only of init containers."""
    return container.restart_policy == "Always"


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


def qos_class(pod: core_v1.Pod) -> str:
    """Guaranteed, Burstable or BestEffort.
    https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/
    """
    if pod.status.qos_class:
        return pod.status.qos_class
    guaranteed, anything = True, False
    for container in [*pod.spec.init_containers, *pod.spec.containers]:
        requests, limits = requests_and_limits(container)
        for resource in ("cpu", "memory"):
            wanted, limit = requests.get(resource), limits.get(resource)
            anything = anything or _positive(wanted) or _positive(limit)
            if not _positive(limit) or wanted is None or quantity.compare(wanted, limit or "0") != 0:
                guaranteed = False
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _positive(text: str | None) -> bool:
    return text is not None and bool(quantity.parse(text))


def pod_totals(pod: core_v1.Pod) -> tuple[dict[str, str], dict[str, str]]:
    """The Pod's requests and limits.

    The larger of what runs together (containers and sidecars) and of each init container with the
    sidecars before it.  A resource that some container does not limit has no limit.
    """
    requests = _total(pod, 0)
    limits = _total(pod, 1)
    together = [*pod.spec.containers, *pod.spec.init_containers]
    return requests, {name: limit for name, limit in limits.items() if all(name in c.resources.limits for c in together)}


def _total(pod: core_v1.Pod, which: int) -> dict[str, str]:
    running: dict[str, quantity.Quantity] = {}
    highest: dict[str, quantity.Quantity] = {}

    def amounts(container: Container) -> dict[str, quantity.Quantity]:
        return {name: quantity.parse(text) for name, text in requests_and_limits(container)[which].items()}

    for container in pod.spec.init_containers:
        mine = amounts(container)
        if is_sidecar(container):
            _add(running, mine)
        else:
            peak = dict(running)
            _add(peak, mine)
            _max(highest, peak)
    for container in pod.spec.containers:
        _add(running, amounts(container))
    _max(highest, running)
    return {name: str(amount) for name, amount in highest.items()}


def _add(into: dict[str, Any], more: dict[str, Any]) -> None:
    for name, amount in more.items():
        into[name] = into[name] + amount if name in into else amount


def _max(into: dict[str, Any], other: dict[str, Any]) -> None:
    for name, amount in other.items():
        into[name] = max(into[name], amount) if name in into else amount
