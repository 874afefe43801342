"""WebSocket (RFC 6455), the server's side, over a raw connection: handshake, frames, and the closing.

No extensions: none is offered, so a frame that claims one ends the connection.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import struct
from collections.abc import Sequence

from wherry.apimachinery.errors import bad_request
from wherry.apimachinery.http import Duplex, Request
from wherry.apimachinery.streaming.pipe import ExactReader

MAX_MESSAGE = 32 << 20  # as upstream's servers
NORMAL, PROTOCOL_ERROR, TOO_BIG = 1000, 1002, 1009
BEARER = "base64url.bearer.authorization.k8s.io."  # a browser's only way to send a token: as a subprotocol
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class WebSocketError(Exception):
    """The client broke the protocol; `code` is what the closing frame says."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def is_websocket(request: Request) -> bool:
    """Whether the request asks to become a WebSocket."""
    headers = request.headers
    return "upgrade" in headers.get("connection", "").lower() and headers.get("upgrade", "").lower() == "websocket"


def offered(request: Request) -> list[str]:
    """The subprotocols the client would speak, best first."""
    return [name for name in _protocols(request) if not name.startswith(BEARER)]


def token(request: Request) -> str:
    """The bearer token among the subprotocols; "" when there is none, or it is no base64 of UTF-8."""
    found = [name.removeprefix(BEARER) for name in _protocols(request) if name.startswith(BEARER)] if is_websocket(request) else []
    if len(found) != 1:
        return ""
    try:
        return base64.b64decode(found[0] + "=" * (-len(found[0]) % 4), altchars=b"-_", validate=True).decode()
    except ValueError:
        return ""


def _protocols(request: Request) -> list[str]:
    return [name.strip() for name in request.headers.get("sec-websocket-protocol", "").split(",") if name.strip()]


def handshake(request: Request, supported: Sequence[str]) -> tuple[str, list[tuple[str, str]]]:
    """(subprotocol, headers of the 101).  "" stands for none, where that is supported.  Raises StatusError 400."""
    key = request.headers.get("sec-websocket-key", "")
    if request.method != "GET" or not key or request.headers.get("sec-websocket-version") != "13":
        raise bad_request("not a WebSocket handshake of version 13")
    names = offered(request)
    chosen = next((name for name in names or [""] if name in supported), None)
    if chosen is None:
        raise bad_request(f"unable to negotiate a WebSocket subprotocol: client supports {names}, server accepts {list(supported)}")
    accept = base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()
    headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]
    return chosen, headers + ([("Sec-WebSocket-Protocol", chosen)] if chosen else [])


def frame(opcode: int, data: bytes) -> bytes:
    """One unmasked, final frame."""
    size = len(data)
    if size < 126:
        return struct.pack("!BB", 0x80 | opcode, size) + data
    if size < 1 << 16:
        return struct.pack("!BBH", 0x80 | opcode, 126, size) + data
    return struct.pack("!BBQ", 0x80 | opcode, 127, size) + data


def unmask(data: bytes, mask: bytes) -> bytes:
    size = len(data)
    keys = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(keys, "big")).to_bytes(size, "big")


class WebSocket:
    """One open WebSocket: whole messages in, binary or text messages out."""

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        self._reader = ExactReader(duplex)
        self._writing = asyncio.Lock()
        self._closed = False  # we sent a closing frame

    async def receive(self) -> bytes | None:
        """The next message, or None once the client has closed or gone; pings are answered on the way."""
        try:
            return await self._message()
        except WebSocketError as error:
            await self.close(error.code, str(error))
        except (EOFError, ConnectionError):
            pass
        return None

    async def _message(self) -> bytes | None:
        parts: list[bytes] = []
        size = 0
        while True:
            final, opcode, data = await self._frame(MAX_MESSAGE - size)
            if opcode == _CLOSE:
                await self.close(NORMAL if len(data) < 2 else int.from_bytes(data[:2], "big"))
                return None
            if opcode == _PING:
                await self._send(_PONG, data)
            if opcode >= _CLOSE:
                continue
            if (opcode == _CONTINUATION) != bool(parts):
                raise WebSocketError(PROTOCOL_ERROR, "a fragment out of order")
            parts.append(data)
            size += len(data)
            if final:
                return b"".join(parts)

    async def _frame(self, room: int) -> tuple[bool, int, bytes]:
        first, second = await self._reader.exactly(2)
        opcode, size = first & 0x0F, second & 0x7F
        if first & 0x70 or opcode not in (_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
            raise WebSocketError(PROTOCOL_ERROR, "an extension or opcode that was not agreed on")
        if not second & 0x80:
            raise WebSocketError(PROTOCOL_ERROR, "a client's frame must be masked")
        if opcode >= _CLOSE and (size > 125 or not first & 0x80):
            raise WebSocketError(PROTOCOL_ERROR, "a control frame must be short and whole")
        if size == 126:
            size = int.from_bytes(await self._reader.exactly(2), "big")
        elif size == 127:
            size = int.from_bytes(await self._reader.exactly(8), "big")
        if size > room:
            raise WebSocketError(TOO_BIG, f"a message may have {MAX_MESSAGE} bytes")
        mask = await self._reader.exactly(4)
        return bool(first & 0x80), opcode, unmask(await self._reader.exactly(size), mask)

    async def send(self, data: bytes, *, text: bool = False) -> None:
        """One message.  Raises ConnectionError when the client is gone or the socket closed."""
        if self._closed:
            raise ConnectionResetError("the WebSocket is closed")
        await self._send(_TEXT if text else _BINARY, data)

    async def _send(self, opcode: int, data: bytes) -> None:
        async with self._writing:
            await self._duplex.write(frame(opcode, data))

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say that nothing more comes, once; the client's own closing frame ends `receive`."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(ConnectionError):
            await self._send(_CLOSE, struct.pack("!H", code) + reason.encode()[:120])


class Tunnel:
    """A Duplex inside binary messages: kubectl's port-forward tunnels SPDY so."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._rest = b""

    async def read(self, limit: int = 65536) -> bytes:
        while not self._rest:
            message = await self._socket.receive()
            if message is None:
                return b""
            self._rest = message
        taken, self._rest = self._rest[:limit], self._rest[limit:]
        return taken

    async def write(self, data: bytes) -> None:
        await self._socket.send(data)

    async def close(self) -> None:
        await self._socket.close()
