"""up, down, reset: the life of a cluster's process, seen from outside.

One lock a cluster makes these wait for one another.  The process is found by a file with its id and
start time, so that a recycled id is never taken for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from wherry.cluster import host, kubeconfig, processes, remains, schedulerconfig
from wherry.cluster.config import (
    TERMINATED,
    BrokenConfig,
    ClusterConfig,
    ConfigError,
    choose,
    folders,
    load,
    pointer,
    spelt,
    stand_in,
    write_private,
)
from wherry.util.clock import RealClock

if TYPE_CHECKING:
    from wherry.cluster.pki import PKI

START_SECONDS, STOP_SECONDS = 90.0, 15.0
_TAKEN = re.compile(r"bind on address \('([^']*)', (\d+)")  # in asyncio's words
INTERRUPTED, ENDED = "interrupted", "the cluster's process ended"
Progress = Callable[[str], None]


class LifecycleError(Exception):
    """What was asked for could not be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What `up` was asked for.  Empty and 0 mean: as it was made, or what suits this host."""

    name: str
    fidelity: str = ""
    nodes: int = 0
    data_dir: str = ""
    port: int = 0
    verbose: bool = False
    processes: bool | None = None  # each component a process of its own
    scheduler_config: str | None = None  # a file; "": the default scheduler again

    def choose(self) -> ClusterConfig:
        """Raises ConfigError."""
        return choose(
            self.name, fidelity=self.fidelity, nodes=self.nodes, data_dir=self.data_dir, port=self.port, processes=self.processes,
            scheduler=None if self.scheduler_config is None else schedulerconfig.read(self.scheduler_config),
        )


@contextlib.contextmanager
def locked(name: str, progress: Progress, *, interrupting: bool = False) -> Iterator[None]:
    """Alone with this cluster.  `interrupting`: an `up` in progress is told to give way (`down`)."""
    path, told = folders(name)[1].parent / f"{name}.lock", False
    while (file := _try_lock(path)) is None:
        if not told:
            progress(f"another wherry command works on cluster {name!r}: waiting for it")
            told = True
        if interrupting and (pid := _recorded(folders(name)[1])):
            _signal(pid, signal.SIGTERM)
        time.sleep(0.05)
    with os.fdopen(file):
        try:
            yield
        finally:
            if not folders(name)[1].exists():  # nothing of it is left on this host
                path.unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # other clusters have theirs there
                    path.parent.rmdir()


def _try_lock(path: Path) -> int | None:
    """The descriptor that holds the lock, or None when someone else has it.

    Whoever ends a cluster removes the file while holding its lock: a lock on a file that is not at `path` any more
    excludes nobody.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:  # the folder went in this moment
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(file), path.stat()):
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(file)
    return None


def _pid_file(run: Path) -> Path:
    return run / "wherry.pid"


def running(config: ClusterConfig) -> int:
    """The id of the cluster's process, or 0."""
    return _recorded(config.run)


def _recorded(run: Path) -> int:
    try:
        pid, started = _pid_file(run).read_text().split()
    except (OSError, ValueError):
        return 0
    return int(pid) if started and processes.start_time(int(pid)) == started else 0


def _record(config: ClusterConfig, pid: int) -> None:
    _pid_file(config.run).write_text(f"{pid} {processes.start_time(pid)}\n")


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _forsake(config: ClusterConfig) -> None:
    """Of an earlier cluster of this name whose data is gone nothing is taken over."""
    if config.run.is_dir() and not (config.data / "config.json").exists():
        _clean(config)
        shutil.rmtree(config.run, ignore_errors=True)


def prepare(config: ClusterConfig) -> PKI:
    """Folders, settings, certificates and kubeconfig.  Raises ConfigError, LifecycleError."""
    from wherry.cluster.pki import PKI

    try:
        config.data.mkdir(parents=True, exist_ok=True)
        config.run.mkdir(parents=True, exist_ok=True)
        config.save()
        if config.data != folders(config.name)[0]:
            write_private(pointer(config.name), f"{config.data}\n".encode())
        pki = PKI(config, RealClock())
        pki.ensure()
        kubeconfig.write(config, pki)
    except OSError as error:
        raise LifecycleError(f"cannot write {error.filename or config.data}: {error.strerror}") from None
    return pki


def up(asked: Asked, progress: Progress) -> tuple[ClusterConfig, bool]:
    """Bring the cluster up, or find it up.  Returns its settings and whether it was started now.
    Raises ConfigError, LifecycleError."""
    with locked(asked.name, progress):
        if pid := _recorded(folders(asked.name)[1]):
            config = asked.choose()
            _agree(config, remains.known(asked.name, asked.data_dir))
            if not config.ready_file.exists():  # whoever began it was killed
                _await_file(config, pid, progress)
            return config, False
        with _chosen(asked) as config:
            started = _spawn(config, verbose=asked.verbose)
            try:
                _make(config, progress)
            except BaseException:
                started.give_up()
                raise
        start(config, started, progress)
        return config, True


@contextlib.contextmanager
def _chosen(asked: Asked) -> Iterator[ClusterConfig]:
    """The settings of a cluster that is to start.  Clusters are made one after the other on this host, whatever their names:
    each takes the port and the address ranges that nobody has yet.  Raises ConfigError."""
    folder = os.open(folders(asked.name)[1].parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield asked.choose()
    finally:
        os.close(folder)


def _make(config: ClusterConfig, progress: Progress) -> None:
    """Put a cluster's settings on disk.  Raises ConfigError, LifecycleError."""
    host.check(config)
    _forsake(config)
    if told := remains.moved(config):
        progress(told)
    prepare(config)


def _agree(config: ClusterConfig, current: ClusterConfig) -> None:
    if told := _differences(config, current):
        raise ConfigError(f"cluster {config.name!r} is running with {told}: {spelt('down', config.name)} first")


def _differences(config: ClusterConfig, current: ClusterConfig) -> str:
    """What it runs with and what was asked for, where these differ."""
    switch = {True: "--processes", False: "--no-processes"}
    told = []
    if config.port != current.port:
        told.append(f"--port {current.port}, not {config.port}")
    if config.nodes != current.nodes:
        told.append(f"--nodes {current.nodes}, not {config.nodes}")
    if config.processes != current.processes:
        told.append(f"{switch[current.processes]}, not {switch[config.processes]}")
    if config.scheduler != current.scheduler:
        told.append("another --scheduler-config")
    return " and ".join(told)


def foreground(asked: Asked, progress: Progress) -> int:
    """The cluster in this very process until a signal ends it; its exit code.  Raises ConfigError, LifecycleError."""
    from wherry.cluster import process

    with locked(asked.name, progress):
        if _recorded(folders(asked.name)[1]):
            raise LifecycleError(f"cluster {asked.name!r} runs already: {spelt('down', asked.name)} first")
        with _chosen(asked) as config:
            _make(config, progress)
        config.ready_file.unlink(missing_ok=True)
        _record(config, os.getpid())
    process.log_to_stderr(verbose=asked.verbose)
    try:
        return process.run(config, None)
    finally:
        if running(config) == os.getpid():
            _pid_file(config.run).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Started:
    """A cluster's process that loads its code, and begins when `go` is written to: on another core, while its settings are made."""

    process: subprocess.Popen[bytes]
    go: int
    notify: int

    def begin(self) -> None:
        """Its settings are there."""
        with contextlib.suppress(BrokenPipeError):  # `notify` tells why
            os.write(self.go, b"\n")
        os.close(self.go)

    def give_up(self) -> None:
        """It has begun nothing yet: without its `go` it ends."""
        os.close(self.go)
        os.close(self.notify)
        self.process.wait()


def _spawn(config: ClusterConfig, *, verbose: bool) -> Started:
    reading, writing = os.pipe()
    waiting, go = os.pipe()
    command = _command(config, writing, waiting, verbose=verbose)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, pass_fds=(writing, waiting), cwd="/")
    os.close(writing)
    os.close(waiting)
    return Started(process, go, reading)


def start(config: ClusterConfig, started: Started, progress: Progress) -> None:
    """Let the process begin and wait until it is ready.  Raises LifecycleError with what it said."""
    fresh = not (config.run / "runtime").exists()  # nothing of it on this host: a failure leaves nothing, either
    process, reading, log = started.process, started.notify, config.run / "wherry.log"
    config.ready_file.unlink(missing_ok=True)
    _record(config, process.pid)
    started.begin()
    error = INTERRUPTED
    try:
        error = _await_ready(reading, progress)
    finally:
        os.close(reading)
        if error:
            _end(process.pid)
            code = process.wait()
            _pid_file(config.run).unlink(missing_ok=True)
            if fresh:
                _clean(config)
    if error == ENDED and code in (-signal.SIGTERM, TERMINATED):  # without a word of its own
        raise LifecycleError(f"cluster {config.name!r} was told to stop while it started (`wherry down`)")
    if error:
        raise LifecycleError(f"{explain(error, config)}\n(the log is {log})")


def _command(config: ClusterConfig, notify: int, go: int, *, verbose: bool) -> list[str]:
    command = [sys.executable, "-X", "frozen_modules=on", "-m", "wherry.cluster.process", config.name, "--notify", str(notify)]
    command += ["--data-dir", str(config.data), "--go", str(go), "--log", str(config.run / "wherry.log")]
    return command + ["--load", "supervisor" if config.processes else config.fidelity] + (["--verbose"] if verbose else [])


def _await_ready(fd: int, progress: Progress) -> str:
    """"" once the process is ready, else what went wrong."""
    deadline, tail = time.monotonic() + START_SECONDS, b""
    while True:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return f"the cluster was not ready within {START_SECONDS:.0f} s"
        data = os.read(fd, 65536)
        if not data:
            return ENDED
        *lines, tail = (tail + data).split(b"\n")
        for line in lines:
            told = msgspec.json.decode(line)
            if told.get("ready"):
                return ""
            if "error" in told:
                return str(told["error"])
            if "text" in told:
                progress(str(told["text"]))


def _await_file(config: ClusterConfig, pid: int, progress: Progress) -> None:
    """Until a process that someone else started is ready.  Raises LifecycleError."""
    progress("it is starting")
    deadline = time.monotonic() + START_SECONDS
    while not config.ready_file.exists():
        if running(config) != pid or time.monotonic() > deadline:
            raise LifecycleError(f"cluster {config.name!r} did not come up: {config.run / 'wherry.log'} tells why; try again")
        time.sleep(0.02)


def explain(error: str, config: ClusterConfig) -> str:
    """An error with the command that mends it."""
    if taken := _TAKEN.search(error):
        address, port = taken.group(1), int(taken.group(2))
        return host.port_taken(port, address, config)
    if "StorageLocked" in error:
        return f"another process uses {config.data / 'store'}: end it, or choose another --data-dir"
    if "DatabaseError" in error:
        return (
            f"{config.data / 'store/objects.sqlite'} is broken ({error}): put back a good copy, or begin anew with "
            f"`wherry reset --name {config.name}`"
        )
    if "StorageFull" in error or "No space left" in error or "disk is full" in error:
        return f"the disk under {config.data} is full: make space there, then `wherry up` again ({error})"
    return error


def _end(pid: int) -> None:
    """SIGTERM, and SIGKILL if that does not do."""
    _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while processes.start_time(pid):
        if time.monotonic() > deadline:
            _signal(pid, signal.SIGKILL)
            deadline += STOP_SECONDS
        time.sleep(0.02)


def _settings(name: str, data_dir: str) -> ClusterConfig | None:
    """Of the cluster that is to end.  One whose settings are broken or gone can be ended as well.  Raises ConfigError."""
    try:
        return load(name, data_dir) or remains.stands_in(name)
    except BrokenConfig:
        return stand_in(name, data_dir)


def down(name: str, *, data_dir: str = "", progress: Progress) -> bool:
    """End the cluster and leave the host as it was found; objects and images stay.  Returns whether there was one."""
    with locked(name, progress, interrupting=True):
        config = _settings(name, data_dir)
        if config is not None:
            _stop(config, progress)
        return config is not None


def _stop(config: ClusterConfig, progress: Progress) -> None:
    if pid := running(config):
        progress("stopping")
        _end(pid)
    if config.fidelity == "real" and os.geteuid() == 0:
        progress("cleaning up")
    _clean(config)
    shutil.rmtree(config.run, ignore_errors=True)


def _clean(config: ClusterConfig) -> None:
    processes.end_left(config)
    if config.fidelity == "real" and os.geteuid() == 0:
        host.clean(config)


def reset(name: str, *, data_dir: str = "", progress: Progress) -> bool:
    """`down`, and forget everything: objects, certificates, images, the kubeconfig's entries."""
    with locked(name, progress, interrupting=True):
        config = _settings(name, data_dir)
        if config is None:
            return False
        _stop(config, progress)
        troubles = kubeconfig.remove(config)
        _forget(config)
        if troubles:
            raise LifecycleError(f"cluster {name!r} is gone, but {'; '.join(troubles)}")
        return True


def _forget(config: ClusterConfig) -> None:
    if (config.data / "config.json").exists() or remains.deletable(config.data):
        shutil.rmtree(config.data.resolve(), ignore_errors=True)
        if config.data.is_symlink():
            config.data.unlink()
    pointer(config.name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # other clusters have theirs there
        folders(config.name)[0].parent.rmdir()
