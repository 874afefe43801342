"""A runtime in a process of its own, to be killed: `python crashing.py CONFIG.json VERB`, until SIGKILL.

`run` starts three Pods, prints their containers' ids, and waits; `churn` makes and removes Pods without end.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from pathlib import Path

from wherry.runtime.embedded import records
from wherry.runtime.embedded.config import RuntimeConfig
from wherry.runtime.embedded.runtime import EmbeddedRuntime
from wherry.runtime.interface import ContainerConfig, SandboxConfig
from wherry.util.clock import RealClock

SLEEPER = ("sh", "-c", "echo up; trap 'exit 5' TERM; while :; do sleep 1000 & wait; done")


async def pod(runtime: EmbeddedRuntime, number: int, logs: str, command: tuple[str, ...]) -> tuple[str, str]:
    sandbox = SandboxConfig(f"p{number}", "n", f"uid-{number}", log_directory=f"{logs}/p{number}")
    sandbox_id = await runtime.run_pod_sandbox(sandbox)
    container = ContainerConfig("c", "busybox:1.36", command=command, log_path="c.log")
    container_id = await runtime.create_container(sandbox_id, container)
    await runtime.start_container(container_id)
    return sandbox_id, container_id


async def main(config_path: str, verb: str) -> None:
    config = records.load(Path(config_path), RuntimeConfig)
    assert config is not None
    runtime = EmbeddedRuntime(config, RealClock())
    await runtime.start()
    logs = str(config.root / "logs")
    if verb == "run":
        ids = [(await pod(runtime, number, logs, SLEEPER))[1] for number in range(3)]
        print(*ids, flush=True)
        await asyncio.Event().wait()

    async def churn(numbers: itertools.count[int]) -> None:
        while True:
            sandbox_id, _ = await pod(runtime, next(numbers), logs, SLEEPER)
            await runtime.remove_pod_sandbox(sandbox_id)

    numbers = itertools.count()
    print("churning", flush=True)
    await asyncio.gather(*(churn(numbers) for _ in range(3)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
