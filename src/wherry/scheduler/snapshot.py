"""What the scheduler knows of nodes and Pods, its own decisions not yet confirmed included (upstream's cache).

Everything that is worked out from it and kept (rankings, counts by topology) catches up by two journals instead
of looking at all nodes again: the nodes that changed, and the Pods that came and went.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from wherry.api.types import core_v1
from wherry.scheduler.framework import D
from wherry.scheduler.journal import Journal
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.ranking import Rankings
from wherry.scheduler.resources import held_changed

REMEMBERED = 256  # derived values
MOVES = 1024  # of Pods, to catch up by: each entry may be the last to hold one
ZONE = "topology.kubernetes.io/zone"


class _Kept:
    __slots__ = ("position", "topology", "value")

    def __init__(self, value: Any) -> None:
        self.value, self.position, self.topology = value, 0, -1


class Snapshot:
    """Nodes with their Pods.  Changed only between decisions; a decision reads it."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeInfo] = {}  # also those that only Pods speak of
        self._where: dict[str, str] = {}  # Pod uid -> node name
        self._existing: dict[str, NodeInfo] = {}
        self.order: list[NodeInfo] = []  # those that exist as Nodes, by zone in turn
        self.topology = 0  # counts changes of the set of nodes, of their labels and specs
        self.touched: Journal[str] = Journal()  # names of nodes whose NodeInfo changed
        self._moves: Journal[tuple[NodeInfo, core_v1.Pod, int]] = Journal(MOVES)
        self._derived: OrderedDict[Any, _Kept] = OrderedDict()
        self.images: dict[str, int] = {}  # name -> how many nodes have it
        self.avoided = 0  # nodes with a PreferNoSchedule taint
        self.priorities: Counter[int] = Counter()  # of the Pods that have a node
        self.rankings: defaultdict[str, Rankings] = defaultdict(Rankings)  # by profile
        self._stale = False

    @property
    def nodes(self) -> Mapping[str, NodeInfo]:
        return self._existing

    # -- nodes -------------------------------------------------------------------------------------

    def set_node(self, node: core_v1.Node) -> None:
        name = node.metadata.name
        info = self._nodes.get(name)
        if info is None:
            info = self._nodes[name] = NodeInfo(None, name)
        old = info.node
        self._count_node(info, -1)
        info.set_node(node)
        self._count_node(info, 1)
        self.touched.append(name)
        if old is None or old.metadata.labels != node.metadata.labels or old.spec != node.spec:
            self._existing[name] = info
            self._rearrange()

    def remove_node(self, name: str) -> None:
        info = self._nodes.get(name)
        if info is None or info.node is None:
            return
        self._count_node(info, -1)
        info.node = None
        if not info.pods:
            del self._nodes[name]
        del self._existing[name]
        self._rearrange()

    def _count_node(self, info: NodeInfo, sign: int) -> None:
        if info.node is None:
            return
        self.avoided += sign * any(t.effect == "PreferNoSchedule" for t in info.node.spec.taints)
        for image in info.images:
            left = self.images.get(image, 0) + sign
            if left:
                self.images[image] = left
            else:
                del self.images[image]

    def _rearrange(self) -> None:
        self.topology += 1
        self._stale = True

    def arrange(self) -> None:
        """Bring `order` up to date.  Zones take turns, so that the first feasible nodes are not all of one zone."""
        if not self._stale:
            return
        self._stale = False
        zones: dict[str, list[NodeInfo]] = {}
        for name in sorted(self._existing):
            info = self._existing[name]
            zones.setdefault(info.labels.get(ZONE, ""), []).append(info)
        columns = list(zones.values())
        longest = max(map(len, columns), default=0)
        self.order = [column[i] for i in range(longest) for column in columns if i < len(column)]

    # -- Pods --------------------------------------------------------------------------------------

    def put_pod(self, pod: core_v1.Pod) -> None:
        """A Pod that has a node, assumed or confirmed."""
        uid, name = pod.metadata.uid, pod.spec.node_name
        before = self._where.get(uid)
        if before is not None and before != name:
            self.remove_pod(pod)
        info = self._nodes.get(name)
        if info is None:
            info = self._nodes[name] = NodeInfo(None, name)
        known = info.pods.get(uid)
        if known is not None:
            if same_to_others(known, pod):
                info.pods[uid] = pod
                return
            self._move(info, known, -1)
        info.add(pod)
        self._where[uid] = name
        self._move(info, pod, 1)

    def remove_pod(self, pod: core_v1.Pod) -> None:
        name = self._where.pop(pod.metadata.uid, None)
        info = self._nodes.get(name) if name is not None else None
        known = info.pods.get(pod.metadata.uid) if info is not None else None
        if info is None or known is None:
            return
        info.remove(known)
        self._move(info, known, -1)
        if info.node is None and not info.pods:
            del self._nodes[info.name]

    def _move(self, info: NodeInfo, pod: core_v1.Pod, sign: int) -> None:
        self.touched.append(info.name)
        priority = pod.spec.priority or 0
        self.priorities[priority] += sign
        if not self.priorities[priority]:
            del self.priorities[priority]
        self._moves.append((info, pod, sign))

    def has_pod(self, uid: str) -> bool:
        return uid in self._where

    def pod(self, uid: str) -> core_v1.Pod | None:
        """The Pod as it is counted: None when it has no node."""
        name = self._where.get(uid)
        return self._nodes[name].pods[uid] if name is not None else None

    # -- what is kept ------------------------------------------------------------------------------

    def derived(self, key: Any, make: Callable[[], D]) -> D:
        """The value of a key, brought up to date."""
        kept = self._derived.get(key)
        if kept is None:
            kept = self._derived[key] = _Kept(make())
            if len(self._derived) > REMEMBERED:
                self._derived.popitem(last=False)
        else:
            self._derived.move_to_end(key)
        moves = self._moves.since(kept.position) if kept.topology == self.topology else None
        value: D = kept.value
        if moves is None:
            value.rebuild(self._existing.values())
        else:
            for info, pod, sign in moves:
                if info.node is not None:
                    value.count(info, pod, sign)
        kept.topology, kept.position = self.topology, self._moves.end
        return value


def same_to_others(old: core_v1.Pod, new: core_v1.Pod) -> bool:
    """Whether nothing changed that decisions about other Pods look at."""
    before, after = old.metadata, new.metadata
    return (
        before.labels == after.labels
        and bool(before.deletion_timestamp) == bool(after.deletion_timestamp)
        and old.spec == new.spec
        and not held_changed(old, new)
    )
