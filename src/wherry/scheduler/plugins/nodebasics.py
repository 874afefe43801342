"""NodeName, NodeUnschedulable, NodePorts: the plain questions."""

from __future__ import annotations

from wherry.api.tolerations import tolerates
from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, NodeInfo, Refusal
from wherry.scheduler.plugins.base import Filter
from wherry.scheduler.resources import pod_ports

UNSCHEDULABLE = core_v1.Taint(key="node.kubernetes.io/unschedulable", effect="NoSchedule")


class NodeName(Filter):
    """The Pod names its node."""

    name = "NodeName"
    static = True

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(pod.spec.node_name)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        return None if pod.spec.node_name == node.name else Refusal("node(s) didn't match the requested node name")


class NodeUnschedulable(Filter):
    """A cordoned node takes only Pods that tolerate it."""

    name = "NodeUnschedulable"
    static = True

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        if node.node is None or not node.node.spec.unschedulable or tolerates(pod, UNSCHEDULABLE):
            return None
        return Refusal("node(s) were unschedulable")


class NodePorts(Filter):
    """Host ports that a Pod asks for must be free."""

    name = "NodePorts"

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        wanted = pod_ports(pod)
        state.data[self.name] = wanted
        return bool(wanted)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        for ip, protocol, port in state.data[self.name]:
            for other_ip, other_protocol, other_port in node.ports:
                same = protocol == other_protocol and port == other_port
                if same and (ip == other_ip or "0.0.0.0" in (ip, other_ip)):
                    return Refusal("node(s) didn't have free ports for the requested pod ports", resolvable=True)
        return None
