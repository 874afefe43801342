"""Requests that turn a connection into a stream of bytes: exec, attach, port-forward.

aiohttp's client knows no upgrade but its own WebSockets, so the head is written and read here; the
parser is the standard library's.
"""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import Awaitable, Callable
from http.client import HTTPException, HTTPResponse
from socket import socket
from typing import cast
from urllib.parse import urlsplit

from wherry.apimachinery.http import Duplex, Request, Response
from wherry.apimachinery.streaming.connection import RawConnection
from wherry.client.paths import url

CONNECT_SECONDS = 10.0
MAX_ANSWER = 1 << 20  # bytes of a head, or of a refusal


def is_upgrade(request: Request) -> bool:
    return "upgrade" in request.headers.get("connection", "").lower()


async def upgrade(
    server: str, context: ssl.SSLContext | None, server_name: str, request: Request, headers: list[tuple[str, str]]
) -> Response:
    """The server's answer: a refusal, or a 101 whose `upgrade` passes bytes both ways.  Raises OSError."""
    where = urlsplit(server)
    host, port = where.hostname or "", where.port or (443 if context else 80)
    async with asyncio.timeout(CONNECT_SECONDS):
        _, connection = await asyncio.get_running_loop().create_connection(
            RawConnection, host, port, ssl=context, server_hostname=(server_name or host) if context else None,
        )
    try:
        target, asked = request.target or url(request.path, request.query), dict(headers).get("host", where.netloc)
        lines = [f"{request.method} {target} HTTP/1.1", f"Host: {asked}"]
        lines += [f"{name}: {value}" for name, value in headers if name != "host"]
        await connection.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + request.body)
        response, rest = await _answer(connection, request.method)
    except BaseException:
        await connection.close()
        raise
    if response.status != 101:
        await connection.close()
        return response
    connection.push_back(rest)
    response.upgrade = tunnel(connection)
    return response


class _Received:
    """What has come so far, as the standard library's parser wants to read it."""

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)

    def makefile(self, mode: str) -> io.BytesIO:
        return self.file


async def _answer(connection: Duplex, method: str) -> tuple[Response, bytes]:
    """The first response, and what came behind its head.  Raises OSError."""
    data = b""
    while True:
        part = await connection.read()
        data += part
        _, end, rest = data.partition(b"\r\n\r\n")
        if end:
            received = HTTPResponse(cast(socket, _Received(data)), method=method)
            try:
                received.begin()
                headers = [(name.lower(), value) for name, value in received.getheaders()]
                response = Response(received.status, b"", received.getheader("content-type", ""), headers)
                if response.status == 101:
                    return response, rest
                response.body = received.read()
                if received.chunked or "content-length" in dict(headers) or not part:  # else it is all up to the end
                    return response, rest
            except HTTPException as error:
                if not part:
                    raise OSError(f"not HTTP, or only half an answer: {error or type(error).__name__}") from error
        if not part:
            raise ConnectionResetError("the connection ended before the answer")
        if len(data) > MAX_ANSWER:
            raise OSError(f"an answer to an upgrade of more than {MAX_ANSWER} bytes")


def tunnel(far: Duplex) -> Callable[[Duplex], Awaitable[None]]:
    """Pass bytes between `far` and whoever is given; what one side ends has ended for both."""

    async def run(near: Duplex) -> None:
        pumps = [asyncio.ensure_future(_pump(*pair)) for pair in ((near, far), (far, near))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            await far.close()
            await near.close()

    return run


async def _pump(source: Duplex, target: Duplex) -> None:
    while data := await source.read():
        await target.write(data)
