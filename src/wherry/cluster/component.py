"""The process of one component: `python -m wherry.cluster.component NAME COMPONENT`, or `wherry component`.

Under the supervisor, standard input is a pipe that it holds: when that ends, the supervisor is gone and so are
we.  Standard output takes lines of JSON for it: `{"port": ...}`, `{"ready": true}`, or `{"error": ...}` before we
end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Iterator

import msgspec

from wherry.cluster.components import COMPONENTS, Setting
from wherry.cluster.config import ClusterConfig, load
from wherry.util import collector, filelimit
from wherry.util.clock import RealClock

log = logging.getLogger("wherry")
SWITCH_SECONDS = 0.0002  # the storage's writer thread must not wait 5 ms for the interpreter's lock
LIFELINE, WORD = 0, 1  # file descriptors


class RunsAlready(Exception):
    """There is one of this component; the text says so."""


def title(component: str, node: str) -> str:
    """What the process is called where there may be several of a kind."""
    return f"{component}-{node}" if component == "kubelet" else component


@contextlib.contextmanager
def alone(config: ClusterConfig, component: str, node: str) -> Iterator[None]:
    """No second one of this component of this cluster on this host: nobody elects a leader here.  Raises RunsAlready."""
    config.run.mkdir(parents=True, exist_ok=True)
    with (config.run / f"{title(component, node)}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RunsAlready(f"cluster {config.name!r} has its {title(component, node)} running already") from None
        yield


async def _main(config: ClusterConfig, component: str, node: str, supervised: bool) -> None:
    """Until SIGTERM or SIGINT, or the end of the supervisor."""
    loop, work = asyncio.get_running_loop(), asyncio.current_task()
    assert work is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    if supervised:
        loop.add_reader(LIFELINE, work.cancel)  # nothing is ever written to it

    clock, upkeep = RealClock(), list[asyncio.Task[None]]()

    def ready() -> None:
        collector.settle()
        upkeep.append(loop.create_task(collector.run(clock), name="collector"))
        log.info("%s is ready", title(component, node))
        if supervised:
            tell(ready=True)

    def listens(port: int) -> None:
        log.info("%s listens on port %d", title(component, node), port)
        if supervised:
            tell(port=port)

    await COMPONENTS[component].run(Setting(config, clock, ready, node, listens))


def tell(**fields: object) -> None:
    """To the supervisor, which may have gone."""
    with contextlib.suppress(OSError):
        os.write(WORD, msgspec.json.encode(fields) + b"\n")


def run(config: ClusterConfig, component: str, node: str, *, supervised: bool = False) -> int:
    """The process's whole life; its exit code."""
    import uvloop

    sys.setswitchinterval(SWITCH_SECONDS)
    collector.relax()
    filelimit.lift()
    try:
        with alone(config, component, node):
            uvloop.run(_main(config, component, node, supervised))
    except asyncio.CancelledError:
        return 0
    except RunsAlready as error:
        if not supervised:
            raise
        tell(error=str(error))
        return 1
    except BaseException as error:
        causes = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
        log.exception("%s ends", title(component, node))
        if supervised:
            tell(error="; ".join(f"{type(c).__name__}: {c}" for c in causes))
        return 1
    return 0


def entry() -> int:
    """`python -m wherry.cluster.component`."""
    from wherry.cluster.process import log_to_stderr

    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("component", choices=COMPONENTS)
    parser.add_argument("--node", default="")
    parser.add_argument("--data-dir", default="")
    parser.add_argument("--supervised", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    log_to_stderr(verbose=args.verbose)
    config = load(args.name, args.data_dir)
    if config is None:
        print(f"no cluster {args.name!r} here", file=sys.stderr)
        return 2
    return run(config, args.component, args.node, supervised=args.supervised)


if __name__ == "__main__":
    sys.exit(entry())
