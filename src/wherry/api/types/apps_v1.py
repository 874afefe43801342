"""Typed objects of apps/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

from typing import Any

import msgspec

from wherry.api.types import core_v1
from wherry.api.types import meta_v1
from wherry.api.types.base import Struct


class ControllerRevision(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    data: dict[str, Any] = msgspec.field(default_factory=dict)
    kind: str = "ControllerRevision"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    revision: int | None = None


class ControllerRevisionList(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    items: list[ControllerRevision] = msgspec.field(default_factory=list)
    kind: str = "ControllerRevisionList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class DaemonSet(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    kind: str = "DaemonSet"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: DaemonSetSpec = msgspec.field(default_factory=lambda: DaemonSetSpec())
    status: DaemonSetStatus = msgspec.field(default_factory=lambda: DaemonSetStatus())


class DaemonSetCondition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class DaemonSetList(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    items: list[DaemonSet] = msgspec.field(default_factory=list)
    kind: str = "DaemonSetList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class DaemonSetSpec(Struct):
    min_ready_seconds: int | None = msgspec.field(default=None, name="minReadySeconds")
    revision_history_limit: int | None = msgspec.field(default=None, name="revisionHistoryLimit")
    selector: meta_v1.LabelSelector = msgspec.field(default_factory=lambda: meta_v1.LabelSelector())
    template: core_v1.PodTemplateSpec = msgspec.field(default_factory=lambda: core_v1.PodTemplateSpec())
    update_strategy: DaemonSetUpdateStrategy = msgspec.field(default_factory=lambda: DaemonSetUpdateStrategy(), name="updateStrategy")


class DaemonSetStatus(Struct):
    collision_count: int | None = msgspec.field(default=None, name="collisionCount")
    conditions: list[DaemonSetCondition] = msgspec.field(default_factory=list)
    current_number_scheduled: int = msgspec.field(default=0, name="currentNumberScheduled")
    desired_number_scheduled: int = msgspec.field(default=0, name="desiredNumberScheduled")
    number_available: int | None = msgspec.field(default=None, name="numberAvailable")
    number_misscheduled: int = msgspec.field(default=0, name="numberMisscheduled")
    number_ready: int = msgspec.field(default=0, name="numberReady")
    number_unavailable: int | None = msgspec.field(default=None, name="numberUnavailable")
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    updated_number_scheduled: int | None = msgspec.field(default=None, name="updatedNumberScheduled")


class DaemonSetUpdateStrategy(Struct):
    rolling_update: RollingUpdateDaemonSet | None = msgspec.field(default=None, name="rollingUpdate")
    type: str = ""


class Deployment(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    kind: str = "Deployment"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: DeploymentSpec = msgspec.field(default_factory=lambda: DeploymentSpec())
    status: DeploymentStatus = msgspec.field(default_factory=lambda: DeploymentStatus())


class DeploymentCondition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    last_update_time: str | None = msgspec.field(default=None, name="lastUpdateTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class DeploymentList(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    items: list[Deployment] = msgspec.field(default_factory=list)
    kind: str = "DeploymentList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class DeploymentSpec(Struct):
    min_ready_seconds: int | None = msgspec.field(default=None, name="minReadySeconds")
    paused: bool | None = None
    progress_deadline_seconds: int | None = msgspec.field(default=None, name="progressDeadlineSeconds")
    replicas: int | None = None
    revision_history_limit: int | None = msgspec.field(default=None, name="revisionHistoryLimit")
    selector: meta_v1.LabelSelector = msgspec.field(default_factory=lambda: meta_v1.LabelSelector())
    strategy: DeploymentStrategy = msgspec.field(default_factory=lambda: DeploymentStrategy())
    template: core_v1.PodTemplateSpec = msgspec.field(default_factory=lambda: core_v1.PodTemplateSpec())


class DeploymentStatus(Struct):
    available_replicas: int | None = msgspec.field(default=None, name="availableReplicas")
    collision_count: int | None = msgspec.field(default=None, name="collisionCount")
    conditions: list[DeploymentCondition] = msgspec.field(default_factory=list)
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    ready_replicas: int | None = msgspec.field(default=None, name="readyReplicas")
    replicas: int | None = None
    terminating_replicas: int | None = msgspec.field(default=None, name="terminatingReplicas")
    unavailable_replicas: int | None = msgspec.field(default=None, name="unavailableReplicas")
    updated_replicas: int | None = msgspec.field(default=None, name="updatedReplicas")


class DeploymentStrategy(Struct):
    rolling_update: RollingUpdateDeployment | None = msgspec.field(default=None, name="rollingUpdate")
    type: str = ""


class ReplicaSet(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    kind: str = "ReplicaSet"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: ReplicaSetSpec = msgspec.field(default_factory=lambda: ReplicaSetSpec())
    status: ReplicaSetStatus = msgspec.field(default_factory=lambda: ReplicaSetStatus())


class ReplicaSetCondition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class ReplicaSetList(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    items: list[ReplicaSet] = msgspec.field(default_factory=list)
    kind: str = "ReplicaSetList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class ReplicaSetSpec(Struct):
    min_ready_seconds: int | None = msgspec.field(default=None, name="minReadySeconds")
    replicas: int | None = None
    selector: meta_v1.LabelSelector = msgspec.field(default_factory=lambda: meta_v1.LabelSelector())
    template: core_v1.PodTemplateSpec = msgspec.field(default_factory=lambda: core_v1.PodTemplateSpec())


class ReplicaSetStatus(Struct):
    available_replicas: int | None = msgspec.field(default=None, name="availableReplicas")
    conditions: list[ReplicaSetCondition] = msgspec.field(default_factory=list)
    fully_labeled_replicas: int | None = msgspec.field(default=None, name="fullyLabeledReplicas")
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    ready_replicas: int | None = msgspec.field(default=None, name="readyReplicas")
    replicas: int = 0
    terminating_replicas: int | None = msgspec.field(default=None, name="terminatingReplicas")


class RollingUpdateDaemonSet(Struct):
    max_surge: int | str | None = msgspec.field(default=None, name="maxSurge")
    max_unavailable: int | str | None = msgspec.field(default=None, name="maxUnavailable")


class RollingUpdateDeployment(Struct):
    max_surge: int | str | None = msgspec.field(default=None, name="maxSurge")
    max_unavailable: int | str | None = msgspec.field(default=None, name="maxUnavailable")


class RollingUpdateStatefulSetStrategy(Struct):
    max_unavailable: int | str | None = msgspec.field(default=None, name="maxUnavailable")
    partition: int | None = None


class StatefulSet(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    kind: str = "StatefulSet"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: StatefulSetSpec = msgspec.field(default_factory=lambda: StatefulSetSpec())
    status: StatefulSetStatus = msgspec.field(default_factory=lambda: StatefulSetStatus())


class StatefulSetCondition(Struct):
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class StatefulSetList(Struct):
    api_version: str = msgspec.field(default="apps/v1", name="apiVersion")
    items: list[StatefulSet] = msgspec.field(default_factory=list)
    kind: str = "StatefulSetList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class StatefulSetOrdinals(Struct):
    start: int | None = None


class StatefulSetPersistentVolumeClaimRetentionPolicy(Struct):
    when_deleted: str = msgspec.field(default="", name="whenDeleted")
    when_scaled: str = msgspec.field(default="", name="whenScaled")


class StatefulSetSpec(Struct):
    min_ready_seconds: int | None = msgspec.field(default=None, name="minReadySeconds")
    ordinals: StatefulSetOrdinals | None = None
    persistent_volume_claim_retention_policy: StatefulSetPersistentVolumeClaimRetentionPolicy | None = msgspec.field(default=None, name="persistentVolumeClaimRetentionPolicy")
    pod_management_policy: str = msgspec.field(default="", name="podManagementPolicy")
    replicas: int | None = None
    revision_history_limit: int | None = msgspec.field(default=None, name="revisionHistoryLimit")
    selector: meta_v1.LabelSelector = msgspec.field(default_factory=lambda: meta_v1.LabelSelector())
    service_name: str = msgspec.field(default="", name="serviceName")
    template: core_v1.PodTemplateSpec = msgspec.field(default_factory=lambda: core_v1.PodTemplateSpec())
    update_strategy: StatefulSetUpdateStrategy = msgspec.field(default_factory=lambda: StatefulSetUpdateStrategy(), name="updateStrategy")
    volume_claim_templates: list[core_v1.PersistentVolumeClaim] = msgspec.field(default_factory=list, name="volumeClaimTemplates")


class StatefulSetStatus(Struct):
    available_replicas: int | None = msgspec.field(default=None, name="availableReplicas")
    collision_count: int | None = msgspec.field(default=None, name="collisionCount")
    conditions: list[StatefulSetCondition] = msgspec.field(default_factory=list)
    current_replicas: int | None = msgspec.field(default=None, name="currentReplicas")
    current_revision: str = msgspec.field(default="", name="currentRevision")
    observed_generation: int | None = msgspec.field(default=None, name="observedGeneration")
    ready_replicas: int | None = msgspec.field(default=None, name="readyReplicas")
    replicas: int = 0
    update_revision: str = msgspec.field(default="", name="updateRevision")
    updated_replicas: int | None = msgspec.field(default=None, name="updatedReplicas")


class StatefulSetUpdateStrategy(Struct):
    rolling_update: RollingUpdateStatefulSetStrategy | None = msgspec.field(default=None, name="rollingUpdate")
    type: str = ""
