"""A Job's world in memory, whose caches lag and whose controller may die between any two actions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import msgspec

from wherry.api.strategy.job_status import validate_status
from wherry.api.types import batch_v1, core_v1, meta_v1
from wherry.controller.job import model as m
from wherry.controller.job.backoff import Backoff
from wherry.controller.job.controller import job_status_patch
from wherry.controller.job.podtemplate import build
from wherry.controller.job.sync import Create, Delete, Strip, WriteStatus, sync
from wherry.controller.job.tally import Observed, tally
from wherry.controller.podutil import is_active, is_terminal
from wherry.util.clock import rfc3339

replace = msgspec.structs.replace
START = 1_700_000_000.0


def make_job(name: str = "j", restart: str = "Never", **spec: Any) -> batch_v1.Job:
    """As the server would store it."""
    given: dict[str, Any] = {"completions": 1, "parallelism": 1, "backoff_limit": 6, "pod_replacement_policy": "TerminatingOrFailed"}
    labels = {"batch.kubernetes.io/controller-uid": "job-uid"}
    template = core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels=labels),
        spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox")], restart_policy=restart),
    )
    return batch_v1.Job(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid="job-uid", resource_version="1", creation_timestamp=rfc3339(START)),
        spec=batch_v1.JobSpec(template=template, selector=meta_v1.LabelSelector(match_labels=labels), **(given | spec)),
    )


def plain(status: dict[str, Any]) -> dict[str, Any]:
    """A status as the server stores it: without what is empty."""
    return {name: value for name, value in status.items() if value not in (None, "", [], {})}


class Conflict(Exception):
    """The Job had changed."""


@dataclass
class Memory:
    version: int = 1
    deleted: set[str] = field(default_factory=set)
    stripped: set[str] = field(default_factory=set)
    backoff: Backoff = field(default_factory=Backoff)
    awaited: set[str] = field(default_factory=set)  # created, not seen in the cache yet


class JobWorld:
    def __init__(self, job: batch_v1.Job) -> None:
        self.job, self.now = job, START
        self.pods: dict[str, core_v1.Pod] = {}
        self.ended: dict[str, str] = {}  # uid: phase, for good
        self.index: dict[str, int | None] = {}
        self.released: set[str] = set()  # freed uncounted, by the Job's own choice
        self.cached_job, self.cache = job, dict[str, core_v1.Pod]()
        self.memory = Memory()
        self.events: list[tuple[str, str, str]] = []
        self.most_active = 0
        self._uids = itertools.count(1)

    # -- the cluster -------------------------------------------------------------------------------------

    def active(self) -> list[core_v1.Pod]:
        return [pod for pod in self.pods.values() if is_active(pod)]

    def end(self, uid: str, phase: str) -> None:
        """The kubelet reports how a Pod ended."""
        pod = self.pods[uid]
        if is_terminal(pod):
            return
        ended = core_v1.ContainerStateTerminated(exit_code=int(phase == "Failed"), finished_at=rfc3339(self.now))
        container = core_v1.ContainerStatus(name="c", state=core_v1.ContainerState(terminated=ended))
        status = replace(pod.status, phase=phase, container_statuses=[container])
        self.pods[uid] = replace(pod, status=status)
        self.ended[uid] = phase
        self._sweep(uid)

    def delete(self, uid: str) -> None:
        pod = self.pods.get(uid)
        if pod is not None and pod.metadata.deletion_timestamp is None:
            self.pods[uid] = replace(pod, metadata=replace(pod.metadata, deletion_timestamp=rfc3339(self.now)))
            self._sweep(uid)

    def _sweep(self, uid: str) -> None:
        """A Pod that was deleted goes when it has ended and nobody holds it."""
        pod = self.pods[uid]
        if pod.metadata.deletion_timestamp and is_terminal(pod) and not m.is_tracked(pod):
            del self.pods[uid]

    def strip(self, uid: str) -> None:
        pod = self.pods.get(uid)
        if pod is not None:
            self.pods[uid] = replace(pod, metadata=replace(pod.metadata, finalizers=[]))
            self._sweep(uid)

    def edit(self, **spec: Any) -> None:
        """A person changes the Job."""
        version = str(int(self.job.metadata.resource_version) + 1)
        self.job = replace(
            self.job, spec=replace(self.job.spec, **spec), metadata=replace(self.job.metadata, resource_version=version),
        )

    # -- the caches ---------------------------------------------------------------------------------------

    def see_job(self) -> None:
        self.cached_job = self.job

    def see_pod(self, uid: str) -> None:
        if uid in self.pods:
            self.cache[uid] = self.pods[uid]
            self.memory.awaited.discard(uid)
        elif uid not in self.memory.awaited:  # a deletion comes after the addition
            self.cache.pop(uid, None)
        else:
            self.memory.awaited.discard(uid)

    def see_all(self) -> None:
        self.see_job()
        for uid in {*self.pods, *self.cache, *self.memory.awaited}:
            self.see_pod(uid)
            self.see_pod(uid)

    def restart(self) -> None:
        self.memory = Memory()
        self.cached_job, self.cache = self.job, dict(self.pods)

    # -- the controller -----------------------------------------------------------------------------------

    def reconcile(self, actions: int | None = None) -> float | None:
        """One sync as the executor does it; killed after so many actions."""
        job, memory = self.cached_job, self.memory
        if int(job.metadata.resource_version) < memory.version or m.is_finished(job):
            return None
        memory.deleted = {u for u in memory.deleted if u in self.cache and self.cache[u].metadata.deletion_timestamp is None}
        memory.stripped = {u for u in memory.stripped if u in self.cache and m.is_tracked(self.cache[u])}
        seen = Observed(job, list(self.cache.values()), self.now, not memory.awaited, frozenset(memory.deleted),
                        frozenset(memory.stripped), memory.backoff)
        counted = tally(seen)
        memory.backoff = counted.backoff
        steps, answer, latest = sync(seen, counted), None, [job]
        for done in itertools.count():
            try:
                action = steps.send(answer)
            except StopIteration as end:
                return end.value
            if done == actions:
                self.restart()
                return None
            try:
                answer = self._do(action, latest)
            except Conflict:
                return None
        raise AssertionError

    def _do(self, action: Any, latest: list[batch_v1.Job]) -> Any:
        match action:
            case Delete(pods, strip):
                for pod in pods:
                    uid = pod.metadata.uid
                    if strip and m.is_tracked(pod):
                        if uid in self.pods and m.is_tracked(self.pods[uid]):
                            self.released.add(uid)
                        self.strip(uid)
                        self.memory.stripped.add(uid)
                    self.delete(uid)
                    self.memory.deleted.add(uid)
                return {pod.metadata.uid for pod in pods}
            case Create(pods):
                for new in pods:
                    uid = f"u{next(self._uids)}"
                    pod = build(self.job, new)
                    meta = replace(pod.metadata, uid=uid, name=f"{pod.metadata.generate_name}{uid}", creation_timestamp=rfc3339(self.now))
                    self.pods[uid] = replace(pod, metadata=meta, status=core_v1.PodStatus(phase="Pending"))
                    self.index[uid] = new.index
                    self.memory.awaited.add(uid)
                self.most_active = max(self.most_active, len(self.active()))
                return len(pods)
            case Strip(pods):
                for pod in pods:
                    self.strip(pod.metadata.uid)
                    self.memory.stripped.add(pod.metadata.uid)
                return {pod.metadata.uid for pod in pods}
            case WriteStatus(status, events):
                if job_status_patch(latest[0], status) is not None:
                    self._write(status, latest)
                self.events += events
        return None

    def _write(self, status: dict[str, Any], latest: list[batch_v1.Job]) -> None:
        if latest[0].metadata.resource_version != self.job.metadata.resource_version:
            raise Conflict
        old = msgspec.to_builtins(self.job)
        assert validate_status({**old, "status": plain(status)}, {**old, "status": plain(old["status"])}) == [], "the server takes it"
        version = int(self.job.metadata.resource_version) + 1
        self.job = replace(
            self.job, status=msgspec.convert(status, batch_v1.JobStatus),
            metadata=replace(self.job.metadata, resource_version=str(version)),
        )
        latest[0] = self.job
        self.memory.version = version

    def settle(self, seconds: float = 0) -> float | None:
        """Everything is seen and acted on, after so many seconds."""
        self.now += seconds
        wait = None
        for _ in range(20):
            self.see_all()
            before = self.job, dict(self.pods)
            wait = self.reconcile()
            if before == (self.job, self.pods):
                return wait
        raise AssertionError("the Job does not come to rest")

    def condition(self, type_: str) -> tuple[str, str] | None:
        found = m.find(self.job, type_)
        return (found.reason, found.message) if found else None
