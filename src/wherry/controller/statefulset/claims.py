"""Keeps the PersistentVolumeClaims of a StatefulSet: made before their Pod, owned as the retention policy says."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.types import apps_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.client.client import Client
from wherry.client.recorder import EventRecorder
from wherry.client.store import Store
from wherry.controller.statefulset.identity import build_claims, claim_names, claim_owners, is_stale, ordinal_of, pod_name

Claim = core_v1.PersistentVolumeClaim


class Claims:
    """Works from the informer's `store` of claims."""

    def __init__(self, client: Client, recorder: EventRecorder, store: Store[Claim]) -> None:
        self._client, self._recorder, self._store = client, recorder, store

    async def ensure(self, ss: apps_v1.StatefulSet, ordinal: int) -> bool:
        """Make the claims of a Pod that is to be created.  False: one of them is still its predecessor's, and will go."""
        name, usable = pod_name(ss, ordinal), True
        for wanted in build_claims(ss, ordinal):
            found = self._store.get(wanted.metadata.name, wanted.metadata.namespace)
            if found is None:
                await self._create(ss, name, wanted)
            elif is_stale(found, name):
                usable = False
        return usable

    async def _create(self, ss: apps_v1.StatefulSet, pod: str, wanted: Claim) -> None:
        words = f"Create Claim {wanted.metadata.name} Pod {pod} in StatefulSet {ss.metadata.name}"
        try:
            await self._client.create(wanted)
        except StatusError as error:
            if is_already_exists(error):
                return  # the cache had not shown it yet
            self._recorder.warning(ss, "FailedCreate", f"{words} failed error: {error.message}")
            raise
        self._recorder.normal(ss, "SuccessfulCreate", f"{words} success")

    async def keep(self, ss: apps_v1.StatefulSet, pods: Iterable[core_v1.Pod | None]) -> None:
        """Claims of Pods that stay belong to the set or to nobody, also after the policy or the size has changed."""
        for pod in pods:
            if pod is not None:
                await self._own(ss, pod, condemned=False)

    async def hand_over(self, ss: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
        """Before a Pod is scaled away: where the policy says so, its claims are to go with it."""
        await self._own(ss, pod, condemned=True)

    async def _own(self, ss: apps_v1.StatefulSet, pod: core_v1.Pod, condemned: bool) -> None:
        ordinal = ordinal_of(ss, pod)
        assert ordinal is not None, "only members are claimed"
        for name in claim_names(ss, ordinal).values():
            claim = self._store.get(name, ss.metadata.namespace)
            if claim is None:
                continue
            refs = claim_owners(ss, pod, condemned, claim.metadata.owner_references)
            if refs is not None:
                seen = {"uid": claim.metadata.uid, "resourceVersion": claim.metadata.resource_version}
                body = {"metadata": {**seen, "ownerReferences": refs}}
                try:
                    await self._client.patch(Claim, name, body, ss.metadata.namespace)
                except StatusError as error:
                    if not is_not_found(error):
                        raise
