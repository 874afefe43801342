"""Ends Pods that take more of the node than they may, and tells when the node runs short.

Upstream's eviction manager: every ten seconds it looks at the node's memory and disk and at the disk use of
those Pods that have a limit.  What it decides with is in `local_storage` and `pressure`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.config import Offload
from wherry.kubelet.container.state import PodState
from wherry.kubelet.events import Events
from wherry.kubelet.eviction.local_storage import DiskUse, exceeded, is_limited, on_disk
from wherry.kubelet.eviction.pressure import MEMORY, Observation, PodMemory, first_to_go, message, pressures
from wherry.kubelet.machine import memory_info
from wherry.kubelet.podutil import is_terminal
from wherry.kubelet.stats.provider import file_system, log_bytes
from wherry.runtime.interface import NotFound, Runtime, RuntimeFault, Usage
from wherry.util.clock import Clock

log = logging.getLogger(__name__)
PERIOD = 10.0  # seconds, upstream's monitoring interval
EVICTED = "Evicted"
_BLOCK = 512  # the unit of st_blocks, whatever the file system's own


def read_node(root_dir: Path, proc: Path = Path("/proc")) -> Observation:
    """The node as it is.  Blocks."""
    memory = memory_info((proc / "meminfo").read_text())
    disk = file_system(root_dir)
    return Observation(
        memory.get("MemAvailable", 0), memory.get("MemTotal", 0), disk.available, disk.capacity, disk.inodes_free, disk.inodes,
    )


def disk_use(directory: Path) -> int:
    """Bytes that a directory's files take, each counted once.  Blocks; what goes away meanwhile is passed over."""
    seen: set[tuple[int, int]] = set()
    total = 0

    def passed(error: OSError) -> None:
        log.debug("not measured: %s", error)

    for folder, _, names in os.walk(directory, onerror=passed):
        for name in (folder, *(os.path.join(folder, each) for each in names)):
            try:
                found = os.lstat(name)
            except OSError:
                continue
            if (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                total += found.st_blocks * _BLOCK
    return total


@dataclass(slots=True)
class EvictionManager:
    """`run` is a task of the kubelet on a real node.  `end(uid, reason, message)` ends a Pod."""

    clock: Clock
    runtime: Runtime
    events: Events
    offload: Offload
    observe: Callable[[], Observation]  # blocks
    pods: Callable[[], Iterable[core_v1.Pod]]
    state: Callable[[str], PodState]
    volumes: Callable[[str], Mapping[str, Path]]  # of the Pod with a uid, by name: where they are
    end: Callable[[str, str, str], None]
    told: Callable[[], None] = lambda: None  # the pressures are others than before
    pressures: frozenset[str] = field(default_factory=frozenset)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.clock.sleep(PERIOD)
            try:
                await self.synchronize()
            except (RuntimeFault, OSError) as fault:
                log.warning("eviction: the node could not be measured: %s", fault)

    async def synchronize(self) -> None:
        """One look at everything."""
        running = [pod for pod in self.pods() if not is_terminal(pod.status.phase) and not pod.metadata.deletion_timestamp]
        gone = [pod for pod in running if is_limited(pod) and await self._over_its_limits(pod)]
        seen = await self.offload(self.observe)
        before, self.pressures = self.pressures, pressures(seen)
        if self.pressures != before:
            log.warning("the node's pressures: %s", ", ".join(sorted(self.pressures)) or "none any more")
            self.told()
        if MEMORY in self.pressures and not gone:
            victim = first_to_go([await self._memory(pod) for pod in running])
            if victim is not None:
                self._evict(victim.pod, message(victim, seen.memory_available))

    async def _over_its_limits(self, pod: core_v1.Pod) -> bool:
        why = exceeded(pod, await self._disk(pod))
        if why is not None:
            self._evict(pod, why)
        return why is not None

    def _evict(self, pod: core_v1.Pod, why: str) -> None:
        log.warning("evicting pod %s/%s: %s", pod.metadata.namespace, pod.metadata.name, why)
        self.events.pod(pod, "Warning", EVICTED, why)
        self.end(pod.metadata.uid, EVICTED, why)

    async def _disk(self, pod: core_v1.Pod) -> DiskUse:
        paths = self.volumes(pod.metadata.uid)
        volumes = {
            volume.name: await self.offload(disk_use, paths[volume.name])
            for volume in pod.spec.volumes if on_disk(volume) and volume.name in paths
        }
        containers: dict[str, int] = {}
        for each in self.state(pod.metadata.uid).running():
            usage = await self._usage(each.id)
            logs = await self.offload(log_bytes, each.log_path) if each.log_path else None
            containers[each.config.name] = (usage.writable_layer_bytes if usage else 0) + (logs or 0)
        return DiskUse(volumes, containers)

    async def _memory(self, pod: core_v1.Pod) -> PodMemory:
        containers: dict[str, int] = {}
        for each in self.state(pod.metadata.uid).running():
            usage = await self._usage(each.id)
            containers[each.config.name] = usage.memory_working_set if usage else 0
        return PodMemory(pod, sum(containers.values()), containers)

    async def _usage(self, container_id: str) -> Usage | None:
        try:
            return await self.runtime.container_stats(container_id)
        except NotFound:  # it ended meanwhile
            return None
