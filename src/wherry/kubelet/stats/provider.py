"""Samples what containers use, every few seconds, so that rates can be told at any time.

`run` is the kubelet's task on a real node.  A container that is younger than the last round is sampled
when someone asks; so is everything where nothing samples regularly (simulated nodes, thousands of them).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.config import Offload
from wherry.kubelet.container.state import PodState
from wherry.kubelet.stats.series import Sample, Series
from wherry.kubelet.stats.summary import ContainerFigures, FileSystem, NodeFigures, PodFigures, summary
from wherry.kubelet.status.conditions import Json
from wherry.runtime.interface import ContainerStatus, NotFound, Runtime, RuntimeFault, SandboxStatus, Usage
from wherry.util.clock import Clock, rfc3339
from wherry.util.metrics import SAMPLE_SECONDS

log = logging.getLogger(__name__)
FIRST_SECONDS = 1.0  # until the second sample of what ran before the kubelet did
STALE_SECONDS = 1.5 * SAMPLE_SECONDS
NODE = ""  # the node's key in the series

NodeUsage = Callable[[float], tuple[Usage, str]]  # wall seconds -> (the node's use, its network interface)


def file_system(path: Path) -> FileSystem:
    """That which `path`, or the nearest directory above it that exists, lies on.  Blocks."""
    existing = next(each for each in (path, *path.parents) if each.exists())
    found = os.statvfs(existing)
    size = found.f_frsize
    used = (found.f_blocks - found.f_bfree) * size
    return FileSystem(used, found.f_bavail * size, found.f_blocks * size, found.f_files, found.f_ffree)


def log_bytes(path: str) -> int | None:
    """What a container's log takes, rotated parts included; None when there is none.  Blocks."""
    try:
        with os.scandir(os.path.dirname(path)) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return None


@dataclass(slots=True)
class StatsProvider:
    """`node_usage` reads the node's own figures; None: the node is simulated and is the sum of its Pods."""

    node_name: str
    root_dir: Path
    memory: int
    runtime: Runtime
    clock: Clock
    offload: Offload
    pods: Callable[[], list[core_v1.Pod]]
    state: Callable[[str], PodState]
    node_usage: NodeUsage | None
    faulty: bool = False  # whether something could not be measured in the last round
    _series: Series = field(default_factory=Series)
    _interface: str = ""
    _started: float = 0.0
    _sampling: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self._started = self.clock.time()

    async def run(self) -> None:
        """Sample until cancelled."""
        await self.sample()
        await self.clock.sleep(FIRST_SECONDS)
        while True:
            await self.sample()
            await self.clock.sleep(SAMPLE_SECONDS)

    async def sample(self, *, missing: bool = False) -> None:
        """Measure everything, or only what has not been measured for a while."""
        async with self._sampling:
            self.faulty = False
            keys = {NODE}
            for sandbox, containers in self._running():
                keys |= {sandbox.id, *(container.id for container in containers)}
                for container in containers:
                    if not missing or self._stale(container.id):
                        await self._sample_container(container)
                if not missing or self._stale(sandbox.id):
                    await self._sample(sandbox.id, self.runtime.sandbox_stats)
            self._series.keep(keys)
            if not missing or self._stale(NODE):
                await self._sample_node()

    def _stale(self, key: str) -> bool:
        last = self._series.last(key)
        return last is None or self.clock.monotonic() - last.at > STALE_SECONDS

    def _running(self) -> list[tuple[SandboxStatus, list[ContainerStatus]]]:
        states = [self.state(pod.metadata.uid) for pod in self.pods()]
        return [(state.ready_sandbox, state.running()) for state in states if state.ready_sandbox is not None]

    async def _sample_container(self, container: ContainerStatus) -> None:
        size = await self.offload(log_bytes, container.log_path) if container.log_path else None
        await self._sample(container.id, self.runtime.container_stats, size)

    async def _sample(self, key: str, measure: Callable[[str], Awaitable[Usage]], size: int | None = None) -> None:
        try:
            usage = await measure(key)
        except NotFound:  # it ended meanwhile
            return
        except (RuntimeFault, OSError) as fault:
            log.warning("cannot measure %s: %s", key, fault)
            self.faulty = True
            return
        self._series.add(key, Sample(self.clock.monotonic(), usage, size))

    async def _sample_node(self) -> None:
        if self.node_usage is None:
            usage, self._interface = self._sum(), "eth0"
        else:
            try:
                usage, self._interface = await self.offload(self.node_usage, self.clock.time())
            except (OSError, ValueError) as fault:
                log.warning("cannot measure the node: %s", fault)
                self.faulty = True
                return
        self._series.add(NODE, Sample(self.clock.monotonic(), usage))

    def _sum(self) -> Usage:
        samples = [self._series.last(sandbox.id) for sandbox, _ in self._running()]
        used = [sample.usage for sample in samples if sample is not None]
        return Usage(
            self.clock.time(), cpu_ns=sum(each.cpu_ns for each in used), memory_usage=sum(each.memory_usage for each in used),
            memory_working_set=sum(each.memory_working_set for each in used), memory_rss=sum(each.memory_rss for each in used),
            rx_bytes=sum(each.rx_bytes for each in used), tx_bytes=sum(each.tx_bytes for each in used),
        )

    # Telling -----------------------------------------------------------------------------------

    async def summary(self) -> Json:
        """stats/v1alpha1 Summary."""
        await self.sample(missing=True)
        images = FileSystem(*await self.runtime.image_fs_usage())
        on = await self.offload(file_system, self.root_dir) if self.node_usage is not None else images
        found = [self._pod(pod) for pod in self.pods()]
        pods = [pod for pod in found if pod is not None]
        nano_cores = self._series.nano_cores(NODE)
        if self.node_usage is None:  # what it is the sum of came and went: a difference of sums tells nothing
            nano_cores = sum(pod.nano_cores or 0 for pod in pods)
        sample = self._series.last(NODE) or Sample(self.clock.monotonic(), Usage(self.clock.time()))
        node = NodeFigures(self.node_name, self._started, self.memory, self._interface, sample, nano_cores, on, images)
        return summary(node, pods)

    def _pod(self, pod: core_v1.Pod) -> PodFigures | None:
        """None for a Pod that does not run, or could not be measured."""
        state = self.state(pod.metadata.uid)
        sandbox = state.ready_sandbox
        sample = self._series.last(sandbox.id) if sandbox is not None else None
        if sandbox is None or sample is None:
            return None
        meta = pod.metadata
        return PodFigures(
            meta.name, meta.namespace, meta.uid, pod.status.start_time or rfc3339(sandbox.created_at), sandbox.config.host_network,
            self._containers(state.running()), sample, self._series.nano_cores(sandbox.id, sandbox.created_at),
        )

    def _containers(self, running: Sequence[ContainerStatus]) -> list[ContainerFigures]:
        found = []
        for each in sorted(running, key=lambda container: container.config.name):
            sample = self._series.last(each.id)
            if sample is not None:
                cores = self._series.nano_cores(each.id, each.started_at)
                limit = each.config.resources.memory_limit
                found.append(ContainerFigures(each.config.name, each.started_at, limit, sample, cores))
        return found
