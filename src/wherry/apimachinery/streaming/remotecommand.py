"""exec and attach (`*.channel.k8s.io`): a process's streams over WebSocket channels or SPDY streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from wherry.apimachinery.errors import StatusError, bad_request, internal_error
from wherry.apimachinery.http import Duplex, Request, Response
from wherry.apimachinery.streaming.channels import Channels
from wherry.apimachinery.streaming.pipe import CREATION_TIMEOUT, Pipe, first, linger
from wherry.apimachinery.streaming.spdy import Refused, Session, Stream, is_spdy
from wherry.apimachinery.streaming.websocket import WebSocket, handshake, is_websocket
from wherry.util.clock import Clock, wait_until

PROTOCOL_HEADER = "X-Stream-Protocol-Version"
WEBSOCKET_PROTOCOLS = (
    "v5.channel.k8s.io", "v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io", "",
)
SPDY_PROTOCOLS = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io")
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
SUCCESS: dict[str, Any] = {"metadata": {}, "status": "Success"}


class Process(Protocol):
    """What runs, as `wherry.runtime.interface.Streams` has it."""

    async def write_stdin(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def read(self) -> tuple[int, bytes] | None: ...

    async def resize(self, width: int, height: int) -> None: ...

    async def wait(self) -> int: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Options:
    """Which streams the client wants."""

    stdin: bool
    stdout: bool
    stderr: bool
    tty: bool

    def check(self) -> None:
        """Raises StatusError 400."""
        if not (self.stdin or self.stdout or self.stderr):
            raise bad_request("you must specify at least 1 of stdin, stdout, stderr")
        if self.tty and self.stderr:
            raise bad_request("tty and stderr cannot both be true")


class Wire(Protocol):
    """One session with a client, whatever the framing."""

    stdin: Pipe
    sizes: Pipe

    async def output(self, stream: int, data: bytes) -> None:
        """Raises ConnectionError when the client is gone."""
        ...

    async def finish(self, status: dict[str, Any]) -> None:
        """End the output and say how it went."""
        ...


def failure(exit_code: int) -> dict[str, Any]:
    """The Status of a command that ended with `exit_code`, which is not 0."""
    return {
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {exit_code}",
        "details": {"causes": [{"reason": "ExitCode", "message": str(exit_code)}]},
    }


def upgrade(request: Request, options: Options, verb: str, start: Callable[[], Awaitable[Process]], clock: Clock) -> Response:
    """The 101 for an exec or attach (`verb`).  `start` is called once the client's streams are there.

    Raises StatusError when the request cannot be upgraded.
    """
    options.check()
    if is_websocket(request):
        protocol, headers = handshake(request, WEBSOCKET_PROTOCOLS)

        async def over_websocket(duplex: Duplex) -> None:
            wire = WebSocketWire(WebSocket(duplex), options, protocol)
            serving = asyncio.ensure_future(_serve(wire, options, verb, start))
            await _until_closed(wire.run(), serving, clock)

        return Response(101, headers=headers, upgrade=over_websocket)
    if not is_spdy(request):
        raise bad_request("Upgrade request required")
    protocol = negotiate(request, SPDY_PROTOCOLS)

    async def over_spdy(duplex: Duplex) -> None:
        session = Session(duplex)
        arrivals = Arrivals(options, protocol)
        serving = asyncio.ensure_future(_serve_spdy(arrivals, options, verb, start, clock))
        await _until_closed(session.run(arrivals.opened), serving, clock)

    headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), (PROTOCOL_HEADER, protocol)]
    return Response(101, headers=headers, upgrade=over_spdy)


def negotiate(request: Request, supported: tuple[str, ...]) -> str:
    """The first of the client's stream protocols that is supported.  Raises StatusError 403, as upstream."""
    names = [name.strip() for name in request.headers.get(PROTOCOL_HEADER.lower(), "").split(",") if name.strip()]
    for name in names:
        if name in supported:
            return name
    message = f"unable to upgrade: unable to negotiate protocol: client supports {names}, server accepts {list(supported)}"
    raise StatusError(403, "Forbidden", message)


async def _until_closed(reading: Any, serving: asyncio.Future[None], clock: Clock) -> None:
    """Serve while the client is there; when all is said, wait a little for it to close."""
    reader = asyncio.ensure_future(reading)
    try:
        await asyncio.wait({reader, serving}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            await linger(clock, asyncio.shield(reader))
    except ConnectionError:
        pass
    finally:
        for task in (serving, reader):
            task.cancel()
        await asyncio.gather(serving, reader, return_exceptions=True)


async def _serve_spdy(
    arrivals: Arrivals, options: Options, verb: str, start: Callable[[], Awaitable[Process]], clock: Clock
) -> None:
    try:
        wire = await wait_until(clock, clock.monotonic() + CREATION_TIMEOUT, arrivals.complete())
    except TimeoutError:
        return
    await _serve(wire, options, verb, start)


async def _serve(wire: Wire, options: Options, verb: str, start: Callable[[], Awaitable[Process]]) -> None:
    """Run the process on the wire.  Cancelled when the client goes: then the process is let go."""
    what = "executing command in" if verb == "exec" else "attaching to"
    try:
        process = await start()
    except StatusError as error:
        await wire.finish(error.to_json())
        return
    except Exception as error:  # whatever it is, only the client can be told
        await wire.finish(internal_error(f"error {what} container: {error}").to_json())
        return
    try:
        codes: list[int] = []
        await first(_output(wire, options, process, codes), _input(wire, options, process), _resize(wire, process))
        code = codes[0] if verb == "exec" else 0
        await wire.stdin.discard()
        await wire.sizes.discard()
        await wire.finish(failure(code) if code else SUCCESS)
    finally:
        await process.close()


async def _output(wire: Wire, options: Options, process: Process, codes: list[int]) -> None:
    wanted = {STDOUT: options.stdout, STDERR: options.stderr}
    while (item := await process.read()) is not None:
        stream, data = item
        if wanted[stream]:
            await wire.output(stream, data)
    codes.append(await process.wait())


async def _input(wire: Wire, options: Options, process: Process) -> None:
    """Never returns: the output's end is the session's end."""
    if options.stdin:
        try:
            while data := await wire.stdin.get():
                await process.write_stdin(data)
            await process.close_stdin()
        except OSError:  # it reads no more, and may well go on without
            await wire.stdin.discard()
    await asyncio.Event().wait()


async def _resize(wire: Wire, process: Process) -> None:
    async for width, height in sizes(wire.sizes):
        await process.resize(width, height)
    await asyncio.Event().wait()


async def sizes(pipe: Pipe) -> AsyncIterator[tuple[int, int]]:
    """The terminal sizes in a run of JSON objects, however the bytes were cut."""
    decoder, text = json.JSONDecoder(), ""
    while data := await pipe.get():
        text += data.decode("utf-8", "replace")
        while text := text.lstrip():
            try:
                size, end = decoder.raw_decode(text)
                width, height = int(size["Width"]), int(size["Height"])
            except json.JSONDecodeError:
                if len(text) > 1024:
                    return
                break
            except (KeyError, TypeError, ValueError):
                return
            text = text[end:]
            if 0 < width < 1 << 16 and 0 < height < 1 << 16:
                yield width, height


class WebSocketWire:
    """Channels: the first byte of each message names one."""

    def __init__(self, socket: WebSocket, options: Options, protocol: str) -> None:
        self.stdin, self.sizes = Pipe(), Pipe()
        self._channels, self._options = Channels(socket, protocol), options
        self._can_close = protocol.startswith("v5.")
        self._plain = not protocol.startswith("v")

    async def run(self) -> None:
        """Sort the client's messages until it closes."""
        await self._greet()
        while (message := await self._channels.receive()) is not None:
            channel, data = message
            if channel == STDIN and self._options.stdin:
                await self.stdin.put(data)
            elif channel == RESIZE and self._options.tty:
                await self.sizes.put(data)
            elif channel == CLOSE and self._can_close and data == bytes([STDIN]):
                await self.stdin.end()

    async def _greet(self) -> None:
        """An empty message on the first channel that is written to tells clients that the streams are there."""
        first = STDOUT if self._options.stdout else STDERR if self._options.stderr else ERROR
        with contextlib.suppress(ConnectionError):
            await self._channels.send(first, b"")

    async def output(self, stream: int, data: bytes) -> None:
        await self._channels.send(stream, data)

    async def finish(self, status: dict[str, Any]) -> None:
        """Before v4 the verdict is plain text, and nothing when all went well."""
        if not self._plain:
            await self._channels.send(ERROR, json.dumps(status).encode())
        elif status["status"] != "Success":
            await self._channels.send(ERROR, status["message"].encode())
        await self._channels.close()


class Arrivals:
    """Waits for the SPDY streams that the options promise."""

    def __init__(self, options: Options, protocol: str) -> None:
        names = {"error": True, "stdin": options.stdin, "stdout": options.stdout, "stderr": options.stderr}
        names["resize"] = options.tty and protocol != "v2.channel.k8s.io"
        self._missing = {name for name, wanted in names.items() if wanted}
        self._streams: dict[str, Stream] = {}
        self._all = asyncio.Event()
        self._protocol = protocol

    def opened(self, stream: Stream) -> None:
        """Raises Refused for a stream that was not announced, or is there already."""
        name = stream.headers.get("streamtype", "")
        if name not in self._missing:
            raise Refused
        self._missing.remove(name)
        self._streams[name] = stream
        if not self._missing:
            self._all.set()

    async def complete(self) -> SPDYWire:
        await self._all.wait()
        return SPDYWire(self._streams, self._protocol)


class SPDYWire:
    """A SPDY stream for each of the process's."""

    def __init__(self, streams: dict[str, Stream], protocol: str) -> None:
        self._streams = streams
        self._plain = protocol in ("v2.channel.k8s.io", "v3.channel.k8s.io")
        self.stdin = streams["stdin"].input if "stdin" in streams else Pipe()
        self.sizes = streams["resize"].input if "resize" in streams else Pipe()

    async def output(self, stream: int, data: bytes) -> None:
        await self._streams["stdout" if stream == STDOUT else "stderr"].write(data)

    async def finish(self, status: dict[str, Any]) -> None:
        """The outputs end before the verdict; before v4 that is plain text, and nothing when all went well."""
        for name in ("stdout", "stderr", "stdin", "resize"):
            if name in self._streams:
                await self._streams[name].finish()
        error = self._streams["error"]
        if not self._plain:
            await error.write(json.dumps(status).encode())
        elif status["status"] != "Success":
            await error.write(f"error executing remote command: {status['message']}".encode())
        await error.finish()
