"""exec, attach and port-forward: processes and connections as streams of bytes.

`runc exec --detach` hands our pipe or terminal to the process and ends; the process is then this one's
child (see `linux.adopt_orphans`), so that its exit code is ours to collect and nothing stands between.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import struct
import subprocess
import termios
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.runtime.embedded import conmon, exits, oci_spec
from wherry.runtime.embedded.descriptor import Descriptor
from wherry.runtime.interface import RuntimeFault
from wherry.runtime.words import last_message
from wherry.util.clock import Clock, wait_until

DRAIN = 0.2
"""Seconds of silence after a process's end until its output counts as ended, though a child still holds it."""

_CONMON_PACKET = 8192
"""conmon takes no more from one packet."""

_CONMON_STDERR = 3
"""The first byte of conmon's packets: 2 is the standard output, 3 the standard error."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """A process that runs in a container, a child of this one, and this side's ends of its streams."""

    pid: int
    stdin: int
    """-1 without one."""
    outputs: tuple[tuple[int, int], ...]
    """(1 or 2, descriptor)."""


@dataclass(frozen=True, slots=True)
class Exec:
    """What to run where.  `bundle` is named after the container; `sockets` has a short path."""

    runtime: str
    oci_state: Path
    bundle: Path
    sockets: Path
    command: tuple[str, ...]
    stdin: bool
    terminal: bool


def spawn(job: Exec) -> Spawned:
    """Start a process in a container.  Raises RuntimeFault in runc's words.  Blocks."""
    name = f"exec-{secrets.token_hex(6)}"
    specification, pid_file = job.bundle / f"{name}.json", job.bundle / f"{name}.pid"
    spec: Mapping[str, Any] = json.loads((job.bundle / "config.json").read_bytes())
    specification.write_text(json.dumps(oci_spec.exec_process(spec, job.command, job.terminal)))
    arguments = [job.runtime, "--root", str(job.oci_state), "exec", "--detach", "--process", str(specification)]
    arguments += ["--pid-file", str(pid_file)]
    try:
        start = _spawn_terminal if job.terminal else _spawn_pipes
        return start(job, arguments, pid_file)
    finally:
        specification.unlink(missing_ok=True)
        pid_file.unlink(missing_ok=True)


def _spawn_pipes(job: Exec, arguments: list[str], pid_file: Path) -> Spawned:
    theirs_in, ours_in = os.pipe() if job.stdin else (os.open(os.devnull, os.O_RDONLY), -1)
    out, theirs_out = os.pipe()
    err, theirs_err = os.pipe()
    ours = [end for end in (ours_in, out, err) if end >= 0]
    try:
        command = [*arguments, job.bundle.name]
        done = subprocess.run(command, stdin=theirs_in, stdout=theirs_out, stderr=theirs_err, check=False)
        if done.returncode != 0:
            os.set_blocking(err, False)
            raise _fault(os.read(err, 65536), done.returncode)
        return Spawned(int(pid_file.read_text()), ours_in, ((1, out), (2, err)))
    except BaseException:
        for end in ours:
            os.close(end)
        raise
    finally:
        for end in (theirs_in, theirs_out, theirs_err):
            os.close(end)


def _spawn_terminal(job: Exec, arguments: list[str], pid_file: Path) -> Spawned:
    path = job.sockets / f"t{secrets.token_hex(5)}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        try:
            listener.listen(1)
            listener.settimeout(10.0)
            command = [*arguments, "--console-socket", str(path), job.bundle.name]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
            if done.returncode != 0:
                raise _fault(done.stderr, done.returncode)
            connection, _ = listener.accept()
        finally:
            path.unlink(missing_ok=True)
    with connection:
        connection.settimeout(10.0)
        _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1)
    master = descriptors[0]
    return Spawned(int(pid_file.read_text()), os.dup(master) if job.stdin else -1, ((1, master),))


def _fault(said: bytes, code: int) -> RuntimeFault:
    words = last_message(said.decode(errors="replace")) or f"runc ended with {code}"
    return RuntimeFault(f"OCI runtime exec failed: {words}")


class ExecStreams:
    """A process that `exec` started in a container."""

    def __init__(self, spawned: Spawned, clock: Clock) -> None:
        self._pid = spawned.pid
        self._clock = clock
        self._stdin = Descriptor(spawned.stdin) if spawned.stdin >= 0 else None
        self._outputs = [(kind, Descriptor(number)) for kind, number in spawned.outputs]
        self._terminal = len(self._outputs) == 1
        self._queue: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(16)
        self._open = len(self._outputs)
        self._exit = asyncio.create_task(exits.collect(spawned.pid), name="exec")
        self._pumps = [asyncio.create_task(self._pump(kind, end), name="exec output") for kind, end in self._outputs]
        self._drain = asyncio.create_task(self._end_outputs(), name="exec drain")

    async def _pump(self, kind: int, end: Descriptor) -> None:
        try:
            while data := await end.read():
                await self._queue.put((kind, data))
        finally:
            end.close()
        self._open -= 1
        if not self._open:
            await self._queue.put(None)

    async def _end_outputs(self) -> None:
        """Once the process has ended: do not wait for children of its that keep its output and say nothing."""
        await asyncio.shield(self._exit)
        while any(not pump.done() for pump in self._pumps):
            silent = [end for _, end in self._outputs if end.waiting]
            try:
                await wait_until(self._clock, self._clock.monotonic() + DRAIN, asyncio.wait(self._pumps))
            except TimeoutError:
                for end in silent:
                    if end.waiting:
                        end.close()

    async def write_stdin(self, data: bytes) -> None:
        if self._stdin is not None:
            with contextlib.suppress(BrokenPipeError, OSError):
                await self._stdin.write(data)

    async def close_stdin(self) -> None:
        if self._stdin is not None and self._terminal:
            await self.write_stdin(b"\x04")  # a terminal has no end but the one that is typed
        elif self._stdin is not None:
            self._stdin.close()

    async def read(self) -> tuple[int, bytes] | None:
        item = await self._queue.get()
        if item is None:
            await self._queue.put(None)
        return item

    async def resize(self, width: int, height: int) -> None:
        if self._terminal and not self._outputs[0][1].closed:
            fcntl.ioctl(self._outputs[0][1].number, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    async def wait(self) -> int:
        return await asyncio.shield(self._exit)

    async def close(self) -> None:
        if not self._exit.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        tasks = [self._drain, *self._pumps]
        for task in tasks:
            task.cancel()
        if self._stdin is not None:
            self._stdin.close()
        for _, end in self._outputs:
            end.close()
        await asyncio.gather(self._exit, *tasks, return_exceptions=True)


class AttachStreams:
    """The streams of a container's own process, through conmon."""

    def __init__(self, path: Path, bundle: Path, *, stdin: bool, exited: Callable[[], Awaitable[int]]) -> None:
        self._bundle = bundle
        self._stdin = stdin
        self._exited = exited
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise RuntimeFault(f"failed to attach: {error.strerror}") from None
        self._end = Descriptor(self._socket.detach())

    async def write_stdin(self, data: bytes) -> None:
        if self._stdin:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                await self._end.write(data, _CONMON_PACKET)

    async def close_stdin(self) -> None:
        """Ends the container's standard input only where it asked for that (`stdin_once`)."""
        if self._stdin and not self._end.closed:
            with socket.socket(fileno=os.dup(self._end.number)) as end, contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_WR)

    async def read(self) -> tuple[int, bytes] | None:
        data = await self._end.read()
        if not data:
            return None
        return (2 if data[0] == _CONMON_STDERR else 1), data[1:]

    async def resize(self, width: int, height: int) -> None:
        conmon.resize(self._bundle, width, height)

    async def wait(self) -> int:
        return await self._exited()

    async def close(self) -> None:
        self._end.close()


class SocketStream:
    """A TCP connection into a sandbox."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, limit: int = 65536) -> bytes:
        return await self._reader.read(limit)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def write_eof(self) -> None:
        if self._writer.can_write_eof():
            self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def connect(make_socket: Callable[[socket.AddressFamily], Awaitable[socket.socket]], port: int) -> SocketStream:
    """Connect to localhost, by either family, with sockets from where that is meant.  Raises OSError when refused."""
    failed: OSError | None = None
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            end = await make_socket(family)
        except OSError as error:
            failed = failed or error
            continue
        end.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(end, (address, port))
            return SocketStream(*await asyncio.open_connection(sock=end))
        except OSError as error:
            end.close()
            words = f"dial {address}:{port}: connect: {os.strerror(error.errno or 0).lower()}"
            failed = failed or OSError(error.errno, words)
    assert failed is not None
    raise failed


def new_socket(family: socket.AddressFamily) -> socket.socket:
    return socket.socket(family, socket.SOCK_STREAM)
