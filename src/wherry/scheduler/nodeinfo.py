"""A node as the scheduler sees it: the Node, the Pods on it, and their sums."""

from __future__ import annotations

from typing import NamedTuple

from wherry.api.types import core_v1
from wherry.scheduler.resources import Amounts, amounts, held_changed, pod_ports, pod_requests, scoring_requests


class Taken(NamedTuple):
    """What one Pod takes of its node: worked out when it comes, given back when it leaves."""

    requested: Amounts
    nonzero: Amounts
    ports: list[tuple[str, str, int]]


class NodeInfo:
    """A node and the Pods on it, with their requests summed (milli-CPU, bytes, counts).

    `requested` is what filters compare; `nonzero` counts Pods that ask for nothing as if they asked for a
    little, for scores.
    """

    __slots__ = ("_taken", "allocatable", "generation", "images", "name", "node", "nonzero", "pods", "ports", "requested")

    def __init__(self, node: core_v1.Node | None, name: str) -> None:
        self.name = name
        self.node = node
        self.pods: dict[str, core_v1.Pod] = {}
        self._taken: dict[str, Taken] = {}  # of each of `pods`
        self.requested: dict[str, int] = {}
        self.nonzero: dict[str, int] = {}
        self.allocatable: dict[str, int] = {}
        self.images: dict[str, int] = {}  # name -> bytes
        self.ports: dict[tuple[str, str, int], int] = {}
        self.generation = 0  # counts every change
        if node is not None:
            self.set_node(node)

    @property
    def labels(self) -> dict[str, str]:
        return self.node.metadata.labels if self.node is not None else {}

    def set_node(self, node: core_v1.Node) -> None:
        self.node = node
        self.allocatable = amounts(node.status.allocatable or node.status.capacity)
        self.images = {name: image.size_bytes or 0 for image in node.status.images for name in image.names}
        self.generation += 1

    def add(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        known = self.pods.get(uid)
        if known is not None:
            if known.spec == pod.spec and not held_changed(known, pod):  # as when a Pod that was assumed is confirmed
                self.pods[uid] = pod
                self.generation += 1
                return
            self.remove(known)
        self.pods[uid] = pod
        taken = self._taken[uid] = Taken(pod_requests(pod), scoring_requests(pod), pod_ports(pod))
        self._count(taken, 1)

    def remove(self, pod: core_v1.Pod) -> None:
        if self.pods.pop(pod.metadata.uid, None) is not None:
            self._count(self._taken.pop(pod.metadata.uid), -1)

    def _count(self, taken: Taken, sign: int) -> None:
        self.generation += 1
        requested, nonzero = self.requested, self.nonzero
        for name, amount in taken.requested.items():
            requested[name] = requested.get(name, 0) + sign * amount
        for name, amount in taken.nonzero.items():
            nonzero[name] = nonzero.get(name, 0) + sign * amount
        for port in taken.ports:
            left = self.ports.get(port, 0) + sign
            if left:
                self.ports[port] = left
            else:
                self.ports.pop(port, None)

    def clone(self) -> NodeInfo:
        """A copy that Pods can be added to and removed from."""
        made = NodeInfo(None, self.name)
        made.node, made.allocatable, made.images = self.node, self.allocatable, self.images
        made.pods, made.requested, made.nonzero = dict(self.pods), dict(self.requested), dict(self.nonzero)
        made._taken = dict(self._taken)
        made.ports, made.generation = dict(self.ports), self.generation
        return made
