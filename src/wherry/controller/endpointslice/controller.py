"""Carries out `plan` for every Service with a selector."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from wherry.api.types import core_v1, discovery_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.expectations import Expectations
from wherry.client.informer import Handler
from wherry.client.store import key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.endpointslice.plan import MANAGED_BY, MANAGER, SERVICE_NAME, Plan, plan
from wherry.controller.endpointslice.topology import DISABLED, ENABLED, Ratios, cpu_ratios, is_automatic, is_overloaded
from wherry.controller.nodelifecycle.plan import ready_status
from wherry.controller.podcontrol import is_namespace_terminating
from wherry.controller.servicewatch import ServiceWatch, selected
from wherry.controller.triggertime import LAST_CHANGE, TriggerTimes


def by_service(slice_: discovery_v1.EndpointSlice) -> tuple[str, ...]:
    """`namespace/name` of the Service, for slices that are ours."""
    labels = slice_.metadata.labels
    if labels.get(MANAGED_BY) != MANAGER:
        return ()
    return (f"{slice_.metadata.namespace}/{labels.get(SERVICE_NAME, '')}",)


class EndpointSliceController(Controller):
    name: ClassVar[str] = "endpointslice-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.services = self.informer(core_v1.Service)
        self.pods = self.informer(core_v1.Pod)
        self.nodes = self.informer(core_v1.Node)
        self.slices = self.informer(discovery_v1.EndpointSlice)
        self.slices.store.add_indexer("service", by_service)
        self.expectations = Expectations(self.clock)
        self.triggers = TriggerTimes()
        self._ratios: Ratios | None = None  # the zones' shares of the CPU; None: to be summed anew
        self._allocated: dict[str, dict[str, Mapping[str, int]]] = {}  # of Services with hints by CPU: by family, what zones got
        self.enqueue_all(self.services)
        ServiceWatch(self.services, self.pods, self.queue.add)
        self.slices.add_handler(Handler(self._slice_added, self._slice_updated, self._slice_deleted))
        self.nodes.add_handler(Handler(self._node_changed, self._node_updated, self._node_changed))

    def _slice_added(self, slice_: discovery_v1.EndpointSlice) -> None:
        for key in by_service(slice_):
            self.expectations.creation_observed(key)
            self.queue.add(key)

    def _slice_updated(self, old: discovery_v1.EndpointSlice, new: discovery_v1.EndpointSlice) -> None:
        for key in {*by_service(old), *by_service(new)}:
            self.queue.add(key)

    def _slice_deleted(self, slice_: discovery_v1.EndpointSlice) -> None:
        for key in by_service(slice_):
            self.expectations.deletion_observed(key, slice_.metadata.uid)
            self.queue.add(key)

    def _node_changed(self, node: core_v1.Node) -> None:
        """A node has come or gone, and with it what its Pods are worth."""
        self._ratios = None
        for service in self.services.store:
            if service.spec.selector:
                self.enqueue(service)

    def _node_updated(self, old: core_v1.Node, new: core_v1.Node) -> None:
        if old.metadata.labels != new.metadata.labels:
            self._node_changed(new)
        elif ready_status(old) != ready_status(new) or old.status.allocatable.get("cpu") != new.status.allocatable.get("cpu"):
            self._ratios = None
            self._zones_changed()

    def _zones_changed(self) -> None:
        """Some zones may have too few endpoints now; and what could have no hints may be able to."""
        for service in filter(is_automatic, self.services.store):  # without one, nobody sums up thousands of nodes for each that comes
            ratios, allocated = self._zones(), self._allocated.get(key_of(service), {})
            if not allocated or any(is_overloaded(each, ratios) for each in allocated.values()):
                self.enqueue(service)

    def _zones(self) -> Ratios:
        if self._ratios is None:
            self._ratios = cpu_ratios(self.nodes.store)
        return self._ratios

    async def reconcile(self, key: str) -> RequeueAfter | None:
        service = self.services.store.get_by_key(key)
        if service is None:  # the garbage collector deletes its slices
            self.expectations.forget(key)
            self.triggers.forget(key)
            self._allocated.pop(key, None)
            return None
        if not service.spec.selector:
            return None
        if not self.expectations.satisfied(key):
            return None
        slices = [each for each in self.slices.store.by_index("service", key) if each.metadata.deletion_timestamp is None]
        nodes = {name: node for name in self.nodes.store.keys() if (node := self.nodes.store.get(name))}  # noqa: SIM118
        pods = selected(self.pods, service)
        steps = plan(service, pods, slices, nodes, self._zones() if is_automatic(service) else None)
        if service.metadata.deletion_timestamp is not None:
            steps.create = []  # the garbage collector takes away what there is
        trigger = self.triggers.newest(service, pods)
        self.expectations.expect(key, len(steps.create), {each.metadata.uid for each in steps.delete})
        try:
            for slice_ in steps.create:
                await self._create(slice_, trigger)
            for slice_ in steps.update:
                await self._update(slice_, trigger)
            for slice_ in steps.delete:
                await self._delete(slice_)
        except Exception:
            self.expectations.forget(key)
            raise
        self._tell_hints(service, key, steps)
        return None

    def _tell_hints(self, service: core_v1.Service, key: str, steps: Plan) -> None:
        """Say when hints by CPU come, go, or cannot be given."""
        had = self._allocated.pop(key, {})
        for family, why in steps.unhinted.items():
            self.recorder.warning(service, "TopologyAwareHintsDisabled", f"{why}, addressType: {family}")
        if had and not is_automatic(service):
            for family in had:
                self.recorder.warning(service, "TopologyAwareHintsDisabled", f"{DISABLED}, addressType: {family}")
        if steps.allocated:
            self._allocated[key] = steps.allocated
        if steps.allocated and not had:
            self.recorder.normal(service, "TopologyAwareHintsEnabled", f"{ENABLED}, addressType: {min(steps.allocated)}")

    async def _create(self, slice_: discovery_v1.EndpointSlice, trigger: str) -> None:
        if trigger:
            meta = msgspec.structs.replace(slice_.metadata, annotations={**slice_.metadata.annotations, LAST_CHANGE: trigger})
            slice_ = msgspec.structs.replace(slice_, metadata=meta)
        try:
            await self.client.create(slice_)
        except StatusError as error:
            if not is_namespace_terminating(error):
                raise

    async def _update(self, slice_: discovery_v1.EndpointSlice, trigger: str) -> None:
        """Only if it still is at the revision that was seen."""
        meta = slice_.metadata
        seen = self.slices.store.get(meta.name, meta.namespace)
        labels = {key: meta.labels.get(key) for key in {*meta.labels, *(seen.metadata.labels if seen else ())}}
        body = {
            "metadata": {
                "resourceVersion": meta.resource_version, "labels": labels, "annotations": {LAST_CHANGE: trigger or None},
            },
            "endpoints": slice_.endpoints, "ports": slice_.ports,
        }
        await self.client.patch(discovery_v1.EndpointSlice, meta.name, body, meta.namespace)

    async def _delete(self, slice_: discovery_v1.EndpointSlice) -> None:
        meta = slice_.metadata
        try:
            await self.client.delete(discovery_v1.EndpointSlice, meta.name, meta.namespace, uid=meta.uid)
        except StatusError as error:
            if not is_not_found(error):
                raise
