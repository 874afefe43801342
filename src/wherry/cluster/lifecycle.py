"""up, down, reset: the life of a cluster's process, seen from outside.

One lock a cluster makes these wait for one another.  The process is found by a file with its id and
start time, so that a recycled id is never taken for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from wherry.cluster import kubeconfig
from wherry.cluster.config import ClusterConfig, ConfigError, choose, folders, load
from wherry.cluster.pki import PKI
from wherry.util.clock import RealClock

START_SECONDS, STOP_SECONDS = 90.0, 15.0
Progress = Callable[[str], None]


class LifecycleError(Exception):
    """What was asked for could not be done; the text says why and what to do."""


@contextlib.contextmanager
def locked(name: str, progress: Progress, *, interrupting: bool = False) -> Iterator[None]:
    """Alone with this cluster.  `interrupting`: an `up` in progress is told to give way (`down`)."""
    path = folders(name)[1].parent
    path.mkdir(parents=True, exist_ok=True)
    with (path / f"{name}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"another wherry command works on cluster {name!r}: waiting for it")
            if interrupting and (config := load(name)) is not None and (pid := running(config)):
                _signal(pid, signal.SIGTERM)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _pid_file(config: ClusterConfig) -> Path:
    return config.run / "wherry.pid"


def _start_time(pid: int) -> str:
    """When the process started, in the kernel's ticks; "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def running(config: ClusterConfig) -> int:
    """The id of the cluster's process, or 0."""
    try:
        pid, started = _pid_file(config).read_text().split()
    except (OSError, ValueError):
        return 0
    return int(pid) if started and _start_time(int(pid)) == started and not _zombie(int(pid)) else 0


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def prepare(config: ClusterConfig) -> PKI:
    """Folders, settings, certificates and kubeconfig.  Raises LifecycleError."""
    try:
        config.data.mkdir(parents=True, exist_ok=True)
        config.run.mkdir(parents=True, exist_ok=True)
        config.save()
        default = folders(config.name)[0]
        if config.data != default:
            (config.run.parent / f"{config.name}.data").write_text(str(config.data))
        pki = PKI(config, RealClock())
        pki.ensure()
        kubeconfig.write(config, pki)
    except OSError as error:
        raise LifecycleError(f"cannot write {error.filename or config.data}: {error.strerror}") from None
    except ValueError as error:
        raise LifecycleError(str(error)) from None
    return pki


def up(
    name: str, *, fidelity: str = "", nodes: int = 0, data_dir: str = "", port: int = 0, progress: Progress, verbose: bool = False
) -> tuple[ClusterConfig, bool]:
    """Bring the cluster up, or find it up.  Returns its settings and whether it was started now.
    Raises ConfigError, LifecycleError."""
    with locked(name, progress):
        config = choose(name, fidelity=fidelity, nodes=nodes, data_dir=data_dir, port=port)
        if running(config):
            current = load(name, data_dir)
            if current is not None and (port or nodes) and (config.port, config.nodes) != (current.port, current.nodes):
                raise ConfigError(f"cluster {name!r} is running with other settings: `wherry down --name {name}` first")
            return config, False
        check_host(config)
        prepare(config)
        start(config, progress, verbose=verbose)
        return config, True


def check_host(config: ClusterConfig) -> None:
    """Raises LifecycleError when the host cannot carry this cluster."""
    if config.fidelity == "real" and os.geteuid() != 0:
        raise LifecycleError(
            "real containers need root: run `sudo wherry up`, or take simulated nodes with `wherry up --fidelity sim`"
        )


def start(config: ClusterConfig, progress: Progress, *, verbose: bool = False) -> None:
    """Start the process and wait until it is ready.  Raises LifecycleError with what it said."""
    reading, writing = os.pipe()
    log = config.run / "wherry.log"
    command = [sys.executable, "-X", "frozen_modules=on", "-m", "wherry.cluster.process", config.name, "--notify", str(writing)]
    command += ["--data-dir", str(config.data)] + (["--verbose"] if verbose else [])
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, pass_fds=(writing,), cwd="/",
        )
    os.close(writing)
    _pid_file(config).write_text(f"{process.pid} {_start_time(process.pid)}\n")
    try:
        error = _await_ready(reading, progress)
    finally:
        os.close(reading)
    if error:
        _end(process.pid)
        process.wait()
        _pid_file(config).unlink(missing_ok=True)
        raise LifecycleError(f"{explain(error, config)}\n(the log is {log})")


def _await_ready(fd: int, progress: Progress) -> str:
    """"" once the process is ready, else what went wrong."""
    deadline, tail = time.monotonic() + START_SECONDS, b""
    while True:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return f"the cluster was not ready within {START_SECONDS:.0f} s"
        data = os.read(fd, 65536)
        if not data:
            return "the cluster's process ended"
        *lines, tail = (tail + data).split(b"\n")
        for line in lines:
            told = msgspec.json.decode(line)
            if told.get("ready"):
                return ""
            if "error" in told:
                return str(told["error"])
            if "text" in told:
                progress(str(told["text"]))


def explain(error: str, config: ClusterConfig) -> str:
    """An error with the command that mends it."""
    if "EADDRINUSE" in error or "address already in use" in error.lower():
        return f"port {config.port} is taken by another program: end that, or choose another with `wherry up --port`"
    return error


def _end(pid: int) -> None:
    """SIGTERM, and SIGKILL if that does not do."""
    _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _start_time(pid) and not _zombie(pid):
        if time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
            deadline += STOP_SECONDS
        time.sleep(0.02)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (OSError, IndexError):
        return True


def down(name: str, *, data_dir: str = "", progress: Progress) -> bool:
    """End the cluster and leave the host as it was found; objects and images stay.  Returns whether there was one."""
    with locked(name, progress, interrupting=True):
        config = load(name, data_dir)
        if config is None:
            return False
        _stop(config, progress)
        return True


def _stop(config: ClusterConfig, progress: Progress) -> None:
    if pid := running(config):
        progress("stopping")
        _end(pid)
    if config.fidelity == "real" and os.geteuid() == 0:
        from wherry.cluster import host

        progress("cleaning up")
        host.clean(config)
    shutil.rmtree(config.run, ignore_errors=True)


def reset(name: str, *, data_dir: str = "", progress: Progress) -> bool:
    """`down`, and forget everything: objects, certificates, images, the kubeconfig's entries."""
    with locked(name, progress, interrupting=True):
        config = load(name, data_dir)
        if config is None:
            return False
        _stop(config, progress)
        with contextlib.suppress(ValueError):
            kubeconfig.remove(config)
        shutil.rmtree(config.data, ignore_errors=True)
        (config.run.parent / f"{name}.data").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            config.data.parent.rmdir()
    return True
