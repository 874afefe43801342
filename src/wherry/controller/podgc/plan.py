"""Which Pods to delete by force.  Pure.

Behaviour: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle (garbage collection of Pods), and
kubernetes.io/docs/concepts/cluster-administration/node-shutdown (non-graceful node shutdown).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from wherry.api.types import core_v1
from wherry.controller.nodelifecycle.plan import ready_status
from wherry.controller.podutil import created, is_terminal

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
QUARANTINE = 40.0  # seconds for which a node must be missing: informers of Pods and nodes are not in step


@dataclass(frozen=True, slots=True)
class Removal:
    """`message` tells why the Pod was disrupted, if it was."""

    pod: core_v1.Pod
    message: str = ""


def terminated(pods: Sequence[core_v1.Pod], threshold: int) -> list[Removal]:
    """The oldest of the ended Pods, the evicted before all others, once there are more than `threshold` (0: never)."""
    ended = [pod for pod in pods if is_terminal(pod) and pod.metadata.deletion_timestamp is None]
    ended.sort(key=lambda pod: (not _was_evicted(pod), created(pod)))
    return [Removal(pod) for pod in ended[:max(0, len(ended) - threshold)]] if threshold > 0 else []


def _was_evicted(pod: core_v1.Pod) -> bool:
    return pod.status.phase == "Failed" and pod.status.reason == "Evicted"


def terminating(pods: Sequence[core_v1.Pod], node_of: Callable[[str], core_v1.Node | None]) -> list[Removal]:
    """Asked to go, on nodes of which somebody says that they are down for long: nobody is there to end them."""
    def is_down(node: core_v1.Node | None) -> bool:
        return node is not None and ready_status(node) != "True" and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)

    return [Removal(pod) for pod in pods if pod.metadata.deletion_timestamp is not None and is_down(node_of(pod.spec.node_name))]


def unscheduled(pods: Sequence[core_v1.Pod]) -> list[Removal]:
    """Asked to go before any node had them."""
    return [Removal(pod) for pod in pods if pod.metadata.deletion_timestamp is not None and not pod.spec.node_name]


def orphaned(pods: Sequence[core_v1.Pod], gone: Collection[str]) -> list[Removal]:
    """On nodes that are gone for good."""
    return [Removal(pod, "PodGC: node no longer exists") for pod in pods if pod.spec.node_name in gone]


def missing_nodes(pods: Sequence[core_v1.Pod], nodes: Collection[str]) -> set[str]:
    return {pod.spec.node_name for pod in pods if pod.spec.node_name and pod.spec.node_name not in nodes}
