"""Carries out `plan`: claims Pods, creates and deletes them, writes the status."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from wherry.api.types import apps_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apimachinery.labels import from_label_selector
from wherry.client.expectations import Expectations
from wherry.client.informer import Informer
from wherry.client.store import by_controller_uid
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.ownership import carry_out, claim, controller_of
from wherry.controller.podcontrol import (
    PodControl,
    first_failure,
    gather_bounded,
    is_namespace_terminating,
    pod_from_template,
    slow_start,
    status_patch,
)
from wherry.controller.podutil import is_active
from wherry.controller.podwatch import PodWatch
from wherry.controller.replicaset.plan import KEEP, Plan, Workload, next_check, plan, selector, status, surplus


class ReplicaSetController(Controller):
    name: ClassVar[str] = "replicaset-controller"
    kind: ClassVar[type[Any]] = apps_v1.ReplicaSet

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.workloads: Informer[Any] = self.informer(self.kind)
        self.pods = self.informer(core_v1.Pod)
        self.workloads.store.add_indexer("controller", by_controller_uid)
        self.pods.store.add_indexer("controller", by_controller_uid)
        self.expectations = Expectations(self.clock)
        self.control = PodControl(self.client, self.recorder)
        self.enqueue_all(self.workloads)
        PodWatch(
            self.pods, self.workloads, self.kind.__name__, self.expectations,
            lambda key, pod: self.queue.add(key), self._adopters,
        )

    def _adopters(self, pod: core_v1.Pod) -> Iterable[Workload]:
        for rs in self.workloads.store.list(pod.metadata.namespace):
            chosen = from_label_selector(selector(rs))
            if not chosen.everything and chosen.matches(pod.metadata.labels):
                yield rs

    async def reconcile(self, key: str) -> RequeueAfter | None:
        rs: Workload | None = self.workloads.store.get_by_key(key)
        if rs is None:
            self.expectations.forget(key)
            return None
        settled = self.expectations.satisfied(key)
        pods = await self._claim(rs)
        failure = None
        if settled and rs.metadata.deletion_timestamp is None:
            related = self._related(rs) if surplus(rs, pods) > 0 else ()
            steps = plan(rs, pods, related, self.clock.time())
            failure = await self._carry_out(key, rs, steps)
        reason = None if failure is None else ("FailedCreate" if steps.create else "FailedDelete", _message(failure))
        now = self.clock.time()
        await self._write_status(rs, status(rs, pods, now, reason))
        if failure is not None:
            raise failure
        wait = next_check(rs, pods, now)
        return RequeueAfter(wait) if wait is not None else None

    async def _claim(self, rs: Workload) -> list[core_v1.Pod]:
        """The Pods that are the ReplicaSet's, adopted ones included."""
        store = self.pods.store
        mine, orphans = store.by_index("controller", rs.metadata.uid), store.by_index("controller", "")
        namespace = rs.metadata.namespace
        candidates = mine + [pod for pod in orphans if pod.metadata.namespace == namespace and is_active(pod)]
        return await carry_out(self.client, rs, claim(rs, from_label_selector(selector(rs)), candidates))

    def _related(self, rs: Workload) -> list[core_v1.Pod]:
        """Active Pods of all ReplicaSets that share its owner."""
        ref = controller_of(rs)
        siblings = [rs] if ref is None else self.workloads.store.by_index("controller", ref.uid)
        pods = [pod for each in siblings for pod in self.pods.store.by_index("controller", each.metadata.uid)]
        return [pod for pod in pods if is_active(pod)]

    async def _carry_out(self, key: str, rs: Workload, steps: Plan) -> Exception | None:
        """The first failure, if there is one.  What failed, or was not tried, is expected no more."""
        if steps.create:
            self.expectations.expect(key, creations=steps.create)
            template = rs.spec.template
            assert template is not None, "validated: a ReplicaSet has a template"
            pod = pod_from_template(template, rs)
            made, failure = await slow_start(steps.create, 1, partial(self._create, pod, rs))
            self.expectations.creation_observed(key, steps.create - made)
            return failure
        if steps.delete:
            self.expectations.expect(key, deletions={pod.metadata.uid for pod in steps.delete})
            return first_failure(await gather_bounded([partial(self._delete, key, pod, rs) for pod in steps.delete]))[0]
        return None

    async def _create(self, pod: core_v1.Pod, rs: Workload) -> None:
        try:
            await self.control.create(pod, rs)
        except StatusError as error:
            if not is_namespace_terminating(error):
                raise  # in a namespace that is going away nothing can be made: no reason to try again

    async def _delete(self, key: str, pod: core_v1.Pod, rs: Workload) -> None:
        try:
            await self.control.delete(pod, rs)
        except Exception as error:
            self.expectations.deletion_observed(key, pod.metadata.uid)
            if not is_not_found(error):
                raise

    async def _write_status(self, rs: Workload, wanted: dict[str, Any]) -> None:
        patch = status_patch(rs.metadata.uid, wanted, rs.status, KEEP)
        if patch is not None:
            try:
                await self.client.patch(self.kind, rs.metadata.name, patch, rs.metadata.namespace, subresource="status")
            except StatusError as error:
                if not is_not_found(error):
                    raise


class ReplicationControllerController(ReplicaSetController):
    """The older kind, on the same plan."""

    name: ClassVar[str] = "replication-controller"
    kind: ClassVar[type[Any]] = core_v1.ReplicationController


def _message(failure: Exception) -> str:
    return failure.message if isinstance(failure, StatusError) else str(failure)
