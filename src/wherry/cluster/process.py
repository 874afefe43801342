"""The cluster's process: everything of `wherry up` on one event loop.

Started by `lifecycle.up` as `python -m wherry.cluster.process NAME --notify FD`; tells its progress and
its readiness as lines of JSON on that file descriptor.  SIGTERM ends it and leaves containers running.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import msgspec

from wherry.apimachinery.http import UserInfo
from wherry.apiserver.authentication.interface import AUTHENTICATED
from wherry.cluster.config import TERMINATED, ClusterConfig, load
from wherry.cluster.controlplane import ControlPlane
from wherry.cluster.node import start_nodes
from wherry.cluster.pki import PKI
from wherry.controller.controller import Options
from wherry.controller.manager import ControllerManager
from wherry.scheduler.scheduler import Scheduler
from wherry.storage.compactor import compact_periodically
from wherry.util.clock import RealClock
from wherry.util.looplag import LoopLag

log = logging.getLogger("wherry")
Notify = Callable[..., None]
SWITCH_SECONDS = 0.0002  # the storage's writer thread must not wait 5 ms for the interpreter's lock
SCHEDULER = UserInfo("system:kube-scheduler", (AUTHENTICATED,))


class Cluster:
    """All components of one cluster, started in order and ended in reverse."""

    def __init__(self, config: ClusterConfig, notify: Notify) -> None:
        self.config = config
        self._notify = notify
        self.ready = False
        self.clock = RealClock()
        self.lag = LoopLag()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set.  Raises what keeps the cluster from starting."""
        config, clock = self.config, self.clock
        pki = PKI(config, clock)
        pki.ensure()
        async with AsyncExitStack() as stack:
            plane = ControlPlane(config, pki, clock)
            stack.push_async_callback(plane.close)
            self._notify(step="api", text="API server")
            await plane.start()
            await plane.listen(["127.0.0.1"])
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self.lag.run(), name="loop lag")]
                assert plane.storage is not None
                tasks.append(group.create_task(compact_periodically(plane.storage, clock), name="compaction"))
                waits: list[Awaitable[object]] = []
                if config.fidelity != "api":
                    self._notify(step="controllers", text="controllers and scheduler")
                options = Options(
                    root_ca=pki.ca.certificate.read_text(), ca_key=pki.ca.key.read_text(), sign_token=plane.signer.sign,
                )
                manager = ControllerManager(plane.client_for, clock, options)
                tasks.append(group.create_task(manager.run(), name="controllers"))
                if config.fidelity != "api":
                    scheduler = Scheduler(plane.client(SCHEDULER, "kube-scheduler"), clock)
                    tasks.append(group.create_task(scheduler.run(), name="scheduler"))
                    self._notify(step="node", text="node")
                    waits += await start_nodes(config, plane, clock, group, tasks, stack)
                async with asyncio.timeout(60):
                    for wait in waits:
                        await wait
                gc.collect()
                gc.freeze()  # what is alive now stays: the collector need not look at it again
                self.ready = True
                self._notify(ready=True)
                await stop.wait()
                for task in tasks:
                    task.cancel()


def _notifier(config: ClusterConfig, fd: int | None) -> Notify:
    def notify(**fields: object) -> None:
        if "ready" in fields:
            config.ready_file.touch()
        if fd is None:
            if "text" in fields:
                log.info("starting %s", fields["text"])
            return
        with contextlib.suppress(OSError):  # whoever started us may have gone; we stay
            os.write(fd, msgspec.json.encode(fields) + b"\n")

    return notify


async def main(config: ClusterConfig, notify: Notify) -> None:
    """Run the cluster until SIGTERM or SIGINT.  A start is broken off by them: raises CancelledError."""
    stop = asyncio.Event()
    cluster = Cluster(config, notify)
    work = asyncio.current_task()
    assert work is not None

    def told() -> None:
        if cluster.ready:
            stop.set()
        elif not work.cancelling():  # once is enough: what was begun is being taken back
            work.cancel()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, told)
    await cluster.run(stop)


def log_to_stderr(*, verbose: bool) -> None:
    level = logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname).1s %(name)s: %(message)s", stream=sys.stderr)


def run(config: ClusterConfig, fd: int | None) -> int:
    """The process's whole life; its exit code."""
    import uvloop

    notify = _notifier(config, fd)
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        uvloop.run(main(config, notify))
    except asyncio.CancelledError:
        log.info("told to stop while starting")
        return TERMINATED
    except BaseException as error:
        causes = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
        log.exception("the cluster's process ends")
        notify(error="; ".join(f"{type(c).__name__}: {c}" for c in causes))
        return 1
    return 0


def entry() -> int:
    """`python -m wherry.cluster.process`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--notify", type=int)
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    log_to_stderr(verbose=args.verbose)
    config = load(args.name, args.data_dir)
    if config is None:
        print(f"no cluster {args.name!r} here", file=sys.stderr)
        return 2
    return run(config, args.notify)


if __name__ == "__main__":
    sys.exit(entry())
