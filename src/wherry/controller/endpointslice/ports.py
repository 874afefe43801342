"""A Service's ports as a Pod has them: a `targetPort` may be a name, which each Pod resolves for itself.  Pure."""

from __future__ import annotations

from wherry.api.types import core_v1, discovery_v1

Ports = tuple[discovery_v1.EndpointPort, ...]


def find_port(pod: core_v1.Pod, port: core_v1.ServicePort) -> int | None:
    """The number of the Pod's port; None when no container has one of that name and protocol."""
    target = port.target_port
    if isinstance(target, int) and target:
        return target
    if not target:
        return port.port
    for container in [*pod.spec.containers, *_sidecars(pod)]:
        for each in container.ports:
            if each.name == target and (each.protocol or "TCP") == (port.protocol or "TCP"):
                return each.container_port
    return None


def _sidecars(pod: core_v1.Pod) -> list[core_v1.Container]:
    return [each for each in pod.spec.init_containers if each.restart_policy == "Always"]


def ports_of(service: core_v1.Service, pod: core_v1.Pod) -> Ports:
    """The ports of the Service that the Pod has."""
    found = ((port, find_port(pod, port)) for port in service.spec.ports)
    return tuple(
        discovery_v1.EndpointPort(name=port.name, port=number, protocol=port.protocol or "TCP", app_protocol=port.app_protocol)
        for port, number in found if number is not None
    )
