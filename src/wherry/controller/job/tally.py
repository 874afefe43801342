"""Counts a Job's Pods and decides whether the Job has ended.  Pure.

The promise is exact counts.  A Pod bears a finalizer until it is counted.  Its uid is first written
into status.uncountedTerminatedPods, then the finalizer is taken off, then the uid becomes one more in
the counters: whatever is interrupted in between, no Pod is counted twice and none is missed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wherry.api.types import batch_v1, core_v1
from wherry.controller.job import indexes
from wherry.controller.job import model as m
from wherry.controller.job.backoff import Backoff, finished_at
from wherry.controller.job.failurepolicy import fails_index, judge, message_to_fail
from wherry.controller.podutil import is_active, is_ready, is_terminal
from wherry.util.clock import parse_rfc3339


@dataclass(frozen=True, slots=True)
class Observed:
    """All that a Job's plan depends on."""

    job: batch_v1.Job
    pods: list[core_v1.Pod]  # that it controls
    now: float  # wall time
    settled: bool = True  # no Pod that was created is missing from `pods`
    deleted: frozenset[str] = frozenset()  # uids whose deletion was asked for; `pods` may not show it yet
    stripped: frozenset[str] = frozenset()  # uids whose finalizer was taken off; `pods` may not show it yet
    backoff: Backoff = field(default_factory=Backoff)

    def is_tracked(self, pod: core_v1.Pod) -> bool:
        return m.is_tracked(pod) and pod.metadata.uid not in self.stripped

    def is_active(self, pod: core_v1.Pod) -> bool:
        return is_active(pod) and pod.metadata.uid not in self.deleted

    def is_terminating(self, pod: core_v1.Pod) -> bool:
        going = pod.metadata.deletion_timestamp is not None or pod.metadata.uid in self.deleted
        return going and not is_terminal(pod)


@dataclass(slots=True)
class Tally:
    """What the Pods come to, counted or not yet."""

    active: list[core_v1.Pod]
    terminating: list[core_v1.Pod]
    succeeded: int
    failed: int
    backoff: Backoff
    counted_indexes: frozenset[int] = frozenset()  # in the status already
    succeeded_indexes: frozenset[int] = frozenset()
    failed_indexes: frozenset[int] = frozenset()
    last_failed: dict[int, core_v1.Pod] = field(default_factory=dict)  # by index: awaits its replacement, which takes over its counts
    verdict: m.Condition | None = None  # SuccessCriteriaMet or FailureTarget

    @property
    def ready(self) -> int:
        return sum(map(is_ready, self.active))


def tally(o: Observed) -> Tally:
    job, status = o.job, o.job.status
    uncounted = status.uncounted_terminated_pods or batch_v1.UncountedTerminatedPods()
    # A Pod that was noted as failed while it was going stays so, even if it succeeds in the end.
    noted = {*uncounted.succeeded, *uncounted.failed}
    succeeded = _new(o, noted, lambda pod: pod.status.phase == "Succeeded")
    failed = _new(o, noted, lambda pod: m.is_failed(pod, job))
    counting = [pod for pod in failed if judge(job.spec.pod_failure_policy, pod).counts]
    result = Tally(
        active=[pod for pod in o.pods if o.is_active(pod)],
        terminating=[pod for pod in o.pods if o.is_terminating(pod)],
        succeeded=(status.succeeded or 0) + len(succeeded) + len(uncounted.succeeded),
        failed=(status.failed or 0) + len(counting) + len(uncounted.failed),
        backoff=_observe_backoff(o, succeeded, failed),
    )
    if m.is_indexed(job):
        _count_indexes(o, result, succeeded)
    result.verdict = _verdict(o, result)
    return result


def _new(o: Observed, noted: set[str], chosen: Callable[[core_v1.Pod], bool]) -> list[core_v1.Pod]:
    """Pods that have ended and that the status does not know of yet."""
    indexed = m.is_indexed(o.job)
    return [
        pod for pod in o.pods
        if o.is_tracked(pod) and pod.metadata.uid not in noted and chosen(pod)
        and (not indexed or m.valid_index(pod, o.job) is not None)
    ]


def _observe_backoff(o: Observed, succeeded: list[core_v1.Pod], failed: list[core_v1.Pod]) -> Backoff:
    """Counted Pods tell of failures too (a restart forgets), but not those that the Job itself deleted."""
    others = [pod for pod in o.pods if not o.is_tracked(pod) and pod.metadata.deletion_timestamp is None]
    succeeded = succeeded + [pod for pod in others if pod.status.phase == "Succeeded"]
    return o.backoff.observe(succeeded, failed + [pod for pod in others if pod.status.phase == "Failed"], o.now)


def _count_indexes(o: Observed, t: Tally, succeeded: list[core_v1.Pod]) -> None:
    job = o.job
    completions = job.spec.completions or 0
    t.counted_indexes = indexes.parse(job.status.completed_indexes, completions)
    t.succeeded_indexes = t.counted_indexes | {index for pod in succeeded if (index := m.valid_index(pod, job)) is not None}
    t.succeeded = len(t.succeeded_indexes)
    if not m.counts_per_index(job):
        return
    placed = [(index, pod) for pod in o.pods if o.is_tracked(pod) and (index := m.valid_index(pod, job)) is not None]
    failed = [(index, pod) for index, pod in placed if m.is_failed(pod, job)]
    before = indexes.parse(job.status.failed_indexes, completions)
    t.failed_indexes = before | {index for index, pod in failed if fails_index(job, pod)}
    settled = t.succeeded_indexes | t.failed_indexes | {m.index_of(pod) for pod in t.active}
    for index, pod in failed:
        if index not in settled and (index not in t.last_failed or _attempt(pod) >= _attempt(t.last_failed[index])):
            t.last_failed[index] = pod


def _attempt(pod: core_v1.Pod) -> tuple[int, float]:
    return m.count_annotation(pod, m.FAILURES) + m.count_annotation(pod, m.IGNORED), finished_at(pod)


def _verdict(o: Observed, t: Tally) -> m.Condition | None:
    """How the Job ends, when that is decided already; one that the status has stays."""
    job, now = o.job, o.now
    for type_ in (m.SUCCESS_CRITERIA_MET, m.FAILURE_TARGET):
        decided = m.find(job, type_)
        if decided is not None:
            return m.make_condition(type_, decided.reason, decided.message, now)

    def fail(reason: str, message: str) -> m.Condition:
        return m.make_condition(m.FAILURE_TARGET, reason, message, now)

    message = message_to_fail(job, o.pods)
    if message is not None:
        return fail("PodFailurePolicy", message)
    if t.failed > m.backoff_limit(job) or _restarted_too_often(o):
        return fail("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    left = deadline_in(job, now)
    if left is not None and left <= 0:
        return fail("DeadlineExceeded", "Job was active longer than specified deadline")
    if t.failed_indexes:
        if job.spec.max_failed_indexes is not None and len(t.failed_indexes) > job.spec.max_failed_indexes:
            return fail("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes")
        if len(t.failed_indexes | t.succeeded_indexes) >= (job.spec.completions or 0):
            return fail("FailedIndexes", "Job has failed indexes")
    rule = _success_rule(job, t.succeeded_indexes)
    if rule is not None:
        return m.make_condition(m.SUCCESS_CRITERIA_MET, "SuccessPolicy", f"Matched rules at index {rule}", now)
    return None


def deadline_in(job: batch_v1.Job, now: float) -> float | None:
    """Seconds until activeDeadlineSeconds are over; None when the clock does not run."""
    limit, start = job.spec.active_deadline_seconds, job.status.start_time
    # A Job that is being resumed has the start of its former life until this sync has written the new one.
    if limit is None or start is None or m.is_suspended(job) or m.find(job, m.SUSPENDED):
        return None
    return parse_rfc3339(start) + limit - now


def _restarted_too_often(o: Observed) -> bool:
    """With restartPolicy OnFailure the kubelet's restarts count as failures."""
    if o.job.spec.template.spec.restart_policy != "OnFailure":
        return False
    running = (pod.status for pod in o.pods if pod.status.phase in ("Pending", "Running"))
    restarts = sum(
        each.restart_count or 0 for status in running for each in (*status.init_container_statuses, *status.container_statuses)
    )
    return restarts > 0 and restarts >= m.backoff_limit(o.job)


def _success_rule(job: batch_v1.Job, succeeded: frozenset[int]) -> int | None:
    """The number of the first rule of spec.successPolicy that is met."""
    if job.spec.success_policy is None:
        return None
    for number, rule in enumerate(job.spec.success_policy.rules):
        if rule.succeeded_indexes:
            wanted = indexes.parse(rule.succeeded_indexes, job.spec.completions or 0)
            enough = len(wanted) if rule.succeeded_count is None else rule.succeeded_count
            if len(wanted & succeeded) >= enough:
                return number
        elif rule.succeeded_count is not None and len(succeeded) >= rule.succeeded_count:
            return number
    return None
