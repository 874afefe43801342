"""Says of each claim that is to grow whom it waits for."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.volumes import Claim, Volume, requested
from wherry.client.informer import Handler
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.expand.plan import EXTERNAL, waits


class ExpandController(Controller):
    name: ClassVar[str] = "expand-controller"
    component: ClassVar[str] = "volume_expand"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.claims = self.informer(Claim)
        self.volumes = self.informer(Volume)
        self.claims.add_handler(Handler(on_add=self.enqueue, on_update=self._updated))

    def _updated(self, old: Claim, new: Claim) -> None:
        if requested(old) != requested(new):
            self.enqueue(new)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        claim = self.claims.store.get_by_key(key)
        if claim is not None and waits(claim, self.volumes.store.get(claim.spec.volume_name)):
            self.recorder.normal(claim, "ExternalExpanding", EXTERNAL)
        return None
