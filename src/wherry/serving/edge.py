"""The edge: HTTPS by aiohttp, translated to Request and Response.  Of the servers, only this file knows aiohttp.

aiohttp's own limits are lifted (exec puts a whole command line into its URL) and its parser's errors
become `Status`.  A watch is pushed: its framed chunks go straight to the transport.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec
from aiohttp import HttpVersion11, web
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDict

from wherry.apimachinery import errors
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Duplex, Handler, Request, Response
from wherry.apimachinery.streaming.connection import RawConnection

log = logging.getLogger(__name__)
MAX_BODY = 3 << 20
MAX_LINE = 1 << 20
HEAD_SECONDS = 32.0  # for the TLS handshake, and to send a request's head (upstream's ReadHeaderTimeout)
BODY_SECONDS = 60.0  # for its body (upstream's --request-timeout)
ONE_PIECE = 64 << 10  # bytes: what is larger is not copied behind its head
_BASE = (("Cache-Control", "no-cache, private"),)
_MULTI = "impersonate-"  # headers that may come several times, each line a value
_LISTS = ("x-stream-protocol-version", "sec-websocket-protocol")  # sent as several lines that are one list


class _Connection(web.RequestHandler):
    """aiohttp's protocol, but a stream learns at once that its client went, also when it has nothing to write.

    (aiohttp's own `handler_cancellation` would cancel writes to storage as well.)
    """

    streaming: asyncio.Task[Any] | None = None
    client: tuple[str, tuple[str, tuple[str, ...]] | None] | None = None  # address, names in the certificate
    _heard = True  # something of a request came, or the very first is to come
    _late = False  # and it had its time already
    _at_work = False
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._timer = self._loop.call_later(HEAD_SECONDS, self._look)

    def data_received(self, data: bytes) -> None:
        self._heard = True
        super().data_received(data)

    def begin(self) -> None:
        """A request's head is there in full."""
        self._at_work, self._late = True, False

    def end(self) -> None:
        """It is answered."""
        self._at_work = self._heard = False

    def _look(self) -> None:
        """One timer a connection, not one a request: a head that is not there within one to two of its periods has no
        more to come.  Nor may a connection stay from which nothing ever came."""
        if self._late and self._heard and not self._at_work:
            self.force_close()
            return
        self._late = self._heard and not self._at_work
        self._timer = self._loop.call_later(HEAD_SECONDS / 2, self._look)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self.streaming is not None:
            self.streaming.cancel()
        super().connection_lost(exc)

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """What aiohttp's parser cannot read is answered with a Status too."""
        if request.writer.output_size > 0:
            raise ConnectionError("half of an answer is sent: another cannot be")
        if status >= 500:
            log.error("%s %s", request.method, request.path, exc_info=exc)
        why = (message or HTTPStatus(status).phrase).splitlines()[0].strip()
        error = errors.bad_request(why) if status < 500 else errors.internal_error(why)
        self.keep_alive(False)
        return _Whole(Response(error.code, msgspec.json.encode(error.to_json()), headers=[("Connection", "close")]))


class _Server(web.Server):
    def __call__(self) -> _Connection:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Edge:
    """One listener set (addresses and a TLS context) in front of a handler."""

    def __init__(self, handler: Handler, context: ssl.SSLContext | None) -> None:
        self._handler = handler
        self._context = context
        self._server: web.Server | None = None
        self._listeners: list[asyncio.Server] = []

    async def listen(self, host: str, port: int) -> int:
        """Accept connections there; returns the port (asked for 0: a free one).  Raises OSError."""
        loop, hello = asyncio.get_running_loop(), HEAD_SECONDS if self._context else None
        if self._server is None:
            self._server = _Server(
                self._serve, access_log=None, max_line_size=MAX_LINE, max_field_size=MAX_LINE, max_headers=512,
                keepalive_timeout=620.0, tcp_keepalive=True, logger=logging.getLogger("wherry.edge"), lingering_time=1.0,
                auto_decompress=True,
            )
        listener = await loop.create_server(self._server, host, port, ssl=self._context, backlog=1024, ssl_handshake_timeout=hello)
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop accepting, and end what is open."""
        for listener in self._listeners:
            listener.close()
        if self._server is not None:
            await self._server.shutdown(0.2)
        self._listeners.clear()

    async def _serve(self, raw: web.BaseRequest) -> web.StreamResponse:
        connection = raw.protocol
        assert isinstance(connection, _Connection)
        connection.begin()
        try:
            return await self._answer(raw)
        finally:
            connection.end()

    async def _answer(self, raw: web.BaseRequest) -> web.StreamResponse:
        try:
            request = await _translate(raw)
        except StatusError as error:
            return _Whole(Response(error.code, msgspec.json.encode(error.to_json())))
        response = await self._handler(request)
        if response.upgrade is not None:
            return await _upgrade(raw, response, response.upgrade)
        if response.stream is not None:
            return await _stream(raw, response)
        return _Whole(response)


async def _translate(raw: web.BaseRequest) -> Request:
    """Raises StatusError 413 when the body is too large."""
    length = raw.content_length
    body = b""
    if length is None or length:
        if length is not None and length > MAX_BODY:
            raise _too_large()
        if raw.headers.get("expect", "").lower() == "100-continue" and raw.transport is not None:
            raw.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # aiohttp leaves this to its router, which is not here
        body = await _body(raw) if raw.can_read_body else b""
    headers = raw.headers
    plain = {name.lower(): value for name, value in headers.items()}
    if "impersonate-user" in plain:
        for name in [each for each in plain if each.startswith(_MULTI)]:
            plain[name] = "\n".join(headers.getall(name))
    for name in _LISTS:
        if name in plain:
            plain[name] = ",".join(headers.getall(name))
    peer, certificate = _client(raw)
    path, query = _target(raw)
    return Request(raw.method, path, query, plain, body, None, peer, certificate, raw.raw_path)


def _target(raw: web.BaseRequest) -> tuple[str, list[tuple[str, str]]]:
    """Decoded path and query of the request's line."""
    target = raw.raw_path
    if not target.startswith("/"):  # the absolute form, as sent to proxies
        return raw.rel_url.path, list(raw.rel_url.query.items())
    path, _, query = target.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True) if query else []
    return unquote(path) if "%" in path else path, pairs


def _client(raw: web.BaseRequest) -> tuple[str, tuple[str, tuple[str, ...]] | None]:
    """Address and certificate of the other side; they stay the same while the connection lasts."""
    connection, transport = raw.protocol, raw.transport
    assert isinstance(connection, _Connection)
    if connection.client is None:
        if transport is None:
            return "", None
        certificate, name = transport.get_extra_info("peercert"), transport.get_extra_info("peername")
        connection.client = (
            name[0] if isinstance(name, tuple) else "", certificate_names(certificate) if certificate else None,
        )
    return connection.client


def certificate_names(certificate: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """(common name, organisations) of a verified client certificate."""
    name, organisations = "", []
    for part in certificate.get("subject", ()):
        for key, value in part:
            if key == "commonName":
                name = value
            elif key == "organizationName":
                organisations.append(value)
    return name, tuple(organisations)


async def _body(raw: web.BaseRequest) -> bytes:
    """Raises StatusError 413 when it is too large, 504 when it does not come."""
    parts, size = [], 0
    try:
        if raw.content.is_eof():  # all of it came already, as small ones do
            body = raw.content.read_nowait()
            if len(body) > MAX_BODY:
                raise _too_large()
            return body
        async with asyncio.timeout(BODY_SECONDS):
            async for part in raw.content.iter_any():
                size += len(part)
                if size > MAX_BODY:
                    raise _too_large()
                parts.append(part)
    except TimeoutError:
        raise StatusError(504, "Timeout", "request did not complete within the allowed duration") from None
    except web.RequestPayloadError as error:  # not packed as its head says
        raise errors.bad_request(" ".join(str(error).split())) from None
    return b"".join(parts)


def _too_large() -> StatusError:
    return StatusError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {MAX_BODY}")


def _headers(response: Response) -> CIMultiDict[str]:
    headers = CIMultiDict(_BASE)
    if response.content_type:
        headers["Content-Type"] = response.content_type
    for name, value in response.headers:
        headers.add(name, value)
    return headers


class _Whole(web.StreamResponse):
    """An answer that is there in full, written in one piece: aiohttp's way through header maps is a third of a GET."""

    def __init__(self, response: Response) -> None:
        """Nothing of StreamResponse's own state is used, so it is not made."""
        self._response = response
        self._keep = True

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def keep_alive(self) -> bool:
        return self._keep

    async def prepare(self, request: web.BaseRequest) -> None:
        response, transport = self._response, request.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client went away")
        body, self._keep = response.body, request.keep_alive
        empty = response.status in (204, 304)
        head = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
        if not any(name == "Cache-Control" for name, _ in response.headers):
            head.append("Cache-Control: no-cache, private")
        if response.content_type and not empty:
            head.append(f"Content-Type: {response.content_type}")
        if body or not (empty or request.method == "HEAD"):  # a proxied HEAD has no body to measure
            head.append(f"Content-Length: {len(body)}")
        head += [f"{name}: {value}" for name, value in response.headers]
        if not self._keep:
            head.append("Connection: close")
        elif request.version < HttpVersion11:
            head.append("Connection: keep-alive")
        head.append(f"Date: {rfc822_formatted_time()}\r\n\r\n")
        start = "\r\n".join(head).encode()
        if empty or request.method == "HEAD":
            transport.write(start)
        elif len(body) <= ONE_PIECE:
            transport.write(start + body)
        else:
            transport.writelines((start, body))

    async def write_eof(self, data: bytes = b"") -> None:
        """All is written."""


@cache
def _phrase(status: int) -> str:
    """A proxied backend may answer with a number that has no name; HTTP lets the phrase be empty."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


async def _stream(raw: web.BaseRequest, response: Response) -> web.StreamResponse:
    """Chunks as they come; the handler's generator is closed when the client goes away."""
    answer = web.StreamResponse(status=response.status, reason=_phrase(response.status), headers=_headers(response))
    chunked = raw.version >= HttpVersion11
    if chunked:
        answer.enable_chunked_encoding()
    else:  # no chunks in HTTP/1.0: the body ends with the connection
        answer.force_close()
    await answer.prepare(raw)
    stream, connection = response.stream, raw.protocol
    assert stream is not None
    assert isinstance(connection, _Connection)
    connection.streaming = asyncio.current_task()
    try:
        push = getattr(stream, "push", None)
        transport = raw.transport
        if push is not None and chunked and transport is not None:  # what is pushed is framed
            await push(transport.write, transport.get_write_buffer_size)
        else:
            async for chunk in stream:
                await answer.write(chunk)
        await answer.write_eof()
    except ConnectionError:
        pass
    finally:
        connection.streaming = None
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    return answer


class _HandedOver(web.StreamResponse):
    """Given to aiohttp for a connection that is its no more: there is nothing to send."""

    async def prepare(self, request: web.BaseRequest) -> None:
        raise ConnectionResetError


async def _upgrade(raw: web.BaseRequest, response: Response, run: Callable[[Duplex], Awaitable[None]]) -> web.StreamResponse:
    """101 by hand; then the connection is the handler's, and aiohttp's no more."""
    transport, protocol = raw.transport, raw.protocol
    if transport is None:
        return _HandedOver()
    head = [f"HTTP/1.1 {response.status} Switching Protocols"]
    head += [f"{name}: {value}" for name, value in response.headers]
    connection = RawConnection(transport)
    transport.set_protocol(connection)
    early = protocol._message_tail  # what came with the request's head; aiohttp has no public name for it
    if early:
        connection.data_received(early)
    transport.resume_reading()  # aiohttp may have paused it
    transport.write(("\r\n".join(head) + "\r\n\r\n").encode("latin-1"))
    try:
        await run(connection)
    except ConnectionError:
        pass  # the client went away
    finally:
        await connection.close()
        protocol.connection_lost(None)  # so that the server forgets it
    return _HandedOver()


__all__ = ["Edge", "certificate_names"]
