"""Pods that wait for a node which preemption is making room on: counted there when others of no higher priority come."""

from __future__ import annotations

from wherry.api.types import core_v1


class Nominator:
    """Nominated Pods by node."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, core_v1.Pod]] = {}
        self._where: dict[str, str] = {}

    def put(self, pod: core_v1.Pod, node: str) -> None:
        uid = pod.metadata.uid
        self.remove(uid)
        if node:
            self._nodes.setdefault(node, {})[uid] = pod
            self._where[uid] = node

    def remove(self, uid: str) -> None:
        node = self._where.pop(uid, None)
        if node is not None:
            pods = self._nodes[node]
            del pods[uid]
            if not pods:
                del self._nodes[node]

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
