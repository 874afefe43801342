"""Typed objects of autoscaling/v2.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class ContainerResourceMetricSource(Struct):
    container: str = ""
    name: str = ""
    target: MetricTarget = msgspec.field(default_factory=lambda: MetricTarget())


class ContainerResourceMetricStatus(Struct):
    container: str = ""
    current: MetricValueStatus = msgspec.field(default_factory=lambda: MetricValueStatus())
    name: str = ""


class CrossVersionObjectReference(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""
    name: str = ""


class ExternalMetricSource(Struct):
    metric: MetricIdentifier = msgspec.field(default_factory=lambda: MetricIdentifier())
    target: MetricTarget = msgspec.field(default_factory=lambda: MetricTarget())


class ExternalMetricStatus(Struct):
    current: MetricValueStatus = msgspec.field(default_factory=lambda: MetricValueStatus())
    metric: MetricIdentifier = msgspec.field(default_factory=lambda: MetricIdentifier())


class HPAScalingPolicy(Struct):
    period_seconds: int = msgspec.field(default=0, name="periodSeconds")
    type: str = ""
    value: int = 0


class HPAScalingRules(Struct):
    policies: list[HPAScalingPolicy] = msgspec.field(default_factory=list)
    select_policy: str = msgspec.field(default="", name="selectPolicy")
    stabilization_window_seconds: int | None = msgspec.field(default=None, name="stabilizationWindowSeconds")
    tolerance: str = ""


class HorizontalPodAutoscaler(Struct):
    api_version: str = msgspec.field(default="autoscaling/v2", name="apiVersion")
    kind: str = "HorizontalPodAutoscaler"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: HorizontalPodAutoscalerSpec = msgspec.field(default_factory=lambda: HorizontalPodAutoscalerSpec())
    status: HorizontalPodAutoscalerStatus = msgspec.field(default_factory=lambda: HorizontalPodAutoscalerStatus())


class HorizontalPodAutoscalerBehavior(Struct):
    scale_down: HPAScalingRules | None = msgspec.field(default=None, name="scaleDown")
    scale_up: HPAScalingRules | None = msgspec.field(default=None, name="scaleUp")


class HorizontalPodAutoscalerCondition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    reason: str = ""
    status: str = ""
    type: str = ""


class HorizontalPodAutoscalerList(Struct):
    api_version: str = msgspec.field(default="autoscaling/v2", name="apiVersion")
    items: list[HorizontalPodAutoscaler] = msgspec.field(default_factory=list)
    kind: str = "HorizontalPodAutoscalerList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class HorizontalPodAutoscalerSpec(Struct):
    behavior: HorizontalPodAutoscalerBehavior | None = None
    max_replicas: int = msgspec.field(default=0, name="maxReplicas")
    metrics: list[MetricSpec] = msgspec.field(default_factory=list)
    min_replicas: int | None = msgspec.field(default=None, name="minReplicas")
    scale_target_ref: CrossVersionObjectReference = msgspec.field(default_factory=lambda: CrossVersionObjectReference(), name="scaleTargetRef")


class HorizontalPodAutoscalerStatus(Struct):
    conditions: list[HorizontalPodAutoscalerCondition] = msgspec.field(default_factory=list)
    current_metrics: list[MetricStatus] = msgspec.field(default_factory=list, name="currentMetrics")
    current_replicas: int | None = msgspec.field(default=None, name="currentReplicas")
    desired_replicas: int = msgspec.field(default=0, name="desiredReplicas")
    last_scale_time: str | None = msgspec.field(default=None, name="lastScaleTime")
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")


class MetricIdentifier(Struct):
    name: str = ""
    selector: meta_v1.LabelSelector | None = None


class MetricSpec(Struct):
    container_resource: ContainerResourceMetricSource | None = msgspec.field(default=None, name="containerResource")
    external: ExternalMetricSource | None = None
    object: ObjectMetricSource | None = None
    pods: PodsMetricSource | None = None
    resource: ResourceMetricSource | None = None
    type: str = ""


class MetricStatus(Struct):
    container_resource: ContainerResourceMetricStatus | None = msgspec.field(default=None, name="containerResource")
    external: ExternalMetricStatus | None = None
    object: ObjectMetricStatus | None = None
    pods: PodsMetricStatus | None = None
    resource: ResourceMetricStatus | None = None
    type: str = ""


class MetricTarget(Struct):
    average_utilization: int | None = msgspec.field(default=None, name="averageUtilization")
    average_value: str = msgspec.field(default="", name="averageValue")
    type: str = ""
    value: str = ""


class MetricValueStatus(Struct):
    average_utilization: int | None = msgspec.field(default=None, name="averageUtilization")
    average_value: str = msgspec.field(default="", name="averageValue")
    value: str = ""


class ObjectMetricSource(Struct):
    described_object: CrossVersionObjectReference = msgspec.field(default_factory=lambda: CrossVersionObjectReference(), name="describedObject")
    metric: MetricIdentifier = msgspec.field(default_factory=lambda: MetricIdentifier())
    target: MetricTarget = msgspec.field(default_factory=lambda: MetricTarget())


class ObjectMetricStatus(Struct):
    current: MetricValueStatus = msgspec.field(default_factory=lambda: MetricValueStatus())
    described_object: CrossVersionObjectReference = msgspec.field(default_factory=lambda: CrossVersionObjectReference(), name="describedObject")
    metric: MetricIdentifier = msgspec.field(default_factory=lambda: MetricIdentifier())


class PodsMetricSource(Struct):
    metric: MetricIdentifier = msgspec.field(default_factory=lambda: MetricIdentifier())
    target: MetricTarget = msgspec.field(default_factory=lambda: MetricTarget())


class PodsMetricStatus(Struct):
    current: MetricValueStatus = msgspec.field(default_factory=lambda: MetricValueStatus())
    metric: MetricIdentifier = msgspec.field(default_factory=lambda: MetricIdentifier())


class ResourceMetricSource(Struct):
    name: str = ""
    target: MetricTarget = msgspec.field(default_factory=lambda: MetricTarget())


class ResourceMetricStatus(Struct):
    current: MetricValueStatus = msgspec.field(default_factory=lambda: MetricValueStatus())
    name: str = ""
