"""Carries out `plan`: keeps revisions, claims, creates and deletes Pods, writes the status."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from functools import partial
from typing import Any, ClassVar

from wherry.api.types import apps_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apimachinery.labels import from_label_selector
from wherry.client.expectations import Expectations
from wherry.client.informer import Handler
from wherry.client.recorder import EventRecorder
from wherry.client.store import by_controller_uid, key_of
from wherry.controller import history
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.daemonset.nodes import build
from wherry.controller.daemonset.plan import KEEP, Layout, Plan, next_check, plan, status
from wherry.controller.ownership import carry_out, claim
from wherry.controller.podcontrol import PodControl, first_failure, gather_bounded, is_namespace_terminating, slow_start, status_patch
from wherry.controller.podwatch import PodWatch

BACKOFF_BASE, BACKOFF_CAP = 1.0, 900.0  # seconds between two deletions of a node's failed Pods


class DaemonSetController(Controller):
    name: ClassVar[str] = "daemon-set-controller"
    source: ClassVar[str] = "daemonset-controller"  # of its events: upstream spells it differently from the user

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.recorder = EventRecorder(self.client, self.clock, self.source)
        self.sets = self.informer(apps_v1.DaemonSet)
        self.revisions = self.informer(apps_v1.ControllerRevision)
        self.pods = self.informer(core_v1.Pod)
        self.nodes = self.informer(core_v1.Node)
        self.pods.store.add_indexer("controller", by_controller_uid)
        self.revisions.store.add_indexer("controller", by_controller_uid)
        self.expectations = Expectations(self.clock)
        self.control = PodControl(self.client, self.recorder)
        # Of failed Pods, by (uid, observed generation, node): until when the next one is left alone, and the delay.
        self._failed: dict[tuple[str, int, str], tuple[float, float]] = {}
        self.enqueue_all(self.sets)
        PodWatch(self.pods, self.sets, "DaemonSet", self.expectations, lambda key, pod: self.queue.add(key), self._adopters)
        self.nodes.add_handler(Handler(lambda node: self._wake_all(), self._node_changed, lambda node: self._wake_all()))

    def _adopters(self, pod: core_v1.Pod) -> Iterable[apps_v1.DaemonSet]:
        for ds in self.sets.store.list(pod.metadata.namespace):
            selector = from_label_selector(ds.spec.selector)
            if not selector.everything and selector.matches(pod.metadata.labels):
                yield ds

    def _wake_all(self) -> None:
        for ds in self.sets.store:
            self.queue.add(key_of(ds))

    def _node_changed(self, old: core_v1.Node, new: core_v1.Node) -> None:
        """Heartbeats change nothing that matters here."""
        if old.metadata.labels != new.metadata.labels or old.spec.taints != new.spec.taints:
            self._wake_all()

    async def reconcile(self, key: str) -> RequeueAfter | None:
        ds = self.sets.store.get_by_key(key)
        if ds is None:
            self.expectations.forget(key)
            self._failed = {each: value for each, value in self._failed.items() if value[0] > self.clock.monotonic()}
            return None
        if from_label_selector(ds.spec.selector).everything:
            message = "This daemon set is selecting all pods. A non-empty selector is required."
            self.recorder.warning(ds, "SelectingAll", message)
            return None
        if ds.metadata.deletion_timestamp is not None:
            return None
        settled = self.expectations.satisfied(key)
        revisions = await self._claim_revisions(ds)
        current = await self._ensure_current(ds, revisions)
        if current is None:
            return RequeueAfter(0)
        pods = await self._claim_pods(ds)
        layout = Layout.of(ds, current.metadata.labels[history.HASH_LABEL], pods, self.nodes.store, self.clock.time())
        steps, failure = Plan(), None
        if settled:
            steps = plan(layout, self._backoff(ds))
            failure = await self._carry_out(key, ds, steps, layout.digest)
        await self._write_status(ds, status(layout, settled))
        if failure is not None:
            raise failure
        await history.trim(self.client, self._surplus_revisions(ds, current, revisions, pods))
        waits = [wait for wait in (steps.requeue_after, next_check(layout, pods)) if wait is not None]
        return RequeueAfter(min(waits)) if waits else None

    # -- revisions -------------------------------------------------------------------------------------

    async def _claim_revisions(self, ds: apps_v1.DaemonSet) -> list[apps_v1.ControllerRevision]:
        store, namespace = self.revisions.store, ds.metadata.namespace
        orphans = [each for each in store.by_index("controller", "") if each.metadata.namespace == namespace]
        candidates = store.by_index("controller", ds.metadata.uid) + orphans
        return await carry_out(self.client, ds, claim(ds, from_label_selector(ds.spec.selector), candidates))

    async def _ensure_current(
        self, ds: apps_v1.DaemonSet, revisions: list[apps_v1.ControllerRevision],
    ) -> apps_v1.ControllerRevision | None:
        """None when its name was taken: the next time it has another."""
        wanted = history.find_current(revisions, history.new_revision(ds, history.HASH_LABEL))
        try:
            return await history.ensure(self.client, ds, wanted)
        except history.Collision:
            await self._write_status(ds, {"collisionCount": (ds.status.collision_count or 0) + 1})
            return None

    def _surplus_revisions(
        self, ds: apps_v1.DaemonSet, current: apps_v1.ControllerRevision, revisions: list[apps_v1.ControllerRevision],
        pods: list[core_v1.Pod],
    ) -> list[apps_v1.ControllerRevision]:
        """Of the limit those take their part too that a Pod still has (a StatefulSet's do not)."""
        hashes = {pod.metadata.labels.get(history.HASH_LABEL) for pod in pods}
        old = [each for each in revisions if each.metadata.name != current.metadata.name]
        live = {each.metadata.name for each in old if each.metadata.labels.get(history.HASH_LABEL) in hashes}
        limit = 10 if ds.spec.revision_history_limit is None else ds.spec.revision_history_limit
        return history.surplus(old, live, max(0, limit - len(live)))

    # -- Pods --------------------------------------------------------------------------------------------

    async def _claim_pods(self, ds: apps_v1.DaemonSet) -> list[core_v1.Pod]:
        store, namespace = self.pods.store, ds.metadata.namespace
        orphans = [pod for pod in store.by_index("controller", "") if pod.metadata.namespace == namespace]
        candidates = store.by_index("controller", ds.metadata.uid) + orphans
        return await carry_out(self.client, ds, claim(ds, from_label_selector(ds.spec.selector), candidates))

    def _backoff(self, ds: apps_v1.DaemonSet) -> dict[str, float]:
        now = self.clock.monotonic()
        mine = ds.metadata.uid, ds.status.observed_generation or 0
        return {node: until - now for (*owner, node), (until, _) in self._failed.items() if tuple(owner) == mine}

    def _note_failed(self, ds: apps_v1.DaemonSet, node: str) -> None:
        now, key = self.clock.monotonic(), (ds.metadata.uid, ds.status.observed_generation or 0, node)
        until, delay = self._failed.get(key, (now, 0.0))
        quiet = now - until > 2 * BACKOFF_CAP
        delay = BACKOFF_BASE if quiet or not delay else min(delay * 2, BACKOFF_CAP)
        self._failed[key] = now + delay, delay

    async def _carry_out(self, key: str, ds: apps_v1.DaemonSet, steps: Plan, digest: str) -> Exception | None:
        """The first failure, if there is one.  What failed, or was not tried, is expected no more."""
        for event in steps.events:
            self.recorder.event(ds, *event)
        for node in steps.failed:
            self._note_failed(ds, node)
        if not steps.create and not steps.delete:
            return None
        self.expectations.expect(key, creations=len(steps.create), deletions={pod.metadata.uid for pod in steps.delete})
        nodes = iter(steps.create)

        def create_next() -> Awaitable[Any]:
            return self.control.create(build(ds, next(nodes), digest), ds)

        made, failure = await slow_start(len(steps.create), 1, create_next)
        self.expectations.creation_observed(key, len(steps.create) - made)
        if isinstance(failure, StatusError) and is_namespace_terminating(failure):
            failure = None
        results = await gather_bounded([partial(self._delete, key, pod, ds) for pod in steps.delete])
        return failure or first_failure(results)[0]

    async def _delete(self, key: str, pod: core_v1.Pod, ds: apps_v1.DaemonSet) -> None:
        try:
            await self.control.delete(pod, ds)
        except Exception as error:
            self.expectations.deletion_observed(key, pod.metadata.uid)
            if not (isinstance(error, StatusError) and is_not_found(error)):
                raise

    async def _write_status(self, ds: apps_v1.DaemonSet, wanted: dict[str, Any]) -> None:
        patch = status_patch(ds.metadata.uid, wanted, ds.status, KEEP)
        if patch is not None:
            try:
                await self.client.patch(apps_v1.DaemonSet, ds.metadata.name, patch, ds.metadata.namespace, subresource="status")
            except StatusError as error:
                if not is_not_found(error):
                    raise
