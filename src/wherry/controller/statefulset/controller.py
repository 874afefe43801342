"""Carries out `plan`: keeps revisions and claims, creates and deletes Pods, writes the status."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar

from wherry.api.types import apps_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.apimachinery.labels import from_label_selector
from wherry.client.expectations import Expectations
from wherry.client.informer import Handler
from wherry.client.store import by_controller_uid
from wherry.controller import history
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.ownership import carry_out, claim
from wherry.controller.podcontrol import first_failure, gather_bounded, is_namespace_terminating, slow_start, status_patch
from wherry.controller.podwatch import PodWatch
from wherry.controller.statefulset.claims import Claims
from wherry.controller.statefulset.identity import build, identity_labels, ordinal_of, pod_name, revision_of
from wherry.controller.statefulset.plan import KEEP, NewPod, Plan, View, next_check, plan, status

REVISION_HASH = "controller.kubernetes.io/hash"


class StatefulSetController(Controller):
    name: ClassVar[str] = "statefulset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sets = self.informer(apps_v1.StatefulSet)
        self.revisions = self.informer(apps_v1.ControllerRevision)
        self.pods = self.informer(core_v1.Pod)
        volumes = self.informer(core_v1.PersistentVolumeClaim)
        self.pods.store.add_indexer("controller", by_controller_uid)
        self.revisions.store.add_indexer("controller", by_controller_uid)
        self.expectations = Expectations(self.clock)
        self.claims = Claims(self.client, self.recorder, volumes.store)
        self.enqueue_all(self.sets)
        PodWatch(self.pods, self.sets, "StatefulSet", self.expectations, lambda key, pod: self.queue.add(key), self._adopters)
        volumes.add_handler(Handler(on_delete=self._claim_deleted))

    def _adopters(self, pod: core_v1.Pod) -> Iterable[apps_v1.StatefulSet]:
        for ss in self.sets.store.list(pod.metadata.namespace):
            if ordinal_of(ss, pod) is not None and from_label_selector(ss.spec.selector).matches(pod.metadata.labels):
                yield ss

    def _claim_deleted(self, gone: core_v1.PersistentVolumeClaim) -> None:
        """A Pod may have waited for the end of its predecessor's volume."""
        for ss in self.sets.store.list(gone.metadata.namespace):
            if any(gone.metadata.name.startswith(f"{t.metadata.name}-{ss.metadata.name}-") for t in ss.spec.volume_claim_templates):
                self.enqueue(ss)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        ss = self.sets.store.get_by_key(key)
        if ss is None:
            self.expectations.forget(key)
            return None
        settled = self.expectations.satisfied(key)
        revisions = await self._claim_revisions(ss)
        try:
            wanted = history.find_current(revisions, history.new_revision(ss, REVISION_HASH))
            update = await history.ensure(self.client, ss, wanted)
        except history.Collision:
            await self._write_status(ss, {"collisionCount": (ss.status.collision_count or 0) + 1})
            return RequeueAfter(0)
        current = next((each for each in revisions if each.metadata.name == ss.status.current_revision), update)
        view = View.of(ss, await self._claim_pods(ss), current.metadata.name, update.metadata.name, self.clock.time())
        failure = None
        if settled and ss.metadata.deletion_timestamp is None:
            failure = await self._act(key, ss, view, {each.metadata.name: each for each in (current, update)})
        await self._write_status(ss, status(view))
        if failure is not None:
            raise failure
        live = {current.metadata.name, update.metadata.name, *map(revision_of, view.pods())}
        limit = 10 if ss.spec.revision_history_limit is None else ss.spec.revision_history_limit
        await history.trim(self.client, history.surplus(revisions, live, limit))
        wait = next_check(view)
        return None if wait is None else RequeueAfter(wait)

    async def _claim_revisions(self, ss: apps_v1.StatefulSet) -> list[apps_v1.ControllerRevision]:
        store, namespace = self.revisions.store, ss.metadata.namespace
        orphans = [each for each in store.by_index("controller", "") if each.metadata.namespace == namespace]
        candidates = store.by_index("controller", ss.metadata.uid) + orphans
        return await carry_out(self.client, ss, claim(ss, from_label_selector(ss.spec.selector), candidates))

    async def _claim_pods(self, ss: apps_v1.StatefulSet) -> list[core_v1.Pod]:
        """Only Pods with a name of the set's are ever its own."""
        store, namespace = self.pods.store, ss.metadata.namespace
        orphans = [pod for pod in store.by_index("controller", "") if pod.metadata.namespace == namespace]
        members = [pod for pod in orphans if ordinal_of(ss, pod) is not None]
        candidates = store.by_index("controller", ss.metadata.uid) + members
        return await carry_out(self.client, ss, claim(ss, from_label_selector(ss.spec.selector), candidates))

    # -- actions ---------------------------------------------------------------------------------------

    async def _act(
        self, key: str, ss: apps_v1.StatefulSet, view: View, revisions: dict[str, apps_v1.ControllerRevision],
    ) -> Exception | None:
        try:
            await self.claims.keep(ss, view.replicas.values())
        except StatusError as error:
            return error
        return await self._carry_out(key, ss, plan(view), revisions)

    async def _carry_out(
        self, key: str, ss: apps_v1.StatefulSet, steps: Plan, revisions: dict[str, apps_v1.ControllerRevision],
    ) -> Exception | None:
        """The first failure, if there is one.  What failed, or was not tried, is expected no more."""
        for pod in steps.relabel:
            ordinal = ordinal_of(ss, pod)
            assert ordinal is not None, "only members are claimed"
            labels = {"metadata": {"uid": pod.metadata.uid, "labels": identity_labels(ss, ordinal)}}
            await self._update(ss, pod, labels)
        going = [*steps.delete, *steps.condemn]
        if not steps.create and not going:
            return None
        self.expectations.expect(key, creations=len(steps.create), deletions={pod.metadata.uid for pod in going})
        waiting = list(reversed(steps.create))

        async def create_next() -> None:
            await self._create(key, ss, waiting.pop(), revisions)

        _, failure = await slow_start(len(steps.create), 1, create_next)
        self.expectations.creation_observed(key, len(waiting))
        drops = [partial(self._delete, key, ss, pod, pod in steps.condemn) for pod in going]
        return failure or first_failure(await gather_bounded(drops))[0]

    async def _update(self, ss: apps_v1.StatefulSet, pod: core_v1.Pod, body: dict[str, Any]) -> None:
        words = f"Update Pod {pod.metadata.name} in StatefulSet {ss.metadata.name}"
        try:
            await self.client.patch(core_v1.Pod, pod.metadata.name, body, pod.metadata.namespace)
        except StatusError as error:
            self.recorder.warning(ss, "FailedUpdate", f"{words} failed error: {error.message}")
            raise
        self.recorder.normal(ss, "SuccessfulUpdate", f"{words} successful")

    async def _create(
        self, key: str, ss: apps_v1.StatefulSet, new: NewPod, revisions: dict[str, apps_v1.ControllerRevision],
    ) -> None:
        name = pod_name(ss, new.ordinal)
        try:
            if not await self.claims.ensure(ss, new.ordinal):
                self.expectations.creation_observed(key)  # the end of the old claim will wake us
                return
            pod = build(ss, history.template_of(revisions[new.revision]), new.ordinal, new.revision)
            await self.client.create(pod)
        except Exception as error:
            self.expectations.creation_observed(key)
            if isinstance(error, StatusError) and is_namespace_terminating(error):
                return
            if isinstance(error, StatusError) and not is_already_exists(error):
                message = f"Create Pod {name} in StatefulSet {ss.metadata.name} failed error: {error.message}"
                self.recorder.warning(ss, "FailedCreate", message)
            raise
        self.recorder.normal(ss, "SuccessfulCreate", f"Create Pod {name} in StatefulSet {ss.metadata.name} successful")

    async def _delete(self, key: str, ss: apps_v1.StatefulSet, pod: core_v1.Pod, condemned: bool) -> None:
        meta, words = pod.metadata, f"Delete Pod {pod.metadata.name} in StatefulSet {ss.metadata.name}"
        try:
            if condemned:
                await self.claims.hand_over(ss, pod)
            await self.client.delete(core_v1.Pod, meta.name, meta.namespace, uid=meta.uid)
        except Exception as error:
            self.expectations.deletion_observed(key, meta.uid)
            if is_not_found(error):
                return
            if isinstance(error, StatusError):
                self.recorder.warning(ss, "FailedDelete", f"{words} failed error: {error.message}")
            raise
        self.recorder.normal(ss, "SuccessfulDelete", f"{words} successful")

    async def _write_status(self, ss: apps_v1.StatefulSet, wanted: dict[str, Any]) -> None:
        patch = status_patch(ss.metadata.uid, wanted, ss.status, KEEP)
        if patch is not None:
            try:
                await self.client.patch(apps_v1.StatefulSet, ss.metadata.name, patch, ss.metadata.namespace, subresource="status")
            except StatusError as error:
                if not is_not_found(error):
                    raise
