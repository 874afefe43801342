"""Carries out `plan`: claims Pods, creates and deletes them, writes the status."""

from __future__ import annotations

from collections import Counter
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
from wherry.controller.ownership import Claim, carry_out, claim, controller_of
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
from wherry.controller.replicaset.plan import KEEP, Cheapest, Tally, Workload, by_node, selector, shortage, status


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
        tally = Tally(rs, self.clock.time())
        async for some in self.in_slices(pods):
            tally.add(some)
        short, failure = shortage(rs, tally), None
        if settled and rs.metadata.deletion_timestamp is None:
            failure = await self._carry_out(key, rs, short, await self._superfluous(rs, pods, -short))
        reason = None if failure is None else ("FailedCreate" if short > 0 else "FailedDelete", _message(failure))
        await self._write_status(rs, status(rs, tally, self.clock.time(), reason))
        if failure is not None:
            raise failure
        return RequeueAfter(tally.next_available) if tally.next_available is not None else None

    async def _claim(self, rs: Workload) -> list[core_v1.Pod]:
        """The Pods that are the ReplicaSet's, adopted ones included."""
        store, namespace, chosen = self.pods.store, rs.metadata.namespace, from_label_selector(selector(rs))
        orphans = [pod for pod in store.by_index("controller", "") if pod.metadata.namespace == namespace and is_active(pod)]
        claimed: Claim[core_v1.Pod] = Claim()
        async for some in self.in_slices(store.by_index("controller", rs.metadata.uid) + orphans):
            claimed.add(claim(rs, chosen, some))
        return await carry_out(self.client, rs, claimed)

    async def _superfluous(self, rs: Workload, pods: list[core_v1.Pod], count: int) -> list[core_v1.Pod]:
        """The `count` Pods that should go."""
        if count <= 0:
            return []
        on_node: Counter[str] = Counter()
        async for some in self.in_slices(self._related(rs)):
            on_node += by_node(some)
        cheapest = Cheapest(count, on_node, self.clock.time())
        async for some in self.in_slices(pods):
            cheapest.add(some)
        return cheapest.pods

    def _related(self, rs: Workload) -> list[core_v1.Pod]:
        """The Pods of all ReplicaSets that share its owner."""
        ref = controller_of(rs)
        siblings = [rs] if ref is None else self.workloads.store.by_index("controller", ref.uid)
        return [pod for each in siblings for pod in self.pods.store.by_index("controller", each.metadata.uid)]

    async def _carry_out(self, key: str, rs: Workload, create: int, delete: list[core_v1.Pod]) -> Exception | None:
        """The first failure, if there is one.  What failed, or was not tried, is expected no more."""
        if create > 0:
            self.expectations.expect(key, creations=create)
            template = rs.spec.template
            assert template is not None, "validated: a ReplicaSet has a template"
            pod = pod_from_template(template, rs)
            made, failure = await slow_start(create, 1, partial(self._create, pod, rs))
            self.expectations.creation_observed(key, create - made)
            return failure
        if delete:
            self.expectations.expect(key, deletions={pod.metadata.uid for pod in delete})
            return first_failure(await gather_bounded([partial(self._delete, key, pod, rs) for pod in delete]))[0]
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
