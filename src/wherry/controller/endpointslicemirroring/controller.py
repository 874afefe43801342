"""Carries out `plan` for all Endpoints whose Service selects no Pods."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1, discovery_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.expectations import Expectations
from wherry.client.informer import Handler
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.endpointslicemirroring.plan import MANAGED_BY, MANAGER, MAX_ADDRESSES, SERVICE_NAME, Plan, is_mirrored, plan
from wherry.controller.podcontrol import is_namespace_terminating


def by_endpoints(slice_: discovery_v1.EndpointSlice) -> tuple[str, ...]:
    """`namespace/name` of the Endpoints, for slices that are ours."""
    labels = slice_.metadata.labels
    return (f"{slice_.metadata.namespace}/{labels.get(SERVICE_NAME, '')}",) if labels.get(MANAGED_BY) == MANAGER else ()


class EndpointSliceMirroringController(Controller):
    name: ClassVar[str] = "endpointslicemirroring-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.endpoints = self.informer(core_v1.Endpoints)
        self.services = self.informer(core_v1.Service)
        self.slices = self.informer(discovery_v1.EndpointSlice)
        self.slices.store.add_indexer("endpoints", by_endpoints)
        self.expectations = Expectations(self.clock)
        self.enqueue_all(self.endpoints)
        self.enqueue_all(self.services)
        self.slices.add_handler(Handler(self._slice_added, self._slice_updated, self._slice_deleted))

    def _slice_added(self, slice_: discovery_v1.EndpointSlice) -> None:
        for key in by_endpoints(slice_):
            self.expectations.creation_observed(key)
            self.queue.add(key)

    def _slice_updated(self, old: discovery_v1.EndpointSlice, new: discovery_v1.EndpointSlice) -> None:
        for key in {*by_endpoints(old), *by_endpoints(new)}:
            self.queue.add(key)

    def _slice_deleted(self, slice_: discovery_v1.EndpointSlice) -> None:
        for key in by_endpoints(slice_):
            self.expectations.deletion_observed(key, slice_.metadata.uid)
            self.queue.add(key)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        endpoints, service = self.endpoints.store.get_by_key(key), self.services.store.get_by_key(key)
        slices = [each for each in self.slices.store.by_index("endpoints", key) if each.metadata.deletion_timestamp is None]
        mirrored = is_mirrored(endpoints, service)
        if not mirrored and not slices:
            self.expectations.forget(key)
            return None
        if not self.expectations.satisfied(key):
            return None
        steps = plan(endpoints, slices) if mirrored and endpoints is not None else Plan(delete=slices)
        if endpoints is not None:
            self._tell(endpoints, steps)
        self.expectations.expect(key, len(steps.create), {each.metadata.uid for each in steps.delete})
        try:
            for slice_ in steps.create:
                await self._create(slice_)
            for slice_ in steps.update:
                await self._update(slice_)
            for slice_ in steps.delete:
                await self._delete(slice_)
        except Exception:
            self.expectations.forget(key)
            raise
        return None

    def _tell(self, endpoints: core_v1.Endpoints, steps: Plan) -> None:
        """Of what a mirror cannot show."""
        if steps.invalid:
            self.recorder.warning(
                endpoints, "InvalidIPAddress", f"Skipped {steps.invalid} invalid IP addresses when mirroring to EndpointSlices",
            )
        if steps.skipped:
            self.recorder.warning(
                endpoints, "TooManyAddressesToMirror",
                f"A max of {MAX_ADDRESSES} addresses can be mirrored to EndpointSlices per Endpoints subset."
                f" {steps.skipped} addresses were skipped",
            )

    async def _create(self, slice_: discovery_v1.EndpointSlice) -> None:
        try:
            await self.client.create(slice_)
        except StatusError as error:
            if not is_namespace_terminating(error):
                raise

    async def _update(self, slice_: discovery_v1.EndpointSlice) -> None:
        """Only if it still is at the revision that was seen."""
        meta = slice_.metadata
        seen = self.slices.store.get(meta.name, meta.namespace)
        old = seen.metadata if seen is not None else meta
        body = {
            "metadata": {
                "resourceVersion": meta.resource_version,
                "labels": {key: meta.labels.get(key) for key in {*meta.labels, *old.labels}},
                "annotations": {key: meta.annotations.get(key) for key in {*meta.annotations, *old.annotations}},
            },
            "endpoints": slice_.endpoints,
        }
        await self.client.patch(discovery_v1.EndpointSlice, meta.name, body, meta.namespace)

    async def _delete(self, slice_: discovery_v1.EndpointSlice) -> None:
        meta = slice_.metadata
        try:
            await self.client.delete(discovery_v1.EndpointSlice, meta.name, meta.namespace, uid=meta.uid)
        except StatusError as error:
            if not is_not_found(error):
                raise
