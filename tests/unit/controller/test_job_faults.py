"""Jobs and CronJobs under faults, against the API server in-process: requests that fail, caches that lag, people who interfere."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from test_cronjob_live import cron_job, jobs
from test_job_live import end, job
from workload_helpers import kill_controllers, raw

from wherry.api.types import batch_v1, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.controller.controller import Controller
from wherry.controller.cronjob.controller import CronJobController
from wherry.controller.garbagecollector.controller import GarbageCollector
from wherry.controller.job import model as m
from wherry.controller.job.controller import JobController
from wherry.controller.metrics import controller_metrics
from wherry.controller.ownership import controller_ref

replace = msgspec.structs.replace
STATUS = "/apis/batch/v1/namespaces/default/jobs/{}"


async def status(w: Any, name: str) -> dict[str, Any]:
    return (await raw(w, STATUS.format(name)))["status"]  # type: ignore[no-any-return]


def started(w: Any, *controllers: type[Controller]) -> Controller:
    """The first of the controllers that are started."""
    w.start(*controllers)
    return w.manager.controllers[0]  # type: ignore[no-any-return]


async def test_pods_that_could_not_be_freed_are_counted_later_and_once(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = started(w, JobController)
        await w.client.create(job("many", completions=3, parallelism=3))
        await w.settle()
        free, left = controller.control.remove_finalizer, 2

        async def sometimes(pod: core_v1.Pod, finalizer: str) -> None:
            nonlocal left
            left -= 1
            if left >= 0:
                raise StatusError(500, "InternalError", "injected")
            await free(pod, finalizer)

        controller.control.remove_finalizer = sometimes
        for pod in await w.pods():
            await w.set_pod(pod, "Succeeded", ready=False)
        await w.settle()
        told = await status(w, "many")
        counted = told.get("succeeded", 0) + len(told["uncountedTerminatedPods"].get("succeeded", ()))
        assert counted <= 3
        held = [pod.metadata.uid for pod in await w.pods() if m.is_tracked(pod)]
        assert set(held) <= set(told["uncountedTerminatedPods"].get("succeeded", held))
        assert any(labels[1] == "error" for labels in controller.counts.syncs.counts)  # type: ignore[attr-defined]
        await w.advance(5)
        told = await status(w, "many")
        assert (told["succeeded"], told["uncountedTerminatedPods"]) == (3, {})
        assert not any(m.is_tracked(pod) for pod in await w.pods())


async def test_a_job_that_is_deleted_and_leaves_its_pods_sets_them_free(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController, GarbageCollector)
        await w.client.create(job("gone", completions=2, parallelism=2))
        await w.settle()
        await w.client.delete(batch_v1.Job, "gone", "default", propagation_policy="Orphan")
        await w.advance(3)
        assert await jobs(w) == []
        assert [(pod.metadata.finalizers, pod.metadata.owner_references) for pod in await w.pods()] == [([], [])] * 2


async def test_a_job_with_the_same_labels_adopts_what_another_left_and_counts_it(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController, GarbageCollector)
        await w.client.create(job("old"))
        await w.settle()
        pod, = await w.pods()
        await w.client.delete(batch_v1.Job, "old", "default", propagation_policy="Orphan")
        await w.advance(3)
        labels = {"batch.kubernetes.io/job-name": "old"}
        heir = job("heir", manual_selector=True, selector=meta_v1.LabelSelector(match_labels=labels))
        template = replace(heir.spec.template, metadata=meta_v1.ObjectMeta(labels=labels))
        await w.client.create(replace(heir, spec=replace(heir.spec, template=template)))
        await w.settle()
        kept, = await w.pods()
        assert (kept.metadata.uid, kept.metadata.finalizers) == (pod.metadata.uid, [m.FINALIZER])
        assert kept.metadata.owner_references[0].name == "heir"
        await end(w, kept, "Succeeded")
        assert (await status(w, "heir"))["succeeded"] == 1


async def test_pods_of_a_former_job_of_the_same_name_are_set_free(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        await w.client.create(job("j"))
        w.start(JobController)
        await w.settle()
        left, = await w.pods()
        await kill_controllers(w)
        await w.client.delete(batch_v1.Job, "j", "default", propagation_policy="Background")
        await w.client.create(job("j"))
        w.start(JobController)
        await w.settle()
        held = {pod.metadata.uid: pod.metadata.finalizers for pod in await w.pods()}
        assert held.pop(left.metadata.uid) == []
        assert [*held.values()] == [[m.FINALIZER]]


async def test_a_pod_whose_labels_no_longer_match_is_let_go_and_replaced(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("j"))
        await w.settle()
        pod, = await w.pods()
        await w.client.patch(core_v1.Pod, pod.metadata.name, {"metadata": {"labels": None}}, "default")
        await w.advance(1)
        by_uid = {each.metadata.uid: each.metadata for each in await w.pods()}
        gone = by_uid.pop(pod.metadata.uid)
        assert (gone.finalizers, gone.owner_references) == ([], [])
        assert [fresh.finalizers for fresh in by_uid.values()] == [[m.FINALIZER]]


async def test_a_pod_that_turns_up_after_the_end_is_set_free(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        made = await w.client.create(job("j"))
        await w.settle()
        await end(w, (await w.pods())[0], "Succeeded")
        late = core_v1.Pod(
            metadata=meta_v1.ObjectMeta(
                name="late", namespace="default", labels=made.spec.template.metadata.labels, finalizers=[m.FINALIZER],
                owner_references=[controller_ref(made)],
            ),
            spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox:1.36")], restart_policy="Never"),
        )
        await w.client.create(late)
        await w.advance(1)
        assert (await w.client.get(core_v1.Pod, "late", "default")).metadata.finalizers == []
        assert (await status(w, "j"))["succeeded"] == 1


async def test_a_finalizer_taken_off_by_hand_stops_nothing(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("j"))
        await w.settle()
        pod, = await w.pods()
        await w.client.patch(core_v1.Pod, pod.metadata.name, {"metadata": {"finalizers": None}}, "default")
        await end(w, pod, "Succeeded")
        await w.client.delete(core_v1.Pod, pod.metadata.name, "default", grace_period_seconds=0)
        await w.advance(15)
        fresh, = await w.pods()
        assert fresh.metadata.finalizers == [m.FINALIZER], "what was not counted is done again"
        await end(w, fresh, "Succeeded")
        assert (await status(w, "j"))["succeeded"] == 1


async def test_a_pod_deleted_by_hand_counts_as_a_failure_and_is_replaced(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("j"))
        await w.settle()
        pod, = await w.pods()
        await w.client.delete(core_v1.Pod, pod.metadata.name, "default", grace_period_seconds=0)
        await w.advance(11)
        fresh, = await w.pods()
        assert fresh.metadata.uid != pod.metadata.uid
        assert (await status(w, "j"))["failed"] == 1


async def test_a_namespace_that_goes_is_no_failure_of_its_jobs(world: Any) -> None:
    async with world() as w:
        await w.namespace("n")
        made = job("j")
        await w.client.create(replace(made, metadata=replace(made.metadata, namespace="n")))
        await w.client.delete(core_v1.Namespace, "n")
        controller = started(w, JobController)
        await w.advance(3)
        assert await w.pods("n") == []
        assert controller.queue.retries == 0


async def test_the_first_status_has_all_that_upstreams_has(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("j", completions=2, completion_mode="Indexed", backoff_limit_per_index=1))
        await w.settle()
        told = await status(w, "j")
        told.pop("startTime")
        assert told == {"active": 1, "failedIndexes": "", "ready": 0, "terminating": 0, "uncountedTerminatedPods": {}}
        pod, = await w.pods()
        await end(w, pod, "Succeeded")
        told = await status(w, "j")
        assert (told["completedIndexes"], told["failedIndexes"]) == ("0", "")


# -- caches that stand still ------------------------------------------------------------------------


async def frozen(w: Any, *before: batch_v1.Job) -> Any:
    """The controller with the caches of now: what happens from here on it sees only if it is shown it."""
    controller = started(w, JobController)
    for each in before:
        await w.client.create(each)
    await w.settle()
    await kill_controllers(w)
    return controller


async def show_job(w: Any, controller: Any, name: str = "j") -> None:
    controller.jobs.store.put(await w.client.get(batch_v1.Job, name, "default"))


async def show_pods(w: Any, controller: Any) -> None:
    for pod in await w.pods():
        controller.pods.store.put(pod)


async def test_pods_that_were_made_and_not_seen_yet_are_not_made_again(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = await frozen(w)
        await w.client.create(job("j", parallelism=2, completions=2))
        for _ in range(3):
            await show_job(w, controller)
            await controller.reconcile("default/j")
        assert len(await w.pods()) == 2


async def test_a_pod_that_was_counted_and_is_seen_late_is_not_counted_again(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = await frozen(w, job("j", completions=3, parallelism=1))
        await w.set_pod((await w.pods())[0], "Succeeded", ready=False)
        await show_pods(w, controller)
        for _ in range(3):
            await controller.reconcile("default/j")
            await show_job(w, controller)
        assert (await status(w, "j"))["succeeded"] == 1


async def test_a_job_that_is_seen_late_makes_nothing_again(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = await frozen(w, job("j"))
        await w.set_pod((await w.pods())[0], "Succeeded", ready=False)
        await show_pods(w, controller)
        for _ in range(3):
            await controller.reconcile("default/j")
            await show_pods(w, controller)  # without its finalizer: the status alone tells of it, and that is not seen
        assert len(await w.pods()) == 1


async def test_a_status_is_not_written_over_a_job_that_has_changed(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = await frozen(w, job("j"))
        await w.set_pod((await w.pods())[0], "Succeeded", ready=False)
        await show_pods(w, controller)
        await w.client.patch(batch_v1.Job, "j", {"spec": {"suspend": True}}, "default")
        with pytest.raises(StatusError) as refused:
            await controller.reconcile("default/j")
        assert refused.value.code == 409
        assert (await status(w, "j"))["active"] == 1


async def test_a_pod_whose_job_is_not_seen_yet_keeps_its_finalizer(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = await frozen(w, job("j"))
        pod, = await w.pods()
        controller.jobs.store.remove("default/j")
        await controller.reconcile(f"pod:default/{pod.metadata.name}")
        assert (await w.pods())[0].metadata.finalizers == [m.FINALIZER]


async def test_a_failure_is_remembered_when_its_pod_is_gone(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("j"))
        await w.settle()
        pod, = await w.pods()
        await end(w, pod, "Failed")
        await w.client.delete(core_v1.Pod, pod.metadata.name, "default", grace_period_seconds=0)
        await w.advance(8)
        assert await w.pods() == []
        await w.advance(3)
        assert len(await w.pods()) == 1


async def test_what_suspension_ends_is_no_failure_and_is_ended_once(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = await frozen(w, job("j", completions=2, parallelism=2))
        await w.client.patch(batch_v1.Job, "j", {"spec": {"suspend": True}}, "default")
        deleted = []
        delete = controller.control.delete

        async def count(pod: core_v1.Pod, owner: Any) -> None:
            deleted.append(pod.metadata.uid)
            await delete(pod, owner)

        controller.control.delete = count
        for _ in range(3):
            await show_job(w, controller)
            await controller.reconcile("default/j")
        told = await status(w, "j")
        assert ("active" in told, "failed" in told, told["terminating"]) == (False, False, 2)
        assert len(deleted) == 2
        assert not any(m.is_tracked(pod) for pod in await w.pods())


# -- CronJobs -----------------------------------------------------------------------------------------


async def test_a_job_that_was_started_and_not_noted_is_noted_after_a_restart(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = started(w, CronJobController)

        async def die(*_: Any) -> None:
            raise StatusError(500, "InternalError", "died before the status was written")

        controller._write_status = die
        await w.client.create(cron_job())
        await w.settle()
        await w.advance(61)
        made, = await jobs(w)
        assert (await w.client.get(batch_v1.CronJob, "cj", "default")).status.active == []
        await kill_controllers(w)
        w.start(CronJobController)
        await w.advance(2)
        cj = await w.client.get(batch_v1.CronJob, "cj", "default")
        assert [each.uid for each in cj.status.active] == [made.metadata.uid]
        assert cj.status.last_schedule_time is not None
        reasons = [event[1] for event in await w.events() if event[0] == "CronJob/cj"]
        assert reasons.count("SuccessfulCreate") == 1
        assert "FailedCreate" not in reasons
        assert [job.metadata.uid for job in await jobs(w)] == [made.metadata.uid]


async def test_a_strangers_job_of_that_name_is_not_taken(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        await w.client.create(cron_job())
        when = int(w.clock.time()) // 60 + 1
        await w.client.create(job(f"cj-{when}"))
        w.start(CronJobController)
        await w.advance(61)
        assert (await w.client.get(batch_v1.CronJob, "cj", "default")).status.active == []
        assert len(await jobs(w)) == 1


async def test_a_cronjob_seen_late_is_not_believed(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = started(w, CronJobController)
        old = await w.client.create(cron_job())
        await w.settle()
        await w.advance(61)
        controller.cronjobs.store.put(old)
        await controller.reconcile("default/cj")
        reasons = [event[1] for event in await w.events() if event[0] == "CronJob/cj"]
        assert reasons == ["SuccessfulCreate"], "it does not know yet of the Job that is in its status"


async def test_a_cronjob_of_the_same_name_starts_afresh(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        w.start(CronJobController, GarbageCollector)
        await w.client.create(cron_job())
        await w.settle()
        await w.advance(61)
        made, = await jobs(w)
        await w.client.delete(batch_v1.CronJob, "cj", "default", propagation_policy="Orphan")
        await w.advance(3)
        cj = await w.client.create(cron_job())
        await w.settle()
        assert (await w.client.get(batch_v1.CronJob, "cj", "default")).status.active == []
        await w.advance(60)
        owners = {ref.uid for job in await jobs(w) for ref in job.metadata.owner_references}
        assert controller_ref(cj).uid in owners
        assert made.metadata.uid in {job.metadata.uid for job in await jobs(w)}


# -- figures ------------------------------------------------------------------------------------------


async def test_what_is_counted_of_jobs(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = started(w, JobController)
        await w.client.create(job("good"))
        await w.client.create(job("bad", backoff_limit=0))
        await w.client.create(job("index", completions=2, completion_mode="Indexed", parallelism=2))
        await w.client.create(job("foreign", managed_by="acme.io/queue"))
        await w.settle()
        for pod in await w.pods():
            await end(w, pod, "Failed" if pod.metadata.name.startswith("bad") else "Succeeded")
        counts = controller.counts  # type: ignore[attr-defined]
        assert counts.finished.counts == {
            ("NonIndexed", "succeeded", ""): 1, ("NonIndexed", "failed", "BackoffLimitExceeded"): 1, ("Indexed", "succeeded", ""): 1,
        }
        assert counts.pods.counts == {("NonIndexed", "succeeded"): 1, ("NonIndexed", "failed"): 1, ("Indexed", "succeeded"): 2}
        assert counts.indexes.counts == {("succeeded", "global"): 2}
        assert counts.created.counts == {("new", "succeeded"): 4}
        assert counts.external.counts == {("acme.io/queue",): 1}
        assert counts.syncs.counts["Indexed", "success", "pods_created"] == 1
        text = controller_metrics([controller]).expose()[0].decode()
        assert 'job_controller_jobs_finished_total{completion_mode="NonIndexed",reason="",result="succeeded"} 1.0' in text


async def test_pods_that_are_made_again_are_told_apart(world: Any) -> None:
    async with world() as w:
        await w.namespace()
        controller = started(w, JobController)
        await w.client.create(job("j"))
        await w.settle()
        await end(w, (await w.pods())[0], "Failed")
        await w.advance(11)
        assert controller.counts.created.counts == {  # type: ignore[attr-defined]
            ("new", "succeeded"): 1, ("recreate_terminating_or_failed", "succeeded"): 1,
        }
