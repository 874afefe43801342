"""Shorthand for Pods of one container on the real runtime."""

from __future__ import annotations

import asyncio
from pathlib import Path

from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.runtime.interface import ContainerConfig, ContainerState, SandboxConfig

FOREVER = ("sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait; done")
"""Runs until SIGTERM."""


class Pods:
    """Shorthand for Pods of one container."""

    def __init__(self, runtime: EmbeddedRuntime, logs: Path) -> None:
        self.runtime = runtime
        self.logs = logs
        self._count = 0

    def sandbox(self, **fields: object) -> SandboxConfig:
        self._count += 1
        name = f"p{self._count}"
        given = {"name": name, "namespace": "n", "uid": f"uid-{name}", "hostname": name, "log_directory": str(self.logs / name)}
        return SandboxConfig(**(given | fields))  # type: ignore[arg-type]

    async def run(self, *command: str, sandbox: SandboxConfig | None = None, **fields: object) -> tuple[str, str]:
        """(sandbox id, container id) of a Pod whose container has been started."""
        sandbox_id = await self.runtime.run_pod_sandbox(sandbox or self.sandbox())
        return sandbox_id, await self.add(sandbox_id, *command, **fields)

    async def add(self, sandbox_id: str, *command: str, **fields: object) -> str:
        given = {"name": "c", "image": "busybox:1.36", "command": command, "log_path": "c/0.log"}
        container_id = await self.runtime.create_container(sandbox_id, ContainerConfig(**(given | fields)))  # type: ignore[arg-type]
        await self.runtime.start_container(container_id)
        return container_id

    async def shell(self, container_id: str, text: str) -> str:
        """What a shell command in the container prints."""
        done = await self.runtime.exec_sync(container_id, ["sh", "-c", text], 20)
        assert done.exit_code == 0, done
        return done.stdout.decode()

    async def ended(self, container_id: str) -> None:
        """Wait for a container's end, by its event."""
        events = self.runtime.events()
        while (await self.runtime.container_status(container_id)).state is not ContainerState.EXITED:
            await anext(events)

    async def said(self, container_id: str) -> None:
        """Wait until a container has written to its log."""
        for _ in range(500):
            if await self.log(container_id):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it says nothing")

    async def log(self, container_id: str) -> list[str]:
        """The log's texts, without times."""
        path = Path((await self.runtime.container_status(container_id)).log_path)
        return [line.split(" ", 1)[1] for line in path.read_text().splitlines()]
