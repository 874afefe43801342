"""Carries out `plan`, every fifteen seconds, and at once for what is new or has another spec."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import autoscaling_v2, core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apimachinery.labels import Selector, from_label_selector
from wherry.client import ResourceInfo
from wherry.client.informer import Handler
from wherry.client.store import key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.podautoscaler.metrics import MetricsClient
from wherry.controller.podautoscaler.model import SYNC_PERIOD, CannotCompute, Failure, History, Reading, Target
from wherry.controller.podautoscaler.plan import (
    KEEP,
    Autoscaler,
    Round,
    Status,
    Unselective,
    ambiguous,
    begin,
    needs_metrics,
    plan,
    selector_of,
    unselective,
    without_scale,
)
from wherry.controller.podcontrol import status_patch, with_status
from wherry.controller.scales import Scale, Scales, go_selector


class HorizontalPodAutoscalerController(Controller):
    name: ClassVar[str] = "horizontal-pod-autoscaler"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.autoscalers = self.informer(Autoscaler)
        self.pods = self.informer(core_v1.Pod)
        self.scales = Scales(self.client, self.clock)
        self.metrics = MetricsClient(self.client, self.scales)
        self._histories: dict[str, History] = {}
        self._selectors: dict[str, Selector] = {}  # of the Pods that each autoscaler looks at
        self.autoscalers.add_handler(Handler(self.enqueue, self._changed, self._deleted))

    def _changed(self, old: Autoscaler, new: Autoscaler) -> None:
        """Its own status must not wake it."""
        if old.spec != new.spec:
            self.enqueue(new)

    def _deleted(self, hpa: Autoscaler) -> None:
        self._histories.pop(key_of(hpa), None)
        self._selectors.pop(key_of(hpa), None)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        hpa = self.autoscalers.store.get_by_key(key)
        if hpa is None or hpa.metadata.deletion_timestamp is not None:
            return None
        ref, namespace = hpa.spec.scale_target_ref, hpa.metadata.namespace
        group = ref.api_version.rpartition("/")[0]
        try:
            resource = await self.scales.resource_of(group, ref.kind)
            if resource is None:
                raise LookupError(f'no matches for kind "{ref.kind}" in group "{group}"')
            scale = await self.scales.get(resource, namespace, ref.name)
        except (LookupError, StatusError) as error:
            status, event = without_scale(hpa, str(error), self.clock.time())
            self.recorder.event(hpa, *event)
            await self._write(hpa, status)
        else:
            await self._round(key, hpa, resource, scale)
        return RequeueAfter(SYNC_PERIOD)

    async def _round(self, key: str, hpa: Autoscaler, resource: ResourceInfo, scale: Scale) -> None:
        target = Target(scale.spec.replicas or 0, scale.status.replicas)
        found = begin(hpa, target, self._histories.get(key, History()), self.clock.time(), self.clock.monotonic())
        if needs_metrics(hpa, target):
            await self._look(key, found, target, scale.status.selector)
        status = await self._rescale(found, resource, scale) if found.rescale else found.status()
        self._histories[key] = found.history
        await self._write(hpa, status)
        for event in found.events:
            self.recorder.event(hpa, *event)

    async def _look(self, key: str, found: Round, target: Target, text: str) -> None:
        """Ask for the metrics and decide."""
        hpa, namespace = found.hpa, found.hpa.metadata.namespace
        try:
            selector = selector_of(text)
        except Unselective as error:
            unselective(found, error)
            return
        self._selectors[key] = selector
        pods = self.pods.store.list(namespace, selector)
        rivals = self._selecting(namespace, pods)
        if len(rivals) > 1:
            ambiguous(found, text, rivals)
            return
        readings = [await self._read(spec, namespace, text) for spec in hpa.spec.metrics]
        plan(found, target, readings, self.pods.store.list(namespace, selector))

    def _selecting(self, namespace: str, pods: list[core_v1.Pod]) -> list[str]:
        """The autoscalers that look at any of the Pods."""
        near = [(key, each) for key, each in sorted(self._selectors.items()) if key.startswith(f"{namespace}/")]
        return [key for key, each in near if any(each.matches(pod.metadata.labels) for pod in pods)]

    async def _read(self, spec: autoscaling_v2.MetricSpec, namespace: str, selector: str) -> Reading:
        try:
            if spec.resource is not None:
                return await self.metrics.resource(spec.resource.name, namespace, selector)
            if spec.container_resource is not None:
                source = spec.container_resource
                return await self.metrics.resource(source.name, namespace, selector, source.container)
            if spec.pods is not None:
                metric = spec.pods.metric
                return await self.metrics.pods(metric.name, namespace, selector, _text(metric))
            if spec.object is not None:
                metric = spec.object.metric
                return await self.metrics.object(metric.name, namespace, spec.object.described_object, _text(metric))
            if spec.external is not None:
                metric = spec.external.metric
                return await self.metrics.external(metric.name, namespace, _text(metric), go_selector(metric.selector))
        except CannotCompute as error:
            return Failure(str(error))
        return {}

    async def _rescale(self, found: Round, resource: ResourceInfo, scale: Scale) -> Status:
        try:
            await self.scales.set(resource, scale, found.desired)
        except StatusError as error:
            return found.not_rescaled(error.message)
        return found.rescaled()

    async def _write(self, hpa: Autoscaler, status: Status) -> None:
        meta = hpa.metadata
        patch = status_patch(meta.uid, status, hpa.status, KEEP)
        if patch is None or with_status(hpa.status, status) == hpa.status:
            return
        try:
            await self.client.patch(Autoscaler, meta.name, patch, meta.namespace, subresource="status")
        except StatusError as error:
            if not is_not_found(error):
                raise


def _text(metric: autoscaling_v2.MetricIdentifier) -> str:
    return "" if metric.selector is None else str(from_label_selector(metric.selector))
