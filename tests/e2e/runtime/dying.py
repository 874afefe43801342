"""Runtimes that die at a chosen step: `python dying.py CONFIG.json OUT`, told a step a line, answers what became of it.

A step is whatever changes the host: each file opened to be written, directory made or removed, rename, signal, program
begun, mount, unmount, netlink message.  The runtime that is to die is forked from this process, which has everything
imported, leads one Pod's whole life, and ends with `os._exit` just before the step of that number.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wherry.runtime.embedded import linux, records, release, rtnl
from wherry.runtime.embedded.config import RuntimeConfig
from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.runtime.interface import ContainerConfig, Mount, SandboxConfig
from wherry.util.clock import RealClock

DIED = 77
PROGRAM = "echo begun >> /out/begun; trap 'exit 0' TERM; while :; do sleep 1000 & wait; done"
_AUDITED = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.kill", "subprocess.Popen", "socket.sethostname"}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Steps:
    """Counts, and ends the process."""

    def __init__(self, at: int) -> None:
        self.at, self.done, self.armed = at, 0, False
        self._lock = threading.Lock()

    def step(self, what: str) -> None:
        if not self.armed:
            return
        with self._lock:
            self.done += 1
            if self.done == self.at:
                print(f"died {self.at} {what}", flush=True)
                os._exit(DIED)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _AUDITED:
            self.step(f"{event} {arguments[0]}")
        elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING:
            self.step(f"open {arguments[0]}")

    def wrap(self, owner: Any, name: str) -> None:
        inner: Callable[..., Any] = getattr(owner, name)

        def counted(*args: Any, **options: Any) -> Any:
            self.step(f"{name} {args[1:2]}")
            return inner(*args, **options)

        setattr(owner, name, counted)

    def install(self) -> None:
        sys.addaudithook(self.audit)
        for name in ("mount", "unmount", "unshare", "attach_mount"):
            self.wrap(linux, name)
        self.wrap(rtnl.Netlink, "apply")
        # Not between the fifo's opening and what init writes to it: microseconds in which a death takes init along, by
        # EPIPE, as that of a `runc start` does.  Then the start has failed, and the kubelet acts as on any that did.
        self.wrap(release, "_release")


async def life(config: RuntimeConfig, out: Path, steps: Steps, shared: bool) -> None:
    runtime = EmbeddedRuntime(config, RealClock())
    await runtime.start()
    steps.armed = True
    sandbox_id = await runtime.run_pod_sandbox(
        SandboxConfig("p", "n", "uid-p", log_directory=str(out / "log"), share_process_namespace=shared)
    )
    container = ContainerConfig("c", "busybox:1.36", command=("sh", "-c", PROGRAM), log_path="c.log", mounts=(Mount("/out", str(out)),))
    container_id = await runtime.create_container(sandbox_id, container)
    await runtime.start_container(container_id)
    for _ in range(1000):
        if (out / "begun").exists() and (out / "begun").stat().st_size:  # the shell opens it before it writes
            break
        await asyncio.sleep(0.005)
    await runtime.stop_pod_sandbox(sandbox_id)
    await runtime.remove_pod_sandbox(sandbox_id)
    steps.armed = False
    print(f"ended {steps.done} -", flush=True)
    os._exit(0)


def main(config_path: str, out: str, shared: str) -> None:
    config = records.load(Path(config_path), RuntimeConfig)
    assert config is not None
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            steps = Steps(int(line))
            steps.install()
            asyncio.run(life(config, Path(out), steps, shared == "shared"))
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
