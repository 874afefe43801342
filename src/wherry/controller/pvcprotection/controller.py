"""Carries out `plan` for each claim that changes, and for those of a Pod that comes, ends or goes."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1
from wherry.api.volumes import Claim, by_claim
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.store import key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.pvcprotection.plan import plan, unused


class PVCProtectionController(Controller):
    name: ClassVar[str] = "pvc-protection-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.claims = self.informer(Claim)
        self.pods = self.informer(core_v1.Pod)
        self.pods.store.add_indexer("claims", by_claim)
        self.enqueue_all(self.claims)
        self.enqueue_all(self.pods, by_claim)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        claim = self.claims.store.get_by_key(key)
        if claim is None:
            return None
        await self._tell_use(claim)
        wanted = plan(claim, self.pods.store.by_index("claims", key_of(claim)))
        if wanted is None:
            return None
        if claim.metadata.deletion_timestamp is not None:
            # Letting go cannot be undone: the cache may not have seen a Pod that has just got its node.
            live = await self.client.list(core_v1.Pod, claim.metadata.namespace)
            wanted = plan(claim, live.items)
        if wanted is not None:
            meta = claim.metadata
            body = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": wanted}}
            try:
                await self.client.patch(Claim, meta.name, body, meta.namespace)
            except StatusError as error:
                if not is_not_found(error):
                    raise
        return None

    async def _tell_use(self, claim: Claim) -> None:
        meta = claim.metadata
        condition = unused(claim, self.pods.store.by_index("claims", key_of(claim)), self.clock.time())
        if condition is not None:
            body = {"metadata": {"uid": meta.uid}, "status": {"conditions": [condition]}}
            try:
                await self.client.patch(Claim, meta.name, body, meta.namespace, subresource="status", patch_type="strategic")
            except StatusError as error:
                if not is_not_found(error):
                    raise
