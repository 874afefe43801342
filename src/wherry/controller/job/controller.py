"""Carries out `sync`: claims, creates, deletes and frees Pods, writes the status.

Two kinds of keys: a Job's, and `pod:` with a Pod's, for Pods that bear the finalizer of a Job that is gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import msgspec

from wherry.api.types import batch_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apimachinery.labels import Selector, from_label_selector
from wherry.client.expectations import Expectations
from wherry.client.informer import Handler
from wherry.client.store import by_controller_uid, key_of, split_key
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.job import model as m
from wherry.controller.job.backoff import Backoff
from wherry.controller.job.manage import NewPod
from wherry.controller.job.metrics import JobMetrics
from wherry.controller.job.podtemplate import build
from wherry.controller.job.sync import Action, Create, Delete, Strip, Sync, WriteStatus, sync
from wherry.controller.job.tally import Observed, Tally, tally
from wherry.controller.ownership import carry_out, claim, controller_of
from wherry.controller.podcontrol import PodControl, first_failure, gather_bounded, is_namespace_terminating, slow_start, status_patch
from wherry.controller.podwatch import PodWatch

ORPHAN = "pod:"
KEEP = frozenset({"ready", "terminating"})
KEEP_PER_INDEX = KEEP | {"failedIndexes"}


@dataclass(slots=True)
class _Memory:
    """What the controller knows of a Job beyond the caches.  All of it may be lost."""

    uid: str
    version: int = 0  # of the Job's last own write: an older one in the cache is not to be believed
    deleted: set[str] = field(default_factory=set)
    stripped: set[str] = field(default_factory=set)
    backoff: Backoff = field(default_factory=Backoff)

    def refresh(self, pods: Iterable[core_v1.Pod]) -> None:
        """Forget the requests that the cache shows the outcome of."""
        by_uid = {pod.metadata.uid: pod for pod in pods}
        self.deleted = {uid for uid in self.deleted if uid in by_uid and by_uid[uid].metadata.deletion_timestamp is None}
        self.stripped = {uid for uid in self.stripped if uid in by_uid and m.is_tracked(by_uid[uid])}


@dataclass(slots=True)
class _Run:
    """One sync being carried out."""

    key: str
    job: batch_v1.Job  # as of the last write
    memory: _Memory
    seen: Tally
    failure: Exception | None = None
    actions: list[Action] = field(default_factory=list)  # begun so far


class JobController(Controller):
    name: ClassVar[str] = "job-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = self.informer(batch_v1.Job)
        self.pods = self.informer(core_v1.Pod)
        self.pods.store.add_indexer("controller", by_controller_uid)
        self.expectations = Expectations(self.clock)
        self.control = PodControl(self.client, self.recorder)
        self._memories: dict[str, _Memory] = {}
        self.counts = JobMetrics(self.figures)
        self.enqueue_all(self.jobs)
        self.jobs.add_handler(Handler(on_add=self._count_foreign))
        self.jobs.add_handler(Handler(on_delete=self._job_deleted))
        PodWatch(self.pods, self.jobs, "Job", self.expectations, lambda key, pod: self.queue.add(key), self._adopters)
        self.pods.add_handler(Handler(self._maybe_orphan, lambda old, new: self._maybe_orphan(new)))

    # -- what wakes it ---------------------------------------------------------------------------------

    def _count_foreign(self, job: batch_v1.Job) -> None:
        if not m.is_ours(job):
            self.counts.external.inc(job.spec.managed_by or "")

    def _adopters(self, pod: core_v1.Pod) -> Iterable[batch_v1.Job]:
        return [job for job in self.jobs.store.list(pod.metadata.namespace) if _selector(job).matches(pod.metadata.labels)]

    def _job_deleted(self, job: batch_v1.Job) -> None:
        for pod in self.pods.store.by_index("controller", job.metadata.uid):
            self._maybe_orphan(pod)

    def _maybe_orphan(self, pod: core_v1.Pod) -> None:
        if m.is_tracked(pod) and self._job_of(pod) is None:
            self.queue.add(ORPHAN + key_of(pod))

    def _job_of(self, pod: core_v1.Pod) -> batch_v1.Job | None:
        """The Job that controls the Pod, as the cache knows."""
        ref = controller_of(pod)
        job = self.jobs.store.get(ref.name, pod.metadata.namespace) if ref is not None and ref.kind == "Job" else None
        return job if job is not None and ref is not None and job.metadata.uid == ref.uid else None

    # -- reconciling -----------------------------------------------------------------------------------

    async def reconcile(self, key: str) -> RequeueAfter | None:
        if key.startswith(ORPHAN):
            await self._free_orphan(key.removeprefix(ORPHAN))
            return None
        job = self.jobs.store.get_by_key(key)
        if job is None:
            self._forget(key)
            return None
        if not m.is_ours(job):
            return None
        memory = self._memory(key, job)
        if int(job.metadata.resource_version) < memory.version:
            return None  # the cache is behind our own write: its event is on the way
        if m.is_finished(job):
            await self._free_leftovers(job)
            self._forget(key)
            return None
        settled = self.expectations.satisfied(key)
        pods = await self._claim(job)
        memory.refresh(pods)
        now = self.clock.time()
        seen = Observed(job, pods, now, settled, frozenset(memory.deleted), frozenset(memory.stripped), memory.backoff)
        counted = tally(seen)
        memory.backoff = counted.backoff
        run, began, wait = _Run(key, job, memory, counted), self.clock.monotonic(), None
        try:
            wait = await self._carry_out(run, sync(seen, counted))
            if run.failure is not None:
                raise run.failure
        except BaseException:
            self.counts.synced(job, run.actions, self.clock.monotonic() - began, failed=True)
            raise
        self.counts.synced(job, run.actions, self.clock.monotonic() - began, failed=False)
        return None if wait is None else RequeueAfter(wait)

    async def _carry_out(self, run: _Run, steps: Sync) -> float | None:
        answer = None
        while True:
            try:
                action = steps.send(answer)
            except StopIteration as end:
                wait: float | None = end.value
                return wait
            run.actions.append(action)
            answer = await self._do(run, action)

    def _memory(self, key: str, job: batch_v1.Job) -> _Memory:
        memory = self._memories.get(key)
        if memory is None or memory.uid != job.metadata.uid:
            self.expectations.forget(key)
            memory = self._memories[key] = _Memory(job.metadata.uid)
        return memory

    def _forget(self, key: str) -> None:
        self._memories.pop(key, None)
        self.expectations.forget(key)

    async def _claim(self, job: batch_v1.Job) -> list[core_v1.Pod]:
        """An adopted Pod is tracked like one of the Job's own: the finalizer comes first."""
        store, namespace = self.pods.store, job.metadata.namespace
        orphans = [pod for pod in store.by_index("controller", "") if pod.metadata.namespace == namespace]
        claimed = claim(job, _selector(job), store.by_index("controller", job.metadata.uid) + orphans)
        for pod in claimed.adopt:
            await self._add_finalizer(pod)
        owned = await carry_out(self.client, job, claimed)
        for pod in claimed.release:
            if m.is_tracked(pod):
                await self.control.remove_finalizer(pod, m.FINALIZER)
        return owned

    async def _add_finalizer(self, pod: core_v1.Pod) -> None:
        meta = pod.metadata
        body = {"metadata": {"uid": meta.uid, "finalizers": [m.FINALIZER]}}
        try:
            await self.client.patch(core_v1.Pod, meta.name, body, meta.namespace, patch_type="strategic")
        except StatusError as error:
            if not is_not_found(error):
                raise

    # -- actions ---------------------------------------------------------------------------------------

    async def _do(self, run: _Run, action: Action) -> Any:
        match action:
            case Delete(pods, strip):
                return await self._delete(run, pods, strip)
            case Create(new):
                return await self._create(run, new)
            case Strip(pods):
                return await self._strip(run, pods)
            case WriteStatus(status, events):
                await self._write_status(run, status)
                for type_, reason, message in events:
                    self.recorder.event(run.job, type_, reason, message)
                return None

    async def _delete(self, run: _Run, pods: list[core_v1.Pod], strip: bool) -> set[str]:
        async def one(pod: core_v1.Pod) -> None:
            if strip and m.is_tracked(pod):
                await self.control.remove_finalizer(pod, m.FINALIZER)
                run.memory.stripped.add(pod.metadata.uid)
            try:
                await self.control.delete(pod, run.job)
            except StatusError as error:
                if not is_not_found(error):
                    raise
            run.memory.deleted.add(pod.metadata.uid)

        results = await gather_bounded([partial(one, pod) for pod in pods])
        return _succeeded(run, pods, results)

    async def _create(self, run: _Run, pods: list[NewPod]) -> int:
        self.expectations.expect(run.key, creations=len(pods))
        rest = iter(pods)

        def one() -> Awaitable[Any]:
            return self.control.create(build(run.job, next(rest)), run.job)

        made, failure = await slow_start(len(pods), 1, one)
        self.expectations.creation_observed(run.key, len(pods) - made)
        self.counts.creations(run.job, run.seen, made, int(failure is not None))
        if failure is not None and not (isinstance(failure, StatusError) and is_namespace_terminating(failure)):
            run.failure = run.failure or failure
        return made

    async def _strip(self, run: _Run, pods: list[core_v1.Pod]) -> set[str]:
        results = await gather_bounded([partial(self.control.remove_finalizer, pod, m.FINALIZER) for pod in pods])
        done = _succeeded(run, pods, results)
        run.memory.stripped |= done
        return done

    async def _write_status(self, run: _Run, status: dict[str, Any]) -> None:
        meta = run.job.metadata
        patch = job_status_patch(run.job, status)
        if patch is None:
            return
        before = run.job
        run.job = await self.client.patch(batch_v1.Job, meta.name, patch, meta.namespace, subresource="status")
        self.counts.written(before, run.job)
        run.memory.version = int(run.job.metadata.resource_version)

    # -- Pods whose Job needs them no more -------------------------------------------------------------

    async def _free_leftovers(self, job: batch_v1.Job) -> None:
        """A finished Job counts nothing more."""
        for pod in self.pods.store.by_index("controller", job.metadata.uid):
            if m.is_tracked(pod):
                await self.control.remove_finalizer(pod, m.FINALIZER)

    async def _free_orphan(self, key: str) -> None:
        pod = self.pods.store.get_by_key(key)
        if pod is None or not m.is_tracked(pod) or self._job_of(pod) is not None:
            return
        ref = controller_of(pod)
        if ref is None and any(not m.is_finished(job) for job in self._adopters(pod)):
            return  # about to be adopted
        if ref is not None and ref.kind == "Job" and await self._exists(ref.name, split_key(key)[0], ref.uid):
            return  # the cache of Jobs is behind that of Pods
        await self.control.remove_finalizer(pod, m.FINALIZER)

    async def _exists(self, name: str, namespace: str, uid: str) -> bool:
        try:
            return (await self.client.get(batch_v1.Job, name, namespace)).metadata.uid == uid
        except StatusError as error:
            if is_not_found(error):
                return False
            raise


def _succeeded(run: _Run, pods: list[core_v1.Pod], results: list[Any]) -> set[str]:
    """The uids of those that went well; the first failure is the run's."""
    run.failure = run.failure or first_failure(results)[0]
    return {pod.metadata.uid for pod, result in zip(pods, results, strict=True) if not isinstance(result, Exception)}


def _selector(job: batch_v1.Job) -> Selector:
    return from_label_selector(job.spec.selector)


def job_status_patch(job: batch_v1.Job, status: dict[str, Any]) -> dict[str, Any] | None:
    """A merge patch that holds only for the revision of `job`; None when nothing changes."""
    rest = {name: value for name, value in status.items() if name != "uncountedTerminatedPods"}
    keep = KEEP_PER_INDEX if m.counts_per_index(job) else KEEP
    patch = status_patch(job.metadata.uid, rest, job.status, keep) or {"metadata": {"uid": job.metadata.uid}, "status": {}}
    uncounted = {name: uids or None for name, uids in status["uncountedTerminatedPods"].items()}
    before = job.status.uncounted_terminated_pods
    if before is None or msgspec.to_builtins(before) != {name: uids for name, uids in uncounted.items() if uids}:
        patch["status"]["uncountedTerminatedPods"] = uncounted
    if before is None and m.counts_per_index(job):  # the first write: whoever counts failures an index has such a list from then on
        patch["status"]["failedIndexes"] = status["failedIndexes"]
    if not patch["status"]:
        return None
    patch["metadata"]["resourceVersion"] = job.metadata.resource_version
    return patch
