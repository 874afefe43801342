"""The two ways to a server: HTTPS, and the handler itself in the same process.

Nothing above knows which it has.  aiohttp is imported late: a process without HTTPS never loads it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wherry.apimachinery.http import Handler, Request, Response, UserInfo
from wherry.client.paths import url
from wherry.client.upgrade import is_upgrade, upgrade

if TYPE_CHECKING:
    import aiohttp


class InProcessTransport:
    """Calls the API server's handler, as `user` where the request names none."""

    def __init__(self, handler: Handler, user: UserInfo | None = None) -> None:
        self._handler, self._user = handler, user

    async def send(self, request: Request) -> Response:
        if request.user is None and self._user is not None:
            request = replace(request, user=self._user)
        return await self._handler(request)

    async def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True, slots=True)
class TLSConfig:
    """Whom to trust and what to show.  `ca_data` is PEM; certificate and key are files, as `ssl` wants them."""

    ca_data: str = ""
    ca_file: str | Path = ""
    cert_file: str | Path = ""
    key_file: str | Path = ""
    server_name: str = ""
    insecure: bool = False

    def context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cadata=self.ca_data or None, cafile=str(self.ca_file) or None)
        if self.insecure:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self.cert_file:
            context.load_cert_chain(str(self.cert_file), str(self.key_file or self.cert_file))
        return context


class HTTPSTransport:
    """One connection pool to `server` (https://host:port).

    Answers are bounded by `timeout` (None: not at all) but for streams, which last as long as they are read.
    """

    def __init__(self, server: str, tls: TLSConfig | None = None, token: str = "", timeout: float | None = 60.0) -> None:
        self._server, self._tls, self._token, self._timeout = server.rstrip("/"), tls or TLSConfig(), token, timeout
        self._session: aiohttp.ClientSession | None = None
        self._context: ssl.SSLContext | None = None

    def _secured(self) -> ssl.SSLContext | None:
        """None for plain HTTP."""
        if self._context is None and self._server.startswith("https:"):
            self._context = self._tls.context()
        return self._context

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        if self._session is None or self._session.closed:
            connector = aiohttp.TCPConnector(ssl=self._secured() or False, limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=True, skip_auto_headers=("User-Agent",),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
            )
        return self._session

    async def send(self, request: Request) -> Response:
        if is_upgrade(request):
            return await upgrade(self._server, self._secured(), self._tls.server_name, request, self._headers(request))
        import aiohttp
        from yarl import URL

        target = URL(self._server + url(request.path, request.query), encoded=True)
        streamed = _is_stream(request)
        timeout = aiohttp.ClientTimeout(total=None if streamed else self._timeout, sock_connect=10)
        try:
            answer = await self._open().request(
                request.method, target, headers=self._headers(request), data=request.body or None, timeout=timeout,
                server_hostname=self._tls.server_name or None, allow_redirects=False,
            )
            headers = [(name.lower(), value) for name, value in answer.headers.items()]
            response = Response(answer.status, b"", answer.content_type, headers)
            if streamed and answer.status < 400:
                response.stream = _chunks(answer)
            else:
                response.body = await answer.read()
                answer.release()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OSError(f"{request.method} {self._server}{request.path}: {error or type(error).__name__}") from error
        return response

    def _headers(self, request: Request) -> list[tuple[str, str]]:
        headers = list(request.headers.items())
        if self._token and "authorization" not in request.headers:
            headers.append(("authorization", f"Bearer {self._token}"))
        if request.user is not None:
            headers.append(("impersonate-user", request.user.name))
            headers += [("impersonate-group", group) for group in request.user.groups]
        return headers

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def _is_stream(request: Request) -> bool:
    following = any(request.param(name) in ("true", "1") for name in ("watch", "follow"))
    return following or request.path.endswith("/log") or request.path.startswith("/containerLogs/")


async def _chunks(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    import aiohttp

    try:
        async for chunk in answer.content.iter_any():
            yield chunk
    except aiohttp.ClientError as error:
        raise OSError(f"the stream broke: {error}") from error
    finally:
        answer.close()
