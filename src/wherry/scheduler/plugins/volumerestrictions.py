"""VolumeRestrictions: a claim of mode ReadWriteOncePod has one Pod in the whole cluster.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes
"""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(slots=True)
class Users:
    """The claims of the Pod that only one may have, and who has them."""

    claims: frozenset[str] = frozenset()
    pods: set[str] = field(default_factory=set)  # uids

    def clone(self) -> Users:
        return Users(self.claims, set(self.pods))


class VolumeRestrictions(Filter):
    name = "VolumeRestrictions"

    def __init__(self, handle: Handle) -> None:
        self._claims = handle.lister(Claim)

    def events(self) -> Sequence[EventHint]:
        return (
            EventHint(ASSIGNED_POD, Action.DELETE, lambda pod, old, new: not set(by_claim(pod)).isdisjoint(by_claim(old))),
            EventHint(Claim, Action.ADD | Action.UPDATE, lambda pod, old, new: key_of(new) in by_claim(pod)),
        )

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        namespace = pod.metadata.namespace
        found = [name for _, name in pod_claims(pod) if _is_for_one(self._claims.get(name, namespace))]
        users = state.data[self.name] = Users(frozenset(f"{namespace}/{name}" for name in found))
        if users.claims:
            for node in snapshot.nodes.values():
                users.pods.update(uid for uid, other in node.pods.items() if not users.claims.isdisjoint(by_claim(other)))
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(state.data[self.name].claims)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        return IN_USE if state.data[self.name].pods else None

    def add_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        users: Users = state.data[self.name]
        if not users.claims.isdisjoint(by_claim(other)):
            users.pods.add(other.metadata.uid)

    def remove_pod(self, state: CycleState, pod: core_v1.Pod, other: core_v1.Pod, node: NodeInfo) -> None:
        state.data[self.name].pods.discard(other.metadata.uid)


def _is_for_one(claim: Claim | None) -> bool:
    return claim is not None and "ReadWriteOncePod" in claim.spec.access_modes
