"""What the scheduler knows of nodes and Pods, its own decisions not yet confirmed included (upstream's cache)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from wherry.api.types import core_v1
from wherry.scheduler.framework import NodeInfo, Refusal
from wherry.scheduler.resources import amounts

Verdicts = dict[str, tuple[str, Refusal] | None]
REMEMBERED = 256


class Snapshot:
    """Nodes with their Pods.  Changed only between decisions; a decision reads it."""

    def __init__(self) -> None:
        self._nodes: dict[str, NodeInfo] = {}
        self._where: dict[str, str] = {}  # Pod uid -> node name
        self.order: list[NodeInfo] = []  # those that exist as Nodes, by zone in turn
        self._static: dict[bytes, Verdicts] = {}

    @property
    def nodes(self) -> Mapping[str, NodeInfo]:
        return {info.name: info for info in self.order}

    def set_node(self, node: core_v1.Node) -> None:
        name = node.metadata.name
        info = self._nodes.get(name)
        if info is None:
            info = self._nodes[name] = NodeInfo(node, name)
        old = info.node
        info.node = node
        info.allocatable = amounts(node.status.allocatable or node.status.capacity)
        info.generation += 1
        if old is None or info not in self.order or old.metadata.labels != node.metadata.labels:
            self._arrange()
        if old is None or old.metadata.labels != node.metadata.labels or old.spec != node.spec:
            for verdicts in self._static.values():
                verdicts.pop(name, None)

    def remove_node(self, name: str) -> None:
        info = self._nodes.get(name)
        if info is None:
            return
        info.node = None
        if not info.pods:
            del self._nodes[name]
        for verdicts in self._static.values():
            verdicts.pop(name, None)
        self._arrange()

    def _arrange(self) -> None:
        """Zones take turns, so that the first feasible nodes are not all of one zone."""
        zones: dict[str, list[NodeInfo]] = {}
        for name in sorted(self._nodes):
            info = self._nodes[name]
            if info.node is not None:
                zones.setdefault(info.node.metadata.labels.get("topology.kubernetes.io/zone", ""), []).append(info)
        columns = list(zones.values())
        longest = max(map(len, columns), default=0)
        self.order = [column[i] for i in range(longest) for column in columns if i < len(column)]

    def put_pod(self, pod: core_v1.Pod) -> None:
        """A Pod that has a node, assumed or confirmed."""
        uid, name = pod.metadata.uid, pod.spec.node_name
        before = self._where.get(uid)
        if before is not None and before != name:
            self.remove_pod(pod)
        info = self._nodes.get(name)
        if info is None:
            info = self._nodes[name] = NodeInfo(None, name)
        info.add(pod)
        self._where[uid] = name

    def remove_pod(self, pod: core_v1.Pod) -> None:
        name = self._where.pop(pod.metadata.uid, None)
        if name is not None and name in self._nodes:
            self._nodes[name].remove(pod)

    def has_pod(self, uid: str) -> bool:
        return uid in self._where

    def static_results(self, pod: core_v1.Pod) -> Verdicts:
        """Remembered verdicts of the static filters for Pods of this template, by node."""
        spec = pod.spec
        parts: list[Any] = [spec.node_selector, spec.affinity.node_affinity if spec.affinity else None, spec.tolerations, spec.node_name]
        key = hashlib.blake2b(msgspec.json.encode(parts), digest_size=16).digest()
        found = self._static.get(key)
        if found is None:
            if len(self._static) >= REMEMBERED:
                self._static.clear()
            found = self._static[key] = {}
        return found
