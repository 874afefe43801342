"""Keeps the finalizer of PersistentVolumes.  Its plan is `pvcprotection.plan.finalizers`: what is Bound is in use."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.volumes import VOLUME_PROTECTION, Volume
from wherry.apimachinery.errors import StatusError, is_not_found
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.pvcprotection.plan import finalizers


class PVProtectionController(Controller):
    name: ClassVar[str] = "pv-protection-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.volumes = self.informer(Volume)
        self.enqueue_all(self.volumes)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        volume = self.volumes.store.get(key)
        if volume is None:
            return None
        meta = volume.metadata
        wanted = finalizers(meta, VOLUME_PROTECTION, volume.status.phase == "Bound")
        if wanted is not None:
            body = {"metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version, "finalizers": wanted}}
            try:
                await self.client.patch(Volume, meta.name, body)
            except StatusError as error:
                if not is_not_found(error):
                    raise
        return None
