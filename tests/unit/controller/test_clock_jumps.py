"""The wall's clock is set an hour forwards, or backwards, while workloads are under way."""

from __future__ import annotations

from typing import Any

import pytest
from controller_objects import deployment, image_patch, pod_template, replica_set

from wherry.api.types import apps_v1, batch_v1, meta_v1
from wherry.controller.cronjob.controller import CronJobController
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.job.controller import JobController
from wherry.controller.replicaset.controller import ReplicaSetController
from wherry.controller.ttlafterfinished.controller import TTLAfterFinishedController

HOUR = 3600.0
jumps = pytest.mark.parametrize("jump", [pytest.param(HOUR, id="an hour forwards"), pytest.param(-HOUR, id="an hour backwards")])


def job(name: str = "sum", **spec: Any) -> batch_v1.Job:
    meta = meta_v1.ObjectMeta(name=name, namespace="default")
    return batch_v1.Job(metadata=meta, spec=batch_v1.JobSpec(template=pod_template({"a": name}, restart_policy="Never"), **spec))


async def conditions(w: Any, kind: type[Any], name: str) -> dict[str, tuple[str, str]]:
    found = await w.client.get(kind, name, "default")
    return {each.type: (each.status, each.reason) for each in found.status.conditions}


async def pass_by(w: Any, seconds: float) -> None:
    """A long time, in one go."""
    await w.clock.advance(seconds)
    await w.settle()


@jumps
async def test_a_deadline_is_by_the_wall_and_never_lost(world: Any, jump: float) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job(active_deadline_seconds=100))
        await w.settle()
        await w.advance(50)
        w.clock.jump(jump)
        await w.advance(52)
        failed = ("FailureTarget" in await conditions(w, batch_v1.Job, "sum"))
        assert failed == (jump > 0), "an hour that was gained does not end it early"
        await pass_by(w, HOUR)
        assert (await conditions(w, batch_v1.Job, "sum"))["FailureTarget"] == ("True", "DeadlineExceeded")


@jumps
@pytest.mark.parametrize("spec", [
    pytest.param({"backoff_limit": 3}, id="plain"),
    pytest.param({"completion_mode": "Indexed", "completions": 1, "backoff_limit_per_index": 3}, id="per index"),
])
async def test_what_failed_is_tried_again_in_twice_its_delay_at_most(world: Any, jump: float, spec: dict[str, Any]) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job(**spec))
        await w.settle()
        [first] = await w.pods()
        await w.set_pod(first, "Failed", ready=False)
        await w.settle()
        w.clock.jump(jump)
        await w.advance(22)
        assert [pod.status.phase for pod in await w.pods() if pod.metadata.uid != first.metadata.uid] == ["Pending"]


@jumps
async def test_a_finished_job_stays_for_its_time_at_least(world: Any, jump: float) -> None:
    async with world() as w:
        await w.namespace()
        w.start(JobController, TTLAfterFinishedController)
        await w.client.create(job(ttl_seconds_after_finished=100))
        await w.settle()
        for pod in await w.pods():
            await w.set_pod(pod, "Succeeded", ready=False)
        await w.settle()
        w.clock.jump(jump)
        await w.advance(99)
        assert (await w.client.get(batch_v1.Job, "sum", "default")).metadata.deletion_timestamp is None
        await pass_by(w, 2 + (HOUR if jump < 0 else 0))
        assert (await w.client.get(batch_v1.Job, "sum", "default")).metadata.deletion_timestamp


@jumps
async def test_a_rollout_ends_well_whatever_its_deadline_said(world: Any, jump: float) -> None:
    async with world() as w:
        await w.namespace()
        w.start(DeploymentController, ReplicaSetController)
        await w.client.create(deployment(replicas=2, progress_deadline_seconds=60))
        await w.run_kubelet()
        await w.client.patch(apps_v1.Deployment, "web", image_patch("busybox:new"), "default", patch_type="strategic")
        await w.settle()
        w.clock.jump(jump)
        await w.advance(62)
        told = (await conditions(w, apps_v1.Deployment, "web"))["Progressing"]
        assert told == (("False", "ProgressDeadlineExceeded") if jump > 0 else ("True", "ReplicaSetUpdated"))
        await w.run_kubelet()
        assert (await conditions(w, apps_v1.Deployment, "web"))["Progressing"] == ("True", "NewReplicaSetAvailable")
        assert [pod.spec.containers[0].image for pod in await w.pods()] == ["busybox:new"] * 2


@jumps
async def test_a_rollout_that_hangs_is_told_after_all(world: Any, jump: float) -> None:
    async with world() as w:
        await w.namespace()
        w.start(DeploymentController, ReplicaSetController)
        await w.client.create(deployment(replicas=1, progress_deadline_seconds=60))
        await w.settle()
        w.clock.jump(jump)
        await pass_by(w, 62 + (HOUR if jump < 0 else 0))
        assert (await conditions(w, apps_v1.Deployment, "web"))["Progressing"] == ("False", "ProgressDeadlineExceeded")


@jumps
async def test_a_pod_becomes_available_and_stays_so(world: Any, jump: float) -> None:
    async with world() as w:
        await w.namespace()
        w.start(ReplicaSetController)
        await w.client.create(replica_set(replicas=1, min_ready_seconds=10))
        await w.run_kubelet()
        w.clock.jump(jump)
        await pass_by(w, 12 + (HOUR if jump < 0 else 0))
        assert (await w.client.get(apps_v1.ReplicaSet, "web", "default")).status.available_replicas == 1
        assert len(await w.pods()) == 1


@jumps
async def test_a_cron_job_starts_no_time_twice_and_goes_on(world: Any, jump: float) -> None:
    async with world() as w:
        await w.namespace()
        w.start(CronJobController)
        template = batch_v1.JobTemplateSpec(spec=job().spec)
        spec = batch_v1.CronJobSpec(schedule="*/30 * * * *", job_template=template)
        await w.client.create(batch_v1.CronJob(metadata=meta_v1.ObjectMeta(name="cj", namespace="default"), spec=spec))
        await w.settle()
        for _ in range(4):
            await pass_by(w, 900)
        before = {each.metadata.name for each in (await w.client.list(batch_v1.Job, "default")).items}
        assert len(before) == 2
        w.clock.jump(jump)
        await pass_by(w, 11)
        seen = [each.metadata.name for each in (await w.client.list(batch_v1.Job, "default")).items]
        assert len(seen) == len(before) + (jump > 0), "of the times that were jumped over, the last; none of those that come again"
        await pass_by(w, 1800 + (HOUR if jump < 0 else 0))
        later = {each.metadata.name for each in (await w.client.list(batch_v1.Job, "default")).items}
        assert later > set(seen)
