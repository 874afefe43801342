"""Statistics of the node, its Pods and their containers: `/stats/summary` and `/metrics/resource`.

https://kubernetes.io/docs/reference/instrumentation/node-metrics/
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.container.state import PodState
from wherry.kubelet.status.conditions import Json
from wherry.runtime.interface import ContainerState, Runtime, RuntimeFault, Usage
from wherry.util.clock import Clock, parse_rfc3339, rfc3339

_WINDOW = 5.0  # seconds: two samples nearer than this do not make a rate


@dataclass(slots=True)
class Rates:
    """CPU use as a rate, from the sample before."""

    _older: dict[str, Usage] = field(default_factory=dict)
    _newer: dict[str, Usage] = field(default_factory=dict)

    def nano_cores(self, key: str, usage: Usage, since: float) -> int:
        """Mean use since the last sample (or since `since`, the thing's start, at the first)."""
        newer = self._newer.get(key)
        if newer is None or usage.time - newer.time >= _WINDOW:
            if newer is not None:
                self._older[key] = newer
            self._newer[key] = usage
        before = self._older.get(key)
        start, used = (before.time, before.cpu_ns) if before and before.cpu_ns <= usage.cpu_ns else (since, 0)
        seconds = usage.time - start
        return int((usage.cpu_ns - used) / seconds) if seconds > 0 else 0

    def keep(self, keys: set[str]) -> None:
        for table in (self._older, self._newer):
            for key in table.keys() - keys:
                del table[key]


def _cpu(usage: Usage, nano_cores: int) -> Json:
    return {"time": rfc3339(usage.time), "usageNanoCores": nano_cores, "usageCoreNanoSeconds": usage.cpu_ns}


def _memory(usage: Usage, total: int = 0) -> Json:
    told: Json = {
        "time": rfc3339(usage.time), "usageBytes": usage.memory_usage, "workingSetBytes": usage.memory_working_set,
        "rssBytes": usage.memory_rss, "pageFaults": usage.memory_page_faults, "majorPageFaults": usage.memory_major_page_faults,
    }
    if total:
        told = {"availableBytes": max(0, total - usage.memory_working_set), **told}
    return told


def _network(usage: Usage, name: str) -> Json:
    one = {
        "name": name, "rxBytes": usage.rx_bytes, "rxErrors": usage.rx_errors, "txBytes": usage.tx_bytes, "txErrors": usage.tx_errors,
    }
    return {"time": rfc3339(usage.time), **one, "interfaces": [one]}


def _filesystem(now: float, used: int, available: int, capacity: int) -> Json:
    return {"time": rfc3339(now), "availableBytes": available, "capacityBytes": capacity, "usedBytes": used}


NodeUsage = Callable[[float], tuple[Usage, str]]


class StatsProvider:
    """Asks the runtime when it is asked; `node_usage` reads the node's own figures (None: the sum of its Pods)."""

    def __init__(
        self, node_name: str, root_dir: Path, memory: int, runtime: Runtime, clock: Clock, *, pods: Callable[[], list[core_v1.Pod]],
        state: Callable[[str], PodState], node_usage: NodeUsage | None,
    ) -> None:
        self._node, self._root, self._total, self._runtime, self._clock = node_name, root_dir, memory, runtime, clock
        self._pods, self._state, self._node_usage = pods, state, node_usage
        self._rates = Rates()
        self._started = clock.time()
        if node_usage is not None:  # the node was busy before we began: only what comes now counts
            self._rates.nano_cores("node", node_usage(self._started)[0], self._started)

    async def summary(self) -> Json:
        """stats/v1alpha1 Summary."""
        pods = []
        seen = {"node"}
        for pod in self._pods():
            state = self._state(pod.metadata.uid)
            if state.ready_sandbox is not None:
                try:
                    pods.append(await self._pod(pod, state, seen))
                except RuntimeFault:  # it ended meanwhile
                    continue
        node = await self._node_stats(pods)
        self._rates.keep(seen)
        return {"node": node, "pods": pods}

    async def _pod(self, pod: core_v1.Pod, state: PodState, seen: set[str]) -> Json:
        assert state.ready_sandbox is not None
        containers = []
        for status in state.containers:
            if status.state != ContainerState.RUNNING:
                continue
            usage = await self._runtime.container_stats(status.id)
            seen.add(status.id)
            cpu = _cpu(usage, self._rates.nano_cores(status.id, usage, status.started_at))
            rootfs: Json = {"time": rfc3339(usage.time), "usedBytes": usage.writable_layer_bytes}
            limit = status.config.resources.memory_limit
            containers.append({
                "name": status.config.name, "startTime": rfc3339(status.started_at), "cpu": cpu, "memory": _memory(usage, limit),
                "rootfs": rootfs,
            })
        sandbox = state.ready_sandbox
        usage = await self._runtime.sandbox_stats(sandbox.id)
        seen.add(sandbox.id)
        meta = pod.metadata
        return {
            "podRef": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
            "startTime": pod.status.start_time or rfc3339(sandbox.created_at),
            "containers": containers,
            "cpu": _cpu(usage, self._rates.nano_cores(sandbox.id, usage, sandbox.created_at)),
            "memory": _memory(usage),
            "network": _network(usage, "eth0"),
        }

    async def _node_stats(self, pods: list[Json]) -> Json:
        now = self._clock.time()
        if self._node_usage is not None:
            usage, interface = self._node_usage(now)
        else:
            usage, interface = Usage(
                now, cpu_ns=sum(p["cpu"]["usageCoreNanoSeconds"] for p in pods),
                memory_usage=sum(p["memory"]["usageBytes"] for p in pods),
                memory_working_set=sum(p["memory"]["workingSetBytes"] for p in pods),
            ), "eth0"
        existing = next(path for path in (self._root, *self._root.parents) if path.exists())
        disk = shutil.disk_usage(existing)
        image_used, image_free, image_total = await self._runtime.image_fs_usage()
        return {
            "nodeName": self._node,
            "startTime": rfc3339(self._started),
            "cpu": _cpu(usage, self._rates.nano_cores("node", usage, self._started)),
            "memory": _memory(usage, self._total),
            "network": _network(usage, interface),
            "fs": _filesystem(now, disk.used, disk.free, disk.total),
            "runtime": {"imageFs": _filesystem(now, image_used, image_free, image_total)},
        }

    async def resource_metrics(self) -> str:
        """The resource metrics in Prometheus' text form, which the metrics server reads."""
        summary = await self.summary()
        lines: list[str] = []
        _family(lines, "node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds")
        _sample(lines, "node_cpu_usage_seconds_total", "", summary["node"]["cpu"], "usageCoreNanoSeconds", 1e9)
        _family(lines, "node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes")
        _sample(lines, "node_memory_working_set_bytes", "", summary["node"]["memory"], "workingSetBytes")
        for name, kind, help_, part, figure, unit in _PER_CONTAINER:
            _family(lines, name, kind, help_)
            for pod in summary["pods"]:
                for container in pod["containers"]:
                    _sample(lines, name, _labels(pod, container["name"]), container[part], figure, unit)
        for name, kind, help_, part, figure, unit in _PER_POD:
            _family(lines, name, kind, help_)
            for pod in summary["pods"]:
                _sample(lines, name, _labels(pod), pod[part], figure, unit)
        _family(lines, "container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds")
        for pod in summary["pods"]:
            for container in pod["containers"]:
                started = parse_rfc3339(container["startTime"])
                lines.append(f"container_start_time_seconds{_labels(pod, container['name'])} {started:g}")
        _family(lines, "resource_scrape_error", "gauge", "1 if there was an error while getting container metrics, 0 otherwise")
        lines.append("resource_scrape_error 0")
        return "\n".join(lines) + "\n"


_PER_CONTAINER = (
    ("container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the container in core-seconds",
     "cpu", "usageCoreNanoSeconds", 1e9),
    ("container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes", "memory", "workingSetBytes", 1.0),
)
_PER_POD = (
    ("pod_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the pod in core-seconds",
     "cpu", "usageCoreNanoSeconds", 1e9),
    ("pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes", "memory", "workingSetBytes", 1.0),
)


def _family(lines: list[str], name: str, kind: str, help_: str) -> None:
    lines.extend((f"# HELP {name} [STABLE] {help_}", f"# TYPE {name} {kind}"))


def _labels(pod: Json, container: str = "") -> str:
    own = f'container="{container}",' if container else ""
    return f'{{{own}namespace="{pod["podRef"]["namespace"]}",pod="{pod["podRef"]["name"]}"}}'


def _sample(lines: list[str], name: str, labels: str, part: Json, figure: str, unit: float = 1.0) -> None:
    lines.append(f"{name}{labels} {part[figure] / unit:.9g} {int(parse_rfc3339(part['time']) * 1000)}")
