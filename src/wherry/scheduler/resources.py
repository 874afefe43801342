"""What a Pod asks of a node, as integers: milli-CPU, bytes, counts.

`api/pod.py` knows the rules; here exact Quantities become the whole numbers that are compared a million times.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from wherry.api.pod import Amounts as Quantities
from wherry.api.pod import effective_requests, get_condition, holds, host_ports
from wherry.api.types import core_v1
from wherry.apimachinery import quantity

CPU, MEMORY, PODS, EPHEMERAL = "cpu", "memory", "pods", "ephemeral-storage"
# A container that asks for nothing is scored as if it asked for this much, so that such Pods spread too.
ASSUMED = {CPU: quantity.parse("100m"), MEMORY: quantity.parse("200Mi")}
Amounts = dict[str, int]
pod_ports = host_ports


@lru_cache(maxsize=8192)
def amount(resource: str, text: str) -> int:
    """A quantity as an integer: milli-CPU, or units."""
    return quantity.milli(text) if resource == CPU else quantity.value(text)


def amounts(resources: Mapping[str, str]) -> Amounts:
    return {name: amount(name, text) for name, text in resources.items()}


def _whole(quantities: Quantities) -> Amounts:
    return {name: each.milli() if name == CPU else each.value() for name, each in quantities.items()}


_ASSUMED_WHOLE = _whole(ASSUMED)


def pod_requests(pod: core_v1.Pod) -> Amounts:
    """What the filters compare; every Pod takes one of `pods`.  A running Pod takes what it holds in the midst of a resize."""
    total = _plain(pod)
    if total is None:
        total = _whole(effective_requests(pod, held=True))
    total[PODS] = 1
    return total


def scoring_requests(pod: core_v1.Pod) -> Amounts:
    """What the scores count: as above, with CPU and memory assumed where a container names none."""
    total = _plain(pod)
    return _whole(effective_requests(pod, ASSUMED, held=True)) if total is None else {**_ASSUMED_WHOLE, **total}


def _plain(pod: core_v1.Pod) -> Amounts | None:
    """The sums of a Pod with one container and nothing special, which most are: without exact arithmetic."""
    spec = pod.spec
    if len(spec.containers) != 1 or spec.init_containers or spec.overhead or spec.resources is not None or holds(pod):
        return None
    return amounts(spec.containers[0].resources.requests)


def held_changed(old: core_v1.Pod, new: core_v1.Pod) -> bool:
    """Whether the status tells of other resources: a resize has begun, has ended or has been refused."""
    if not holds(old) and not holds(new):
        return False
    return _told(old) != _told(new) and pod_requests(old) != pod_requests(new)


def _told(pod: core_v1.Pod) -> list[object]:
    """What requests are worked out from, beside the spec."""
    status, pending = pod.status, get_condition(pod, "PodResizePending")
    each = [(s.name, s.resources, s.allocated_resources) for s in (*status.container_statuses, *status.init_container_statuses)]
    return [each, status.resources, status.allocated_resources, pending.reason if pending is not None else ""]
