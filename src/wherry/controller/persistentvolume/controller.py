"""Carries out `plan`: one key is a claim (`namespace/name`), the other a volume (`name`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar

from wherry.api.types import core_v1, storage_v1
from wherry.api.volumes import Claim, StorageClass, Volume, by_claim, claim_class, default_class, has_class, is_fully_bound, volume_class
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.client.informer import Handler
from wherry.client.store import key_of
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.persistentvolume.model import Patch, Plan, View
from wherry.controller.persistentvolume.plan import plan_claim, plan_volume
from wherry.util.clock import rfc3339

T = TypeVar("T", Claim, Volume)
AGAIN = 15.0  # seconds, upstream's: until a claim that waits says so again


class PersistentVolumeController(Controller):
    name: ClassVar[str] = "persistent-volume-binder"
    component: ClassVar[str] = "persistentvolume-controller"
    workers: ClassVar[int] = 1  # claims that want one volume take turns

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.claims = self.informer(Claim)
        self.volumes = self.informer(Volume)
        self.classes = self.informer(storage_v1.StorageClass)
        self.pods = self.informer(core_v1.Pod)
        self.pods.store.add_indexer("claims", by_claim)
        self.enqueue_all(self.claims, _claim_and_volume)
        self.enqueue_all(self.volumes, self._volume_and_claims)
        changed = self._class_changed
        self.classes.add_handler(Handler(changed, lambda old, new: changed(new), changed))

    def _volume_and_claims(self, volume: Volume) -> Iterable[str]:
        """The volume, its claim, and while it is free every claim that it may be for."""
        yield volume.metadata.name
        if volume.spec.claim_ref is not None:
            yield f"{volume.spec.claim_ref.namespace}/{volume.spec.claim_ref.name}"
            return
        for claim in self.claims.store:
            if not is_fully_bound(claim) and claim_class(claim) == volume_class(volume):
                yield key_of(claim)

    def _class_changed(self, changed: StorageClass) -> None:
        for claim in self.claims.store:
            if not is_fully_bound(claim) and (claim_class(claim) == changed.metadata.name or not has_class(claim)):
                self.enqueue(claim)

    def _view(self) -> View:
        return View(
            self.volumes.store.get, lambda: self.volumes.store, self.classes.store.get, lambda: default_class(self.classes.store),
            lambda claim: self.pods.store.by_index("claims", key_of(claim)),
        )

    async def reconcile(self, key: str) -> RequeueAfter | None:
        if "/" in key:
            claim = self.claims.store.get_by_key(key)
            plan = plan_claim(claim, self._view()) if claim is not None else Plan()
        else:
            volume = self.volumes.store.get(key)
            plan = plan_volume(volume, await self._claim_of(volume)) if volume is not None else Plan()
        await self._carry_out(plan)
        return RequeueAfter(AGAIN) if plan.again else None

    async def _claim_of(self, volume: Volume) -> Claim | None:
        """The server is asked before a volume is given up: the cache may not have seen its claim yet."""
        ref = volume.spec.claim_ref
        if ref is None or not ref.uid:
            return None
        known = self.claims.store.get(ref.name, ref.namespace)
        if known is not None and known.metadata.uid == ref.uid:
            return known
        try:
            return await self.client.get(Claim, ref.name, ref.namespace)
        except StatusError as error:
            if is_not_found(error):
                return None
            raise

    async def _carry_out(self, plan: Plan) -> None:
        """Every patch is for the version that was looked at: whoever was first wins, and the other looks again."""
        if plan.volume is not None:
            if plan.volume_status:
                plan.volume_status["lastPhaseTransitionTime"] = rfc3339(self.clock.time())
            await self._write(plan.volume, plan.volume_patch, plan.volume_status)
        if plan.claim is not None:
            await self._write(plan.claim, plan.claim_patch, plan.claim_status)
        for event in plan.events:
            self.recorder.event(event.about, event.type, event.reason, event.message)

    async def _write(self, obj: T, patch: Patch, status: Patch) -> None:
        for body, subresource in ((patch, ""), ({"status": status} if status else {}, "status")):
            if body:
                meta = obj.metadata
                seen: dict[str, Any] = {"uid": meta.uid, "resourceVersion": meta.resource_version}
                sent = {**body, "metadata": {**body.get("metadata", {}), **seen}}
                obj = await self.client.patch(type(obj), meta.name, sent, meta.namespace, subresource=subresource)


def _claim_and_volume(claim: Claim) -> Iterable[str]:
    yield key_of(claim)
    if claim.spec.volume_name:
        yield claim.spec.volume_name
