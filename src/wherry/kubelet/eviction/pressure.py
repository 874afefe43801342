"""When the node runs short, and which Pod goes first: pure.

Memory that runs out is given back by ending a Pod, before the kernel ends one of its own choice.  A disk that
runs full is told (DiskPressure, so that no new Pod comes) and no Pod is ended for it: the host is borrowed, and what
fills it is as likely to be its owner's.
https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from wherry.api.pod import effective_requests
from wherry.api.types import core_v1
from wherry.apimachinery import quantity

MEMORY, DISK = "MemoryPressure", "DiskPressure"
MIB, GIB = 1 << 20, 1 << 30
MEMORY_THRESHOLD = 100 * MIB  # upstream's memory.available
DISK_FRACTION, DISK_MOST = 20, GIB  # a twentieth of the disk, at most 1 GiB: upstream's tenth of a host's disk is a lot
INODE_FRACTION = 20  # upstream's nodefs.inodesFree
CRITICAL_PRIORITY = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Observation:
    """Bytes and inodes; a capacity of 0 says that nothing is known of it."""

    memory_available: int
    memory_capacity: int
    disk_available: int = 0
    disk_capacity: int = 0
    inodes_free: int = 0
    inodes: int = 0


@dataclass(frozen=True, slots=True)
class PodMemory:
    """A Pod's working set, and its containers'."""

    pod: core_v1.Pod
    used: int
    containers: Mapping[str, int] = field(default_factory=dict)


def pressures(seen: Observation) -> frozenset[str]:
    """The conditions that are True."""
    found = set()
    if seen.memory_capacity and seen.memory_available < MEMORY_THRESHOLD:
        found.add(MEMORY)
    least = min(seen.disk_capacity // DISK_FRACTION, DISK_MOST)
    if (seen.disk_capacity and seen.disk_available < least) or (seen.inodes and seen.inodes_free < seen.inodes // INODE_FRACTION):
        found.add(DISK)
    return frozenset(found)


def _request(pod: core_v1.Pod) -> int:
    wanted = effective_requests(pod).get("memory")
    return quantity.value(str(wanted)) if wanted is not None else 0


def first_to_go(pods: Iterable[PodMemory]) -> PodMemory | None:
    """The Pod over its request first, then the lower priority, then that which is farthest over.  Critical ones stay."""
    able = [each for each in pods if each.used and (each.pod.spec.priority or 0) < CRITICAL_PRIORITY]

    def rank(each: PodMemory) -> tuple[bool, int, int]:
        over = each.used - _request(each.pod)
        return over <= 0, each.pod.spec.priority or 0, -over

    return min(able, key=rank, default=None)


def message(victim: PodMemory, available: int) -> str:
    """Upstream's words."""
    threshold, left = quantity.from_bytes(MEMORY_THRESHOLD), quantity.from_bytes(available)
    told = f"The node was low on resource: memory. Threshold quantity: {threshold}, available: {left}. "
    for container in victim.pod.spec.containers:
        used = victim.containers.get(container.name, 0)
        request = container.resources.requests.get("memory", "0")
        if used > quantity.value(request):
            size = quantity.from_bytes(used)
            told += f"Container {container.name} was using {size}, request is {request}, has larger consumption of memory. "
    return told
