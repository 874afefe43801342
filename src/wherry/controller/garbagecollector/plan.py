"""What becomes of an object, given the state of each of its owners.  Pure.

Behaviour: kubernetes.io/docs/concepts/architecture/garbage-collection.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from wherry.api.types import meta_v1
from wherry.controller.garbagecollector.graph import FOREGROUND, ORPHAN, Graph, Node


class Owner(Enum):
    """SOLID: it is there.  DANGLING: it is gone.  WAITING: it is being deleted in the foreground, after its dependents."""

    SOLID = "solid"
    DANGLING = "dangling"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True)
class DropReferences:
    """Take these owners off the object."""

    uids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Delete:
    policy: str
    unblock: bool = False  # first stop its dependents' references from blocking: they are in a circle


@dataclass(frozen=True, slots=True)
class RemoveFinalizer:
    name: str


@dataclass(frozen=True, slots=True)
class LookAt:
    """Consider these objects for deletion."""

    uids: list[str] = field(default_factory=list)


Action = Nothing | DropReferences | Delete | RemoveFinalizer | LookAt


def plan(node: Node, owners: Mapping[str, Owner], graph: Graph) -> Action:
    """The next step for `node`; `owners` says what each of its owners (by uid) is."""
    if node.deleting_dependents:
        blocking = graph.blocking(node.uid)
        if not blocking:
            return RemoveFinalizer(FOREGROUND)
        return LookAt([each.uid for each in blocking if not each.deleting_dependents])
    if node.being_deleted or not node.meta.owner_references:
        return Nothing()
    states = set(owners.values())
    if Owner.SOLID in states:
        loose = frozenset(uid for uid, state in owners.items() if state is not Owner.SOLID)
        return DropReferences(loose) if loose else Nothing()
    dependents = graph.dependents(node.uid)
    if Owner.WAITING in states and dependents:
        return Delete("Foreground", any(each.deleting_dependents for each in dependents))
    if ORPHAN in node.meta.finalizers:
        return Delete("Orphan")
    return Delete("Foreground" if FOREGROUND in node.meta.finalizers else "Background")


def owner_state(ref: meta_v1.OwnerReference, live: meta_v1.ObjectMeta | None) -> Owner:
    """`live` is the metadata of what bears the owner's name now; another uid is another object."""
    if live is None or live.uid != ref.uid:
        return Owner.DANGLING
    if live.deletion_timestamp is not None and FOREGROUND in live.finalizers:
        return Owner.WAITING
    return Owner.SOLID


# What changes lists in objects of any kind: JSON patches that test just the entry they change, so that
# an object whose status changes all the time can be patched all the same.

Operations = list[dict[str, Any]]


def without_owners(meta: meta_v1.ObjectMeta, uids: Collection[str]) -> Operations:
    """Take owners off.  From the last to the first, so that indexes hold."""
    operations: Operations = []
    for index, ref in reversed(list(enumerate(meta.owner_references))):
        if ref.uid in uids:
            path = f"/metadata/ownerReferences/{index}"
            operations += [{"op": "test", "path": f"{path}/uid", "value": ref.uid}, {"op": "remove", "path": path}]
    return operations


def unblocked(meta: meta_v1.ObjectMeta, owner: str) -> Operations:
    """Stop a reference to `owner` from holding up its deletion."""
    operations: Operations = []
    for index, ref in enumerate(meta.owner_references):
        if ref.uid == owner and ref.block_owner_deletion:
            path = f"/metadata/ownerReferences/{index}"
            operations.append({"op": "test", "path": f"{path}/uid", "value": owner})
            operations.append({"op": "replace", "path": f"{path}/blockOwnerDeletion", "value": False})
    return operations


def without_finalizer(meta: meta_v1.ObjectMeta, name: str) -> Operations:
    if name not in meta.finalizers:
        return []
    path = f"/metadata/finalizers/{meta.finalizers.index(name)}"
    return [{"op": "test", "path": path, "value": name}, {"op": "remove", "path": path}]
