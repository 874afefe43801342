"""Request and Response as handlers and transports see them.  aiohttp stands only at the edges.

The API server's handlers take a `Request` and give a `Response`; the in-process transport
hands the same two objects over without a socket, so both transports run the same code.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class UserInfo:
    """Who asks (authentication.k8s.io UserInfo)."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class PushStream(Protocol):
    """A stream that can also push: a watch writes each event, framed once for all, straight to transports.

    Iterating works too (the in-process transport does); an edge that can takes `push` instead.
    """

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    async def __anext__(self) -> bytes: ...

    async def aclose(self) -> None: ...

    def lines(self) -> AsyncIterator[list[bytes]]:
        """The same as lines without their ends, as many as came together.  Streams of one process share the lines."""
        ...

    async def push(self, write: Callable[[bytes], None], backlog: Callable[[], int]) -> None:
        """Call `write` with HTTP/1.1 chunks (framed) until the stream ends.

        `backlog` tells how many bytes the client has not taken; a client that lags too far is dropped.
        """
        ...


class Duplex(Protocol):
    """A raw byte connection after an upgrade (exec, attach, port-forward)."""

    async def read(self, limit: int = 65536) -> bytes:
        """At most `limit` bytes; empty once the other side has finished."""
        ...

    async def write(self, data: bytes) -> None:
        """Send all of `data`, waiting while the other side is slow."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class Request:
    """One HTTP request.

    `path` is decoded and has no query; `query` keeps every value in order (`command=a&command=b`);
    header names are lower case.  `target` is path and query as they stood on the wire, for who passes
    them on; a request that was made in this process has none.  `user` is set by authentication, or by the in-process transport.
    """

    method: str
    path: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    user: UserInfo | None = None
    peer: str = ""
    certificate: tuple[str, tuple[str, ...]] | None = None  # verified client certificate: (CN, organisations)
    target: str = ""

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        for key, value in self.query:
            if key == name:
                return value
        return default

    def flag(self, name: str) -> bool | None:
        """A boolean query parameter as upstream reads it: anything but `false` and `0` is true; None: absent."""
        found = next((value for key, value in self.query if key == name), None)
        return None if found is None else found.lower() not in ("false", "0")

    def params(self, name: str) -> list[str]:
        """Every value of a query parameter, in order."""
        return [value for key, value in self.query if key == name]


@dataclass(slots=True)
class Response:
    """One HTTP answer: a whole `body`, or a `stream` of chunks, or an `upgrade`.

    `stream` is iterated by the edge; closing it (`aclose`) is how a handler learns that the client
    went away.  `upgrade` is called after a 101 with the raw connection and owns it till it returns.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    stream: AsyncIterator[bytes] | PushStream | None = None
    upgrade: Callable[[Duplex], Awaitable[None]] | None = None


Handler = Callable[[Request], Awaitable[Response]]


class Transport(Protocol):
    """How a client reaches a server: in-process or HTTPS.  Nothing above knows which."""

    async def send(self, request: Request) -> Response:
        """Answer `request`.  Raises OSError when the server cannot be reached."""
        ...

    async def close(self) -> None: ...
