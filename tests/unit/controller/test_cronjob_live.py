"""CronJobs, and Jobs that clean up after themselves, against the API server in-process."""

from __future__ import annotations

from typing import Any

from workload_helpers import kill_controllers

from wherry.api.types import batch_v1, core_v1, meta_v1
from wherry.controller.cronjob.controller import CronJobController
from wherry.controller.job.controller import JobController
from wherry.controller.ownership import controller_ref
from wherry.controller.ttlafterfinished.controller import TTLAfterFinishedController
from wherry.util.clock import parse_rfc3339, rfc3339

TEMPLATE = core_v1.PodTemplateSpec(
    spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox:1.36")], restart_policy="Never"),
)


def cron_job(schedule: str = "*/1 * * * *", **spec: Any) -> batch_v1.CronJob:
    template = batch_v1.JobTemplateSpec(spec=batch_v1.JobSpec(template=TEMPLATE))
    meta = meta_v1.ObjectMeta(name="cj", namespace="default")
    return batch_v1.CronJob(metadata=meta, spec=batch_v1.CronJobSpec(schedule=schedule, job_template=template, **spec))


async def jobs(w) -> list[batch_v1.Job]:
    return (await w.client.list(batch_v1.Job, "default")).items


async def end_pods(w) -> None:
    for pod in await w.pods():
        if pod.status.phase == "Pending":
            await w.set_pod(pod, "Succeeded", ready=False)
    await w.settle()


async def test_every_minute_as_upstream(world):
    async with world() as w:
        await w.namespace()
        w.start(CronJobController, JobController)
        await w.client.create(cron_job(successful_jobs_history_limit=1))
        await w.settle()
        assert await jobs(w) == []
        await w.advance(61)
        (made,) = await jobs(w)
        due = rfc3339(parse_rfc3339(made.metadata.annotations["batch.kubernetes.io/cronjob-scheduled-timestamp"]))
        assert made.metadata.name == f"cj-{int(parse_rfc3339(due)) // 60}"
        cj = await w.client.get(batch_v1.CronJob, "cj", "default")
        assert ([each.name for each in cj.status.active], cj.status.last_schedule_time) == ([made.metadata.name], due)
        await end_pods(w)
        cj = await w.client.get(batch_v1.CronJob, "cj", "default")
        assert (cj.status.active, bool(cj.status.last_successful_time)) == ([], True)
        events = [event[1:] for event in await w.events() if event[0] == "CronJob/cj"]
        assert events == [
            ("SuccessfulCreate", f"Created job {made.metadata.name}"),
            ("SawCompletedJob", f"Saw completed job: {made.metadata.name}, condition: Complete"),
        ]
        await w.advance(60)
        await end_pods(w)
        assert len(await jobs(w)) == 1, "history limit"


async def test_a_job_made_from_it_is_history(world):
    async with world() as w:
        await w.namespace()
        w.start(CronJobController, JobController)
        cj = await w.client.create(cron_job("0 0 1 1 *", successful_jobs_history_limit=0))
        await w.settle()
        meta = meta_v1.ObjectMeta(name="by-hand", namespace="default", owner_references=[controller_ref(cj)])
        await w.client.create(batch_v1.Job(metadata=meta, spec=batch_v1.JobSpec(template=TEMPLATE)))
        await w.settle()
        await end_pods(w)
        assert await jobs(w) == []


async def test_missed_while_stopped_and_while_the_clock_jumped(world):
    async with world() as w:
        await w.namespace()
        await w.client.create(cron_job("*/10 * * * *"))
        await w.clock.advance(1900)
        w.start(CronJobController)
        await w.settle()
        assert len(await jobs(w)) == 1, "the latest of the missed ones"
        w.clock.jump(3600)
        await w.advance(11)
        assert len(await jobs(w)) == 2
        w.clock.jump(-7200)
        await w.advance(30)
        assert len(await jobs(w)) == 2
        await kill_controllers(w)


async def test_idle_between_times(world):
    async with world() as w:
        await w.namespace()
        w.start(CronJobController)
        await w.client.create(cron_job("0 0 1 1 *"))
        await w.settle()
        controller = w.manager.controllers[0]
        calls = 0

        async def count(key):
            nonlocal calls
            calls += 1

        controller.reconcile = count
        await w.clock.advance(3600)
        assert calls == 0


async def test_ttl_after_finished(world):
    async with world() as w:
        await w.namespace()
        w.start(JobController, TTLAfterFinishedController)
        meta = meta_v1.ObjectMeta(name="short", namespace="default")
        await w.client.create(batch_v1.Job(metadata=meta, spec=batch_v1.JobSpec(template=TEMPLATE, ttl_seconds_after_finished=5)))
        await w.settle()
        await end_pods(w)
        await w.advance(4)
        assert (await jobs(w))[0].metadata.deletion_timestamp is None
        await w.advance(2)
        assert [job.metadata.finalizers for job in await jobs(w)] == [["foregroundDeletion"]]
