"""NodeVolumeLimits: a node takes as many volumes of a CSI driver as its CSINode says.

https://kubernetes.io/docs/concepts/storage/storage-limits/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from wherry.api.types import core_v1, storage_v1
from wherry.api.volumes import Claim, StorageClass, Volume, by_claim, claim_class, pod_claims
from wherry.client.store import key_of
from wherry.scheduler.framework import ASSIGNED_POD, Action, CycleState, EventHint, Handle, Refusal, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter
from wherry.scheduler.plugins.csimigration import Attached, handed_over, inline, of_volume, provisioned

TOO_MANY = Refusal("node(s) exceed max volume count", resolvable=True)
Place = tuple[str, str]  # driver, and which of its volumes


def _node(attachment: storage_v1.VolumeAttachment) -> tuple[str, ...]:
    """One function for all profiles: they share the index."""
    return (attachment.spec.node_name,)


class NodeVolumeLimits(Filter):
    name = "NodeVolumeLimits"

    def __init__(self, handle: Handle) -> None:
        self._claims, self._volumes = handle.lister(Claim), handle.lister(Volume)
        self._classes, self._csi_nodes = handle.lister(StorageClass), handle.lister(storage_v1.CSINode)
        self._drivers = handle.lister(storage_v1.CSIDriver)
        self._attachments = handle.lister(storage_v1.VolumeAttachment)
        self._attachments.add_indexer("node", _node)

    def events(self) -> Sequence[EventHint]:
        changed = Action.ADD | Action.UPDATE
        return (
            EventHint(storage_v1.CSINode, changed, lambda pod, old, new: old is None or _more(old, new)),
            EventHint(ASSIGNED_POD, Action.DELETE, lambda pod, old, new: _attaches(old)),
            EventHint(Claim, changed, lambda pod, old, new: key_of(new) in by_claim(pod)),
            EventHint(storage_v1.CSIDriver, changed | Action.DELETE),
            EventHint(storage_v1.VolumeAttachment, Action.DELETE, lambda pod, old, new: _attaches(pod)),
        )

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        state.data[self.name] = frozenset(self._attached(pod))
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(state.data[self.name])

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        csi = self._csi_nodes.get(node.name)
        wanted, there = _serving(state.data[self.name], csi), set[Place]()
        installed = {each.name for each in csi.spec.drivers} if csi is not None else set()
        for driver in sorted({each[0] for each in wanted} - installed):
            known = self._drivers.get(driver)
            if known is not None and known.spec.prevent_pod_scheduling_if_missing:
                return Refusal(f"{driver} CSI driver is not installed on the node")
        limits = _limits(csi) if csi is not None else {}
        if not limits:
            return None
        for other in node.pods.values():
            there |= _serving(self._attached(other), csi)
        there |= set(self._held(node.name))  # also those that no Pod of the node uses any more
        new = wanted - there
        for driver, limit in limits.items():
            added = sum(each[0] == driver for each in new)
            if added and added + sum(each[0] == driver for each in there) > limit:
                return TOO_MANY
        return None

    def _held(self, node: str) -> Iterator[Place]:
        """What VolumeAttachments say is attached to the node."""
        for each in self._attachments.by_index("node", node):
            volume = self._volumes.get(each.spec.source.persistent_volume_name or "")
            attached = of_volume(volume) if volume is not None else None
            if attached is not None:
                yield each.spec.attacher, attached.handle

    def _attached(self, pod: core_v1.Pod) -> Iterator[Attached]:
        """A volume that several Pods share counts once; a claim that waits for its volume counts as one of its class's driver."""
        for source in pod.spec.volumes:
            if (described := inline(source)) is not None:
                yield described
        for _, name in pod_claims(pod):
            claim = self._claims.get(name, pod.metadata.namespace)
            if claim is None:
                continue
            volume = self._volumes.get(claim.spec.volume_name) if claim.spec.volume_name else None
            if volume is not None:
                if (bound := of_volume(volume)) is not None:
                    yield bound
                continue
            storage_class = self._classes.get(claim_class(claim))
            if storage_class is not None:
                yield provisioned(storage_class.provisioner, key_of(claim))


def _attaches(pod: core_v1.Pod) -> bool:
    """Whether volumes of the Pod may take a driver's places."""
    return bool(by_claim(pod)) or any(map(inline, pod.spec.volumes))


def _serving(attached: Iterable[Attached], csi: storage_v1.CSINode | None) -> set[Place]:
    """What takes a driver's places on the node: of the old kinds those that its drivers serve."""
    migrated = handed_over(csi)
    return {(each.driver, each.handle) for each in attached if not each.plugin or each.plugin in migrated}


def _limits(csi: storage_v1.CSINode) -> dict[str, int]:
    """How many volumes each driver can attach to the node; absent where it does not say."""
    told = {each.name: each.allocatable.count if each.allocatable is not None else None for each in csi.spec.drivers}
    return {name: count for name, count in told.items() if count is not None}


def _more(old: storage_v1.CSINode, new: storage_v1.CSINode) -> bool:
    """Whether a driver is new, takes more volumes or as many as one likes, or serves what it did not."""
    before, after = _limits(old), _limits(new)
    if {each.name for each in new.spec.drivers} - {each.name for each in old.spec.drivers} or handed_over(old) != handed_over(new):
        return True
    return any(name not in after or after[name] > count for name, count in before.items())
