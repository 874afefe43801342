"""Typed objects of autoscaling/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class CrossVersionObjectReference(Struct):
    api_version: str = msgspec.field(default="", name="apiVersion")
    kind: str = ""
    name: str = ""


class HorizontalPodAutoscaler(Struct):
    api_version: str = msgspec.field(default="autoscaling/v1", name="apiVersion")
    kind: str = "HorizontalPodAutoscaler"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: HorizontalPodAutoscalerSpec = msgspec.field(default_factory=lambda: HorizontalPodAutoscalerSpec())
    status: HorizontalPodAutoscalerStatus = msgspec.field(default_factory=lambda: HorizontalPodAutoscalerStatus())


class HorizontalPodAutoscalerList(Struct):
    api_version: str = msgspec.field(default="autoscaling/v1", name="apiVersion")
    items: list[HorizontalPodAutoscaler] = msgspec.field(default_factory=list)
    kind: str = "HorizontalPodAutoscalerList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class HorizontalPodAutoscalerSpec(Struct):
    max_replicas: int = msgspec.field(default=0, name="maxReplicas")
    min_replicas: int | None = msgspec.field(default=None, name="minReplicas")
    scale_target_ref: CrossVersionObjectReference = msgspec.field(default_factory=lambda: CrossVersionObjectReference(), name="scaleTargetRef")
    target_cpu_utilization_percentage: int | None = msgspec.field(default=None, name="targetCPUUtilizationPercentage")


class HorizontalPodAutoscalerStatus(Struct):
    current_cpu_utilization_percentage: int | None = msgspec.field(default=None, name="currentCPUUtilizationPercentage")
    current_replicas: int = msgspec.field(default=0, name="currentReplicas")
    desired_replicas: int = msgspec.field(default=0, name="desiredReplicas")
    last_scale_time: str | None = msgspec.field(default=None, name="lastScaleTime")
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")


class Scale(Struct):
    api_version: str = msgspec.field(default="autoscaling/v1", name="apiVersion")
    kind: str = "Scale"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ScaleSpec = msgspec.field(default_factory=lambda: ScaleSpec())
    status: ScaleStatus = msgspec.field(default_factory=lambda: ScaleStatus())


class ScaleSpec(Struct):
    replicas: int | None = None


class ScaleStatus(Struct):
    replicas: int = 0
    selector: str = ""
