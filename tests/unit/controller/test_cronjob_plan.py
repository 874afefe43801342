"""When CronJobs start Jobs, which they keep, and what they say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.api.types import batch_v1, core_v1, meta_v1
from wherry.controller.cronjob.plan import SCHEDULED, note_started, plan
from wherry.controller.cronjob.schedule import due
from wherry.util.clock import parse_rfc3339, rfc3339

CREATED = "2026-11-23T20:25:17Z"
T0 = parse_rfc3339(CREATED)


def cron_job(schedule: str = "*/1 * * * *", last: str | None = None, active: tuple[str, ...] = (), **spec: Any) -> batch_v1.CronJob:
    refs = [core_v1.ObjectReference(kind="Job", name=name, namespace="default", uid=f"uid-{name}") for name in active]
    given: dict[str, Any] = {"concurrency_policy": "Allow", "successful_jobs_history_limit": 3, "failed_jobs_history_limit": 1}
    return batch_v1.CronJob(
        metadata=meta_v1.ObjectMeta(name="cj", namespace="default", uid="cj-uid", creation_timestamp=CREATED),
        spec=batch_v1.CronJobSpec(schedule=schedule, **(given | spec)),
        status=batch_v1.CronJobStatus(active=refs, last_schedule_time=last),
    )


def job(name: str, ended: str | None = None, at: str = CREATED) -> batch_v1.Job:
    conditions = [batch_v1.JobCondition(type=ended, status="True", last_transition_time=at)] if ended else []
    status = batch_v1.JobStatus(conditions=conditions, start_time=at, completion_time=at if ended == "Complete" else None)
    return batch_v1.Job(metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}"), status=status)


@pytest.mark.parametrize(("schedule", "now", "latest", "following"), [
    pytest.param("*/1 * * * *", "2026-11-23T20:25:59Z", None, "2026-11-23T20:26:00Z", id="not yet"),
    pytest.param("*/1 * * * *", "2026-11-23T20:26:00Z", "2026-11-23T20:26:00Z", "2026-11-23T20:27:00Z", id="on time"),
    pytest.param("*/1 * * * *", "2026-11-23T20:36:30Z", "2026-11-23T20:36:00Z", "2026-11-23T20:37:00Z", id="ten missed"),
    pytest.param("*/5 9 * * *", "2026-11-25T08:00:00Z", "2026-11-24T09:55:00Z", "2026-11-25T09:00:00Z", id="dense by day"),
    pytest.param("0 0 * * 1", "2026-12-25T08:00:00Z", "2026-12-21T00:00:00Z", "2026-12-28T00:00:00Z", id="weekly"),
    pytest.param("@every 90s", "2026-11-23T20:30:00Z", "2026-11-23T20:29:47Z", "2026-11-23T20:31:17Z", id="every"),
    pytest.param("0 0 30 2 *", "2026-12-25T08:00:00Z", None, None, id="never"),
])
def test_due(schedule, now, latest, following):
    found = due(cron_job(schedule), parse_rfc3339(now))
    assert (found.latest and rfc3339(found.latest), found.following and rfc3339(found.following)) == (latest, following)


def test_time_zone():
    found = plan(cron_job("30 9 * * *", time_zone="Asia/Seoul"), [], parse_rfc3339("2026-11-24T00:30:05Z"))
    assert found.start is not None
    assert found.start.metadata.annotations[SCHEDULED] == "2026-11-24T09:30:00+09:00"


def test_starts_as_upstream_did():
    found = plan(cron_job(), [], parse_rfc3339("2026-11-23T20:26:00Z"))
    assert found.start is not None
    meta = found.start.metadata
    assert (meta.name, meta.annotations) == ("cj-29924426", {SCHEDULED: "2026-11-23T20:26:00Z"})
    assert meta.owner_references[0].controller
    note_started(found, job("cj-29924426"))
    assert found.status()["lastScheduleTime"] == "2026-11-23T20:26:00Z"
    assert found.status()["active"][0]["name"] == "cj-29924426"


NOW = "2026-11-23T20:26:10Z"
FORBIDDEN = ("Normal", "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
MANY = (
    "Warning", "TooManyMissedTimes",
    "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
)


@pytest.mark.parametrize(("cj", "jobs", "now", "starts", "deletes", "events"), [
    pytest.param(cron_job(suspend=True), [], NOW, None, [], [], id="suspended"),
    pytest.param(cron_job(last="2026-11-23T20:26:00Z"), [], NOW, None, [], [], id="done already"),
    pytest.param(cron_job(last="2026-11-23T23:26:00Z"), [], NOW, None, [], [], id="clock was set back"),
    pytest.param(cron_job(active=("a",), concurrency_policy="Forbid"), [job("a")], NOW, None, [], [FORBIDDEN], id="forbid"),
    pytest.param(cron_job(active=("a",), concurrency_policy="Replace"), [job("a")], NOW, "cj-29924426", ["a"], [], id="replace"),
    pytest.param(cron_job(active=("a",)), [job("a")], NOW, "cj-29924426", [], [], id="allow"),
    pytest.param(cron_job(starting_deadline_seconds=5), [], NOW, None, [], [], id="too late"),
    pytest.param(cron_job(starting_deadline_seconds=15), [], NOW, "cj-29924426", [], [], id="in time"),
    pytest.param(cron_job(), [], "2026-11-23T22:05:00Z", "cj-29924525", [], [], id="a hundred missed"),
    pytest.param(cron_job(), [], "2026-11-23T22:06:00Z", "cj-29924526", [], [MANY], id="a hundred and one missed"),
    pytest.param(cron_job(), [], "2026-11-23T22:26:10Z", "cj-29924546", [], [MANY], id="many missed, one started"),
    pytest.param(cron_job(starting_deadline_seconds=200), [], "2026-11-23T22:26:10Z", "cj-29924546", [], [], id="deadline limits missed"),
    pytest.param(cron_job(active=("a",)), [], "2026-11-23T20:25:30Z", None, [],
                 [("Normal", "MissingJob", "Active job went missing: a")], id="missing"),
    pytest.param(cron_job(), [job("by-hand")], "2026-11-23T20:25:30Z", None, [],
                 [("Warning", "UnexpectedJob", "Saw a job that the controller did not create or forgot: by-hand")], id="unexpected"),
    pytest.param(cron_job(active=("a",)), [job("a", "Complete")], "2026-11-23T20:25:30Z", None, [],
                 [("Normal", "SawCompletedJob", "Saw completed job: a, condition: Complete")], id="completed"),
    pytest.param(cron_job(successful_jobs_history_limit=1), [
        job("old", "Complete", "2026-11-23T20:20:00Z"), job("new", "Complete", "2026-11-23T20:21:00Z"),
        job("bad", "Failed", "2026-11-23T20:20:00Z"), job("worse", "Failed", "2026-11-23T20:19:00Z"),
    ], "2026-11-23T20:25:30Z", None, ["old", "worse"], [], id="history"),
    pytest.param(cron_job(time_zone="Mars/Base"), [], NOW, None, [], [
        ("Warning", "UnknownTimeZone", 'invalid timeZone: "Mars/Base": unknown time zone Mars/Base'),
    ], id="unknown zone"),
    pytest.param(cron_job(time_zone="Mars/Base", suspend=True), [], NOW, None, [], [
        ("Warning", "UnknownTimeZone", 'invalid timeZone: "Mars/Base": unknown time zone Mars/Base'),
    ], id="unknown zone of one that is suspended"),
    pytest.param(cron_job("59 23 31 2 *"), [], NOW, None, [], [
        ("Warning", "InvalidSchedule", "invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second"),
    ], id="a day that never comes"),
])
def test_plan(cj, jobs, now, starts, deletes, events):
    found = plan(cj, jobs, parse_rfc3339(now))
    assert (found.start.metadata.name if found.start else None) == starts
    assert [each.metadata.name for each in found.delete] == deletes
    assert found.events == events


def test_last_success_is_the_newest():
    jobs = [job("a", "Complete", "2026-11-23T20:20:00Z"), job("b", "Complete", "2026-11-23T20:22:00Z"), job("c", "Failed", NOW)]
    assert plan(cron_job(), jobs, T0).last_successful_time == "2026-11-23T20:22:00Z"


@settings(max_examples=60, deadline=None)
@given(
    schedule=st.sampled_from(["* * * * *", "*/7 * * * *", "3,50 */2 * * *", "@every 45s", "0 12 * * 2"]),
    policy=st.sampled_from(["Allow", "Forbid", "Replace"]), jumps=st.lists(st.integers(-7200, 90_000), max_size=25),
)
def test_no_time_is_started_twice_whatever_the_clock_does(schedule, policy, jumps):
    now, last, started = T0, None, []
    for jump in jumps:
        now += jump
        found = plan(cron_job(schedule, last, concurrency_policy=policy), [], now)
        if found.start is not None:
            assert found.scheduled <= now, "never early"
            started.append(found.scheduled)
            note_started(found, job(found.start.metadata.name))
            last = found.last_schedule_time
        assert found.wake_at is not None
        assert found.wake_at > now
    assert started == sorted(set(started))
