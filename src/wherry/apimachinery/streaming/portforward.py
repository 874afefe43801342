"""port-forward (`portforward.k8s.io`): pairs of SPDY streams, each a TCP connection into the Pod.

kubectl from 1.30 on tunnels the same SPDY inside a WebSocket.  Other clients ask for `ports` and use two of a WebSocket's
channels for each, one connection long.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from wherry.apimachinery.errors import bad_request
from wherry.apimachinery.http import Duplex, Request, Response
from wherry.apimachinery.streaming.channels import Channels
from wherry.apimachinery.streaming.pipe import CREATION_TIMEOUT, Pipe, first
from wherry.apimachinery.streaming.remotecommand import PROTOCOL_HEADER, negotiate
from wherry.apimachinery.streaming.spdy import Refused, Session, Stream, is_spdy
from wherry.apimachinery.streaming.websocket import Tunnel, WebSocket, handshake, is_websocket
from wherry.util.clock import Clock, wait_until

PROTOCOL = "portforward.k8s.io"
TUNNEL_PROTOCOL = f"SPDY/3.1+{PROTOCOL}"
CHANNEL_PROTOCOLS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io", "")


class Connection(Protocol):
    """A TCP connection into the Pod, as `wherry.runtime.interface.ByteStream` has it."""

    async def read(self, limit: int = 65536) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def write_eof(self) -> None: ...

    async def close(self) -> None: ...


Dial = Callable[[int], Awaitable[Connection]]


def upgrade(request: Request, pod: str, uid: str, dial: Dial, clock: Clock) -> Response:
    """The 101 for a port-forward to `pod`.  Raises StatusError when the request cannot be upgraded."""
    if is_websocket(request):
        chosen, headers = handshake(request, (TUNNEL_PROTOCOL, *CHANNEL_PROTOCOLS))
        ports = [] if chosen == TUNNEL_PROTOCOL else ports_of(request)

        async def tunnelled(duplex: Duplex) -> None:
            socket, forwarder = WebSocket(duplex), Forwarder(pod, uid, dial, clock)
            if chosen == TUNNEL_PROTOCOL:
                await forwarder.run(Session(Tunnel(socket)))
            else:
                await forwarder.run_channels(Channels(socket, chosen), ports)
            await socket.close()

        return Response(101, headers=headers, upgrade=tunnelled)
    if not is_spdy(request):
        raise bad_request("Upgrade request required")
    protocol = negotiate(request, (PROTOCOL,))

    async def direct(duplex: Duplex) -> None:
        await Forwarder(pod, uid, dial, clock).run(Session(duplex))

    headers = [("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), (PROTOCOL_HEADER, protocol)]
    return Response(101, headers=headers, upgrade=direct)


def ports_of(request: Request) -> list[int]:
    """What `port` asks for: each a number, or several with commas.  Raises StatusError 400."""
    asked = [word for value in request.params("port") for word in value.split(",")]
    if not asked:
        raise bad_request('query parameter "port" is required')
    for word in asked:
        if not (word.isascii() and word.isdecimal() and int(word) < 1 << 16):
            raise bad_request(f'unable to parse "{word}" as a port')
        if not int(word):
            raise bad_request(f'port "{word}" must be > 0')
    return [int(word) for word in asked]


class Line(Protocol):
    """A stream of a pair, as `wherry.apimachinery.streaming.spdy.Stream` has it."""

    reset: asyncio.Event

    async def read(self) -> bytes: ...

    async def write(self, data: bytes) -> None: ...


class Channel:
    """A Line over one of a WebSocket's channels."""

    def __init__(self, channels: Channels, number: int) -> None:
        self.input, self.reset = Pipe(), asyncio.Event()
        self._channels, self._number = channels, number

    async def read(self) -> bytes:
        return await self.input.get()

    async def write(self, data: bytes) -> None:
        await self._channels.send(self._number, data)


class Pair:
    """The data and error streams of one forwarded connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: dict[str, Stream] = {}
        self.complete = asyncio.Event()


class Forwarder:
    """One port-forward session: dials once a request's two streams are there."""

    def __init__(self, pod: str, uid: str, dial: Dial, clock: Clock) -> None:
        self._pod, self._uid, self._dial, self._clock = pod, uid, dial, clock
        self._pairs: dict[str, Pair] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, session: Session) -> None:
        """Until the client goes; its connections go with it."""
        try:
            await session.run(self._opened)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def run_channels(self, channels: Channels, ports: Sequence[int]) -> None:
        """One connection a port, told by its number on both of its channels; until the client goes or all have ended."""
        lines = [(Channel(channels, 2 * index), Channel(channels, 2 * index + 1)) for index in range(len(ports))]
        for port, pair in zip(ports, lines, strict=True):
            for channel in pair:
                await channel.write(struct.pack("<H", port))

        async def sort() -> None:
            while (message := await channels.receive()) is not None:
                number, data = message
                if number % 2 == 0 and number // 2 < len(lines):
                    await lines[number // 2][0].input.put(data)

        async def forward(port: int, data: Channel, error: Channel) -> None:
            failure = await self._copy(port, data)
            await data.input.discard()
            if failure:
                await error.write(failure.encode())

        async def forward_all() -> None:
            await asyncio.gather(*(forward(port, *pair) for port, pair in zip(ports, lines, strict=True)))

        with contextlib.suppress(ConnectionError):
            await first(sort(), forward_all())

    def _opened(self, stream: Stream) -> None:
        """Raises Refused when the headers make no sense."""
        headers = stream.headers
        kind, request, port = headers.get("streamtype", ""), headers.get("requestid", ""), headers.get("port", "")
        if kind not in ("data", "error") or not request or not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise Refused
        pair = self._pairs.get(request)
        if pair is None:
            pair = self._pairs[request] = Pair(int(port))
            task = asyncio.create_task(self._forward(request, pair), name=f"port-forward {self._pod} {port}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if kind in pair.streams or pair.port != int(port):
            raise Refused
        pair.streams[kind] = stream
        if len(pair.streams) == 2:
            pair.complete.set()

    async def _forward(self, request: str, pair: Pair) -> None:
        try:
            await wait_until(self._clock, self._clock.monotonic() + CREATION_TIMEOUT, pair.complete.wait())
            failure = await self._copy(pair.port, pair.streams["data"])
            if failure:
                await pair.streams["error"].write(failure.encode())
        except (TimeoutError, ConnectionError):
            pass
        finally:
            del self._pairs[request]
            for stream in pair.streams.values():
                with contextlib.suppress(ConnectionError):
                    await stream.abandon()

    async def _copy(self, port: int, data: Line) -> str:
        """Both ways until the Pod's side has ended; what to tell the client, if anything went wrong."""
        told = f"error forwarding port {port} to pod {self._pod}, uid {self._uid}: "
        try:
            connection = await self._dial(port)
        except Exception as error:  # whatever it is, only the client can be told
            return told + str(error)
        try:
            await first(_down(connection, data), _up(data, connection))
        except OSError as error:
            return "" if isinstance(error, ConnectionError) else told + str(error)
        finally:
            await connection.close()
        return ""


async def _down(connection: Connection, stream: Line) -> None:
    while data := await connection.read():
        await stream.write(data)


async def _up(stream: Line, connection: Connection) -> None:
    """Ends only by an error or a reset: the Pod may well answer after the client's half has ended."""
    while data := await stream.read():
        await connection.write(data)
    if not stream.reset.is_set():
        await connection.write_eof()
    await stream.reset.wait()
