"""HorizontalPodAutoscalers against the API server on a fake clock; the kubelet is what it answers to `/stats/summary`."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from controller_objects import deployment

from wherry.api.types import apps_v1, autoscaling_v1, autoscaling_v2, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.podautoscaler.controller import HorizontalPodAutoscalerController
from wherry.controller.replicaset.controller import ReplicaSetController
from wherry.util.clock import rfc3339

World = Callable[[], Any]
Autoscaler = autoscaling_v2.HorizontalPodAutoscaler
Metric = autoscaling_v2.MetricSpec
ALL = (DeploymentController, ReplicaSetController, HorizontalPodAutoscalerController)
CPU = Metric(type="Resource", resource=autoscaling_v2.ResourceMetricSource(
    name="cpu", target=autoscaling_v2.MetricTarget(type="Utilization", average_utilization=50),
))


def autoscaler(*metrics: Metric, name: str = "web", least: int | None = 1, most: int = 10, target: str = "Deployment/web", **spec: Any) -> Autoscaler:
    kind, _, of = target.partition("/")
    ref = autoscaling_v2.CrossVersionObjectReference(api_version="apps/v1", kind=kind, name=of)
    return Autoscaler(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default"),
        spec=autoscaling_v2.HorizontalPodAutoscalerSpec(
            scale_target_ref=ref, min_replicas=least, max_replicas=most, metrics=list(metrics or (CPU,)), **spec,
        ),
    )


class Load:
    """What every Pod uses: the node's kubelet."""

    def __init__(self, w: Any) -> None:
        self._world, self.millicores = w, 0
        w.kubelets["n"] = self._answer

    async def _answer(self, request: Request) -> Response:
        now, started = rfc3339(self._world.clock.time()), rfc3339(self._world.clock.time() - 600)
        used = {"cpu": {"time": now, "usageNanoCores": self.millicores * 10**6}, "memory": {"time": now, "workingSetBytes": 1 << 20}}
        pods = [
            {"podRef": {"name": pod.metadata.name, "namespace": "default"}, "containers": [{"name": "c", "startTime": started, **used}]}
            for pod in await self._world.pods()
        ]
        return Response(200, json.dumps({"node": {"nodeName": "n", "startTime": started}, "pods": pods}).encode())


async def run_pods(w: Any) -> None:
    """Schedule what pends, and play the kubelet: Pods that were ready long ago."""
    for _ in range(12):
        await w.settle()
        for pod in await w.pods():
            if not pod.spec.node_name:
                target = core_v1.ObjectReference(kind="Node", name="n")
                with suppress(StatusError):  # gone meanwhile
                    await w.client.create(core_v1.Binding(metadata=pod.metadata, target=target), subresource="binding")
            elif pod.metadata.deletion_timestamp is not None:
                await w.remove_pod(pod)
            elif pod.status.phase != "Running":
                start = rfc3339(w.clock.time() - 600)
                ready = {"type": "Ready", "status": "True", "lastTransitionTime": start}
                await w.client.patch(
                    core_v1.Pod, pod.metadata.name, {"status": {"phase": "Running", "startTime": start, "conditions": [ready]}}, "default",
                    subresource="status",
                )
    await w.settle()


async def web(w: Any, replicas: int = 1, request: str = "100m") -> Load:
    await w.namespace()
    load = Load(w)
    w.start(*ALL)
    made = deployment(replicas=replicas)
    await w.client.create(made)
    if request:
        container = {"name": "c", "resources": {"requests": {"cpu": request}}}
        body = {"spec": {"template": {"spec": {"containers": [container]}}}}
        await w.client.patch(apps_v1.Deployment, "web", body, "default", patch_type="strategic")
    await run_pods(w)
    return load


async def replicas(w: Any) -> int | None:
    return (await w.client.get(apps_v1.Deployment, "web", "default")).spec.replicas  # type: ignore[no-any-return]


async def seen(w: Any, name: str = "web") -> tuple[autoscaling_v2.HorizontalPodAutoscalerStatus, dict[str, tuple[str, str, str]]]:
    """The status, and its conditions by type."""
    status = (await w.client.get(Autoscaler, name, "default")).status
    return status, {each.type: (each.status, each.reason, each.message) for each in status.conditions}


async def said(w: Any) -> list[tuple[str, str]]:
    return [event[1:] for event in await w.events() if event[0].startswith("HorizontalPodAutoscaler/")]


async def test_load_scales_up_and_its_end_scales_down(world: World) -> None:
    async with world() as w:
        load = await web(w)
        load.millicores = 200
        await w.client.create(autoscaler())
        await w.settle()
        assert await replicas(w) == 4, "four times the target"
        status, conditions = await seen(w)
        assert (status.current_replicas, status.desired_replicas, status.last_scale_time) == (1, 4, rfc3339(w.clock.time()))
        current = status.current_metrics[0].resource
        assert current is not None
        assert (current.name, current.current.average_utilization, current.current.average_value) == ("cpu", 200, "200m")
        assert conditions == {
            "AbleToScale": ("True", "SucceededRescale", "the HPA controller was able to update the target scale to 4"),
            "ScalingActive": (
                "True", "ValidMetricFound",
                "the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)",
            ),
            "ScalingLimited": ("False", "DesiredWithinRange", "the desired count is within the acceptable range"),
            "ScaledToZero": ("False", "NotScaledToZero", "the HPA controller did not scale the workload to zero"),
        }
        assert await said(w) == [("SuccessfulRescale", "New size: 4; reason: cpu resource utilization (percentage of request) above target")]

        load.millicores = 50
        await run_pods(w)
        await w.advance(16)
        assert await replicas(w) == 4
        assert (await seen(w))[1]["AbleToScale"][:2] == ("True", "ReadyForNewScale")

        load.millicores = 0
        await w.advance(16)
        assert await replicas(w) == 4, "not before five minutes are over"
        assert (await seen(w))[1]["AbleToScale"] == (
            "True", "ScaleDownStabilized", "recent recommendations were higher than current one, applying the highest recent recommendation",
        )
        await w.advance(310)
        assert await replicas(w) == 1
        assert ("SuccessfulRescale", "New size: 1; reason: All metrics below target") in await said(w)
        assert (await seen(w))[1]["ScalingLimited"][:2] == ("True", "TooFewReplicas")


async def test_behavior_without_a_window_scales_down_at_once(world: World) -> None:
    async with world() as w:
        load = await web(w, replicas=4)
        down = autoscaling_v2.HPAScalingRules(
            stabilization_window_seconds=0, select_policy="Max",
            policies=[autoscaling_v2.HPAScalingPolicy(type="Pods", value=1, period_seconds=15)],
        )
        load.millicores = 0
        await w.client.create(autoscaler(behavior=autoscaling_v2.HorizontalPodAutoscalerBehavior(scale_down=down)))
        await w.settle()
        assert await replicas(w) == 3, "one in fifteen seconds"
        await run_pods(w)
        await w.advance(16)
        assert await replicas(w) == 2


@pytest.mark.parametrize(
    ("least", "most", "start", "end", "reason"),
    [
        pytest.param(3, 5, 1, 3, "Current number of replicas below Spec.MinReplicas", id="too few"),
        pytest.param(1, 2, 6, 2, "Current number of replicas above Spec.MaxReplicas", id="too many"),
    ],
)
async def test_bounds_need_no_metrics(world: World, least: int, most: int, start: int, end: int, reason: str) -> None:
    async with world() as w:
        await web(w, replicas=start)
        await w.client.create(autoscaler(least=least, most=most))
        await w.settle()
        assert await replicas(w) == end
        assert await said(w) == [("SuccessfulRescale", f"New size: {end}; reason: {reason}")]


async def test_a_target_of_zero_is_left_alone(world: World) -> None:
    async with world() as w:
        await web(w, replicas=0)
        await w.client.create(autoscaler())
        await w.settle()
        status, conditions = await seen(w)
        assert await replicas(w) == 0
        assert (status.desired_replicas, status.last_scale_time) == (0, None)
        assert conditions["ScalingActive"] == (
            "False", "ScalingDisabled", "scaling is disabled since the replica count of the target is zero",
        )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        pytest.param("Deployment/none", 'deployments.apps "none" not found', id="no such object"),
        pytest.param("Dinghy/web", 'no matches for kind "Dinghy" in group "apps"', id="no such kind"),
        pytest.param("DaemonSet/web", "the server could not find the requested resource", id="a kind without a scale"),
    ],
)
async def test_a_target_that_has_no_scale(world: World, target: str, message: str) -> None:
    async with world() as w:
        await web(w)
        await w.client.create(autoscaler(target=target))
        await w.settle()
        _, conditions = await seen(w)
        assert conditions == {
            "AbleToScale": ("False", "FailedGetScale", f"the HPA controller was unable to get the target's current scale: {message}"),
        }
        assert await said(w) == [("FailedGetScale", message)]


IDENTIFIER = autoscaling_v2.MetricIdentifier(name="jobs", selector=meta_v1.LabelSelector(match_labels={"queue": "q"}))
AVERAGE = autoscaling_v2.MetricTarget(type="AverageValue", average_value="10")
VALUE = autoscaling_v2.MetricTarget(type="Value", value="10")
DESCRIBED = autoscaling_v2.CrossVersionObjectReference(api_version="v1", kind="Service", name="web")
PODS = Metric(type="Pods", pods=autoscaling_v2.PodsMetricSource(metric=IDENTIFIER, target=AVERAGE))
OBJECT = Metric(type="Object", object=autoscaling_v2.ObjectMetricSource(described_object=DESCRIBED, metric=IDENTIFIER, target=VALUE))
OBJECT_SHARE = Metric(type="Object", object=autoscaling_v2.ObjectMetricSource(described_object=DESCRIBED, metric=IDENTIFIER, target=AVERAGE))
EXTERNAL = Metric(type="External", external=autoscaling_v2.ExternalMetricSource(metric=IDENTIFIER, target=VALUE))
EXTERNAL_SHARE = Metric(type="External", external=autoscaling_v2.ExternalMetricSource(metric=IDENTIFIER, target=AVERAGE))
SHOWN = "&LabelSelector{MatchLabels:map[string]string{queue: q,},MatchExpressions:[]LabelSelectorRequirement{},}"
NO_ADAPTER = "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered"
NO_EXTERNAL = (
    f"unable to get external metric default/jobs/{SHOWN}: unable to fetch metrics from external metrics API:"
    " the server could not find the requested resource (get jobs.external.metrics.k8s.io)"
)


@pytest.mark.parametrize(
    ("metric", "reason", "message", "told"),
    [
        pytest.param(PODS, "FailedGetPodsMetric", f"unable to get metric jobs: {NO_ADAPTER}", "failed to get pods metric value: ", id="pods"),
        pytest.param(
            OBJECT, "FailedGetObjectMetric", f"unable to get metric jobs: {NO_ADAPTER} on Service default/web",
            "failed to get object metric value: ", id="object",
        ),
        pytest.param(
            EXTERNAL, "FailedGetExternalMetric", NO_EXTERNAL,
            "failed to get jobs external metric value: failed to get external metric jobs: ", id="external",
        ),
    ],
)
async def test_metrics_that_no_adapter_serves(world: World, metric: Metric, reason: str, message: str, told: str) -> None:
    async with world() as w:
        await web(w)
        await w.client.create(autoscaler(metric))
        await w.settle()
        _, conditions = await seen(w)
        assert conditions["ScalingActive"] == ("False", reason, f"the HPA was unable to compute the replica count: {message}")
        assert await said(w) == [
            (reason, message),
            ("FailedComputeMetricsReplicas", f"invalid metrics (1 invalid out of 1), first error is: {told}{message}"),
        ]
        assert await replicas(w) == 1


class Adapter:
    """A transport that answers for the custom and external metrics APIs, and passes everything else on."""

    def __init__(self, inner: Any) -> None:
        self._inner, self.asked = inner, []  # type: ignore[var-annotated]
        self.values: list[str] = []
        self.pods: dict[str, str] = {}
        self.failure: Response | None = None

    async def send(self, request: Request) -> Response:
        if not request.path.startswith(("/apis/custom.metrics", "/apis/external.metrics")):
            return await self._inner.send(request)  # type: ignore[no-any-return]
        self.asked.append((request.path, dict(request.query)))
        if request.path == "/apis/custom.metrics.k8s.io":
            return _json({"kind": "APIGroup", "preferredVersion": {"groupVersion": "custom.metrics.k8s.io/v1beta2"}})
        if self.failure is not None:
            return self.failure
        at = "2023-11-14T22:13:20Z"
        items = [{"value": value, "timestamp": at} for value in self.values]
        items += [{"value": value, "timestamp": at, "describedObject": {"name": name}} for name, value in self.pods.items()]  # type: ignore[dict-item]
        return _json({"items": items})

    async def close(self) -> None:
        await self._inner.close()


def _json(body: Any) -> Response:
    return Response(200, json.dumps(body).encode())


UNAVAILABLE = "the server is currently unable to handle the request"


@pytest.mark.parametrize(("metric", "message"), [
    pytest.param(PODS, f"unable to fetch metrics from custom metrics API: {UNAVAILABLE} (get pods.custom.metrics.k8s.io *)", id="pods"),
    pytest.param(OBJECT, f"unable to fetch metrics from custom metrics API: {UNAVAILABLE} (get services.custom.metrics.k8s.io web)", id="object"),
    pytest.param(EXTERNAL, f"unable to fetch metrics from external metrics API: {UNAVAILABLE} (get jobs.external.metrics.k8s.io)", id="external"),
])
async def test_an_adapter_that_is_down(world: World, metric: Metric, message: str) -> None:
    """The aggregator answers for it, in plain text; client-go's words are told, not those."""
    async with world() as w:
        w.client.transport = adapter = Adapter(w.client.transport)
        adapter.failure = Response(503, b"service unavailable\n", "text/plain; charset=utf-8")
        await web(w)
        await w.client.create(autoscaler(metric))
        await w.settle()
        _, conditions = await seen(w)
        assert message in conditions["ScalingActive"][2]
        assert await replicas(w) == 1


@pytest.mark.parametrize(
    ("metric", "values", "expected", "path", "name", "current"),
    [
        pytest.param(
            OBJECT, ["30"], 6, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/services/web/jobs", "Service metric jobs",
            {"value": "30"}, id="an object's value",
        ),
        pytest.param(
            OBJECT_SHARE, ["41"], 5, "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/services/web/jobs",
            f"external metric jobs({SHOWN})", {"averageValue": "20500m"}, id="an object's value, shared",
        ),
        pytest.param(
            EXTERNAL, ["10", "20"], 6, "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/jobs", f"external metric jobs({SHOWN})",
            {"value": "30"}, id="the sum of an external metric",
        ),
        pytest.param(
            EXTERNAL_SHARE, ["65"], 7, "/apis/external.metrics.k8s.io/v1beta1/namespaces/default/jobs", f"external metric jobs({SHOWN})",
            {"averageValue": "32500m"}, id="an external metric, shared",
        ),
    ],
)
async def test_metrics_of_an_adapter(
    world: World, metric: Metric, values: list[str], expected: int, path: str, name: str, current: dict[str, str],
) -> None:
    async with world() as w:
        w.client.transport = adapter = Adapter(w.client.transport)
        adapter.values = values
        await web(w, replicas=2)
        up = autoscaling_v2.HPAScalingRules(
            stabilization_window_seconds=0, select_policy="Max",
            policies=[autoscaling_v2.HPAScalingPolicy(type="Pods", value=10, period_seconds=15)],
        )
        await w.client.create(autoscaler(metric, behavior=autoscaling_v2.HorizontalPodAutoscalerBehavior(scale_up=up)))
        await w.settle()
        assert await replicas(w) == expected
        status, conditions = await seen(w)
        assert conditions["ScalingActive"][2] == f"the HPA was able to successfully calculate a replica count from {name}"
        of = status.current_metrics[0].object or status.current_metrics[0].external
        assert of is not None
        shown = {"value": of.current.value, "averageValue": of.current.average_value}
        assert {key: value for key, value in shown.items() if value} == current
        asked, query = adapter.asked[-1]
        assert asked == path
        assert set(query.values()) == {"queue=q"}


async def test_it_wakes_only_what_it_has_put_to_sleep(world: World) -> None:
    at_once = autoscaling_v2.HPAScalingRules(
        stabilization_window_seconds=0, select_policy="Max",
        policies=[autoscaling_v2.HPAScalingPolicy(type="Pods", value=10, period_seconds=15)],
    )
    behavior = autoscaling_v2.HorizontalPodAutoscalerBehavior(scale_up=at_once, scale_down=at_once)
    async with world() as w:
        w.client.transport = adapter = Adapter(w.client.transport)
        adapter.values = ["0"]
        await web(w, replicas=2)
        await w.client.create(autoscaler(EXTERNAL, least=0, behavior=behavior))
        await w.settle()
        assert await replicas(w) == 0
        assert (await seen(w))[1]["ScaledToZero"] == ("True", "ScaledToZero", "the HPA controller scaled the workload to zero")
        adapter.values = ["30"]
        await w.advance(16)
        assert await replicas(w) == 3
        assert (await seen(w))[1]["ScaledToZero"] == (
            "False", "NotScaledToZero", "the HPA controller did not scale the workload to zero",
        )
        await w.client.patch(apps_v1.Deployment, "web", {"spec": {"replicas": 0}}, "default")
        await w.advance(31)
        assert await replicas(w) == 0, "a person's zero stays"
        assert (await seen(w))[1]["ScalingActive"][:2] == ("False", "ScalingDisabled")


async def test_zero_needs_a_metric_from_elsewhere(world: World) -> None:
    async with world() as w:
        await w.namespace()
        with pytest.raises(StatusError, match="must specify at least one Object or External metric to support scaling to zero replicas"):
            await w.client.create(autoscaler(least=0))


async def test_a_custom_metric_of_each_pod(world: World) -> None:
    async with world() as w:
        w.client.transport = adapter = Adapter(w.client.transport)
        await web(w, replicas=2)
        adapter.pods = {pod.metadata.name: "20" for pod in await w.pods()}
        await w.client.create(autoscaler(PODS))
        await w.settle()
        assert await replicas(w) == 4
        asked, query = adapter.asked[-1]
        assert asked == "/apis/custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/jobs"
        assert query["metricLabelSelector"] == "queue=q"
        assert query["labelSelector"] == "a=web"


async def test_one_metric_that_fails_never_scales_down(world: World) -> None:
    async with world() as w:
        load = await web(w, replicas=3)
        load.millicores = 0
        down = autoscaling_v2.HPAScalingRules(stabilization_window_seconds=0, select_policy="Max", policies=[
            autoscaling_v2.HPAScalingPolicy(type="Percent", value=100, period_seconds=15),
        ])
        how = autoscaling_v2.HorizontalPodAutoscalerBehavior(scale_down=down)
        await w.client.create(autoscaler(CPU, EXTERNAL, behavior=how))
        await w.settle()
        assert await replicas(w) == 3
        status, conditions = await seen(w)
        assert conditions["ScalingActive"][:2] == ("False", "FailedGetExternalMetric")
        assert [each.type for each in status.current_metrics] == ["Resource", ""]
        load.millicores = 100
        await w.advance(16)
        assert await replicas(w) == 6, "but up it may, by the metric that is known"
        assert (await seen(w))[1]["ScalingActive"][:2] == ("True", "ValidMetricFound")


async def test_pods_without_requests_say_so(world: World) -> None:
    async with world() as w:
        load = await web(w, request="")
        load.millicores = 100
        await w.client.create(autoscaler())
        await w.settle()
        [pod] = await w.pods()
        why = f"failed to get cpu utilization: missing request for cpu in container c of Pod {pod.metadata.name}"
        assert await said(w) == [
            ("FailedGetResourceMetric", why),
            ("FailedComputeMetricsReplicas", f"invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: {why}"),
        ]


async def test_metrics_of_one_container(world: World) -> None:
    async with world() as w:
        load = await web(w)
        load.millicores = 100
        target = autoscaling_v2.MetricTarget(type="Utilization", average_utilization=50)
        source = autoscaling_v2.ContainerResourceMetricSource(container="c", name="cpu", target=target)
        other = autoscaling_v2.ContainerResourceMetricSource(container="d", name="cpu", target=target)
        await w.client.create(autoscaler(
            Metric(type="ContainerResource", container_resource=source), Metric(type="ContainerResource", container_resource=other),
        ))
        await w.settle()
        assert await replicas(w) == 2
        status, _ = await seen(w)
        found = status.current_metrics[0].container_resource
        assert found is not None
        assert (found.container, found.current.average_utilization) == ("c", 100)
        [pod] = [event for event in await said(w) if event[0] == "FailedGetContainerResourceMetric"]
        assert "failed to get container metrics: container d not present in metrics for pod default/web-" in pod[1]


async def test_two_autoscalers_of_the_same_pods_do_nothing(world: World) -> None:
    async with world() as w:
        load = await web(w)
        await w.client.create(autoscaler())
        await w.settle()
        await w.client.create(autoscaler(name="other"))
        load.millicores = 500
        await w.advance(16)
        assert await replicas(w) == 1
        message = "pods by selector a=web are controlled by multiple HPAs: [default/other default/web]"
        for name in ("web", "other"):
            assert (await seen(w, name))[1]["ScalingActive"] == ("False", "AmbiguousSelector", message)
        await w.client.delete(Autoscaler, "other", "default")
        await w.advance(16)
        assert await replicas(w) == 4


async def test_v1_shows_the_same_and_its_own_status_does_not_wake_it(world: World) -> None:
    async with world() as w:
        load = await web(w)
        ref = autoscaling_v1.CrossVersionObjectReference(api_version="apps/v1", kind="Deployment", name="web")
        await w.client.create(autoscaling_v1.HorizontalPodAutoscaler(
            metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
            spec=autoscaling_v1.HorizontalPodAutoscalerSpec(max_replicas=5, scale_target_ref=ref, target_cpu_utilization_percentage=50),
        ))
        load.millicores = 50
        await w.advance(16)
        found = await w.client.get(autoscaling_v1.HorizontalPodAutoscaler, "web", "default")
        assert (found.status.current_cpu_utilization_percentage, found.status.current_replicas) == (50, 1)
        assert "ValidMetricFound" in found.metadata.annotations["autoscaling.alpha.kubernetes.io/conditions"]
        version = found.metadata.resource_version
        await w.advance(31)
        found = await w.client.get(autoscaling_v1.HorizontalPodAutoscaler, "web", "default")
        assert found.metadata.resource_version == version, "nothing has changed: nothing is written"
