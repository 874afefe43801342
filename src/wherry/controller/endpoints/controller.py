"""Carries out the plan: one Endpoints object a Service with a selector, of the same name."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.store import split_key
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.endpoints.plan import OVER_CAPACITY, labels_of, subsets
from wherry.controller.podcontrol import is_namespace_terminating
from wherry.controller.servicewatch import ServiceWatch, selected
from wherry.controller.triggertime import LAST_CHANGE, TriggerTimes


class EndpointsController(Controller):
    name: ClassVar[str] = "endpoint-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = self.informer(core_v1.Service)
        self.pods = self.informer(core_v1.Pod)
        self.endpoints = self.informer(core_v1.Endpoints)
        self.triggers = TriggerTimes()
        self.enqueue_all(self.services)
        self.enqueue_all(self.endpoints)
        ServiceWatch(self.services, self.pods, self.queue.add)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        namespace, name = split_key(key)
        service, current = self.services.store.get_by_key(key), self.endpoints.store.get_by_key(key)
        if service is None:
            self.triggers.forget(key)
            if current is not None and _is_ours(current):
                await self._delete(current)
            return None
        if not service.spec.selector or service.spec.type == "ExternalName":
            return None
        pods = selected(self.pods, service)
        wanted, over = subsets(service, pods)
        labels, trigger = labels_of(service), self.triggers.newest(service, pods)
        annotations = {name: text for name, text in ((OVER_CAPACITY, "truncated" if over else ""), (LAST_CHANGE, trigger)) if text}
        if current is None:
            meta = meta_v1.ObjectMeta(name=name, namespace=namespace, labels=labels, annotations=annotations)
            await self._create(core_v1.Endpoints(metadata=meta, subsets=wanted))
        elif (current.subsets, current.metadata.labels) != (wanted, labels) or _is_over(current) != over:
            old = current.metadata
            body = {
                "metadata": {
                    "resourceVersion": old.resource_version,
                    "labels": {each: labels.get(each) for each in {*labels, *old.labels}},
                    "annotations": {OVER_CAPACITY: annotations.get(OVER_CAPACITY), LAST_CHANGE: annotations.get(LAST_CHANGE)},
                },
                "subsets": wanted,
            }
            await self.client.patch(core_v1.Endpoints, name, body, namespace)
        return None

    async def _create(self, endpoints: core_v1.Endpoints) -> None:
        try:
            await self.client.create(endpoints)
        except StatusError as error:
            if not is_namespace_terminating(error):
                raise

    async def _delete(self, endpoints: core_v1.Endpoints) -> None:
        meta = endpoints.metadata
        try:
            await self.client.delete(core_v1.Endpoints, meta.name, meta.namespace, uid=meta.uid)
        except StatusError as error:
            if not is_not_found(error):
                raise


def _is_over(endpoints: core_v1.Endpoints) -> bool:
    return OVER_CAPACITY in endpoints.metadata.annotations


def _is_ours(endpoints: core_v1.Endpoints) -> bool:
    """Made for a Service with a selector; those of Services without one belong to whoever made them."""
    return "endpoints.kubernetes.io/managed-by" in endpoints.metadata.labels
