"""NodeDeclaredFeatures: a Pod that needs something new of its node waits for one that says it has it.

https://kubernetes.io/docs/concepts/scheduling-eviction/node-declared-features/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wherry.api.pod import containers
from wherry.api.types import core_v1
from wherry.scheduler.framework import NODE, Action, CycleState, EventHint, Refusal, Snapshot
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter

RESTART_ALL = "RestartAllContainersOnContainerExits"
USERS_ON_HOST_NETWORK = "UserNamespacesHostNetworkSupport"
MISSING = Refusal("node(s) didn't match Pod's required features")


def needed(pod: core_v1.Pod) -> list[str]:
    """The features that a Pod's spec asks of a node."""
    found = []
    if any(rule.action == "RestartAllContainers" for container in containers(pod) for rule in container.restart_policy_rules):
        found.append(RESTART_ALL)
    if pod.spec.host_network and pod.spec.host_users is False:
        found.append(USERS_ON_HOST_NETWORK)
    return found


class NodeDeclaredFeatures(Filter):
    name = "NodeDeclaredFeatures"
    local = True

    def sign(self, pod: core_v1.Pod, snapshot: Snapshot) -> Any:
        return needed(pod)

    def events(self) -> Sequence[EventHint]:
        return (EventHint(NODE, Action.ADD | Action.UPDATE_NODE_DECLARED_FEATURE, lambda pod, old, node: _has_all(pod, node)),)

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(needed(pod))

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        return None if node.node is not None and _has_all(pod, node.node) else MISSING


def _has_all(pod: core_v1.Pod, node: core_v1.Node) -> bool:
    return set(needed(pod)) <= set(node.status.declared_features)
