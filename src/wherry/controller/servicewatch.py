"""Which Services a Pod's change concerns: for the controllers that keep EndpointSlices and Endpoints."""

from __future__ import annotations

from collections.abc import Callable

from wherry.api.types import core_v1
from wherry.apimachinery.labels import from_set
from wherry.client.informer import Handler, Informer
from wherry.controller.podutil import is_ready, is_terminal


class ServiceWatch:
    """Calls `enqueue` with the key of each Service that selects a Pod which has changed in a way that counts."""

    def __init__(
        self, services: Informer[core_v1.Service], pods: Informer[core_v1.Pod], enqueue: Callable[[str], None],
    ) -> None:
        self._services, self._enqueue = services.store, enqueue
        pods.add_handler(Handler(self._changed, self._updated, self._changed))

    def _changed(self, pod: core_v1.Pod) -> None:
        labels = pod.metadata.labels
        for service in self._services.by_index("namespace", pod.metadata.namespace):
            if service.spec.selector and service.spec.selector.items() <= labels.items():
                self._enqueue(f"{pod.metadata.namespace}/{service.metadata.name}")

    def _updated(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if not self._services.by_index("namespace", new.metadata.namespace):
            return
        if _shape(old) == _shape(new) and old.metadata.labels == new.metadata.labels:
            return
        if old.metadata.labels != new.metadata.labels:
            self._changed(old)
        self._changed(new)


def _shape(pod: core_v1.Pod) -> tuple[object, ...]:
    """What endpoints are made of."""
    status, spec = pod.status, pod.spec
    return (
        status.pod_ip, status.pod_ips, is_ready(pod), is_terminal(pod), pod.metadata.deletion_timestamp is not None,
        spec.node_name, spec.hostname, spec.subdomain, pod.metadata.uid,
    )


def selected(pods: Informer[core_v1.Pod], service: core_v1.Service) -> list[core_v1.Pod]:
    """The Pods that a Service selects, oldest first."""
    found = pods.store.list(service.metadata.namespace, from_set(service.spec.selector))
    return sorted(found, key=lambda pod: (pod.metadata.creation_timestamp or "", pod.metadata.name))
