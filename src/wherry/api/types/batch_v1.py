"""Typed objects of batch/v1.  Written by tools/generate_types.py: change that instead."""

from __future__ import annotations

import msgspec

from wherry.api.types import core_v1
from wherry.api.types import meta_v1
from wherry.api.types import scheduling_v1alpha3
from wherry.api.types.base import Struct


class CronJob(Struct):
    api_version: str = msgspec.field(default="batch/v1", name="apiVersion")
    kind: str = "CronJob"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: CronJobSpec = msgspec.field(default_factory=lambda: CronJobSpec())
    status: CronJobStatus = msgspec.field(default_factory=lambda: CronJobStatus())


class CronJobList(Struct):
    api_version: str = msgspec.field(default="batch/v1", name="apiVersion")
    items: list[CronJob] = msgspec.field(default_factory=list)
    kind: str = "CronJobList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class CronJobSpec(Struct):
    concurrency_policy: str = msgspec.field(default="", name="concurrencyPolicy")
    failed_jobs_history_limit: int | None = msgspec.field(default=None, name="failedJobsHistoryLimit")
    job_template: JobTemplateSpec = msgspec.field(default_factory=lambda: JobTemplateSpec(), name="jobTemplate")
    schedule: str = ""
    starting_deadline_seconds: int | None = msgspec.field(default=None, name="startingDeadlineSeconds")
    successful_jobs_history_limit: int | None = msgspec.field(default=None, name="successfulJobsHistoryLimit")
    suspend: bool | None = None
    time_zone: str | None = msgspec.field(default=None, name="timeZone")


class CronJobStatus(Struct):
    active: list[core_v1.ObjectReference] = msgspec.field(default_factory=list)
    last_schedule_time: str | None = msgspec.field(default=None, name="lastScheduleTime")
    last_successful_time: str | None = msgspec.field(default=None, name="lastSuccessfulTime")


class Job(Struct):
    api_version: str = msgspec.field(default="batch/v1", name="apiVersion")
    kind: str = "Job"
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: JobSpec = msgspec.field(default_factory=lambda: JobSpec())
    status: JobStatus = msgspec.field(default_factory=lambda: JobStatus())


class JobCondition(Struct):
    last_probe_time: str | None = msgspec.field(default=None, name="lastProbeTime")
    last_transition_time: str | None = msgspec.field(default=None, name="lastTransitionTime")
    message: str = ""
    reason: str = ""
    status: str = ""
    type: str = ""


class JobList(Struct):
    api_version: str = msgspec.field(default="batch/v1", name="apiVersion")
    items: list[Job] = msgspec.field(default_factory=list)
    kind: str = "JobList"
    metadata: meta_v1.ListMeta = msgspec.field(default_factory=lambda: meta_v1.ListMeta())


class JobSchedulingConfiguration(Struct):
    disruption_mode: scheduling_v1alpha3.WorkloadPodGroupDisruptionMode | None = msgspec.field(default=None, name="disruptionMode")
    resource_claims: list[scheduling_v1alpha3.WorkloadPodGroupResourceClaim] = msgspec.field(default_factory=list, name="resourceClaims")
    scheduling_constraints: scheduling_v1alpha3.WorkloadPodGroupSchedulingConstraints | None = msgspec.field(default=None, name="schedulingConstraints")
    scheduling_policy: scheduling_v1alpha3.WorkloadPodGroupSchedulingPolicy | None = msgspec.field(default=None, name="schedulingPolicy")


class JobSpec(Struct):
    active_deadline_seconds: int | None = msgspec.field(default=None, name="activeDeadlineSeconds")
    backoff_limit: int | None = msgspec.field(default=None, name="backoffLimit")
    backoff_limit_per_index: int | None = msgspec.field(default=None, name="backoffLimitPerIndex")
    completion_mode: str | None = msgspec.field(default=None, name="completionMode")
    completions: int | None = None
    managed_by: str | None = msgspec.field(default=None, name="managedBy")
    manual_selector: bool | None = msgspec.field(default=None, name="manualSelector")
    max_failed_indexes: int | None = msgspec.field(default=None, name="maxFailedIndexes")
    parallelism: int | None = None
    pod_failure_policy: PodFailurePolicy | None = msgspec.field(default=None, name="podFailurePolicy")
    pod_replacement_policy: str | None = msgspec.field(default=None, name="podReplacementPolicy")
    scheduling: JobSchedulingConfiguration | None = None
    selector: meta_v1.LabelSelector | None = None
    success_policy: SuccessPolicy | None = msgspec.field(default=None, name="successPolicy")
    suspend: bool | None = None
    template: core_v1.PodTemplateSpec = msgspec.field(default_factory=lambda: core_v1.PodTemplateSpec())
    ttl_seconds_after_finished: int | None = msgspec.field(default=None, name="ttlSecondsAfterFinished")


class JobStatus(Struct):
    active: int | None = None
    completed_indexes: str = msgspec.field(default="", name="completedIndexes")
    completion_time: str | None = msgspec.field(default=None, name="completionTime")
    conditions: list[JobCondition] = msgspec.field(default_factory=list)
    failed: int | None = None
    failed_indexes: str = msgspec.field(default="", name="failedIndexes")
    ready: int | None = None
    start_time: str | None = msgspec.field(default=None, name="startTime")
    succeeded: int | None = None
    terminating: int | None = None
    uncounted_terminated_pods: UncountedTerminatedPods | None = msgspec.field(default=None, name="uncountedTerminatedPods")


class JobTemplateSpec(Struct):
    metadata: meta_v1.ObjectMeta = msgspec.field(default_factory=lambda: meta_v1.ObjectMeta())
    spec: JobSpec = msgspec.field(default_factory=lambda: JobSpec())


class PodFailurePolicy(Struct):
    rules: list[PodFailurePolicyRule] = msgspec.field(default_factory=list)


class PodFailurePolicyOnExitCodesRequirement(Struct):
    container_name: str = msgspec.field(default="", name="containerName")
    operator: str = ""
    values: list[int] = msgspec.field(default_factory=list)


class PodFailurePolicyOnPodConditionsPattern(Struct):
    status: str = ""
    type: str = ""


class PodFailurePolicyRule(Struct):
    action: str = ""
    on_exit_codes: PodFailurePolicyOnExitCodesRequirement | None = msgspec.field(default=None, name="onExitCodes")
    on_pod_conditions: list[PodFailurePolicyOnPodConditionsPattern] = msgspec.field(default_factory=list, name="onPodConditions")


class SuccessPolicy(Struct):
    rules: list[SuccessPolicyRule] = msgspec.field(default_factory=list)


class SuccessPolicyRule(Struct):
    succeeded_count: int | None = msgspec.field(default=None, name="succeededCount")
    succeeded_indexes: str = msgspec.field(default="", name="succeededIndexes")


class UncountedTerminatedPods(Struct):
    failed: list[str] = msgspec.field(default_factory=list)
    succeeded: list[str] = msgspec.field(default_factory=list)
