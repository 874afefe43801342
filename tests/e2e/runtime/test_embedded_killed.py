"""The runtime is killed just before every step of a Pod's life; the next one takes over, and nothing is left behind."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wherry.runtime.embedded import cgroups, linux, records, rtnl
from wherry.runtime.embedded.config import RuntimeConfig, link_alias
from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.runtime.interface import ContainerState, RuntimeFault, SandboxState
from wherry.util.clock import RealClock


@contextmanager
def dying(config: RuntimeConfig, folder: Path, shared: str) -> Iterator[subprocess.Popen[str]]:
    records.save(folder / "config.json", config)
    program = [sys.executable, str(Path(__file__).with_name("dying.py")), str(folder / "config.json"), str(folder / "out"), shared]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            stream.close()


def links(config: RuntimeConfig) -> list[str]:
    with rtnl.Netlink() as netlink:
        return [link.name for link in netlink.links() if link.alias == link_alias(config.cluster) and link.name != config.bridge]


def begun(out: Path) -> int:
    path = out / "begun"
    return len(path.read_text().splitlines()) if path.exists() else 0


async def look_and_go_on(runtime: EmbeddedRuntime, config: RuntimeConfig, out: Path) -> None:
    """What was taken over is as it is told, and the program has begun once or can still."""
    ready = [each for each in await runtime.list_pod_sandboxes() if each.state is SandboxState.READY]
    assert len(links(config)) == len(ready)
    for container in await runtime.list_containers():
        if container.state is ContainerState.CREATED:
            assert begun(out) == 0
            if ready:
                await runtime.start_container(container.id)
        status = await runtime.container_status(container.id)
        assert status.state is not ContainerState.EXITED or begun(out) == 1, status
        if status.state is ContainerState.RUNNING:
            done = await runtime.exec_sync(container.id, ["sh", "-c", "until [ -s /out/begun ]; do sleep 0.01; done"], 10)
            assert done.exit_code == 0
            await runtime.stop_container(container.id, 5)
            assert begun(out) == 1


async def nothing_is_left(runtime: EmbeddedRuntime, config: RuntimeConfig) -> None:
    for sandbox in await runtime.list_pod_sandboxes():
        await runtime.remove_pod_sandbox(sandbox.id)
    assert not await runtime.list_containers()
    assert not links(config)
    assert linux.mounts_under(config.state) == [config.state]
    for directory in (config.sandboxes, config.containers, config.exits, config.sockets, config.oci_state, config.writable):
        assert not list(directory.iterdir()), directory
    assert {path.name for path in config.addresses.glob("*")} <= {"last"}
    host = cgroups.host()
    for _ in range(1000):  # conmon ends a moment after its container
        if not host.processes(config.cgroup):
            break
        await asyncio.sleep(0.01)
    assert not [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in host.processes(config.cgroup)]
    for top in host.directories(config.cgroup):
        assert [path.name for path in top.iterdir() if path.is_dir()] in ([], ["conmon"]), top


@pytest.mark.slow
@pytest.mark.parametrize("shared", ["alone", "shared"])
async def test_at_every_step(config: RuntimeConfig, runtime: EmbeddedRuntime, tmp_path: Path, shared: str) -> None:
    await runtime.close()
    out = tmp_path / "out"
    wrong = []
    with dying(config, tmp_path, shared) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for at in range(1, 600):
            out.mkdir(exist_ok=True)
            (out / "begun").unlink(missing_ok=True)
            process.stdin.write(f"{at}\n")
            process.stdin.flush()
            how, _, what = (await asyncio.to_thread(process.stdout.readline)).split(" ", 2)
            successor = EmbeddedRuntime(config, RealClock())
            await successor.start()
            try:
                await look_and_go_on(successor, config, out)
                await nothing_is_left(successor, config)
            except (AssertionError, RuntimeFault) as error:
                wrong.append(f"before step {at}, {what.strip()}: {error}")
            await successor.close()
            if how == "ended":
                break
    assert not wrong, "\n".join(wrong)
    assert how == "ended"
    assert at > 60, f"only {at} steps"
