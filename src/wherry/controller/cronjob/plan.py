"""What a CronJob needs now: Jobs to delete, a Job to start, and what its status says.  Pure.

Behaviour: kubernetes.io/docs/concepts/workloads/controllers/cron-jobs.
A Job's name is made from the time that it stands for, so the same time cannot be started twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from wherry.api.types import batch_v1, core_v1, meta_v1
from wherry.apimachinery import cron
from wherry.client.recorder import reference
from wherry.controller.cronjob.schedule import due, zone_of
from wherry.controller.job import model as m
from wherry.controller.ownership import controller_ref
from wherry.util.clock import parse_rfc3339, rfc3339

SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
Event = tuple[str, str, str]  # type, reason, message


@dataclass(slots=True)
class Plan:
    """In this order: `events`, `delete`, `start` (whose name and time then stand in the status), the status."""

    active: list[core_v1.ObjectReference]
    last_schedule_time: str | None
    last_successful_time: str | None
    events: list[Event] = field(default_factory=list)
    delete: list[batch_v1.Job] = field(default_factory=list)
    start: batch_v1.Job | None = None
    scheduled: float | None = None  # what `start` stands for
    wake_at: float | None = None  # wall time

    def tell(self, type_: str, reason: str, message: str) -> None:
        self.events.append((type_, reason, message))

    def status(self) -> dict[str, Any]:
        return {
            "active": [msgspec.to_builtins(each) for each in self.active], "lastScheduleTime": self.last_schedule_time,
            "lastSuccessfulTime": self.last_successful_time,
        }

    def forget(self, uid: str) -> None:
        self.active = [each for each in self.active if each.uid != uid]


def plan(cj: batch_v1.CronJob, jobs: Sequence[batch_v1.Job], now: float) -> Plan:
    """`jobs` are all that it controls, also those in status.active that a cache may have missed."""
    result = Plan(list(cj.status.active), cj.status.last_schedule_time, cj.status.last_successful_time)
    _follow(cj, jobs, result)
    if cj.metadata.deletion_timestamp is not None:
        return result
    _trim_history(cj, jobs, result)
    zone = cj.spec.time_zone
    if zone and not cron.knows_zone(zone):
        result.tell("Warning", "UnknownTimeZone", f'invalid timeZone: "{zone}": unknown time zone {zone}')
    elif not cj.spec.suspend:
        _schedule(cj, jobs, now, result)
    return result


def _follow(cj: batch_v1.CronJob, jobs: Sequence[batch_v1.Job], result: Plan) -> None:
    """See which active Jobs have ended, and which there should not be."""
    known = {each.uid for each in cj.status.active}
    for job in jobs:
        name, finished = job.metadata.name, m.is_finished(job)
        if job.metadata.uid not in known and not finished:
            result.tell("Warning", "UnexpectedJob", f"Saw a job that the controller did not create or forgot: {name}")
        elif job.metadata.uid in known and finished:
            kind = m.COMPLETE if m.find(job, m.COMPLETE) else m.FAILED
            result.forget(job.metadata.uid)
            result.tell("Normal", "SawCompletedJob", f"Saw completed job: {name}, condition: {kind}")
        if m.find(job, m.COMPLETE):
            ended, last = job.status.completion_time, result.last_successful_time
            if ended and (last is None or parse_rfc3339(ended) > parse_rfc3339(last)):
                result.last_successful_time = ended
    existing = {job.metadata.uid for job in jobs}
    for each in cj.status.active:
        if each.uid not in existing:
            result.forget(each.uid)
            result.tell("Normal", "MissingJob", f"Active job went missing: {each.name}")


def _trim_history(cj: batch_v1.CronJob, jobs: Sequence[batch_v1.Job], result: Plan) -> None:
    """Jobs that a person made from the CronJob are history too."""
    limits = ((m.COMPLETE, cj.spec.successful_jobs_history_limit), (m.FAILED, cj.spec.failed_jobs_history_limit))
    for kind, limit in limits:
        if limit is not None:
            ended = sorted((job for job in jobs if m.find(job, kind)), key=_age)
            result.delete += [job for job in ended[:max(0, len(ended) - limit)] if job.metadata.deletion_timestamp is None]


def _age(job: batch_v1.Job) -> tuple[bool, float, str]:
    start = job.status.start_time
    return start is None, parse_rfc3339(start) if start else 0.0, job.metadata.name


def _schedule(cj: batch_v1.CronJob, jobs: Sequence[batch_v1.Job], now: float, result: Plan) -> None:
    try:
        times = due(cj, now)
    except ValueError as error:
        result.tell("Warning", "UnparseableSchedule", f'unparseable schedule: "{cj.spec.schedule}" : {error}')
        return
    if times.never:
        words = "time difference between two schedules is less than 1 second"
        result.tell("Warning", "InvalidSchedule", f"invalid schedule: {cj.spec.schedule} : {words}")
    result.wake_at = times.following
    if times.missed_many:
        words = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"
        result.tell("Warning", "TooManyMissedTimes", words)
    scheduled, deadline = times.latest, cj.spec.starting_deadline_seconds
    if scheduled is None:
        return
    if deadline is not None and scheduled + deadline < now:
        at = datetime.fromtimestamp(scheduled, UTC).strftime("%a, %d %b %Y %H:%M:%S +0000")
        result.tell("Warning", "MissSchedule", f"Missed scheduled time to start a job: {at}")
        return
    if any(each.name == job_name(cj, scheduled) for each in result.active):
        return
    if cj.spec.concurrency_policy == "Forbid" and result.active:
        words = "Not starting job because prior execution is running and concurrency policy is Forbid"
        result.tell("Normal", "JobAlreadyActive", words)
        return
    if cj.spec.concurrency_policy == "Replace":
        running = {each.uid for each in result.active}
        result.delete += [job for job in jobs if job.metadata.uid in running]
    result.start, result.scheduled = build(cj, scheduled), scheduled


def job_name(cj: batch_v1.CronJob, scheduled: float) -> str:
    return f"{cj.metadata.name}-{int(scheduled) // 60}"


def build(cj: batch_v1.CronJob, scheduled: float) -> batch_v1.Job:
    """The Job of a time, as the template tells."""
    template = cj.spec.job_template
    local = datetime.fromtimestamp(int(scheduled), zone_of(cj)).isoformat().replace("+00:00", "Z")
    meta = meta_v1.ObjectMeta(
        name=job_name(cj, scheduled), namespace=cj.metadata.namespace, labels=dict(template.metadata.labels),
        annotations={**template.metadata.annotations, SCHEDULED: local}, owner_references=[controller_ref(cj)],
    )
    return batch_v1.Job(metadata=meta, spec=template.spec)


def note_started(result: Plan, job: batch_v1.Job, running: Callable[[batch_v1.Job], bool] = lambda job: True) -> None:
    """The Job of `result.scheduled` exists now."""
    assert result.scheduled is not None
    if running(job):
        result.active = [*result.active, reference(job)]
    result.last_schedule_time = rfc3339(result.scheduled)
