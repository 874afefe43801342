"""The cluster's process: everything of `wherry up` on one event loop, or the supervisor of a process for each component.

Started by `lifecycle.up` as `python -m wherry.cluster.process NAME --notify FD`; tells its progress and
its readiness as lines of JSON on that file descriptor.  SIGTERM ends it and leaves containers running.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import Protocol

import msgspec

from wherry.cluster.config import TERMINATED, ClusterConfig, load
from wherry.util import collector, filelimit

log = logging.getLogger("wherry")
SWITCH_SECONDS = 0.0002  # the storage's writer thread must not wait 5 ms for the interpreter's lock


class Notify(Protocol):
    """Tells whoever started us: `step` and `text`, `ready`, or `error`."""

    def __call__(self, **fields: object) -> None: ...


class Work(Protocol):
    """What the process runs.  `ready` from when the cluster stands until the end."""

    ready: bool

    async def run(self, stop: asyncio.Event) -> None: ...


def _work(config: ClusterConfig, notify: Notify) -> Work:
    """Imports are late: the supervisor loads no component."""
    if config.processes:
        from wherry.cluster.supervisor import Supervisor

        return Supervisor(config, notify)
    from wherry.cluster.allinone import Cluster

    return Cluster(config, notify)


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
    cluster = _work(config, notify)
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
    collector.relax()
    if not config.processes:  # else each component does that, and must see what we were given
        filelimit.lift()
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


def _told_to_go(fd: int, what: str, log_file: str) -> bool:
    """Load what takes a second while whoever started us makes the cluster's settings; False when they come to nothing."""
    if what == "supervisor":
        from wherry.cluster import supervisor  # noqa: F401
    else:
        from wherry.cluster import allinone  # noqa: F401
    if what in ("real", "sim"):
        from wherry.kubelet import kubelet  # noqa: F401
    if what == "real":
        from wherry.runtime.embedded import runtime  # noqa: F401
    told = os.read(fd, 1)
    os.close(fd)
    if not told:
        return False
    output = os.open(log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    return True


def entry() -> int:
    """`python -m wherry.cluster.process`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--notify", type=int)
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--go", type=int, help="load the code, then wait for a byte on this file descriptor; at its end, end")
    parser.add_argument("--log", help="the file for the output from then on")
    parser.add_argument("--load", default="", help="what will be run: supervisor, or a fidelity")
    args = parser.parse_args()
    if args.go is not None and not _told_to_go(args.go, args.load, args.log):
        return 0
    log_to_stderr(verbose=args.verbose)
    config = load(args.name, args.data_dir)
    if config is None:
        print(f"no cluster {args.name!r} here", file=sys.stderr)
        return 2
    return run(config, args.notify)


if __name__ == "__main__":
    sys.exit(entry())
