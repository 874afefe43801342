"""Carries out `plan` for each Pod with ephemeral volumes; the garbage collector takes the claims with the Pod."""

from __future__ import annotations

from typing import ClassVar

from wherry.api.types import core_v1
from wherry.api.volumes import Claim, by_claim
from wherry.apimachinery.errors import StatusError, is_already_exists
from wherry.client.informer import Handler
from wherry.controller.controller import Context, Controller, RequeueAfter
from wherry.controller.ephemeral.plan import plan


class EphemeralVolumeController(Controller):
    name: ClassVar[str] = "ephemeral-volume-controller"
    component: ClassVar[str] = "ephemeral_volume"
    workers: ClassVar[int] = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.pods = self.informer(core_v1.Pod)
        self.claims = self.informer(Claim)
        self.pods.store.add_indexer("claims", by_claim)
        self.pods.add_handler(Handler(on_add=self._pod_added))
        self.claims.add_handler(Handler(on_delete=self._claim_gone))

    def _pod_added(self, pod: core_v1.Pod) -> None:
        """A Pod's volumes do not change."""
        if any(volume.ephemeral is not None for volume in pod.spec.volumes):
            self.enqueue(pod)

    def _claim_gone(self, claim: Claim) -> None:
        for pod in self.pods.store.by_index("claims", f"{claim.metadata.namespace}/{claim.metadata.name}"):
            self._pod_added(pod)

    async def reconcile(self, key: str) -> RequeueAfter | None:
        pod = self.pods.store.get_by_key(key)
        if pod is None:
            return None
        namespace = pod.metadata.namespace
        steps = plan(pod, lambda name: self.claims.store.get(name, namespace))
        for name, why in steps.refused.items():
            self.recorder.warning(pod, "FailedBinding", f"ephemeral volume {name}: {why}")
        for claim in steps.create:
            try:
                await self.client.create(claim)
            except StatusError as error:
                if not is_already_exists(error):  # then the cache has not shown it yet
                    name = claim.metadata.name
                    told = f"ephemeral volume {name.removeprefix(f'{pod.metadata.name}-')}: create PVC {name}: {error.message}"
                    self.recorder.warning(pod, "FailedBinding", told)
                raise
        return None
