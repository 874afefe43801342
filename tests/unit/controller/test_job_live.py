"""Jobs against the API server in-process."""

from __future__ import annotations

from typing import Any

from workload_helpers import kill_controllers, raw

from wherry.api.types import batch_v1, core_v1, meta_v1
from wherry.controller.job.controller import JobController
from wherry.util.clock import rfc3339


def job(name: str = "sum", **spec: Any) -> batch_v1.Job:
    containers = [core_v1.Container(name="c", image="busybox:1.36", command=["expr", "3", "+", "2"])]
    template = core_v1.PodTemplateSpec(spec=core_v1.PodSpec(containers=containers, restart_policy="Never"))
    return batch_v1.Job(metadata=meta_v1.ObjectMeta(name=name, namespace="default"), spec=batch_v1.JobSpec(template=template, **spec))


async def end(w, pod: core_v1.Pod, phase: str) -> None:
    ended = {"exitCode": int(phase == "Failed"), "finishedAt": rfc3339(w.clock.time()), "reason": "Completed"}
    status = {"name": "c", "image": "busybox:1.36", "imageID": "", "ready": False, "restartCount": 0, "state": {"terminated": ended}}
    await w.set_pod(pod, phase, ready=False, containerStatuses=[status])
    await w.settle()


async def test_a_job_like_upstreams(world):
    """The steps, words and fields of the recording's `sum` and `jfail`."""
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job())
        await w.settle()
        (pod,) = await w.pods()
        assert pod.metadata.finalizers == ["batch.kubernetes.io/job-tracking"]
        stored = await raw(w, "/apis/batch/v1/namespaces/default/jobs/sum")
        start = rfc3339(w.clock.time())
        assert stored["status"] == {"startTime": start, "active": 1, "terminating": 0, "uncountedTerminatedPods": {}, "ready": 0}
        await end(w, pod, "Succeeded")
        stored = await raw(w, "/apis/batch/v1/namespaces/default/jobs/sum")
        conditions = stored["status"].pop("conditions")
        assert stored["status"] == {
            "startTime": start, "completionTime": start, "succeeded": 1, "terminating": 0, "uncountedTerminatedPods": {}, "ready": 0,
        }
        assert conditions == [
            {"type": kind, "status": "True", "lastProbeTime": start, "lastTransitionTime": start, "reason": "CompletionsReached",
             "message": "Reached expected number of succeeded pods"} for kind in ("SuccessCriteriaMet", "Complete")
        ]
        (pod,) = await w.pods()
        assert pod.metadata.finalizers == []
        assert await w.events() == [
            ("Job/sum", "SuccessfulCreate", f"Created pod: {pod.metadata.name}"), ("Job/sum", "Completed", "Job completed"),
        ]


async def test_retries_after_the_delay(world):
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("jfail", backoff_limit=1))
        await w.settle()
        await end(w, (await w.pods())[0], "Failed")
        await w.advance(9)
        assert len(await w.pods()) == 1
        await w.advance(2)
        failed, fresh = sorted(await w.pods(), key=lambda pod: pod.status.phase)
        assert (failed.status.phase, fresh.status.phase) == ("Failed", "Pending")
        await end(w, fresh, "Failed")
        found = await w.client.get(batch_v1.Job, "jfail", "default")
        assert (found.status.failed, [c.type for c in found.status.conditions]) == (2, ["FailureTarget", "Failed"])
        assert (await w.events())[-1][1:] == ("BackoffLimitExceeded", "Job has reached the specified backoff limit")


async def test_indexed_jobs_finish_over_restarts_of_the_controller(world):
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("many", completions=12, parallelism=4, completion_mode="Indexed"))
        for _ in range(20):
            await w.settle()
            running = [pod for pod in await w.pods() if pod.status.phase == "Pending"]
            assert len(running) <= 4
            if not running:
                break
            await end(w, running[0], "Succeeded")
            await kill_controllers(w)
            w.start(JobController)
        found = await w.client.get(batch_v1.Job, "many", "default")
        assert (found.status.succeeded, found.status.completed_indexes, len(await w.pods())) == (12, "0-11", 12)


async def test_pods_of_a_job_that_is_gone_are_set_free(world):
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("gone", parallelism=2, completions=2))
        await w.settle()
        await w.client.delete(batch_v1.Job, "gone", "default", propagation_policy="Background")
        await w.settle()
        assert [pod.metadata.finalizers for pod in await w.pods()] == [[], []]


async def test_another_manages_it(world):
    async with world() as w:
        await w.namespace()
        w.start(JobController)
        await w.client.create(job("foreign", managed_by="acme.io/queue"))
        await w.settle()
        assert await w.pods() == []
