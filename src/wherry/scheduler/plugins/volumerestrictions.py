"""VolumeRestrictions: a claim of mode ReadWriteOncePod has one Pod in the whole cluster, a disk one writer a node.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from wherry.api.types import core_v1
from wherry.api.volumes import Claim, by_claim, pod_claims
from wherry.client.store import key_of
from wherry.scheduler.framework import ASSIGNED_POD, Action, CycleState, EventHint, Handle, Refusal, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter

IN_USE = Refusal(
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod", resolvable=True,
)


NO_DISK = Refusal("node(s) had no available disk", resolvable=True)


@dataclass(slots=True)
class Users:
    """The claims of the Pod that only one may have, and who has them."""

    claims: frozenset[str] = frozenset()
    pods: set[str] = field(default_factory=set)  # uids
    disks: tuple[core_v1.Volume, ...] = ()  # the Pod's own

    def clone(self) -> Users:
        return Users(self.claims, set(self.pods), self.disks)


class VolumeRestrictions(Filter):
    name = "VolumeRestrictions"

    def __init__(self, handle: Handle) -> None:
        self._claims = handle.lister(Claim)

    def events(self) -> Sequence[EventHint]:
        return (
            EventHint(ASSIGNED_POD, Action.DELETE, lambda pod, old, new: _share(pod, old)),
            EventHint(Claim, Action.ADD | Action.UPDATE, lambda pod, old, new: key_of(new) in by_claim(pod)),
        )

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        namespace = pod.metadata.namespace
        found = [name for _, name in pod_claims(pod) if _is_for_one(self._claims.get(name, namespace))]
        users = state.data[self.name] = Users(frozenset(f"{namespace}/{name}" for name in found), disks=tuple(_disks(pod)))
        if users.claims:
            for node in snapshot.nodes.values():
                users.pods.update(uid for uid, other in node.pods.items() if not users.claims.isdisjoint(by_claim(other)))
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        users: Users = state.data[self.name]
        return bool(users.claims or users.disks)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        users: Users = state.data[self.name]
        if users.disks and any(_conflict(users.disks, other) for other in node.pods.values()):
            return NO_DISK
        return IN_USE if users.pods else None

    def add_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        users: Users = state.data[self.name]
        if not users.claims.isdisjoint(by_claim(other)):
            users.pods.add(other.metadata.uid)

    def remove_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        state.data[self.name].pods.discard(other.metadata.uid)


def _is_for_one(claim: Claim | None) -> bool:
    return claim is not None and "ReadWriteOncePod" in claim.spec.access_modes


def _disks(pod: core_v1.Pod) -> Iterator[core_v1.Volume]:
    """Volumes of the kinds that only one may mount, or only readers may share."""
    for volume in pod.spec.volumes:
        if volume.gce_persistent_disk or volume.aws_elastic_block_store or volume.iscsi or volume.rbd:
            yield volume


def _conflict(disks: Iterable[core_v1.Volume], other: core_v1.Pod) -> bool:
    return any(_same_disk(mine, theirs) for theirs in _disks(other) for mine in disks)


def _same_disk(one: core_v1.Volume, other: core_v1.Volume) -> bool:
    """Whether both are one disk that they cannot share: EBS never, the others when both only read."""
    if one.gce_persistent_disk and other.gce_persistent_disk:
        gce, theirs = one.gce_persistent_disk, other.gce_persistent_disk
        return gce.pd_name == theirs.pd_name and not (gce.read_only and theirs.read_only)
    if one.aws_elastic_block_store and other.aws_elastic_block_store:
        return one.aws_elastic_block_store.volume_id == other.aws_elastic_block_store.volume_id
    if one.iscsi and other.iscsi:
        return one.iscsi.iqn == other.iscsi.iqn and not (one.iscsi.read_only and other.iscsi.read_only)
    if one.rbd and other.rbd:
        same = (one.rbd.pool, one.rbd.image) == (other.rbd.pool, other.rbd.image)
        reached = not set(one.rbd.monitors).isdisjoint(other.rbd.monitors)
        return same and reached and not (one.rbd.read_only and other.rbd.read_only)
    return False


def _share(pod: core_v1.Pod, gone: core_v1.Pod) -> bool:
    """Whether a Pod that went had what this one waits for."""
    return not set(by_claim(pod)).isdisjoint(by_claim(gone)) or _conflict(list(_disks(pod)), gone)
