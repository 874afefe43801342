"""What a Pod asks of a node: requests and host ports.

Requests of containers are summed; init containers run one after another, but those that restart
(sidecars) stay (KEP-753); a Pod's overhead comes on top.
"""

from __future__ import annotations

from functools import lru_cache

from wherry.api.types import core_v1
from wherry.apimachinery import quantity

CPU, MEMORY, PODS, EPHEMERAL = "cpu", "memory", "pods", "ephemeral-storage"


@lru_cache(maxsize=8192)
def amount(resource: str, text: str) -> int:
    """A quantity as an integer: milli-CPU, or units."""
    return quantity.milli(text) if resource == CPU else quantity.value(text)


def amounts(resources: dict[str, str]) -> dict[str, int]:
    return {name: amount(name, text) for name, text in resources.items()}


def _container(container: core_v1.Container) -> dict[str, int]:
    return amounts(container.resources.requests) if container.resources is not None else {}


def _add(total: dict[str, int], more: dict[str, int]) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0) + value


def _at_least(total: dict[str, int], other: dict[str, int]) -> None:
    for name, value in other.items():
        if value > total.get(name, 0):
            total[name] = value


def pod_requests(pod: core_v1.Pod) -> dict[str, int]:
    """Resource -> amount.  https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers"""
    spec = pod.spec
    total: dict[str, int] = {}
    for container in spec.containers:
        _add(total, _container(container))
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in spec.init_containers:
        own = _container(container)
        if container.restart_policy == "Always":
            _add(sidecars, own)
            _at_least(peak, sidecars)
        else:
            both = dict(own)
            _add(both, sidecars)
            _at_least(peak, both)
    _add(total, sidecars)
    _at_least(total, peak)
    if spec.resources is not None and spec.resources.requests:
        total.update(amounts(spec.resources.requests))
    if spec.overhead:
        _add(total, amounts(spec.overhead))
    total[PODS] = 1
    return total


def pod_ports(pod: core_v1.Pod) -> list[tuple[str, str, int]]:
    """(host IP, protocol, host port) of every host port."""
    found = []
    for container in [*pod.spec.containers, *pod.spec.init_containers]:
        for port in container.ports:
            host = port.host_port or (port.container_port if pod.spec.host_network else 0)
            if host:
                found.append((port.host_ip or "0.0.0.0", port.protocol or "TCP", host))
    return found
