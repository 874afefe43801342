"""DynamicResources: a Pod that claims devices waits until its claims can be allocated.

https://kubernetes.io/docs/concepts/scheduling-eviction/dynamic-resource-allocation/

No driver runs in this cluster, so no node publishes devices and no claim can be: the Pod is told so, and not started
without what it asked for.
"""

from __future__ import annotations

from wherry.api.types import core_v1
from wherry.scheduler.framework import CycleState, Refusal
from wherry.scheduler.nodeinfo import NodeInfo
from wherry.scheduler.plugins.base import Filter

NO_DEVICES = Refusal("cannot allocate all claims")


class DynamicResources(Filter):
    name = "DynamicResources"

    def relevant(self, state: CycleState, pod: core_v1.Pod) -> bool:
        return bool(pod.spec.resource_claims)

    def filter(self, state: CycleState, pod: core_v1.Pod, node: NodeInfo) -> Refusal | None:
        return NO_DEVICES
