"""NodeName, NodeUnschedulable, NodePorts: the plain questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.tolerations import tolerates
from wherry.api.types import core_v1
from wherry.scheduler.framework import ASSIGNED_POD, NODE, UNSCHEDULED_POD, Action, CycleState, EventHint, Refusal, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter
from wherry.scheduler.resources import pod_ports

UNSCHEDULABLE = core_v1.Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")
Port = tuple[str, str, int]


class NodeName(Filter):
    """The Pod names its node."""

    name = "NodeName"
    local = True

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        return pod.spec.node_name

    def events(self) -> Sequence[EventHint]:
        return (EventHint(NODE, Action.ADD, lambda pod, old, node: node.metadata.name == pod.spec.node_name),)

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(pod.spec.node_name)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        return None if pod.spec.node_name == node.name else Refusal("node(s) didn't match the requested node name")


class NodeUnschedulable(Filter):
    """A cordoned node takes only Pods that tolerate it."""

    name = "NodeUnschedulable"
    local = True
    _REFUSAL = Refusal("node(s) were unschedulable")

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        return pod.spec.tolerations

    def events(self) -> Sequence[EventHint]:
        return (
            EventHint(NODE, Action.ADD | Action.UPDATE_NODE_TAINT, self._opened),
            EventHint(UNSCHEDULED_POD, Action.UPDATE_POD_TOLERATION, lambda pod, old, new: tolerates(new, UNSCHEDULABLE)),
        )

    @staticmethod
    def _opened(pod: core_v1.Pod, old: core_v1.Node | None, node: core_v1.Node) -> bool:
        return not node.spec.unschedulable and (old is None or bool(old.spec.unschedulable))

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        if node.node is None or not node.node.spec.unschedulable or tolerates(pod, UNSCHEDULABLE):
            return None
        return self._REFUSAL


def clash(wanted: Port, taken: Port) -> bool:
    """The same port of the same protocol, on an address that both have."""
    return wanted[1:] == taken[1:] and (wanted[0] == taken[0] or "0.0.0.0" in (wanted[0], taken[0]))


class NodePorts(Filter):
    """Host ports that a Pod asks for must be free."""

    name = "NodePorts"
    local = True

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        return pod_ports(pod)

    def events(self) -> Sequence[EventHint]:
        return EventHint(ASSIGNED_POD, Action.DELETE, self._freed), EventHint(NODE, Action.ADD)

    @staticmethod
    def _freed(pod: core_v1.Pod, old: core_v1.Pod, new: object) -> bool:
        return any(clash(wanted, freed) for wanted in pod_ports(pod) for freed in pod_ports(old))

    def pre_filter(self, state: CycleState, pod: core_v1.Pod, snapshot: Snapshot) -> None:
        state.data[self.name] = pod_ports(pod)

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(state.data[self.name])

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        for wanted in state.data[self.name]:
            for taken in node.ports:
                if clash(wanted, taken):
                    return Refusal(
                        "node(s) didn't have free ports for the requested pod ports", resolvable=True,
                        detail=f"{wanted[1]} {wanted[2]} is taken",
                    )
        return None
