"""Who owns whom: the graph of all objects by uid, kept from metadata alone.  Pure.

Dependents are indexed by their owners' uids, also of owners that were never seen: informers of
different kinds are not in step, so a dependent may well be known before its owner.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from wherry.api.types import meta_v1
from wherry.client import PartialObjectMetadata, ResourceInfo

FOREGROUND, ORPHAN = "foregroundDeletion", "orphan"
ABSENT = 10_000  # owners remembered to be gone
Absent = str | tuple[str, str, str, str, str]  # a uid that was seen to go; or a reference, and the namespace of who bears it


@dataclass(slots=True)
class Node:
    """One object as last seen."""

    resource: ResourceInfo
    meta: meta_v1.ObjectMeta

    @property
    def uid(self) -> str:
        return self.meta.uid

    @property
    def being_deleted(self) -> bool:
        return self.meta.deletion_timestamp is not None

    @property
    def deleting_dependents(self) -> bool:
        """It goes once what blocks its deletion has gone (foreground)."""
        return self.being_deleted and FOREGROUND in self.meta.finalizers

    @property
    def orphaning(self) -> bool:
        return self.being_deleted and ORPHAN in self.meta.finalizers

    def is_named_by(self, ref: meta_v1.OwnerReference) -> bool:
        """Whether a reference means it; the uid alone may be a lie, told to have others' dependents deleted."""
        group = ref.api_version.rpartition("/")[0]
        return (self.resource.group, self.resource.kind, self.meta.name, self.uid) == (group, ref.kind, ref.name, ref.uid)

    def misplaced_for(self, dependent: meta_v1.ObjectMeta) -> bool:
        """Whether it cannot own `dependent`, as it lives in another namespace."""
        return bool(self.meta.namespace) and self.meta.namespace != dependent.namespace

    def __str__(self) -> str:
        return f"{self.resource.plural} {self.meta.namespace}/{self.meta.name}"


@dataclass(slots=True)
class Work:
    """Uids to look at: whether to delete, and whose dependents to orphan."""

    delete: list[str] = field(default_factory=list)
    orphan: list[str] = field(default_factory=list)


class Graph:
    """`nodes` and `_dependents` agree after every call."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self._dependents: dict[str, dict[str, None]] = {}  # owner's uid → ordered set of dependents' uids
        self._absent: OrderedDict[Absent, None] = OrderedDict()

    def dependents(self, uid: str) -> list[Node]:
        return [self.nodes[each] for each in self._dependents.get(uid, ())]

    def blocking(self, uid: str) -> list[Node]:
        """Dependents that hold up the foreground deletion of `uid`."""
        found = self.dependents(uid)
        return [each for each in found if any(r.uid == uid and r.block_owner_deletion for r in each.meta.owner_references)]

    def is_absent(self, ref: meta_v1.OwnerReference, namespace: str) -> bool:
        """Known to be gone (a uid never comes back), or that the server knew nothing by this reference."""
        return ref.uid in self._absent or _reference(ref, namespace) in self._absent

    def mark_absent(self, ref: meta_v1.OwnerReference, namespace: str) -> None:
        """The server knows nothing by this reference; another one with its uid may be right."""
        self._remember(_reference(ref, namespace))

    def _remember(self, absent: Absent) -> None:
        self._absent[absent] = None
        if len(self._absent) > ABSENT:
            self._absent.popitem(last=False)

    def put(self, resource: ResourceInfo, obj: PartialObjectMetadata) -> Work:
        """An object was added or has changed."""
        node, old = Node(resource, obj.metadata), self.nodes.get(obj.metadata.uid)
        self.nodes[node.uid] = node
        if old is not None and _stands(node.meta) == _stands(old.meta):
            return Work()
        before = {ref.uid: ref for ref in old.meta.owner_references} if old is not None else {}
        after = {ref.uid: ref for ref in node.meta.owner_references}
        self._unlink(node.uid, before.keys() - after.keys())
        for owner in after:
            self._dependents.setdefault(owner, {})[node.uid] = None
        work = Work()
        owners = [(self.nodes.get(owner), ref) for owner, ref in after.items()]
        doubtful = any(
            owner is None or owner.being_deleted or owner.misplaced_for(node.meta) or not owner.is_named_by(ref) for owner, ref in owners
        )
        if doubtful and (old is None or before.keys() != after.keys()):
            work.delete.append(node.uid)
        unblocked = [uid for uid, ref in before.items() if ref.block_owner_deletion
                     and not (uid in after and after[uid].block_owner_deletion)]
        work.delete += [uid for uid in unblocked if uid in self.nodes and self.nodes[uid].deleting_dependents]
        if node.orphaning and not (old is not None and old.orphaning):
            work.orphan.append(node.uid)
        if node.deleting_dependents and not (old is not None and old.deleting_dependents):
            work.delete += [*self._dependents.get(node.uid, ()), node.uid]
        return work

    def remove(self, uid: str) -> Work:
        """An object is gone: its dependents may have to go, and owners may have waited for it."""
        node = self.nodes.pop(uid, None)
        self._remember(uid)
        work = Work(delete=list(self._dependents.get(uid, ())))
        if node is not None:
            owners = [ref.uid for ref in node.meta.owner_references]
            self._unlink(uid, owners)
            work.delete += [owner for owner in owners if owner in self.nodes and self.nodes[owner].deleting_dependents]
        return work

    def forget(self, resource: ResourceInfo) -> None:
        """A resource is not served any more; nothing is known of its objects, not even that they are gone."""
        for uid in [uid for uid, node in self.nodes.items() if node.resource == resource]:
            node = self.nodes.pop(uid)
            self._unlink(uid, [ref.uid for ref in node.meta.owner_references])

    def _unlink(self, uid: str, owners: Iterable[str]) -> None:
        for owner in owners:
            dependents = self._dependents.get(owner)
            if dependents is not None:
                dependents.pop(uid, None)
                if not dependents:
                    del self._dependents[owner]


def _reference(ref: meta_v1.OwnerReference, namespace: str) -> Absent:
    return ref.uid, ref.api_version.rpartition("/")[0], ref.kind, ref.name, namespace


def _stands(meta: meta_v1.ObjectMeta) -> tuple[object, ...]:
    """What the graph is made of: a change of anything else changes nothing in it."""
    return meta.owner_references, meta.finalizers, meta.deletion_timestamp
