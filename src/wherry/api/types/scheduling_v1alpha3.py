"""Typed objects of scheduling/v1alpha3.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class AllCompositeDisruptionMode(Struct):
    pass


class AllDisruptionMode(Struct):
    pass


class BasicSchedulingPolicy(Struct):
    pass


class CompositeBasicSchedulingPolicy(Struct):
    pass


class CompositeDisruptionMode(Struct):
    all: AllCompositeDisruptionMode | None = None
    single: SingleCompositeDisruptionMode | None = None


class CompositeGangSchedulingPolicy(Struct):
    min_group_count: int = msgspec.field(default=0, name="minGroupCount")


class CompositePodGroup(Struct):
    api_version: str = msgspec.field(default="scheduling.k8s.io/v1alpha3", name="apiVersion")
    kind: str = "CompositePodGroup"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: CompositePodGroupSpec = msgspec.field(default_factory=lambda: CompositePodGroupSpec())
    status: CompositePodGroupStatus = msgspec.field(default_factory=lambda: CompositePodGroupStatus())


class CompositePodGroupList(Struct):
    api_version: str = msgspec.field(default="scheduling.k8s.io/v1alpha3", name="apiVersion")
    items: list[CompositePodGroup] = msgspec.field(default_factory=list)
    kind: str = "CompositePodGroupList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class CompositePodGroupSchedulingConstraints(Struct):
    topology: list[TopologyConstraint] = msgspec.field(default_factory=list)


class CompositePodGroupSchedulingPolicy(Struct):
    basic: CompositeBasicSchedulingPolicy | None = None
    gang: CompositeGangSchedulingPolicy | None = None


class CompositePodGroupSpec(Struct):
    disruption_mode: CompositeDisruptionMode | None = msgspec.field(default=None, name="disruptionMode")
    parent_composite_pod_group_name: str = msgspec.field(default="", name="parentCompositePodGroupName")
    preemption_policy: str | None = msgspec.field(default=None, name="preemptionPolicy")
    priority: int | None = None
    priority_class_name: str = msgspec.field(default="", name="priorityClassName")
    scheduling_constraints: CompositePodGroupSchedulingConstraints | None = msgspec.field(default=None, name="schedulingConstraints")
    scheduling_policy: CompositePodGroupSchedulingPolicy = msgspec.field(default_factory=lambda: CompositePodGroupSchedulingPolicy(), name="schedulingPolicy")
    workload_ref: WorkloadReference = msgspec.field(default_factory=lambda: WorkloadReference(), name="workloadRef")


class CompositePodGroupStatus(Struct):
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)


class CompositePodGroupTemplate(Struct):
    composite_pod_group_templates: list[CompositePodGroupTemplate] = msgspec.field(default_factory=list, name="compositePodGroupTemplates")
    disruption_mode: CompositeDisruptionMode | None = msgspec.field(default=None, name="disruptionMode")
    name: str = ""
    pod_group_templates: list[PodGroupTemplate] = msgspec.field(default_factory=list, name="podGroupTemplates")
    preemption_policy: str | None = msgspec.field(default=None, name="preemptionPolicy")
    priority: int | None = None
    priority_class_name: str = msgspec.field(default="", name="priorityClassName")
    scheduling_constraints: CompositePodGroupSchedulingConstraints | None = msgspec.field(default=None, name="schedulingConstraints")
    scheduling_policy: CompositePodGroupSchedulingPolicy = msgspec.field(default_factory=lambda: CompositePodGroupSchedulingPolicy(), name="schedulingPolicy")


class DisruptionMode(Struct):
    all: AllDisruptionMode | None = None
    single: SingleDisruptionMode | None = None


class GangSchedulingPolicy(Struct):
    min_count: int = msgspec.field(default=0, name="minCount")


class PodGroup(Struct):
    api_version: str = msgspec.field(default="scheduling.k8s.io/v1alpha3", name="apiVersion")
    kind: str = "PodGroup"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: PodGroupSpec = msgspec.field(default_factory=lambda: PodGroupSpec())
    status: PodGroupStatus = msgspec.field(default_factory=lambda: PodGroupStatus())


class PodGroupList(Struct):
    api_version: str = msgspec.field(default="scheduling.k8s.io/v1alpha3", name="apiVersion")
    items: list[PodGroup] = msgspec.field(default_factory=list)
    kind: str = "PodGroupList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class PodGroupResourceClaim(Struct):
    name: str = ""
    resource_claim_name: str = msgspec.field(default="", name="resourceClaimName")
    resource_claim_template_name: str = msgspec.field(default="", name="resourceClaimTemplateName")


class PodGroupResourceClaimStatus(Struct):
    name: str = ""
    resource_claim_name: str = msgspec.field(default="", name="resourceClaimName")


class PodGroupSchedulingConstraints(Struct):
    topology: list[TopologyConstraint] = msgspec.field(default_factory=list)


class PodGroupSchedulingPolicy(Struct):
    basic: BasicSchedulingPolicy | None = None
    gang: GangSchedulingPolicy | None = None


class PodGroupSpec(Struct):
    disruption_mode: DisruptionMode | None = msgspec.field(default=None, name="disruptionMode")
    parent_composite_pod_group_name: str = msgspec.field(default="", name="parentCompositePodGroupName")
    preemption_policy: str | None = msgspec.field(default=None, name="preemptionPolicy")
    priority: int | None = None
    priority_class_name: str = msgspec.field(default="", name="priorityClassName")
    resource_claims: list[PodGroupResourceClaim] = msgspec.field(default_factory=list, name="resourceClaims")
    scheduling_constraints: PodGroupSchedulingConstraints | None = msgspec.field(default=None, name="schedulingConstraints")
    scheduling_policy: PodGroupSchedulingPolicy = msgspec.field(default_factory=lambda: PodGroupSchedulingPolicy(), name="schedulingPolicy")
    workload_ref: WorkloadReference | None = msgspec.field(default=None, name="workloadRef")


class PodGroupStatus(Struct):
    conditions: list[meta_v1.Condition] = msgspec.field(default_factory=list)
    resource_claim_statuses: list[PodGroupResourceClaimStatus] = msgspec.field(default_factory=list, name="resourceClaimStatuses")


class PodGroupTemplate(Struct):
    disruption_mode: DisruptionMode | None = msgspec.field(default=None, name="disruptionMode")
    name: str = ""
    preemption_policy: str | None = msgspec.field(default=None, name="preemptionPolicy")
    priority: int | None = None
    priority_class_name: str = msgspec.field(default="", name="priorityClassName")
    resource_claims: list[PodGroupResourceClaim] = msgspec.field(default_factory=list, name="resourceClaims")
    scheduling_constraints: PodGroupSchedulingConstraints | None = msgspec.field(default=None, name="schedulingConstraints")
    scheduling_policy: PodGroupSchedulingPolicy = msgspec.field(default_factory=lambda: PodGroupSchedulingPolicy(), name="schedulingPolicy")


class SingleCompositeDisruptionMode(Struct):
    pass


class SingleDisruptionMode(Struct):
    pass


class TopologyConstraint(Struct):
    key: str = ""


class TypedLocalObjectReference(Struct):
    api_group: str = msgspec.field(default="", name="apiGroup")
    kind: str = ""
    name: str = ""


class Workload(Struct):
    api_version: str = msgspec.field(default="scheduling.k8s.io/v1alpha3", name="apiVersion")
    kind: str = "Workload"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: WorkloadSpec = msgspec.field(default_factory=lambda: WorkloadSpec())


class WorkloadList(Struct):
    api_version: str = msgspec.field(default="scheduling.k8s.io/v1alpha3", name="apiVersion")
    items: list[Workload] = msgspec.field(default_factory=list)
    kind: str = "WorkloadList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class WorkloadPodGroupAllDisruptionMode(Struct):
    pass


class WorkloadPodGroupBasicSchedulingPolicy(Struct):
    pass


class WorkloadPodGroupDisruptionMode(Struct):
    all: WorkloadPodGroupAllDisruptionMode | None = None
    single: WorkloadPodGroupSingleDisruptionMode | None = None


class WorkloadPodGroupGangSchedulingPolicy(Struct):
    min_count: int | None = msgspec.field(default=None, name="minCount")


class WorkloadPodGroupResourceClaim(Struct):
    name: str = ""
    resource_claim_name: str = msgspec.field(default="", name="resourceClaimName")
    resource_claim_template_name: str = msgspec.field(default="", name="resourceClaimTemplateName")


class WorkloadPodGroupSchedulingConstraints(Struct):
    topology: list[TopologyConstraint] = msgspec.field(default_factory=list)


class WorkloadPodGroupSchedulingPolicy(Struct):
    basic: WorkloadPodGroupBasicSchedulingPolicy | None = None
    gang: WorkloadPodGroupGangSchedulingPolicy | None = None


class WorkloadPodGroupSingleDisruptionMode(Struct):
    pass


class WorkloadReference(Struct):
    template_name: str = msgspec.field(default="", name="templateName")
    workload_name: str = msgspec.field(default="", name="workloadName")


class WorkloadSpec(Struct):
    composite_pod_group_templates: list[CompositePodGroupTemplate] = msgspec.field(default_factory=list, name="compositePodGroupTemplates")
    controller_ref: TypedLocalObjectReference | None = msgspec.field(default=None, name="controllerRef")
    pod_group_templates: list[PodGroupTemplate] = msgspec.field(default_factory=list, name="podGroupTemplates")
