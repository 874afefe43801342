"""Carries out `plan`, and sleeps until the next time that is due: 1,000 CronJobs cost nothing in between.

Delays are of the clock that never jumps, times of the wall's: one task compares the two, and when the
wall has jumped, every CronJob is looked at.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, ClassVar

from wherry.api.types import batch_v1
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.client.store import by_controller_uid, key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.cronjob.plan import Plan, note_started, plan
from wherry.controller.job import model as m
from wherry.controller.ownership import controlled_by, controller_of
from wherry.controller.podcontrol import is_namespace_terminating, status_patch
from wherry.controller.podutil import created

LOOK_AT_CLOCK, JUMP = 10.0, 2.0  # seconds
SKEW_BUCKETS = tuple(2.0**power for power in range(10))
DELTA = 0.1  # seconds after the due time: a timer may fire early


class CronJobController(Controller):
    name: ClassVar[str] = "cronjob-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.cronjobs = self.informer(batch_v1.CronJob)
        self.jobs = self.informer(batch_v1.Job)
        self.jobs.store.add_indexer("controller", by_controller_uid)
        self.skew = self.figures.histogram(
            "cronjob_controller_job_creation_skew_duration_seconds", "How late Jobs were made.", buckets=SKEW_BUCKETS,
        )
        self._written: dict[str, tuple[str, int]] = {}  # uid and version of a CronJob's last own write
        self.enqueue_all(self.cronjobs)
        self.enqueue_all(self.jobs, self._owner)

    def _owner(self, job: batch_v1.Job) -> Iterable[str]:
        ref = controller_of(job)
        return (f"{job.metadata.namespace}/{ref.name}",) if ref is not None and ref.kind == "CronJob" else ()

    def background(self) -> Iterable[Coroutine[Any, Any, None]]:
        return (self._watch_clock(),)

    async def _watch_clock(self) -> None:
        offset = self.clock.time() - self.clock.monotonic()
        while True:
            await self.clock.sleep(LOOK_AT_CLOCK)
            now = self.clock.time() - self.clock.monotonic()
            if abs(now - offset) > JUMP:
                for cj in self.cronjobs.store:
                    self.queue.add(key_of(cj))
            offset = now

    async def reconcile(self, key: str) -> RequeueAfter | None:
        cj = self.cronjobs.store.get_by_key(key)
        if cj is None:
            self._written.pop(key, None)
            return None
        uid, version = self._written.get(key, ("", 0))
        if uid == cj.metadata.uid and int(cj.metadata.resource_version) < version:
            return None  # the cache is behind our own write: its event is on the way
        steps = plan(cj, await self._children(cj), self.clock.time())
        for event in steps.events:
            self.recorder.event(cj, *event)
        for job in steps.delete:
            await self._delete(cj, job)
            steps.forget(job.metadata.uid)
        failure = await self._start(cj, steps) if steps.start is not None else None
        await self._write_status(key, cj, steps)
        if failure is not None:
            raise failure
        return None if steps.wake_at is None else RequeueAfter(max(0.0, steps.wake_at - self.clock.time()) + DELTA)

    async def _children(self, cj: batch_v1.CronJob) -> list[batch_v1.Job]:
        """Its Jobs; what the status calls active and the cache does not know is asked for."""
        jobs = list(self.jobs.store.by_index("controller", cj.metadata.uid))
        known = {job.metadata.uid for job in jobs}
        for ref in cj.status.active:
            if ref.uid not in known:
                job = await self._get(ref.name, cj.metadata.namespace)
                if job is not None and job.metadata.uid == ref.uid:
                    jobs.append(job)
        return jobs

    async def _get(self, name: str, namespace: str) -> batch_v1.Job | None:
        try:
            return await self.client.get(batch_v1.Job, name, namespace)
        except StatusError as error:
            if is_not_found(error):
                return None
            raise

    async def _delete(self, cj: batch_v1.CronJob, job: batch_v1.Job) -> None:
        meta = job.metadata
        try:
            await self.client.delete(batch_v1.Job, meta.name, meta.namespace, propagation_policy="Background", uid=meta.uid)
        except StatusError as error:
            if is_not_found(error):
                return
            self.recorder.warning(cj, "FailedDelete", f"Deleted job: {error.message}")
            raise
        self.recorder.normal(cj, "SuccessfulDelete", f"Deleted job {meta.name}")

    async def _start(self, cj: batch_v1.CronJob, steps: Plan) -> Exception | None:
        assert steps.start is not None
        try:
            job = await self.client.create(steps.start)
        except StatusError as error:
            if is_already_exists(error):
                return await self._found(cj, steps, error)
            if not is_namespace_terminating(error):
                self.recorder.warning(cj, "FailedCreate", f"Error creating job: {error.message}")
            return error
        self.recorder.normal(cj, "SuccessfulCreate", f"Created job {job.metadata.name}")
        note_started(steps, job)
        self.skew.observe(max(0.0, created(job) - (steps.scheduled or 0.0)))
        return None

    async def _found(self, cj: batch_v1.CronJob, steps: Plan, error: StatusError) -> Exception | None:
        """The name is taken: by the Job that a former life started and did not come to note, or by a stranger."""
        assert steps.start is not None
        job = await self._get(steps.start.metadata.name, cj.metadata.namespace)
        if job is None or not controlled_by(job, cj):
            return error
        note_started(steps, job, lambda job: not m.is_finished(job))
        return None

    async def _write_status(self, key: str, cj: batch_v1.CronJob, steps: Plan) -> None:
        meta = cj.metadata
        patch = status_patch(meta.uid, steps.status(), cj.status)
        if patch is None:
            return
        patch["metadata"]["resourceVersion"] = meta.resource_version
        written = await self.client.patch(batch_v1.CronJob, meta.name, patch, meta.namespace, subresource="status")
        self._written[key] = meta.uid, int(written.metadata.resource_version)
