"""The mount namespace in which the OCI runtime makes a container."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from realpods import FOREVER, Pods

from wherry.runtime.embedded import linux, mountview
from wherry.runtime.embedded.config import RuntimeConfig
from wherry.runtime.interface import Mount, Security


async def output(*command: str) -> str:
    return await asyncio.to_thread(subprocess.check_output, command, text=True)


async def test_only_what_is_needed_is_mounted_there(pods: Pods, config: RuntimeConfig) -> None:
    sandboxes = [(await pods.run(*FOREVER))[0] for _ in range(2)]
    before = linux.mounts_under(config.state)
    needed = [config.sandboxes / sandboxes[0] / name for name in ("net", "shm")]
    with mountview.without_others(config.state, needed) as enter:
        seen = await output(*enter, "cat", "/proc/self/mountinfo")
        inside = (await output(*enter, "ls", "-i", str(needed[0]))).split()[0]
    assert set(linux.mounts_under(config.state, seen)) == {config.state, *needed}
    assert int(inside) == os.stat(needed[0]).st_ino
    assert linux.mounts_under(config.state) == before
    others = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(config.state) not in line]
    assert set(others) <= {line.split()[4] for line in seen.splitlines()}  # all else of the host is there


async def test_a_container_that_mounts_the_whole_host_sees_every_mount_of_it(pods: Pods, config: RuntimeConfig) -> None:
    other, _ = await pods.run(*FOREVER)
    _, container = await pods.run(*FOREVER, mounts=(Mount("/host", "/"),))
    assert f"/host{config.sandboxes}/{other}/shm" in await pods.shell(container, "cat /proc/self/mountinfo")


async def test_a_mount_made_later_reaches_a_container_that_follows_the_host(pods: Pods, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / "later").mkdir(parents=True)
    linux.mount(shared, shared, flags=linux.MS_BIND)
    try:
        await output("mount", "--make-shared", str(shared))
        _, follows = await pods.run(*FOREVER, mounts=(Mount("/m", str(shared), propagation="rslave"),))
        _, gives = await pods.run(
            *FOREVER, mounts=(Mount("/m", str(shared), propagation="rshared"),), security=Security(privileged=True),
        )
        linux.mount("later", shared / "later", "tmpfs")
        assert "/m/later" in await pods.shell(follows, "cat /proc/self/mountinfo")
        await pods.shell(gives, "mkdir /m/own && mount -t tmpfs own /m/own")
        assert shared / "own" in linux.mounts_under(shared)
    finally:
        for point in linux.mounts_under(shared):
            linux.unmount(point)
