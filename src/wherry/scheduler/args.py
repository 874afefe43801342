"""The arguments of plugins as a KubeSchedulerConfiguration has them (`pluginConfig`), checked.

https://kubernetes.io/docs/reference/config-api/kube-scheduler-config.v1/
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

import msgspec

from wherry.api.types import core_v1
from wherry.scheduler.plugins.noderesources import (
    Ignored,
    Scorer,
    least_allocated,
    most_allocated,
    requested_to_capacity_ratio,
)
from wherry.scheduler.plugins.storagecapacity import MOST_FREE


class _Args(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    api_version: Literal["kubescheduler.config.k8s.io/v1"] = "kubescheduler.config.k8s.io/v1"
    kind: str = ""


class NoArgs(_Args):
    """Of a plugin that takes none."""


class ResourceSpec(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    name: str
    weight: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.weight <= 100:
            raise ValueError(f"weight of resource {self.name}: {self.weight} not in valid range [1, 100]")


class ShapePoint(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    utilization: int
    score: int

    def __post_init__(self) -> None:
        if not 0 <= self.utilization <= 100:
            raise ValueError(f"utilization {self.utilization} not in valid range [0, 100]")
        if not 0 <= self.score <= 10:
            raise ValueError(f"score {self.score} not in valid range [0, 10]")


class Shape(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    shape: list[ShapePoint]

    def __post_init__(self) -> None:
        points = [point.utilization for point in self.shape]
        if not points:
            raise ValueError("shape: at least one point must be specified")
        if any(after <= before for before, after in pairwise(points)):
            raise ValueError("shape: utilization values must be sorted in increasing order")


def _default_resources() -> list[ResourceSpec]:
    return [ResourceSpec("cpu"), ResourceSpec("memory")]


class ScoringStrategy(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    type: Literal["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"] = "LeastAllocated"
    resources: list[ResourceSpec] = msgspec.field(default_factory=_default_resources)
    requested_to_capacity_ratio: Shape | None = None

    def __post_init__(self) -> None:
        if (self.type == "RequestedToCapacityRatio") != (self.requested_to_capacity_ratio is not None):
            raise ValueError("requestedToCapacityRatio: goes with type RequestedToCapacityRatio, and with no other")

    def scorer(self) -> Scorer:
        if self.requested_to_capacity_ratio is not None:
            return requested_to_capacity_ratio([(p.utilization, p.score) for p in self.requested_to_capacity_ratio.shape])
        return most_allocated if self.type == "MostAllocated" else least_allocated


class NodeResourcesFitArgs(_Args):
    ignored_resources: list[str] = []
    ignored_resource_groups: list[str] = []
    scoring_strategy: ScoringStrategy = msgspec.field(default_factory=ScoringStrategy)

    def settings(self) -> dict[str, Any]:
        strategy = self.scoring_strategy
        return {
            "scorer": strategy.scorer(),
            "resources": [(each.name, each.weight) for each in strategy.resources],
            "ignored": Ignored(frozenset(self.ignored_resources), frozenset(self.ignored_resource_groups)),
            "ratio": strategy.type == "RequestedToCapacityRatio",
        }


class NodeResourcesBalancedAllocationArgs(_Args):
    resources: list[ResourceSpec] = msgspec.field(default_factory=_default_resources)


class NodeAffinityArgs(_Args):
    added_affinity: core_v1.NodeAffinity | None = None


class InterPodAffinityArgs(_Args):
    hard_pod_affinity_weight: int = 1
    ignore_preferred_terms_of_existing_pods: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.hard_pod_affinity_weight <= 100:
            raise ValueError(f"hardPodAffinityWeight: {self.hard_pod_affinity_weight} not in valid range [0, 100]")


class VolumeBindingArgs(_Args):
    bind_timeout_seconds: int = 600
    shape: list[ShapePoint] = []

    def __post_init__(self) -> None:
        if self.bind_timeout_seconds < 0:
            raise ValueError(f"bindTimeoutSeconds: {self.bind_timeout_seconds} must be 0 or more")
        if self.shape:
            Shape(self.shape)

    def scorer(self) -> Scorer:
        return requested_to_capacity_ratio([(p.utilization, p.score) for p in self.shape]) if self.shape else MOST_FREE


class PodTopologySpreadArgs(_Args):
    default_constraints: list[core_v1.TopologySpreadConstraint] = []
    defaulting_type: Literal["System", "List"] = "System"

    def __post_init__(self) -> None:
        if self.default_constraints and self.defaulting_type == "System":
            raise ValueError('defaultConstraints: only with defaultingType "List"')
        for constraint in self.default_constraints:
            if constraint.label_selector is not None:
                raise ValueError("defaultConstraints: a constraint must not define a selector, as it comes from the Pod's owners")
            if (constraint.max_skew or 0) < 1 or not constraint.topology_key:
                raise ValueError("defaultConstraints: a constraint needs a topologyKey and a maxSkew above 0")
            if constraint.when_unsatisfiable not in ("DoNotSchedule", "ScheduleAnyway"):
                raise ValueError('defaultConstraints: whenUnsatisfiable is "DoNotSchedule" or "ScheduleAnyway"')


class DefaultPreemptionArgs(_Args):
    min_candidate_nodes_percentage: int = 10
    min_candidate_nodes_absolute: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.min_candidate_nodes_percentage <= 100:
            raise ValueError(f"minCandidateNodesPercentage: {self.min_candidate_nodes_percentage} not in valid range [0, 100]")
        if self.min_candidate_nodes_absolute < 0 or not (self.min_candidate_nodes_percentage or self.min_candidate_nodes_absolute):
            raise ValueError("minCandidateNodesAbsolute: must not be negative, nor 0 together with the percentage")
