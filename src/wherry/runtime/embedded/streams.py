"""exec, attach and port-forward: processes and connections as streams of bytes."""

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import secrets
import signal
import socket
import struct
import subprocess
import termios
import tty
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wherry.runtime.embedded import conmon, exits, oci_spec
from wherry.runtime.embedded.descriptor import Descriptor
from wherry.runtime.embedded.records import ProcessId
from wherry.runtime.interface import RuntimeFault
from wherry.runtime.words import last_message

# How runc's own complaints begin, which it writes where the process would write.
_COMPLAINTS = (b'time="', b"exec failed: ")

_CONMON_PACKET = 8192
"""conmon takes no more from one packet."""

_CONMON_STDERR = 3
"""The first byte of conmon's packets: 2 is the standard output, 3 the standard error."""


@dataclass(slots=True)
class Spawned:
    """A `runc exec` that runs, and this side's ends of its streams."""

    process: "subprocess.Popen[bytes]"
    identity: ProcessId
    pid_file: Path
    specification: Path
    stdin: int
    outputs: list[tuple[int, int]]


def spawn(runtime: str, oci_state: Path, bundle: Path, command: Sequence[str], *, stdin: bool, terminal: bool) -> Spawned:
    """Start a process in a container.  Blocks; for worker threads."""
    name = secrets.token_hex(6)
    specification, pid_file = bundle / f"exec-{name}.json", bundle / f"exec-{name}.pid"
    spec: Mapping[str, Any] = json.loads((bundle / "config.json").read_bytes())
    specification.write_text(json.dumps(oci_spec.exec_process(spec, command, terminal)))
    arguments = [runtime, "--root", str(oci_state), "exec", "--process", str(specification), "--pid-file", str(pid_file), bundle.name]
    theirs: list[int] = []
    try:
        if terminal:
            master, slave = pty.openpty()
            tty.setraw(slave)  # runc does so too, but what is typed before that must not be echoed twice
            theirs = [slave]
            child_in = child_out = child_err = slave
            ours, outputs = (os.dup(master) if stdin else -1), [(1, master)]
        else:
            child_in, ours = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), -1)
            out, child_out = os.pipe()
            err, child_err = os.pipe()
            theirs = [child_in, child_out, child_err]
            outputs = [(1, out), (2, err)]
        process = subprocess.Popen(arguments, stdin=child_in, stdout=child_out, stderr=child_err, start_new_session=True)
    finally:
        for number in theirs:
            os.close(number)
    try:
        identity = ProcessId.of(process.pid)
    except ProcessLookupError:
        identity = ProcessId()
    return Spawned(process, identity, pid_file, specification, ours, outputs)


class ExecStreams:
    """A process that `exec` started in a container."""

    def __init__(self, spawned: Spawned, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._spawned = spawned
        self._in_thread = in_thread
        self._stdin = Descriptor(spawned.stdin) if spawned.stdin >= 0 else None
        self._outputs = [(kind, Descriptor(number)) for kind, number in spawned.outputs]
        self._terminal = len(self._outputs) == 1
        self._queue: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(16)
        self._open = len(self._outputs)
        self._complaint = b""
        self._started = False
        self._exit: asyncio.Task[int] = asyncio.create_task(self._wait(), name="exec")
        self._pumps = [asyncio.create_task(self._pump(kind, end), name="exec output") for kind, end in self._outputs]

    async def _wait(self) -> int:
        spawned = self._spawned
        await exits.ended(spawned.identity)
        code: int = await self._in_thread(spawned.process.wait)
        spawned.specification.unlink(missing_ok=True)
        self._started = self._started or spawned.pid_file.exists()
        spawned.pid_file.unlink(missing_ok=True)
        return code

    async def _pump(self, kind: int, end: Descriptor) -> None:
        try:
            while data := await end.read():
                if not self._started:
                    self._started = self._spawned.pid_file.exists()
                if not self._started and data.startswith(_COMPLAINTS):
                    self._complaint += data
                    continue
                await self._queue.put((kind, data))
        finally:
            end.close()
        self._open -= 1
        if not self._open:
            await self._queue.put(None)

    async def write_stdin(self, data: bytes) -> None:
        if self._stdin is not None:
            with contextlib.suppress(BrokenPipeError):
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
        if not self._terminal or self._outputs[0][1].closed:
            return
        fcntl.ioctl(self._outputs[0][1].number, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        with contextlib.suppress(ProcessLookupError):
            self._spawned.process.send_signal(signal.SIGWINCH)  # it is not the terminal's foreground: tell it

    async def wait(self) -> int:
        """The exit code.  Raises RuntimeFault when there was no process to have one."""
        code = await asyncio.shield(self._exit)
        if not self._started:
            await asyncio.gather(*self._pumps, return_exceptions=True)
            words = last_message(self._complaint.decode(errors="replace")) or f"runc ended with {code}"
            raise RuntimeFault(f"OCI runtime exec failed: {words}")
        return code

    async def kill(self) -> None:
        """End the process in the container; `runc exec` then ends by itself, or is ended too."""
        if self._exit.done():
            return
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(self._spawned.pid_file.read_text()), signal.SIGKILL)
        if not self._spawned.pid_file.exists():
            self._spawned.process.kill()

    async def close(self) -> None:
        await self.kill()
        if self._stdin is not None:
            self._stdin.close()
        for pump in self._pumps:
            pump.cancel()
        for _, end in self._outputs:
            end.close()
        await asyncio.gather(self._exit, *self._pumps, return_exceptions=True)


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


__all__ = ["AttachStreams", "ExecStreams", "SocketStream", "connect", "new_socket", "spawn"]
