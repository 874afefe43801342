"""A runtime that is killed: containers run on, the next one takes them over, and nothing is left half-made."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from realpods import Pods

from wherry.runtime.embedded import cgroups, linux, records, rtnl
from wherry.runtime.embedded.cleanup import cleanup
from wherry.runtime.embedded.config import RuntimeConfig, link_alias
from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.runtime.interface import ContainerConfig, ContainerState, RuntimeFault, SandboxState
from wherry.util.clock import RealClock


def start(config: RuntimeConfig, path: Path, verb: str) -> subprocess.Popen[str]:
    records.save(path, config)
    program = [sys.executable, str(Path(__file__).with_name("crashing.py")), str(path), verb]
    return subprocess.Popen(program, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture
async def loaded(config: RuntimeConfig, runtime: EmbeddedRuntime) -> None:
    """The image is on the node, and no runtime has it."""
    await runtime.close()


async def remove_all(runtime: EmbeddedRuntime) -> None:
    for sandbox in await runtime.list_pod_sandboxes():
        await runtime.remove_pod_sandbox(sandbox.id)


def links(config: RuntimeConfig) -> list[str]:
    with rtnl.Netlink() as netlink:
        return [link.name for link in netlink.links() if link.alias == link_alias(config.cluster) and link.name != config.bridge]


@pytest.mark.usefixtures("loaded")
async def test_containers_outlive_the_runtime(config: RuntimeConfig, tmp_path: Path) -> None:
    process = start(config, tmp_path / "config.json", "run")
    assert process.stdout is not None
    ids = (await asyncio.to_thread(process.stdout.readline)).split()
    assert len(ids) == 3
    before = {each: (config.containers / each / "pid").read_text() for each in ids}
    kill(process)
    os.kill(int(before[ids[1]]), signal.SIGKILL)  # one ends while nobody looks
    conmon = int((config.containers / ids[2] / "conmon.pid").read_text())
    os.kill(conmon, signal.SIGKILL)  # another loses its keeper, but lives
    for _ in range(500):
        if (config.exits / ids[1]).exists():
            break
        await asyncio.sleep(0.01)

    runtime = EmbeddedRuntime(config, RealClock())
    await runtime.start()
    statuses = {status.id: status for status in await runtime.list_containers()}
    assert [statuses[each].state for each in ids] == [ContainerState.RUNNING, ContainerState.EXITED, ContainerState.RUNNING]
    assert (statuses[ids[1]].exit_code, statuses[ids[1]].reason) == (137, "Error")
    assert str(statuses[ids[0]].pid) == before[ids[0]]
    assert all(sandbox.state is SandboxState.READY for sandbox in await runtime.list_pod_sandboxes())
    assert (await runtime.exec_sync(ids[0], ["echo", "here"], 10)).stdout == b"here\n"
    await runtime.stop_container(ids[0], 10)
    assert (await runtime.container_status(ids[0])).exit_code == 5
    await runtime.stop_container(ids[2], 10)
    lost = await runtime.container_status(ids[2])
    assert (lost.exit_code, lost.reason) == (255, "Unknown")
    await remove_all(runtime)
    await runtime.close()


@pytest.mark.usefixtures("loaded")
@pytest.mark.slow
async def test_killed_in_the_middle_of_anything(config: RuntimeConfig, tmp_path: Path) -> None:
    for turn in range(8):
        process = start(config, tmp_path / "config.json", "churn")
        assert process.stdout is not None
        await asyncio.to_thread(process.stdout.readline)
        await asyncio.sleep(0.05 + turn * 0.037)
        kill(process)
        runtime = EmbeddedRuntime(config, RealClock())
        await runtime.start()
        sandboxes = {sandbox.id: sandbox for sandbox in await runtime.list_pod_sandboxes()}
        ready = [sandbox for sandbox in sandboxes.values() if sandbox.state is SandboxState.READY]
        assert len(links(config)) == len(ready)
        taken = {path.name for path in config.addresses.iterdir()} - {"last"}
        assert {ip for sandbox in ready for ip in sandbox.ips} <= taken
        assert len(taken) <= len(sandboxes)
        assert {path.name for path in config.writable.iterdir()} == {each.id for each in await runtime.list_containers()}
        for container in await runtime.list_containers():
            if container.state is ContainerState.RUNNING:
                assert (await runtime.exec_sync(container.id, ["true"], 10)).exit_code == 0
        await remove_all(runtime)
        assert not links(config)
        assert linux.mounts_under(config.state) == [config.state]  # its own, which holds the records
        running = cgroups.host().processes(config.cgroup)
        assert not running, [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in running]
        await runtime.close()


@pytest.mark.usefixtures("loaded")
async def test_cleanup_finds_everything_by_name(config: RuntimeConfig, tmp_path: Path) -> None:
    process = start(config, tmp_path / "config.json", "run")
    assert process.stdout is not None
    await asyncio.to_thread(process.stdout.readline)
    kill(process)
    found = await asyncio.to_thread(cleanup, config.cluster, config.state)
    told = "\n".join(found)
    for what in ("processes", "mount ", f"link {config.bridge}", f"unreachable route {config.pod_cidr}", f"cgroup {config.cgroup}"):
        assert what in told
    assert not config.state.exists()
    assert not links(config)
    assert not cgroups.host().exists(config.cgroup)
    assert cleanup(config.cluster, config.state) == []


@pytest.mark.usefixtures("loaded")
async def test_cleanup_without_any_record(config: RuntimeConfig, tmp_path: Path) -> None:
    process = start(config, tmp_path / "config.json", "run")
    assert process.stdout is not None
    await asyncio.to_thread(process.stdout.readline)
    kill(process)
    record = (config.state / "runtime.json").read_bytes()
    (config.state / "runtime.json").unlink()
    found = await asyncio.to_thread(cleanup, config.cluster, config.state)
    assert any(each.endswith("processes") for each in found)
    assert not links(config)
    assert not linux.mounts_under(config.state)
    config.state.mkdir()
    (config.state / "runtime.json").write_bytes(record)
    await asyncio.to_thread(cleanup, config.cluster, config.state)  # the guard routes need the record


async def test_fifty_pods_are_quick(pods: Pods) -> None:
    start = time.monotonic()
    await asyncio.gather(*(pods.run("sleep", "1000") for _ in range(50)))
    assert time.monotonic() - start < 15  # 1.7 s on a quiet machine with two cores


async def test_a_cancelled_caller_leaves_nothing_unknown(pods: Pods) -> None:
    sandbox_id = await pods.runtime.run_pod_sandbox(pods.sandbox())
    config = ContainerConfig("c", "busybox:1.36", command=("sleep", "1000"), log_path="c.log")
    container = await pods.runtime.create_container(sandbox_id, config)
    events = pods.runtime.events()
    start = asyncio.create_task(pods.runtime.start_container(container))
    await asyncio.sleep(0.005)
    start.cancel()
    await asyncio.gather(start, return_exceptions=True)
    assert (await anext(events)).type == "started"
    status = await pods.runtime.container_status(container)
    assert status.state is ContainerState.RUNNING
    assert status.pid > 0


async def test_no_child_stays_a_zombie(pods: Pods) -> None:
    def children() -> set[int]:
        return {int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}

    before = children()
    sandbox_id, container = await pods.run("sleep", "1000", sandbox=pods.sandbox(share_process_namespace=True))
    await pods.runtime.exec_sync(container, ["true"], 10)
    with pytest.raises(RuntimeFault):
        await pods.add(sandbox_id, "/nope", name="d")
    await pods.runtime.remove_pod_sandbox(sandbox_id)
    assert children() <= before
