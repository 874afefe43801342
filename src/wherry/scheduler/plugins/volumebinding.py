"""VolumeBinding: a Pod goes where its volumes are, or can be; claims that wait for a Pod are bound before it is.

https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode
Filter chooses, for each node, a volume for each such claim or sees that one can be made there; Reserve keeps the
choice for this Pod; PreBind writes it, and waits until the binder has done its part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from wherry.api.types import core_v1, storage_v1
from wherry.api.volumes import (
    BOUND_BY_CONTROLLER,
    NO_PROVISIONER,
    SELECTED_NODE,
    Claim,
    StorageClass,
    Volume,
    allowed_on,
    by_claim,
    claim_class,
    find_volume,
    fits_node,
    is_bound_to,
    is_fully_bound,
    not_owner,
    pod_claims,
    requested,
    volume_class,
    waits_for_consumer,
)
from wherry.client.store import key_of
from wherry.scheduler.framework import ASSIGNED_POD, NODE, Action, CycleState, EventHint, Handle, PluginError, Refusal, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins import storagecapacity
from wherry.scheduler.plugins.base import Filter, Score
from wherry.scheduler.plugins.noderesources import Scorer
from wherry.scheduler.plugins.storagecapacity import Pool

UNBOUND = Refusal("pod has unbound immediate PersistentVolumeClaims")
CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
NO_SPACE = "node(s) did not have enough free storage"
GONE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"

ORDER = (CONFLICT, NO_VOLUME, NO_SPACE, GONE)  # in which a node's reasons are told
FIRST_LOOK, LAST_LOOK = 0.01, 1.0  # seconds between looks whether the binder has bound


@dataclass(slots=True)
class Choice:
    """What a node offers for the claims that wait: a volume for each, or None where one is to be made, and from what."""

    volumes: list[tuple[Claim, Volume | None]] = field(default_factory=list)
    pools: list[tuple[Claim, Pool]] = field(default_factory=list)


@dataclass(slots=True)
class PodVolumes:
    """What PreFilter found, and what Filter chose a node."""

    bound: list[Claim] = field(default_factory=list)
    waiting: list[Claim] = field(default_factory=list)  # smallest first, so that large volumes are left for large claims
    choices: dict[str, Choice] = field(default_factory=dict)  # by node


class Assumed(dict[str, dict[str, tuple[str, str]]]):
    """What Pods that are on their way have chosen, until the lists show it: claim -> Pod's uid -> (node, volume)."""


class VolumeBinding(Filter, Score):
    name = "VolumeBinding"

    def __init__(self, handle: Handle, bind_timeout: float = 600.0, scorer: Scorer = storagecapacity.MOST_FREE) -> None:
        self._handle, self._bind_timeout, self._scorer = handle, bind_timeout, scorer
        self._claims = handle.lister(Claim)
        self._volumes = handle.lister(Volume)
        self._classes = handle.lister(StorageClass)
        self._drivers = handle.lister(storage_v1.CSIDriver)
        self._pools = handle.lister(Pool)
        self._pools.add_indexer("class", storagecapacity.by_class)
        self._volumes.add_indexer("free", _free)
        self._volumes.add_indexer("for", _for)
        self._assumed = handle.shared(Assumed)

    def events(self) -> Sequence[EventHint]:
        changed = Action.ADD | Action.UPDATE
        return (
            EventHint(Claim, changed, lambda pod, old, new: key_of(new) in by_claim(pod)),
            EventHint(Volume, changed),
            EventHint(StorageClass, changed, lambda pod, old, new: old is None or old.allowed_topologies != new.allowed_topologies),
            EventHint(storage_v1.CSIDriver, Action.UPDATE, storagecapacity.tracks_no_more),
            EventHint(Pool, changed, storagecapacity.grew),
            EventHint(NODE, Action.ADD | Action.UPDATE_NODE_LABEL),
            # One that could not be bound gives back the volumes that were kept for it, though no list shows that.
            EventHint(ASSIGNED_POD, Action.DELETE, lambda pod, old, new: bool(by_claim(old))),
        )

    # -- which node ----------------------------------------------------------------------------------

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        found = state.data[self.name] = PodVolumes()
        for volume, name in pod_claims(pod):
            claim = self._claims.get(name, pod.metadata.namespace)
            why = _unusable(pod, volume, name, claim)
            if why or claim is None:
                return Refusal(why)
            if is_fully_bound(claim):
                found.bound.append(claim)
            elif not claim.spec.volume_name and waits_for_consumer(self._classes.get(claim_class(claim))):
                found.waiting.append(claim)
            else:
                return UNBOUND
        if found.waiting:
            found.waiting.sort(key=requested)
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        found: PodVolumes = state.data[self.name]
        return bool(found.bound or found.waiting)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        found: PodVolumes = state.data[self.name]
        if node.node is None:
            return Refusal(CONFLICT)
        reasons = list(self._out_of_reach(found.bound, node.node))
        if found.waiting:
            choice = self._choose(found, node.node)
            if isinstance(choice, Choice):
                found.choices[node.name] = choice
            else:
                reasons.append(choice)
        return Refusal("\n".join(sorted(reasons, key=ORDER.index))) if reasons else None

    def _out_of_reach(self, claims: Iterable[Claim], node: core_v1.Node) -> Iterable[str]:
        """What is wrong with the volumes of claims that have theirs: the first that is."""
        for claim in claims:
            volume = self._volumes.get(claim.spec.volume_name)
            if volume is None or not fits_node(volume, node):
                return [CONFLICT if volume is not None else GONE]
        return []

    def _choose(self, found: PodVolumes, node: core_v1.Node) -> Choice | str:
        choice, taken = Choice(), self._taken_from(found.waiting)
        for claim in found.waiting:
            volume = None
            selected = self._node_of(claim)
            if selected and selected != node.metadata.name:
                return NO_VOLUME
            if not claim.metadata.annotations.get(SELECTED_NODE):  # else one is being made
                candidates = [*self._volumes.by_index("for", key_of(claim)), *self._volumes.by_index("free", claim_class(claim))]
                volume = find_volume(claim, candidates, node=node, excluded=taken, delayed=True)
            if volume is not None:
                taken.add(volume.metadata.name)
            elif why := self._make(choice, claim, node):
                return why
            choice.volumes.append((claim, volume))
        return choice

    def _taken_from(self, claims: Iterable[Claim]) -> set[str]:
        """Volumes that others have chosen and that do not show it yet."""
        own = {key_of(claim) for claim in claims}
        return {volume for key, choices in self._assumed.items() if key not in own for _, volume in choices.values() if volume}

    def _node_of(self, claim: Claim) -> str:
        """The node that a claim's volume is to be made on; "" while that is open."""
        assumed = next(iter(self._assumed.get(key_of(claim), {}).values()), ("", ""))
        return claim.metadata.annotations.get(SELECTED_NODE, "") or assumed[0]

    def _make(self, choice: Choice, claim: Claim, node: core_v1.Node) -> str:
        """Why no volume can be made for the claim here; "" when one can."""
        storage_class = self._classes.get(claim_class(claim))
        if storage_class is None or storage_class.provisioner in ("", NO_PROVISIONER):
            return NO_VOLUME
        if not allowed_on(storage_class, node.metadata.labels):
            return NO_VOLUME
        if "storage" not in claim.spec.resources.requests or not storagecapacity.tracks(self._drivers.get(storage_class.provisioner)):
            return ""
        pool = storagecapacity.find(self._pools.by_index("class", storage_class.metadata.name), requested(claim), node)
        if pool is None:
            return NO_SPACE
        choice.pools.append((claim, pool))
        return ""

    # -- how good a node is (StorageCapacityScoring) ---------------------------------------------------

    def scores(self, pod: core_v1.Pod, snapshot: Snapshot) -> bool:
        return next(pod_claims(pod), None) is not None

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float:
        choice = state.data[self.name].choices.get(node.name, Choice())
        given = [(claim, volume) for claim, volume in choice.volumes if volume is not None]
        return storagecapacity.score(storagecapacity.of_volumes(given) if given else storagecapacity.of_pools(choice.pools), self._scorer)

    # -- from the decision to the binding ------------------------------------------------------------

    def reserve(self, state: CycleState, pod: core_v1.Pod, node: str) -> Refusal | None:
        for claim, volume in self._chosen(state, node):
            choice = (node, volume.metadata.name if volume is not None else "")
            self._assumed.setdefault(key_of(claim), {})[pod.metadata.uid] = choice
        return None

    def unreserve(self, state: CycleState, pod: core_v1.Pod, node: str) -> None:
        for claim, _ in self._chosen(state, node):
            key = key_of(claim)
            self._assumed.get(key, {}).pop(pod.metadata.uid, None)
            if not self._assumed.get(key):
                self._assumed.pop(key, None)

    def _chosen(self, state: CycleState, node: str) -> list[tuple[Claim, Volume | None]]:
        found: PodVolumes | None = state.data.get(self.name)
        choice = found.choices.get(node) if found is not None else None
        return choice.volumes if choice is not None else []

    def pre_bind_pre_flight(self, state: CycleState, pod: core_v1.Pod, node: str) -> bool:
        return bool(self._chosen(state, node))

    async def pre_bind(self, state: CycleState, pod: core_v1.Pod, node: str) -> Refusal | None:
        """Writes are for the versions that were looked at: a claim that has changed is a new decision."""
        chosen = self._chosen(state, node)
        for claim, volume in chosen:
            await (self._keep(volume, claim) if volume is not None else self._select(claim, node))
        await self._until_bound(chosen, node)
        self.unreserve(state, pod, node)  # the lists show it now
        return None

    async def _select(self, claim: Claim, node: str) -> None:
        """Have a volume made on the node."""
        if claim.metadata.annotations.get(SELECTED_NODE) != node:
            seen = {"uid": claim.metadata.uid, "resourceVersion": claim.metadata.resource_version}
            body = {"metadata": {**seen, "annotations": {SELECTED_NODE: node}}}
            await self._handle.client.patch(Claim, claim.metadata.name, body, claim.metadata.namespace)

    async def _keep(self, volume: Volume, claim: Claim) -> None:
        """Reserve a volume for a claim; the binder ties the two together."""
        if is_bound_to(volume, claim):
            return
        meta = claim.metadata
        ref = {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid,
            "resourceVersion": meta.resource_version,
        }
        seen = {"uid": volume.metadata.uid, "resourceVersion": volume.metadata.resource_version}
        body = {"metadata": {**seen, "annotations": {BOUND_BY_CONTROLLER: "yes"}}, "spec": {"claimRef": ref}}
        await self._handle.client.patch(Volume, volume.metadata.name, body)

    async def _until_bound(self, chosen: list[tuple[Claim, Volume | None]], node: str) -> None:
        clock, delay = self._handle.clock, FIRST_LOOK
        deadline = clock.monotonic() + self._bind_timeout
        while not all(self._is_bound(claim, node, made=volume is None) for claim, volume in chosen):
            if clock.monotonic() >= deadline:
                raise PluginError("binding volumes: context deadline exceeded")
            await clock.sleep(delay)
            delay = min(delay * 1.5, LAST_LOOK)

    def _is_bound(self, claim: Claim, node: str, *, made: bool) -> bool:
        """Raises PluginError when it will not be.  A provisioner that cannot make the volume here takes the node's name away."""
        now = self._claims.get(claim.metadata.name, claim.metadata.namespace)
        if now is None or now.metadata.uid != claim.metadata.uid or now.metadata.deletion_timestamp is not None:
            raise PluginError(f'binding volumes: pvc "{key_of(claim)}" is gone or being deleted')
        if is_fully_bound(now) and self._volumes.get(now.spec.volume_name) is not None:
            return True
        newer = now.metadata.resource_version != claim.metadata.resource_version  # else the list does not show the choice yet
        if made and newer and now.metadata.annotations.get(SELECTED_NODE) != node:
            raise PluginError(f'binding volumes: provisioning failed for PVC "{claim.metadata.name}"')
        return False


def _free(volume: Volume) -> list[str]:
    """An index of volumes that no claim has: their class."""
    return [volume_class(volume)] if volume.spec.claim_ref is None else []


def _for(volume: Volume) -> list[str]:
    """An index of the others: their claim's key."""
    ref = volume.spec.claim_ref
    return [f"{ref.namespace}/{ref.name}"] if ref is not None else []


def _unusable(pod: core_v1.Pod, volume: core_v1.Volume, name: str, claim: Claim | None) -> str:
    """Why a Pod cannot go anywhere because of a claim; "" when it can."""
    if claim is None:
        if volume.ephemeral is not None:
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        return f'persistentvolumeclaim "{name}" not found'
    if volume.ephemeral is not None and (why := not_owner(pod, claim)):
        return why
    if claim.status.phase == "Lost":
        return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{claim.spec.volume_name}"'
    if claim.metadata.deletion_timestamp is not None:
        return f'persistentvolumeclaim "{name}" is being deleted'
    return ""
