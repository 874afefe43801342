"""Carries out `plan` for PodDisruptionBudgets, and takes back conditions of Pods that were to be disrupted and stayed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from wherry.api.types import apps_v1, core_v1, policy_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.apimachinery.labels import from_label_selector
from wherry.client.informer import Handler
from wherry.client.store import key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.disruption.finders import Expected, Finders, NotFound
from wherry.controller.disruption.plan import COUNTS, DISRUPTION_TARGET, Budget, Status, failed, needs_scale, plan, stale_in
from wherry.controller.podcontrol import status_patch, with_status
from wherry.controller.scales import Scales
from wherry.util.clock import rfc3339

BUDGET, POD = "budget:", "pod:"  # what a key names


class DisruptionController(Controller):
    name: ClassVar[str] = "disruption-controller"
    component: ClassVar[str] = "controllermanager"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.budgets = self.informer(policy_v1.PodDisruptionBudget)
        self.pods = self.informer(core_v1.Pod)
        self.finders = Finders(
            self.informer(core_v1.ReplicationController).store, self.informer(apps_v1.ReplicaSet).store,
            self.informer(apps_v1.Deployment).store, self.informer(apps_v1.StatefulSet).store, Scales(self.client, self.clock),
        )
        self.enqueue_all(self.budgets, lambda pdb: (BUDGET + key_of(pdb),))
        self.enqueue_all(self.pods, self._concerned)
        self.pods.add_handler(Handler(self._look_at, lambda old, new: self._look_at(new)))

    def _concerned(self, pod: core_v1.Pod) -> Iterable[str]:
        return [BUDGET + key_of(pdb) for pdb in self._budgets_of(pod)]

    def _budgets_of(self, pod: core_v1.Pod) -> list[Budget]:
        return [
            pdb for pdb in self.budgets.store.by_index("namespace", pod.metadata.namespace)
            if from_label_selector(pdb.spec.selector).matches(pod.metadata.labels)
        ]

    def _look_at(self, pod: core_v1.Pod) -> None:
        if stale_in(pod, self.clock.time()) is not None:
            self.queue.add(POD + key_of(pod))
        budgets = self._budgets_of(pod)
        if len(budgets) > 1:
            meta, chosen = pod.metadata, min(each.metadata.name for each in budgets)
            message = f'Pod "{meta.namespace}"/"{meta.name}" matches multiple PodDisruptionBudgets.  Chose "{chosen}" arbitrarily.'
            self.recorder.warning(pod, "MultiplePodDisruptionBudgets", message)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        if key.startswith(POD):
            return await self._clear_condition(key.removeprefix(POD))
        pdb = self.budgets.store.get_by_key(key.removeprefix(BUDGET))
        return None if pdb is None else await self._sync(pdb)

    # -- budgets -------------------------------------------------------------------------------------

    async def _sync(self, pdb: Budget) -> RequeueAfter | None:
        now = self.clock.time()
        pods = self.pods.store.list(pdb.metadata.namespace, from_label_selector(pdb.spec.selector))
        try:
            expected = await self.finders.expected(pods) if needs_scale(pdb) else Expected(0, unmanaged=False)
            steps = plan(pdb, pods, expected.scale, expected.unmanaged, now)
        except (NotFound, ValueError, StatusError) as error:
            self.recorder.warning(
                pdb, "CalculateExpectedPodCountFailed", f"Failed to calculate the number of expected pods: {error}",
            )
            await self._write(pdb, failed(pdb, str(error), now))
            return None
        for event in steps.events:
            self.recorder.event(event.about, event.type, event.reason, event.message)
        await self._write(pdb, steps.status)
        return None if steps.recheck is None else RequeueAfter(max(0.0, steps.recheck) + 1.0)  # notes are whole seconds

    async def _write(self, pdb: Budget, status: Status) -> None:
        """Raises a conflict when an eviction has been noted since the budget was seen: it would be lost."""
        patch = status_patch(pdb.metadata.uid, status, pdb.status, COUNTS)
        if patch is None or with_status(pdb.status, status) == pdb.status:
            return
        if patch["status"].get("disruptedPods"):
            gone = pdb.status.disrupted_pods.keys() - status["disruptedPods"].keys()
            patch["status"]["disruptedPods"] |= dict.fromkeys(gone)
        meta = pdb.metadata
        patch["metadata"]["resourceVersion"] = meta.resource_version
        try:
            await self.client.patch(policy_v1.PodDisruptionBudget, meta.name, patch, meta.namespace, subresource="status")
        except StatusError as error:
            if not is_not_found(error):
                raise

    # -- Pods ----------------------------------------------------------------------------------------

    async def _clear_condition(self, key: str) -> RequeueAfter | None:
        pod, now = self.pods.store.get_by_key(key), self.clock.time()
        wait = stale_in(pod, now) if pod is not None else None
        if pod is None or wait is None:
            return None
        if wait > 0:
            return RequeueAfter(wait)
        condition = {
            "type": DISRUPTION_TARGET, "status": "False", "reason": None, "message": None, "lastTransitionTime": rfc3339(now),
        }
        meta = pod.metadata
        body = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version}, "status": {"conditions": [condition]}}
        try:
            await self.client.patch(core_v1.Pod, meta.name, body, meta.namespace, subresource="status", patch_type="strategic")
        except StatusError as error:
            if not is_not_found(error):
                raise
        return None
