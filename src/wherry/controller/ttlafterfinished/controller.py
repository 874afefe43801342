"""Deletes Jobs some time after they have finished (`ttlSecondsAfterFinished`), with all they own.

Its plan is one subtraction.
"""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import batch_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.job.model import finish_time

BUCKETS = tuple(0.1 * 2.0**power for power in range(14))


def expires_in(job: batch_v1.Job, now: float) -> float | None:
    """Seconds until the Job is to go; None when it is not finished, or stays."""
    ttl, finished = job.spec.ttl_seconds_after_finished, finish_time(job)
    return None if ttl is None or finished is None else finished + ttl - now


class TTLAfterFinishedController(Controller):
    name: ClassVar[str] = "ttl-after-finished-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = self.informer(batch_v1.Job)
        self.lateness = self.figures.histogram(
            "ttl_after_finished_controller_job_deletion_duration_seconds", "How long after their time Jobs were deleted.", buckets=BUCKETS,
        )
        self.enqueue_all(self.jobs)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        job = self.jobs.store.get_by_key(key)
        left = expires_in(job, self.clock.time()) if job is not None else None
        if job is None or left is None or job.metadata.deletion_timestamp is not None:
            return None
        if left > 0:
            return RequeueAfter(left)
        meta = job.metadata
        try:
            await self.client.delete(
                batch_v1.Job, meta.name, meta.namespace, propagation_policy="Foreground", uid=meta.uid,
                resource_version=meta.resource_version,  # the TTL may have been lengthened meanwhile
            )
        except StatusError as error:
            if not is_not_found(error):
                raise
        self.lateness.observe(-left)
        return None
