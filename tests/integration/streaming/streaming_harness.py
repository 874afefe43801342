"""An API server on loopback whose only node is made of in-memory streams, and the real kubectl to drive it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.apiserver.server import APIServer
from wherry.kubelet.server.upgrades import upgrades
from wherry.util.clock import RealClock

TOKEN = "secret-token"
ADMIN = UserInfo("admin", ("system:masters", "system:authenticated"), "admin")


def kubectls() -> list[str]:
    """The kubectl on the PATH, and those that WHERRY_KUBECTLS lists."""
    listed = [path for path in os.environ.get("WHERRY_KUBECTLS", "").split(":") if path]
    found = shutil.which("kubectl")
    return ([found] if found else []) + listed


class Program:
    """A process of the fake node: a coroutine over queues."""

    def __init__(self, command: Sequence[str], tty: bool) -> None:
        self.input: asyncio.Queue[bytes] = asyncio.Queue(4)
        self.output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(4)
        self.sizes: list[tuple[int, int]] = []
        self.closed = asyncio.Event()
        self.sent = 0
        self.tty = tty
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._main(list(command)))

    async def _main(self, command: list[str]) -> None:
        code = await getattr(self, "_" + command[0])(*command[1:])
        await self.output.put(None)
        self._code.set_result(code)

    async def _echo(self, *words: str) -> int:
        await self.output.put((1, " ".join(words).encode() + b"\n"))
        return 0

    async def _fail(self, code: str) -> int:
        await self.output.put((1, b"out\n"))
        await self.output.put((2, b"err\n"))
        return int(code)

    async def _cat(self) -> int:
        while data := await self.input.get():
            await self.output.put((1, data))
        return 0

    async def _count(self) -> int:
        total = 0
        while data := await self.input.get():
            total += len(data)
        await self.output.put((1, f"{total}\n".encode()))
        return 0

    async def _ignore(self) -> int:
        """Ends without reading its input."""
        await self.output.put((1, b"done\n"))
        return 0

    async def _big(self, size: str) -> int:
        left = int(size)
        while left:
            part = min(left, 1 << 16)
            await self.output.put((1, b"x" * part))
            self.sent += part
            left -= part
        return 0

    async def _hang(self) -> int:
        await self.output.put((1, b"up\n"))
        await self.closed.wait()
        return 137

    # wherry.runtime.interface.Streams

    async def write_stdin(self, data: bytes) -> None:
        await self.input.put(data)

    async def close_stdin(self) -> None:
        await self.input.put(b"")

    async def read(self) -> tuple[int, bytes] | None:
        return await self.output.get()

    async def resize(self, width: int, height: int) -> None:
        self.sizes.append((width, height))

    async def wait(self) -> int:
        return await self._code

    async def close(self) -> None:
        self.closed.set()
        self._task.cancel()


class TCP:
    """A ByteStream over a real loopback connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self, limit: int = 65536) -> bytes:
        return await self._reader.read(limit)

    async def write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def write_eof(self) -> None:
        self._writer.write_eof()

    async def close(self) -> None:
        self._writer.close()


@dataclass
class FakeStreaming:
    """What the kubelet's `Streaming` answers, without a runtime."""

    programs: list[Program] = field(default_factory=list)
    ports: dict[int, int] = field(default_factory=dict)  # a Pod's port to one of this machine's

    def check(self, namespace: str, pod: str, container: str | None = None, *, attaching: bool = False) -> None:
        if container == "gone":
            raise StatusError(500, "InternalError", f'container not found ("{container}")')

    async def exec(self, namespace: str, pod: str, container: str, command: Sequence[str], *, stdin: bool, tty: bool) -> Program:
        if not hasattr(Program, "_" + command[0]):
            raise OSError(f'exec: "{command[0]}": executable file not found in $PATH')
        self.programs.append(Program(command, tty))
        return self.programs[-1]

    async def attach(self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool) -> Program:
        self.programs.append(Program(["cat"] if stdin else ["fail", "3"], tty))
        return self.programs[-1]

    async def port_forward(self, namespace: str, pod: str, port: int) -> TCP:
        if port not in self.ports:
            raise ConnectionRefusedError(f"dial tcp4 127.0.0.1:{port}: connect: connection refused")
        return TCP(*await asyncio.open_connection("127.0.0.1", self.ports[port]))


class FakeNode:
    """The kubelet's HTTP API."""

    def __init__(self) -> None:
        self.streaming = FakeStreaming()
        self.asked: list[Request] = []
        self.log_closed = asyncio.Event()
        self.log_answer: Response | None = None
        self.port = 0  # of its own HTTPS
        self._upgrades = upgrades(RealClock())

    async def handle(self, request: Request) -> Response:
        self.asked.append(request)
        first = request.path.split("/")[1]
        try:
            if first in self._upgrades:
                return await self._upgrades[first](request, self.streaming)  # type: ignore[arg-type]
        except StatusError as error:
            return Response(error.code, error.message.encode(), "text/plain")
        if first == "containerLogs":
            return self.log_answer or Response(200, content_type="text/plain", stream=self._log(request))
        return Response(200, request.path.encode(), "text/plain")

    async def _log(self, request: Request) -> AsyncIterator[bytes]:
        try:
            yield b"one\ntwo\n"
            if request.param("follow"):
                await asyncio.Event().wait()
        finally:
            self.log_closed.set()


@dataclass
class Finished:
    code: int
    out: str
    err: str


class Cluster:
    """The server's address, its node, and kubectl."""

    def __init__(self, server: APIServer, node: FakeNode, port: int, home: Path) -> None:
        self.server, self.node, self.port, self.home = server, node, port, home
        self.kubectl_path = "kubectl"
        self._children: list[asyncio.subprocess.Process] = []

    def command(self, *arguments: str) -> list[str]:
        flags = [f"--server=https://127.0.0.1:{self.port}", f"--token={TOKEN}", "--insecure-skip-tls-verify", "-nn"]
        return [self.kubectl_path, *flags, *arguments]

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home)}
        child = await asyncio.create_subprocess_exec(*self.command(*arguments), stdin=pipe, stdout=pipe, stderr=pipe, env=environment)
        self._children.append(child)
        return child

    async def kubectl(self, *arguments: str, stdin: bytes = b"") -> Finished:
        child = await self.start(*arguments)
        out, err = await asyncio.wait_for(child.communicate(stdin), 60)
        assert child.returncode is not None
        return Finished(child.returncode, out.decode(), err.decode())

    async def close(self) -> None:
        for child in self._children:
            if child.returncode is None:
                child.kill()
                await child.communicate()


def pod(name: str, containers: Sequence[str] = ("c",), node: str = "n1", init: Sequence[str] = ()) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": each, "image": "i"} for each in containers], "nodeName": node}
    if init:
        spec["initContainers"] = [{"name": each, "image": "i"} for each in init]
    if not node:
        del spec["nodeName"]
    return {"metadata": {"name": name}, "spec": spec}


def body(response: Response) -> Any:
    return json.loads(response.body)
