"""Looks over all Pods every twenty seconds and deletes what the plan tells."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.podgc.plan import QUARANTINE, Removal, missing_nodes, orphaned, terminated, terminating, unscheduled
from wherry.controller.podutil import is_terminal
from wherry.util.clock import rfc3339

PERIOD = 20.0
ALL = "all"  # the one key: a round over all Pods


class PodGCController(Controller):
    name: ClassVar[str] = "pod-garbage-collector"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(core_v1.Pod)
        self.nodes = self.informer(core_v1.Node)
        self._missing: dict[str, float] = {}  # since when (monotonic) each node has been missing
        self.queue.add(ALL)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        pods = list(self.pods.store)
        removals = terminated(pods, self.options.terminated_pod_gc_threshold) + terminating(pods, self.nodes.store.get)
        removals += orphaned(pods, await self._gone(pods)) + unscheduled(pods)
        for removal in removals:
            await self._remove(removal)
        return RequeueAfter(PERIOD)

    async def _gone(self, pods: list[core_v1.Pod]) -> set[str]:
        """Nodes that have been missing for long, and that the server does not know either."""
        now = self.clock.monotonic()
        missing = missing_nodes(pods, self.nodes.store.keys())
        self._missing = {name: self._missing.get(name, now) for name in missing}
        return {name for name, since in self._missing.items() if now - since >= QUARANTINE and not await self._exists(name)}

    async def _exists(self, node: str) -> bool:
        try:
            await self.client.get(core_v1.Node, node)
        except StatusError as error:
            if is_not_found(error):
                return False
            raise
        return True

    async def _remove(self, removal: Removal) -> None:
        meta = removal.pod.metadata
        try:
            if not is_terminal(removal.pod):
                await self.client.patch(
                    core_v1.Pod, meta.name, self._failed(removal), meta.namespace, subresource="status", patch_type="strategic",
                )
            await self.client.delete(core_v1.Pod, meta.name, meta.namespace, grace_period_seconds=0, uid=meta.uid)
        except StatusError as error:
            if not is_not_found(error):
                raise

    def _failed(self, removal: Removal) -> dict[str, object]:
        """A Pod that will never be heard of again has failed: its Job has to know."""
        condition = {
            "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC", "message": removal.message,
            "lastTransitionTime": rfc3339(self.clock.time()),
        }
        told = {"conditions": [condition]} if removal.message else {}
        return {"metadata": {"uid": removal.pod.metadata.uid}, "status": {"phase": "Failed", **told}}
