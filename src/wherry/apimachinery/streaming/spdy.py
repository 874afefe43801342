"""SPDY/3.1, the server's side, as far as Kubernetes speaks it: many streams over one connection.

Kubernetes' clients never send WINDOW_UPDATE, and honour none, so there is no window to keep: a
stream that is not read in time holds up the connection instead, as it does upstream.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import zlib
from collections.abc import Callable, Mapping

from wherry.apimachinery.http import Duplex, Request
from wherry.apimachinery.streaming.pipe import ExactReader, Pipe

CHUNK = 32 << 10
MAX_STREAMS = 8192
MAX_HEADERS = 64 << 10
MAX_CONTROL = 1 << 20
PROTOCOL_ERROR, REFUSED_STREAM, CANCEL = 1, 3, 5
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9
_FIN = 0x01

# The draft's compression dictionary: words with their lengths, then plain text.
_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length content-location "
    "content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match "
    "if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range "
    "referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get "
    "status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin"
)
_TEXT = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden"
    "404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,public"
    "privatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = b"".join(struct.pack("!I", len(word)) + word.replace("_", " ").encode() for word in _WORDS.split()) + _TEXT.encode()


class SPDYError(Exception):
    """The client broke the protocol: the connection ends."""


class Refused(Exception):
    """Raised by whoever is offered a stream and does not want it."""


def is_spdy(request: Request) -> bool:
    """Whether the request asks to become SPDY."""
    headers = request.headers
    return "upgrade" in headers.get("connection", "").lower() and headers.get("upgrade", "").lower() == "spdy/3.1"


class HeaderCodec:
    """Name/value blocks, compressed with one history for the connection in each direction."""

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def decode(self, block: bytes) -> dict[str, str]:
        """Raises SPDYError."""
        try:
            plain = self._inflate.decompress(block, MAX_HEADERS)
            if self._inflate.unconsumed_tail:
                raise SPDYError("headers are too large")
            return _headers(plain)
        except (zlib.error, struct.error, UnicodeDecodeError) as error:
            raise SPDYError(f"headers cannot be read: {error}") from error

    def encode(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack("!I", len(headers))]
        for pair in headers.items():
            parts += [struct.pack("!I", len(text)) + text for text in map(str.encode, pair)]
        return self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)


def _headers(plain: bytes) -> dict[str, str]:
    texts, at = [], 4
    (count,) = struct.unpack_from("!I", plain)
    if count * 8 > len(plain):
        raise SPDYError("headers are cut short")
    for _ in range(2 * count):
        (size,) = struct.unpack_from("!I", plain, at)
        if at + 4 + size > len(plain):
            raise SPDYError("headers are cut short")
        texts.append(plain[at + 4 : at + 4 + size].decode())
        at += 4 + size
    return {name.lower(): value for name, value in zip(texts[::2], texts[1::2], strict=True)}


def control(kind: int, flags: int, data: bytes) -> bytes:
    return struct.pack("!HHI", 0x8003, kind, flags << 24 | len(data)) + data


class Stream:
    """One stream that the client opened; each side can end its half."""

    def __init__(self, session: Session, number: int, headers: dict[str, str]) -> None:
        self._session = session
        self.id = number
        self.headers = headers
        self.input = Pipe()
        self.client_ended = self._ended = False
        self.reset = asyncio.Event()  # by the client, or because it went

    async def read(self) -> bytes:
        """The client's next bytes; empty once it has ended its half."""
        return await self.input.get()

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError when the client is gone, or has reset the stream."""
        if self.reset.is_set():
            raise ConnectionResetError("the stream was reset")
        for at in range(0, len(data), CHUNK):
            part = data[at : at + CHUNK]
            await self._session.send(struct.pack("!II", self.id, len(part)) + part)

    async def finish(self) -> None:
        """End our half."""
        if not self._ended and not self.reset.is_set():
            self._ended = True
            await self._session.send(struct.pack("!II", self.id, _FIN << 24))
            self._session.settle(self)

    async def abandon(self) -> None:
        """End our half, and drop whatever the client still sends."""
        await self.input.discard()
        await self.finish()

    async def was_reset(self) -> None:
        self.client_ended = True
        self.reset.set()
        await self.input.end()

    @property
    def over(self) -> bool:
        return self.reset.is_set() or (self._ended and self.client_ended)


class Session:
    """One connection: reads frames until the client goes, and offers each new stream to `opened`."""

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        self._reader = ExactReader(duplex)
        self._headers = HeaderCodec()
        self._writing = asyncio.Lock()
        self._streams: dict[int, Stream] = {}
        self._last = 0

    @property
    def open_streams(self) -> int:
        return len(self._streams)

    async def run(self, opened: Callable[[Stream], None]) -> None:
        """Returns when the client has gone or broken the protocol.  `opened` may raise `Refused`."""
        try:
            while True:
                head = await self._reader.exactly(8)
                first, second = struct.unpack("!II", head)
                flags, size = second >> 24, second & 0xFFFFFF
                if first & 0x80000000:
                    if size > MAX_CONTROL:
                        raise SPDYError("a control frame is too large")
                    if not await self._control(first, flags, await self._reader.exactly(size), opened):
                        return
                else:
                    await self._data(first, flags, size)
        except (EOFError, ConnectionError):
            return
        except SPDYError:
            await self._goaway(PROTOCOL_ERROR)
        finally:
            for stream in list(self._streams.values()):
                await stream.was_reset()

    async def _control(self, first: int, flags: int, data: bytes, opened: Callable[[Stream], None]) -> bool:
        """Act on a control frame; False when the client takes its leave."""
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != 3:
            raise SPDYError(f"version {version}")
        if kind == _GOAWAY:
            return False
        if kind == _SYN_STREAM and len(data) >= 10:
            await self._syn_stream(flags, data, opened)
        elif kind == _RST_STREAM and len(data) == 8:
            stream = self._streams.pop(_number(data), None)
            if stream is not None:
                await stream.was_reset()
        elif kind == _PING and len(data) == 4:
            await self.send(control(_PING, 0, data))
        elif kind == _HEADERS and len(data) >= 4:
            self._headers.decode(data[4:])  # they mean nothing to us, but belong to the history
            await self._half_close(_number(data), flags)
        elif kind not in (_SETTINGS, _WINDOW_UPDATE):
            raise SPDYError(f"a frame of type {kind}")
        return True

    async def _syn_stream(self, flags: int, data: bytes, opened: Callable[[Stream], None]) -> None:
        number = _number(data)
        headers = self._headers.decode(data[10:])
        if number % 2 == 0 or number <= self._last:
            raise SPDYError(f"stream {number} out of order")
        self._last = number
        stream = Stream(self, number, headers)
        try:
            if len(self._streams) >= MAX_STREAMS:
                raise Refused
            opened(stream)
        except Refused:
            await self.send(control(_RST_STREAM, 0, struct.pack("!II", number, REFUSED_STREAM)))
            return
        self._streams[number] = stream
        async with self._writing:
            await self._duplex.write(control(_SYN_REPLY, 0, struct.pack("!I", number) + self._headers.encode({})))
        await self._half_close(number, flags)

    async def _data(self, number: int, flags: int, size: int) -> None:
        """Pass a frame on in chunks, so that its announced size costs no memory."""
        while size:
            part = await self._reader.exactly(min(size, CHUNK))
            size -= len(part)
            stream = self._streams.get(number)
            if stream is not None and not stream.client_ended:
                await stream.input.put(part)
        await self._half_close(number, flags)

    async def _half_close(self, number: int, flags: int) -> None:
        stream = self._streams.get(number)
        if stream is not None and flags & _FIN:
            stream.client_ended = True
            await stream.input.end()
            self.settle(stream)

    def settle(self, stream: Stream) -> None:
        """Forget a stream that both sides have ended."""
        if stream.over:
            self._streams.pop(stream.id, None)

    async def send(self, data: bytes) -> None:
        """One frame.  Raises ConnectionError when the client is gone."""
        async with self._writing:
            await self._duplex.write(data)

    async def _goaway(self, status: int) -> None:
        with contextlib.suppress(ConnectionError):
            await self.send(control(_GOAWAY, 0, struct.pack("!II", self._last, status)))


def _number(data: bytes) -> int:
    return int(struct.unpack_from("!I", data)[0]) & 0x7FFFFFFF
