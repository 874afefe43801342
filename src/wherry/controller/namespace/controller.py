"""Empties namespaces: deletes every namespaced resource that discovery tells of, then lets the namespace go."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client import PartialObjectMetadata, ResourceInfo
from wherry.client.discovery import discover, once_each
from wherry.client.informer import Handler
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.namespace.plan import FINALIZER, Progress, conditions, order

AGAIN = 1.0  # seconds until what remains is counted again
GONE = (404, 405)  # not served (any more), or not deletable


class NamespaceController(Controller):
    name: ClassVar[str] = "namespace-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.namespaces = self.informer(core_v1.Namespace)
        self.enqueue_all(self.namespaces)
        self.informer(core_v1.Pod).add_handler(Handler(on_delete=self._pod_gone))

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        """The last Pod is what a namespace mostly waits for."""
        namespace = self.namespaces.store.get(pod.metadata.namespace)
        if namespace is not None and namespace.metadata.deletion_timestamp is not None:
            self.enqueue(namespace)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        namespace = self.namespaces.store.get_by_key(key)
        if namespace is None or namespace.metadata.deletion_timestamp is None:
            return None
        if FINALIZER not in namespace.spec.finalizers:
            return None
        if namespace.status.phase != "Terminating":
            await self._patch(namespace, {"phase": "Terminating"})
        progress = await self._empty(namespace.metadata.name)
        told = conditions(namespace, progress, self.clock.time())
        if not progress.empty:
            if told != [_plain(each) for each in namespace.status.conditions]:
                await self._patch(namespace, {"conditions": told})
            return RequeueAfter(AGAIN)
        await self._patch(namespace, {"conditions": told})
        await self._finalize(key)
        return None

    async def _patch(self, namespace: core_v1.Namespace, status: dict[str, object]) -> None:
        body = {"metadata": {"uid": namespace.metadata.uid}, "status": status}
        try:
            await self.client.patch(core_v1.Namespace, namespace.metadata.name, body, subresource="status")
        except StatusError as error:
            if not is_not_found(error):
                raise

    async def _empty(self, name: str) -> Progress:
        """One round; Pods that are still there hold up everything else."""
        progress = Progress()
        try:
            found = await discover(self.client)
        except StatusError as error:
            progress.discovery_error = error.message
            return progress
        progress.discovery_error = found.failure  # what is known is deleted all the same
        rounds = order(once_each(found.resources))
        for resources in rounds:
            for resource in resources:
                await self._delete_all(name, resource, progress)
            if any(progress.remaining.values()):
                break
        return progress

    async def _delete_all(self, name: str, resource: ResourceInfo, progress: Progress) -> None:
        try:
            if not await self._count(name, resource, Progress()):
                return
            if "deletecollection" in resource.verbs:
                await self.client.delete_collection(
                    PartialObjectMetadata, name, propagation_policy="Background", resource=resource,
                )
            else:
                await self._delete_each(name, resource)
            await self._count(name, resource, progress)
        except StatusError as error:
            if error.code not in GONE:
                progress.errors.append(f"{resource.plural}: {error.message}")

    async def _delete_each(self, name: str, resource: ResourceInfo) -> None:
        found = await self.client.list(PartialObjectMetadata, name, resource=resource)
        for obj in found.items:
            try:
                await self.client.delete(
                    PartialObjectMetadata, obj.metadata.name, name, propagation_policy="Background", resource=resource,
                )
            except StatusError as error:
                if not is_not_found(error):
                    raise

    async def _count(self, name: str, resource: ResourceInfo, progress: Progress) -> int:
        found = await self.client.list(PartialObjectMetadata, name, resource=resource)
        if found.items:
            progress.remaining[resource] = len(found.items)
            for obj in found.items:
                progress.finalizers.update(obj.metadata.finalizers)
        return len(found.items)

    async def _finalize(self, name: str) -> None:
        """Take our finalizer off; the server removes a namespace that has none left."""
        response = await self.client.raw("GET", f"/api/v1/namespaces/{name}")
        obj = msgspec.json.decode(response.body)
        obj["spec"]["finalizers"] = [each for each in obj["spec"].get("finalizers") or () if each != FINALIZER]
        try:
            await self.client.update_raw(core_v1.Namespace, name, obj, subresource="finalize")
        except StatusError as error:
            if not is_not_found(error):
                raise


def _plain(condition: core_v1.NamespaceCondition) -> dict[str, str]:
    return {
        "type": condition.type, "status": condition.status, "lastTransitionTime": condition.last_transition_time or "",
        "reason": condition.reason, "message": condition.message,
    }
