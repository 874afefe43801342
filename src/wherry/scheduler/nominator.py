"""Pods that wait for a node which preemption is making room on: counted there when others of no higher priority come."""

from __future__ import annotations

from collections.abc import Callable

from wherry.api.types import core_v1

Released = Callable[[core_v1.Pod, str], None]  # (the Pod, the node that is not kept for it any more)


class Nominator:
    """Nominated Pods by node.  `released` is told of room that is free again: others may have been refused for its sake."""

    def __init__(self, released: Released | None = None) -> None:
        self._nodes: dict[str, dict[str, core_v1.Pod]] = {}
        self._where: dict[str, str] = {}
        self._released = released

    def put(self, pod: core_v1.Pod, node: str) -> None:
        """Nominate it, or keep the newer version of one that is."""
        uid = pod.metadata.uid
        self.remove(uid, taken=node)
        if node:
            self._nodes.setdefault(node, {})[uid] = pod
            self._where[uid] = node

    def remove(self, uid: str, *, taken: str = "") -> None:
        """`taken`: the node that it has now, which is not free then."""
        node = self._where.pop(uid, None)
        if node is None:
            return
        pods = self._nodes[node]
        pod = pods.pop(uid)
        if not pods:
            del self._nodes[node]
        if node != taken and self._released is not None:
            self._released(pod, node)

    def node_of(self, uid: str) -> str:
        return self._where.get(uid, "")

    def on(self, node: str) -> list[core_v1.Pod]:
        return list(self._nodes.get(node, {}).values())

    def rivals(self, pod: core_v1.Pod, node: str) -> list[core_v1.Pod]:
        """The others nominated for the node that this Pod must leave room for."""
        found = self._nodes.get(node)
        if not found:
            return []
        priority, uid = pod.spec.priority or 0, pod.metadata.uid
        return [other for other in found.values() if (other.spec.priority or 0) >= priority and other.metadata.uid != uid]
