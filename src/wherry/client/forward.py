"""Requests passed on as they came, to a server that is none of Kubernetes': what a reverse proxy does.

Bodies stay as they are encoded, redirects and cookies are the client's own affair, and a certificate proves
nothing (who runs a Pod signs its own), unless a TLS context says otherwise.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from wherry.apimachinery.http import Request, Response
from wherry.client.paths import url
from wherry.client.upgrade import is_upgrade, upgrade

if TYPE_CHECKING:
    import aiohttp

WHOLE = 1 << 20  # bytes: a shorter answer is sent in one piece
CONNECT_SECONDS = 30.0
# What concerns one connection, and not what it carries (RFC 9110, section 7.6.1).
OF_A_HOP = (
    "connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade",
)
_NOT_SENT = (*OF_A_HOP, "content-length", "expect")
_NOT_GIVEN = (*OF_A_HOP, "content-length", "content-type", "date")
# OpenSSL's codes (x509_vfy.h) in Go's words.
_X509 = {
    10: "certificate has expired or is not yet valid", 9: "certificate has expired or is not yet valid",
    18: "certificate signed by unknown authority", 19: "certificate signed by unknown authority",
    20: "certificate signed by unknown authority", 21: "certificate signed by unknown authority",
}


NOT_DIALED = "dial tcp "  # how the text of an Unreachable begins when there was no connection at all


class Unreachable(OSError):
    """No connection, or one that ended before the answer; the text is that of Go's `net`."""


class Forwarder:
    """One pool of connections to any server; to HTTPS servers as `context` wants it, whose certificate must be for `server_name`."""

    def __init__(self, context: ssl.SSLContext | None = None, server_name: str = "") -> None:
        self._context, self._server_name = context, server_name
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._context or False, limit=0),
                auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            )
        return self._session

    async def send(self, origin: str, request: Request, more: Sequence[tuple[str, str]] = ()) -> Response:
        """The answer of `origin` (scheme://host[:port]).  `more`: headers that may come several times.  Raises Unreachable."""
        if is_upgrade(request):
            return await self._upgrade(origin, request, more)
        import aiohttp
        from yarl import URL

        target = URL(origin + (request.target or url(request.path, request.query)), encoded=True)
        headers = [(name, value) for name, value in request.headers.items() if name not in _NOT_SENT]
        try:
            answer = await self._open().request(
                request.method, target, headers=[*headers, *more], data=request.body or None, allow_redirects=False,
                server_hostname=self._server_name or None,
            )
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _NOT_GIVEN]
            response = Response(answer.status, b"", answer.headers.get("Content-Type", ""), kept)
            if answer.content_length is not None and answer.content_length <= WHOLE:
                response.body = await answer.read()
            else:
                response.stream = _chunks(answer)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unreachable(_why(origin, error)) from error
        return response

    async def _upgrade(self, origin: str, request: Request, more: Sequence[tuple[str, str]]) -> Response:
        context = None
        if origin.startswith("https:"):
            context = self._context
            if context is None:
                context = ssl.create_default_context()
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            return await upgrade(origin, context, self._server_name, request, [*request.headers.items(), *more])
        except (OSError, TimeoutError) as error:
            raise Unreachable(_why(origin, error)) from error

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    import aiohttp

    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except aiohttp.ClientError as error:
        raise ConnectionResetError(f"the answer broke off: {error}") from error
    finally:
        answer.close()


def _why(origin: str, error: Exception) -> str:
    """As Go tells it: `dial tcp 10.0.0.1:80: connect: connection refused`."""
    address = origin.partition("://")[2]
    cause = getattr(error, "certificate_error", None) or getattr(error, "os_error", error)
    if isinstance(error, TimeoutError):
        return f"{NOT_DIALED}{address}: i/o timeout"
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"tls: failed to verify certificate: x509: {_X509.get(cause.verify_code, cause.verify_message)}"
    if isinstance(cause, ssl.SSLError):
        return f"tls: {cause.reason or cause}"
    if isinstance(cause, socket.gaierror):
        return f"dial tcp: lookup {address.rpartition(':')[0]}: no such host"
    if isinstance(cause, OSError) and cause.errno:
        done = os.strerror(cause.errno).lower()
        dialing = hasattr(error, "os_error") or isinstance(cause, ConnectionRefusedError)  # else it broke off later
        return f"{NOT_DIALED}{address}: connect: {done}" if dialing else f"read tcp {address}: read: {done}"
    return str(error) or "EOF"
