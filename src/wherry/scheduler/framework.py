"""The scheduling framework: what a plugin is, and what it sees of the cluster.

https://kubernetes.io/docs/concepts/scheduling-eviction/scheduling-framework/
A plugin is one file in `plugins/` and one line in `profile.py`.  Plugins are pure: they read a snapshot.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from wherry.api.types import core_v1
from wherry.scheduler.resources import pod_ports, pod_requests

MAX_NODE_SCORE = 100


class NodeInfo:
    """A node and the Pods on it, with their requests summed (milli-CPU, bytes, counts)."""

    __slots__ = ("allocatable", "generation", "name", "node", "pods", "ports", "requested")

    def __init__(self, node: core_v1.Node | None, name: str) -> None:
        self.name = name
        self.node = node
        self.pods: dict[str, core_v1.Pod] = {}
        self.requested: dict[str, int] = {}
        self.allocatable: dict[str, int] = {}
        self.ports: dict[tuple[str, str, int], int] = {}
        self.generation = 0  # counts every change

    def add(self, pod: core_v1.Pod) -> None:
        if pod.metadata.uid in self.pods:
            self.remove(self.pods[pod.metadata.uid])
        self.pods[pod.metadata.uid] = pod
        self._count(pod, 1)

    def remove(self, pod: core_v1.Pod) -> None:
        known = self.pods.pop(pod.metadata.uid, None)
        if known is not None:
            self._count(known, -1)

    def _count(self, pod: core_v1.Pod, sign: int) -> None:
        self.generation += 1
        for name, amount in pod_requests(pod).items():
            self.requested[name] = self.requested.get(name, 0) + sign * amount
        for port in pod_ports(pod):
            left = self.ports.get(port, 0) + sign
            if left:
                self.ports[port] = left
            else:
                self.ports.pop(port, None)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node will not do, in the words of events.  `resolvable`: evicting Pods there might help."""

    reason: str
    resolvable: bool = False


@dataclass(slots=True)
class CycleState:
    """What PreFilter and PreScore worked out for one Pod, by plugin name."""

    data: dict[str, Any] = field(default_factory=dict)


class Snapshot(Protocol):
    """The nodes as one scheduling cycle sees them."""

    @property
    def nodes(self) -> Mapping[str, NodeInfo]: ...


class FilterPlugin(Protocol):
    """Says which nodes will not do.  `static`: depends on the Pod's spec and the Node object alone."""

    name: str
    static: bool

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> Refusal | None:
        """Once a Pod; a Refusal refuses every node."""
        ...

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        """Whether `filter` could refuse anything for this Pod: what is not relevant is not asked."""
        ...

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None: ...


class ScorePlugin(Protocol):
    """Says how good a node is: higher is better; `normalize` brings the scores to 0..100."""

    name: str

    def pre_score(self, state: CycleState, pod: core_v1.Pod, nodes: Sequence[NodeInfo]) -> bool:
        """Whether this plugin has anything to say about the Pod."""
        ...

    def score(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> float: ...

    def normalize(self, scores: list[float]) -> list[float]: ...


def spread_scores(scores: Iterable[float], *, reverse: bool = False) -> list[float]:
    """Scores scaled so that the largest is 100 (0 when `reverse`)."""
    values = list(scores)
    top = max(values, default=0.0)
    if top <= 0:
        return [float(MAX_NODE_SCORE)] * len(values) if reverse else values
    scaled = [value * MAX_NODE_SCORE / top for value in values]
    return [MAX_NODE_SCORE - value for value in scaled] if reverse else scaled
