"""The sampler over a fake runtime, on a clock that moves when told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from wherry.api.types import core_v1, meta_v1
from wherry.kubelet.config import inline
from wherry.kubelet.container.state import PodState
from wherry.kubelet.server.stats import resource_metrics
from wherry.kubelet.stats.provider import NodeUsage, StatsProvider
from wherry.runtime.fake import FakeRuntime
from wherry.runtime.fake.script import Script
from wherry.runtime.interface import ContainerConfig, Resources, RuntimeFault, SandboxConfig, Usage
from wherry.util.clock import FakeClock

MIB = 1 << 20


@dataclass
class Box:
    """A runtime with Pods in it, and a provider over both."""

    clock: FakeClock
    runtime: FakeRuntime
    root: Path
    pods: list[core_v1.Pod] = field(default_factory=list)
    states: dict[str, PodState] = field(default_factory=dict)

    def provider(self, node_usage: NodeUsage | None = None) -> StatsProvider:
        return StatsProvider(
            "n1", self.root, 1 << 30, self.runtime, self.clock, inline, pods=lambda: self.pods,
            state=lambda uid: self.states[uid], node_usage=node_usage,
        )

    async def pod(self, name: str, containers: Sequence[str] = ("c",), *, limit: int = 0, host_network: bool = False) -> None:
        logs = self.root / name
        sandbox = await self.runtime.run_pod_sandbox(
            SandboxConfig(name, "ns", name, log_directory=str(logs), host_network=host_network)
        )
        for each in containers:
            config = ContainerConfig(each, "busybox:1.36", log_path=f"{each}/0.log", resources=Resources(memory_limit=limit))
            await self.runtime.start_container(await self.runtime.create_container(sandbox, config))
        self.pods.append(core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name, namespace="ns", uid=name)))
        await self.look(name, sandbox)

    async def look(self, name: str, sandbox: str) -> None:
        found = tuple(c for c in await self.runtime.list_containers() if c.sandbox_id == sandbox)
        self.states[name] = PodState(name, name, "ns", (await self.runtime.pod_sandbox_status(sandbox),), found)


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Box]:
    clock = FakeClock()
    runtime = FakeRuntime(clock, lambda sandbox, container: Script(cpu_milli=100, memory=64 * MIB))
    runtime.images.add("busybox:1.36")
    await runtime.start()
    yield Box(clock, runtime, tmp_path)
    await runtime.close()


@contextlib.asynccontextmanager
async def running(provider: StatsProvider) -> AsyncIterator[None]:
    task = asyncio.get_running_loop().create_task(provider.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Host:
    """A node whose CPU is busy at a rate that the test sets."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.busy, self.cores, self.since = clock, 10**15, 0.5, clock.time()

    def __call__(self, now: float) -> tuple[Usage, str]:
        self.busy += int((now - self.since) * self.cores * 1e9)
        self.since = now
        return Usage(now, cpu_ns=self.busy, memory_usage=600 * MIB, memory_working_set=500 * MIB, rx_bytes=7, tx_bytes=8), "ens3"


def figures(summary: dict[str, Any]) -> dict[str, int | None]:
    """Nano-cores of every container."""
    return {c["name"]: c["cpu"].get("usageNanoCores") for pod in summary["pods"] for c in pod["containers"]}


async def test_a_container_just_started_has_a_rate_at_once(box: Box) -> None:
    host = Host(box.clock)
    provider = box.provider(host)
    async with running(provider):
        await box.clock.advance(5)
        await box.pod("p")
        await box.clock.advance(2)
        assert figures(await provider.summary()) == {"c": 100_000_000}


async def test_rates_follow_a_change_within_two_periods(box: Box) -> None:
    host = Host(box.clock)
    provider = box.provider(host)
    async with running(provider):
        await box.clock.advance(61)
        host.cores = 1.5
        await box.clock.advance(20)
        node = (await provider.summary())["node"]
        assert node["cpu"]["usageNanoCores"] == pytest.approx(1_500_000_000, rel=1e-6)


async def test_the_node_has_a_rate_after_a_second_though_it_was_busy_before(box: Box) -> None:
    provider = box.provider(Host(box.clock))
    async with running(provider):
        await box.clock.settle()
        assert "usageNanoCores" not in (await provider.summary())["node"]["cpu"]
        await box.clock.advance(1.5)
        assert (await provider.summary())["node"]["cpu"]["usageNanoCores"] == pytest.approx(500_000_000, rel=1e-6)


async def test_asking_often_does_not_sample_more(box: Box) -> None:
    provider = box.provider(Host(box.clock))
    await box.pod("p")
    asked = set()
    measure = box.runtime.container_stats

    async def counted(container_id: str) -> Usage:
        asked.add(box.clock.monotonic())
        return await measure(container_id)

    box.runtime.container_stats = counted  # type: ignore[method-assign]
    async with running(provider):
        for _ in range(43):
            await box.clock.advance(0.5)
            await provider.summary()
    assert asked == {0.0, 1.0, 11.0, 21.0}


async def test_the_summary_is_in_upstreams_shape(box: Box) -> None:
    await box.pod("p", ["a", "b"], limit=128 * MIB)
    logs = box.root / "p" / "a"
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "0.log").write_bytes(b"x" * 10)
    (logs / "0.log.1").write_bytes(b"x" * 5)
    provider = box.provider(Host(box.clock))
    async with running(provider):
        await box.clock.advance(12)
        found = await provider.summary()
    node, (pod,) = found["node"], found["pods"]
    assert list(node) == ["nodeName", "startTime", "cpu", "memory", "network", "fs", "runtime"]
    assert (node["memory"]["availableBytes"], node["network"]["name"]) == ((1 << 30) - 500 * MIB, "ens3")
    assert set(node["fs"]) == {"time", "availableBytes", "capacityBytes", "usedBytes", "inodesFree", "inodes", "inodesUsed"}
    assert pod["podRef"] == {"name": "p", "namespace": "ns", "uid": "p"}
    assert {"cpu", "memory", "network", "ephemeral-storage", "startTime"} < set(pod)
    first, second = pod["containers"]
    assert list(first) == ["name", "startTime", "cpu", "memory", "rootfs", "logs"]
    assert (first["logs"]["usedBytes"], pod["ephemeral-storage"]["usedBytes"]) == (15, 15)
    assert first["memory"] | {"time": ""} == {
        "time": "", "availableBytes": 64 * MIB, "usageBytes": 64 * MIB, "workingSetBytes": 64 * MIB, "rssBytes": 64 * MIB,
        "pageFaults": 0, "majorPageFaults": 0,
    }
    assert second["cpu"] | {"time": ""} == {"time": "", "usageNanoCores": 100_000_000, "usageCoreNanoSeconds": 1_100_000_000}


async def test_a_pod_on_the_hosts_network_has_none_of_its_own(box: Box) -> None:
    await box.pod("p", host_network=True)
    (pod,) = (await box.provider(Host(box.clock)).summary())["pods"]
    assert "network" not in pod


async def test_a_simulated_node_is_the_sum_of_its_pods_and_needs_no_task(box: Box) -> None:
    await box.pod("p", ["a", "b"])
    await box.pod("q")
    provider = box.provider()
    await box.clock.advance(3)
    node = (await provider.summary())["node"]
    assert (node["cpu"]["usageNanoCores"], node["memory"]["workingSetBytes"]) == (300_000_000, 3 * 64 * MIB)
    await box.clock.advance(600)
    box.pods.pop()
    assert (await provider.summary())["node"]["cpu"]["usageNanoCores"] == pytest.approx(200_000_000, rel=1e-6)


async def test_what_ended_is_gone_and_what_cannot_be_measured_is_said(box: Box) -> None:
    await box.pod("p", ["a", "b"])
    provider = box.provider(Host(box.clock))
    async with running(provider):
        await box.clock.advance(12)
        state = box.states["p"]
        first, second = sorted(state.containers, key=lambda c: c.config.name)
        await box.runtime.stop_container(first.id, 0)
        await box.look("p", state.sandboxes[0].id)
        await box.clock.advance(10)
        assert figures(await provider.summary()) == {"b": 100_000_000}
        assert not provider.faulty

        async def broken(container_id: str) -> Usage:
            raise RuntimeFault("the cgroup is gone")

        box.runtime.container_stats = broken  # type: ignore[method-assign]
        await box.clock.advance(30)
        assert provider.faulty
        assert "resource_scrape_error 1" in resource_metrics(await provider.summary(), faulty=provider.faulty)
        assert second.config.name == "b"


async def test_resource_metrics(box: Box) -> None:
    await box.pod("p")
    provider = box.provider(Host(box.clock))
    await box.clock.advance(10)
    text = resource_metrics(await provider.summary())
    now = int(box.clock.time() * 1000)
    assert f'container_cpu_usage_seconds_total{{container="c",namespace="ns",pod="p"}} 1 {now}' in text
    assert f'pod_memory_working_set_bytes{{namespace="ns",pod="p"}} {64 * MIB} {now}' in text
    assert "node_cpu_usage_seconds_total 1000005 " in text
    assert 'container_start_time_seconds{container="c",namespace="ns",pod="p"} 1700000000' in text
    assert "resource_scrape_error 0" in text

