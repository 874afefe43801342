"""VolumeZone: a volume that bears a zone's or a region's label is reached from there alone.

https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone
"""

from __future__ import annotations

from collections.abc import Sequence

from wherry.api.types import core_v1
from wherry.api.volumes import Claim, Volume, by_claim, pod_claims
from wherry.client.store import key_of
from wherry.scheduler.framework import NODE, Action, CycleState, EventHint, Handle, Refusal, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter

CONFLICT = Refusal("node(s) had no available volume zone")
# An old label of a volume is also looked for by its new name on the node, as upstream; not the other way round.
_NEW = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
}
_KEYS = (*_NEW, *_NEW.values())


class VolumeZone(Filter):
    name = "VolumeZone"

    def __init__(self, handle: Handle) -> None:
        self._claims, self._volumes = handle.lister(Claim), handle.lister(Volume)

    def events(self) -> Sequence[EventHint]:
        changed = Action.ADD | Action.UPDATE
        return (
            EventHint(NODE, Action.ADD | Action.UPDATE_NODE_LABEL),
            EventHint(Claim, changed, lambda pod, old, new: key_of(new) in by_claim(pod)),
            EventHint(Volume, changed, lambda pod, old, new: old is None or _topology(old) != _topology(new)),
        )

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        """What is not bound yet is VolumeBinding's."""
        wanted: list[tuple[str, frozenset[str]]] = []
        for _, name in pod_claims(pod):
            claim = self._claims.get(name, pod.metadata.namespace)
            volume = self._volumes.get(claim.spec.volume_name) if claim is not None and claim.spec.volume_name else None
            labels = volume.metadata.labels if volume is not None else {}
            wanted += [(key, frozenset(labels[key].split("__"))) for key in _KEYS if key in labels]
        state.data[self.name] = wanted
        return None

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(state.data[self.name])

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        labels = node.node.metadata.labels if node.node is not None else {}
        if not any(key in labels for key in _KEYS):
            return None  # a cluster without zones
        for key, values in state.data[self.name]:
            if labels.get(key, labels.get(_NEW.get(key, key))) not in values:
                return CONFLICT
        return None


def _topology(volume: Volume) -> dict[str, str]:
    return {key: value for key, value in volume.metadata.labels.items() if key in _KEYS}
