"""What the Job controller counts, under upstream's names (job_controller_*)."""

from __future__ import annotations

from wherry.api.types import batch_v1
from wherry.controller.job import indexes
from wherry.controller.job import model as m
from wherry.controller.job.sync import Action, Create, Delete
from wherry.controller.job.tally import Tally
from wherry.util.metrics import Metrics

SYNC_BUCKETS = tuple(0.004 * 2.0**power for power in range(15))


class JobMetrics:
    def __init__(self, metrics: Metrics) -> None:
        prefix, mode = "job_controller_", "completion_mode"
        self.syncs = metrics.counter(f"{prefix}job_syncs_total", "Times that Jobs were looked at.", (mode, "result", "action"))
        self.durations = metrics.histogram(
            f"{prefix}job_sync_duration_seconds", "How long that took.", (mode, "result", "action"), SYNC_BUCKETS,
        )
        self.finished = metrics.counter(f"{prefix}jobs_finished_total", "Jobs that ended.", (mode, "result", "reason"))
        self.pods = metrics.counter(f"{prefix}job_pods_finished_total", "Pods that ended and were counted.", (mode, "result"))
        self.indexes = metrics.counter(f"{prefix}job_finished_indexes_total", "Indexes that ended.", ("status", "backoffLimit"))
        self.created = metrics.counter(f"{prefix}job_pods_creation_total", "Pods that were to be made.", ("reason", "status"))
        self.external = metrics.counter(
            f"{prefix}jobs_by_external_controller_total", "Jobs that another controller manages.", ("controller_name",),
        )

    def synced(self, job: batch_v1.Job, actions: list[Action], seconds: float, failed: bool) -> None:
        made, removed = (any(isinstance(each, kind) for each in actions) for kind in (Create, Delete))
        action = "pods_created" if made else "pods_deleted" if removed else "reconciling"
        labels = _mode(job), "error" if failed else "success", action
        self.syncs.inc(*labels)
        self.durations.observe(seconds, *labels)

    def creations(self, job: batch_v1.Job, seen: Tally, made: int, failed: int) -> None:
        reason = "new"
        if m.replaces_failed_only(job):
            reason = "recreate_failed" if seen.failed else reason
        elif seen.failed or seen.terminating:
            reason = "recreate_terminating_or_failed"
        for status, count in (("succeeded", made), ("failed", failed)):
            if count:
                self.created.inc(reason, status, by=count)

    def written(self, old: batch_v1.Job, new: batch_v1.Job) -> None:
        """A status was; what a Job that was made smaller no longer counts is not taken back."""
        mode, before, after = _mode(new), old.status, new.status
        for result, was, is_ in (("succeeded", before.succeeded, after.succeeded), ("failed", before.failed, after.failed)):
            if (is_ or 0) > (was or 0):
                self.pods.inc(mode, result, by=(is_ or 0) - (was or 0))
        if m.is_indexed(new):
            limit, size = "perIndex" if m.counts_per_index(new) else "global", new.spec.completions or 0
            for status, had, has in (
                ("succeeded", before.completed_indexes, after.completed_indexes), ("failed", before.failed_indexes, after.failed_indexes),
            ):
                fresh = len(indexes.parse(has, size) - indexes.parse(had, size))
                if fresh:
                    self.indexes.inc(status, limit, by=fresh)
        if m.is_finished(new) and not m.is_finished(old):
            failure = m.find(new, m.FAILED)
            self.finished.inc(mode, "failed" if failure else "succeeded", failure.reason if failure else "")


def _mode(job: batch_v1.Job) -> str:
    return "Indexed" if m.is_indexed(job) else "NonIndexed"
