"""Asks for metrics: of `metrics.k8s.io`, and of the custom and external metrics APIs where an adapter serves them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from wherry.api.types import autoscaling_v2
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.quantity import milli
from wherry.client import Client
from wherry.controller.podautoscaler.model import CannotCompute, PodMetric, PodMetrics
from wherry.controller.scales import Scales
from wherry.util.clock import parse_rfc3339

RESOURCE, CUSTOM, EXTERNAL = "metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io"
DEFAULT_WINDOW = 60.0  # seconds, of a custom metric that does not say
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"([0-9.]+)(h|ms|m|s|us|µs|ns)")


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""


class _Container(msgspec.Struct):
    name: str
    usage: dict[str, str]


class _PodMetrics(msgspec.Struct):
    metadata: _Meta
    timestamp: str
    window: str
    containers: list[_Container] = []


class _PodMetricsList(msgspec.Struct):
    items: list[_PodMetrics] | None = None


class _MetricValue(msgspec.Struct, rename="camel"):
    """Of custom and external metrics."""

    value: str
    timestamp: str = ""
    window_seconds: int | None = None
    described_object: _Meta = msgspec.field(default_factory=_Meta)


class _MetricValueList(msgspec.Struct):
    items: list[_MetricValue] | None = None


class MetricsClient:
    """Every method raises CannotCompute in upstream's words."""

    def __init__(self, client: Client, scales: Scales) -> None:
        self._client, self._scales = client, scales

    async def resource(self, name: str, namespace: str, selector: str, container: str = "") -> PodMetrics:
        """What Pods use of a resource, or one container of each."""
        path = f"/apis/{RESOURCE}/v1beta1/namespaces/{namespace}/pods"
        failed = f"unable to get metrics for resource {name}: "
        try:
            body = await self._get(path, f"pods.{RESOURCE}", [("labelSelector", selector)])
        except CannotCompute as error:
            raise CannotCompute(f"{failed}unable to fetch metrics from resource metrics API: {error}") from error
        items = msgspec.json.decode(body, type=_PodMetricsList).items
        if not items:
            raise CannotCompute(f"{failed}no metrics returned from resource metrics API")
        found: PodMetrics = {}
        for item in items:
            counted = [each for each in item.containers if not container or each.name == container]
            if container and not counted:
                where = f"{item.metadata.namespace}/{item.metadata.name}"
                why = f"container {container} not present in metrics for pod {where}"
                raise CannotCompute(f"{failed}failed to get container metrics: {why}")
            if counted and all(name in each.usage for each in counted):
                total = sum(milli(each.usage[name]) for each in counted)
                found[item.metadata.name] = PodMetric(total, parse_rfc3339(item.timestamp), seconds(item.window))
        return found

    async def pods(self, metric: str, namespace: str, selector: str, metric_selector: str) -> PodMetrics:
        """A custom metric of each Pod."""
        query = [("labelSelector", selector), ("metricLabelSelector", metric_selector)]
        try:
            items = await self._custom(f"namespaces/{namespace}/pods/*/{metric}", query)
        except CannotCompute as error:
            raise CannotCompute(f"unable to get metric {metric}: {error}") from error
        return {
            each.described_object.name: PodMetric(
                milli(each.value), parse_rfc3339(each.timestamp), DEFAULT_WINDOW if each.window_seconds is None else each.window_seconds,
            )
            for each in items
        }

    async def object(
        self, metric: str, namespace: str, described: autoscaling_v2.CrossVersionObjectReference, metric_selector: str,
    ) -> int:
        """A custom metric of one object of the namespace, or of the namespace itself."""
        group = described.api_version.rpartition("/")[0]
        failed = f"unable to get metric {metric}: "
        try:
            if (group, described.kind) == ("", "Namespace"):
                path = f"namespaces/{namespace}/metrics/{metric}"
            else:
                path = f"namespaces/{namespace}/{await self._named(group, described.kind)}/{described.name}/{metric}"
            items = await self._custom(path, [("metricLabelSelector", metric_selector)])
        except CannotCompute as error:
            raise CannotCompute(f"{failed}{error} on {described.kind} {namespace}/{described.name}") from error
        return milli(items[0].value)

    async def external(self, metric: str, namespace: str, metric_selector: str, shown_selector: str) -> int:
        """The sum of all series of a metric from outside the cluster."""
        failed = f"unable to get external metric {namespace}/{metric}/{shown_selector}: "
        path = f"/apis/{EXTERNAL}/v1beta1/namespaces/{namespace}/{metric}"
        try:
            body = await self._get(path, f"{metric}.{EXTERNAL}", [("labelSelector", metric_selector)])
        except CannotCompute as error:
            raise CannotCompute(f"{failed}unable to fetch metrics from external metrics API: {error}") from error
        items = msgspec.json.decode(body, type=_MetricValueList).items
        if not items:
            raise CannotCompute(f"{failed}no metrics returned from external metrics API")
        return sum(milli(each.value) for each in items)

    async def _custom(self, path: str, query: list[tuple[str, str]]) -> list[_MetricValue]:
        failed = "unable to fetch metrics from custom metrics API: "
        try:
            group: dict[str, Any] = msgspec.json.decode(await self._get(f"/apis/{CUSTOM}", CUSTOM, []))
        except CannotCompute as error:
            raise CannotCompute(f"{failed}no custom metrics API ({CUSTOM}) registered") from error
        version = group["preferredVersion"]["groupVersion"]
        try:
            body = await self._get(f"/apis/{version}/{path}", _asked(path), query)
        except CannotCompute as error:
            raise CannotCompute(f"{failed}{error}") from error
        items = msgspec.json.decode(body, type=_MetricValueList).items
        if not items:
            raise CannotCompute("no metrics returned from custom metrics API")
        return items

    async def _named(self, group: str, kind: str) -> str:
        resource = await self._scales.resource_of(group, kind)
        if resource is None:
            raise CannotCompute(f'unable to fetch metrics from custom metrics API: no matches for kind "{kind}" in group "{group}"')
        return f"{resource.plural}.{resource.group}" if resource.group else resource.plural

    async def _get(self, path: str, what: str, query: list[tuple[str, str]]) -> bytes:
        """A refusal as client-go words it: an API that nobody serves has no message of its own."""
        try:
            return (await self._client.raw("GET", path, query=[each for each in query if each[1]])).body
        except StatusError as error:
            details = error.details or {}
            if error.code == 404 and not details.get("name"):
                raise CannotCompute(f"the server could not find the requested resource (get {what})") from error
            if error.code == 503 and not error.reason:  # the aggregator's own, which is no Status
                raise CannotCompute(f"the server is currently unable to handle the request (get {what})") from error
            raise CannotCompute(error.message) from error


def _asked(path: str) -> str:
    """Of namespaces/NAMESPACE/RESOURCE/NAME/METRIC, as client-go names it; of the namespace itself with `metrics` for a resource."""
    resource, name = path.split("/")[2:4]
    return f"{resource}.{CUSTOM} {name}"


def seconds(duration: str) -> float:
    """A metav1.Duration as Go writes it (`1m0.5s`)."""
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))
