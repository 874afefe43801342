"""Which Pods to delete by force.  Pure.

Behaviour: kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle (garbage collection of Pods).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from wherry.api.types import core_v1
from wherry.controller.podutil import created, is_terminal

QUARANTINE = 40.0  # seconds for which a node must be missing: informers of Pods and nodes are not in step


@dataclass(frozen=True, slots=True)
class Removal:
    """`message` tells why, on a Pod that has not ended by itself."""

    pod: core_v1.Pod
    message: str = ""


def terminated(pods: Sequence[core_v1.Pod], threshold: int) -> list[Removal]:
    """The oldest of the ended Pods, once there are more than `threshold` (0: never)."""
    ended = sorted((pod for pod in pods if is_terminal(pod) and pod.metadata.deletion_timestamp is None), key=created)
    return [Removal(pod) for pod in ended[:max(0, len(ended) - threshold)]] if threshold > 0 else []


def unscheduled(pods: Sequence[core_v1.Pod]) -> list[Removal]:
    """Asked to go before any node had them."""
    return [Removal(pod) for pod in pods if pod.metadata.deletion_timestamp is not None and not pod.spec.node_name]


def orphaned(pods: Sequence[core_v1.Pod], gone: Collection[str]) -> list[Removal]:
    """On nodes that are gone for good."""
    return [Removal(pod, "PodGC: node no longer exists") for pod in pods if pod.spec.node_name in gone]


def missing_nodes(pods: Sequence[core_v1.Pod], nodes: Collection[str]) -> set[str]:
    return {pod.spec.node_name for pod in pods if pod.spec.node_name and pod.spec.node_name not in nodes}
