"""Typed objects of policy/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class Eviction(Struct):
    api_version: str = msgspec.field(default="policy/v1", name="apiVersion")
    delete_options: meta_v1.DeleteOptions | None = msgspec.field(default=None, name="deleteOptions")
    kind: str = "Eviction"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())


class PodDisruptionBudget(Struct):
    api_version: str = msgspec.field(default="policy/v1", name="apiVersion")
    kind: str = "PodDisruptionBudget"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: PodDisruptionBudgetSpec = msgspec.field(default_factory=lambda: PodDisruptionBudgetSpec())
    status: PodDisruptionBudgetStatus = msgspec.field(default_factory=lambda: PodDisruptionBudgetStatus())


class PodDisruptionBudgetList(Struct):
    api_version: str = msgspec.field(default="policy/v1", name="apiVersion")
    items: list[PodDisruptionBudget] = msgspec.field(default_factory=list)
    kind: str = "PodDisruptionBudgetList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class PodDisruptionBudgetSpec(Struct):
    max_unavailable: int | str | None = msgspec.field(default=None, name="maxUnavailable")
    min_available: int | str | None = msgspec.field(default=None, name="minAvailable")
    selector: meta_v1.LabelSelector | None = None
    unhealthy_pod_eviction_policy: str = msgspec.field(default="", name="unhealthyPodEvictionPolicy")


class PodDisruptionBudgetStatus(Struct):
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)
    current_healthy: int | None = msgspec.field(default=None, name="currentHealthy")
    desired_healthy: int | None = msgspec.field(default=None, name="desiredHealthy")
    disrupted_pods: dict[str, str | None] = msgspec.field(default_factory=dict, name="disruptedPods")
    disruptions_allowed: int | None = msgspec.field(default=None, name="disruptionsAllowed")
    expected_pods: int | None = msgspec.field(default=None, name="expectedPods")
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
