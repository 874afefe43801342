"""What the planners of a Job ask of it and of its Pods.  Pure.

Behaviour: kubernetes.io/docs/concepts/workloads/controllers/job.
"""

from __future__ import annotations

from typing import Any

from wherry.api.types import batch_v1, core_v1
from wherry.controller.podutil import is_terminal
from wherry.util.clock import parse_rfc3339, rfc3339

FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX = "batch.kubernetes.io/job-completion-index"  # annotation and label
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"
OWN_NAME = "kubernetes.io/job-controller"  # spec.managedBy: us

SUCCESS_CRITERIA_MET, COMPLETE = "SuccessCriteriaMet", "Complete"
FAILURE_TARGET, FAILED = "FailureTarget", "Failed"
SUSPENDED = "Suspended"

Condition = dict[str, Any]


def make_condition(type_: str, reason: str, message: str, now: float, status: str = "True") -> Condition:
    at = rfc3339(now)
    return {"type": type_, "status": status, "lastProbeTime": at, "lastTransitionTime": at, "reason": reason, "message": message}


def find(job: batch_v1.Job, type_: str) -> batch_v1.JobCondition | None:
    """The condition of that type, if it is true."""
    return next((each for each in job.status.conditions if each.type == type_ and each.status == "True"), None)


def is_finished(job: batch_v1.Job) -> bool:
    return find(job, COMPLETE) is not None or find(job, FAILED) is not None


def finish_time(job: batch_v1.Job) -> float | None:
    """Wall time since when it has been finished; None while it has not."""
    ended = find(job, COMPLETE) or find(job, FAILED)
    return parse_rfc3339(ended.last_transition_time) if ended is not None and ended.last_transition_time else None


def is_ours(job: batch_v1.Job) -> bool:
    return job.spec.managed_by in (None, OWN_NAME)


def is_indexed(job: batch_v1.Job) -> bool:
    return job.spec.completion_mode == "Indexed"


def is_suspended(job: batch_v1.Job) -> bool:
    return bool(job.spec.suspend)


def replaces_failed_only(job: batch_v1.Job) -> bool:
    """A Pod that is going is replaced only when it has ended."""
    return job.spec.pod_replacement_policy == "Failed"


def counts_per_index(job: batch_v1.Job) -> bool:
    return is_indexed(job) and job.spec.backoff_limit_per_index is not None


def parallelism(job: batch_v1.Job) -> int:
    return 1 if job.spec.parallelism is None else job.spec.parallelism


def backoff_limit(job: batch_v1.Job) -> int:
    return 6 if job.spec.backoff_limit is None else job.spec.backoff_limit


def is_tracked(pod: core_v1.Pod) -> bool:
    """It is still to be counted: whoever deletes it has to wait for that."""
    return FINALIZER in pod.metadata.finalizers


def is_failed(pod: core_v1.Pod, job: batch_v1.Job) -> bool:
    """It has failed, or is being deleted and its Job need not wait to see how it ends."""
    if pod.status.phase == "Failed":
        return True
    return not replaces_failed_only(job) and pod.metadata.deletion_timestamp is not None and not is_terminal(pod)


def index_of(pod: core_v1.Pod) -> int | None:
    text = pod.metadata.annotations.get(INDEX, "")
    return int(text) if text.isdecimal() and text.isascii() else None


def valid_index(pod: core_v1.Pod, job: batch_v1.Job) -> int | None:
    """Its index, if the Job has such a one."""
    index = index_of(pod)
    return index if index is not None and index < (job.spec.completions or 0) else None


def count_annotation(pod: core_v1.Pod, name: str) -> int:
    text = pod.metadata.annotations.get(name, "")
    return int(text) if text.isdecimal() and text.isascii() else 0
