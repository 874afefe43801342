"""Keeps the PersistentVolumeClaims of a StatefulSet: made before their Pod, owned as the retention policy says."""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.types import apps_v1, core_v1
from wherry.apimachinery.errors import StatusError, is_already_exists, is_not_found
from wherry.client.client import Client
from wherry.client.recorder import EventRecorder
from wherry.client.store import Store
from wherry.controller.statefulset.identity import (
    build_claims,
    claim_names,
    claim_owners,
    has_other_controller,
    is_of_former_pod,
    ordinal_of,
    pod_name,
)

Claim = core_v1.PersistentVolumeClaim


class Claims:
    """Works from the informer's `store` of claims."""

    def __init__(self, client: Client, recorder: EventRecorder, store: Store[Claim]) -> None:
        self._client, self._recorder, self._store = client, recorder, store

    async def ensure(self, ss: apps_v1.StatefulSet, ordinal: int) -> bool:
        """Make the claims of a Pod that is to be created.  False: one of them is still its predecessor's, and will go.

        Raises StatusError when one cannot be made, or is on its way out.
        """
        name, wanted = pod_name(ss, ordinal), build_claims(ss, ordinal)
        found = {each.metadata.name: self._store.get(each.metadata.name, each.metadata.namespace) for each in wanted}
        if any(claim is not None and is_of_former_pod(claim, name) for claim in found.values()):
            return False
        for claim in wanted:
            present = found[claim.metadata.name]
            if present is None:
                await self._create(ss, name, claim)
            elif present.metadata.deletion_timestamp is not None:
                raise StatusError(409, "Conflict", f"pvc {claim.metadata.name} is being deleted")
            else:
                self._tell_conflict(ss, present, None)
        return True

    async def _create(self, ss: apps_v1.StatefulSet, pod: str, wanted: Claim) -> None:
        name = wanted.metadata.name
        try:
            await self._client.create(wanted)
        except StatusError as error:
            if is_already_exists(error):
                return  # the cache had not shown it yet
            words = f"Create Claim {name} for Pod {pod} in StatefulSet {ss.metadata.name} failed error: {error.message}"
            self._recorder.warning(ss, "FailedCreate", words)
            raise StatusError(error.code, error.reason, f"failed to create PVC {name}: {error.message}", error.details) from error
        self._recorder.normal(ss, "SuccessfulCreate", f"Create Claim {name} Pod {pod} in StatefulSet {ss.metadata.name} success")

    async def keep(self, ss: apps_v1.StatefulSet, pods: Iterable[core_v1.Pod | None]) -> None:
        """Claims of Pods that stay belong to the set or to nobody, also after the policy or the size has changed.

        A Pod that waits gets a claim anew that somebody has deleted: it could never start without.
        """
        for pod in pods:
            if pod is None:
                continue
            waits = pod.status.phase == "Pending"
            if waits:
                await self._make_missing(ss, pod)
            if await self._own(ss, pod, condemned=False) and not waits:
                words = f"Update Pod {pod.metadata.name} in StatefulSet {ss.metadata.name} successful"
                self._recorder.normal(ss, "SuccessfulUpdate", words)

    async def _make_missing(self, ss: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
        ordinal = ordinal_of(ss, pod)
        assert ordinal is not None, "only members are claimed"
        for wanted in build_claims(ss, ordinal):
            if self._store.get(wanted.metadata.name, wanted.metadata.namespace) is None:
                await self._create(ss, pod.metadata.name, wanted)

    async def hand_over(self, ss: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
        """Before a Pod is scaled away: where the policy says so, its claims are to go with it."""
        await self._own(ss, pod, condemned=True)

    async def _own(self, ss: apps_v1.StatefulSet, pod: core_v1.Pod, condemned: bool) -> bool:
        """Says whether an owner has changed."""
        ordinal, changed = ordinal_of(ss, pod), False
        assert ordinal is not None, "only members are claimed"
        for name in claim_names(ss, ordinal).values():
            claim = self._store.get(name, ss.metadata.namespace)
            if claim is None:
                continue
            refs = claim_owners(ss, pod, condemned, claim.metadata.owner_references)
            if refs is not None:
                self._tell_conflict(ss, claim, pod)
                seen = {"uid": claim.metadata.uid, "resourceVersion": claim.metadata.resource_version}
                body = {"metadata": {**seen, "ownerReferences": refs}}
                try:
                    await self._client.patch(Claim, name, body, ss.metadata.namespace)
                    changed = True
                except StatusError as error:
                    if not is_not_found(error):
                        raise
        return changed

    def _tell_conflict(self, ss: apps_v1.StatefulSet, claim: Claim, pod: core_v1.Pod | None) -> None:
        if has_other_controller(ss, pod, claim.metadata.owner_references):
            message = (
                f"PersistentVolumeClaim {claim.metadata.name} has a conflicting OwnerReference that acts as a manging controller, "
                "the retention policy is ignored for this claim"
            )
            self._recorder.warning(ss, "ConflictingController", message)
