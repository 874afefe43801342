"""A connection that becomes a stream of bytes, against servers that answer in every way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from wherry.apimachinery.http import Request, Response
from wherry.client import HTTPSTransport

ASKED = Request("POST", "/exec/n/p/c", [("command", "a b")], {"connection": "Upgrade", "upgrade": "SPDY/3.1"})
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


class Pipe:
    """The near side of a tunnel: what it will say, and what it was told."""

    def __init__(self, *said: bytes) -> None:
        self.said, self.told, self.closed = list(said), b"", asyncio.Event()

    async def read(self, limit: int = 65536) -> bytes:
        if self.said:
            return self.said.pop(0)
        await self.closed.wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.told += data

    async def close(self) -> None:
        self.closed.set()


async def asked_of(serve: Serve, use: Callable[[Response], Coroutine[Any, Any, None]]) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    async with server:
        transport = HTTPSTransport(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await use(await transport.send(ASKED))
        await transport.close()


def answering(*parts: bytes, stay: bool = False) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        if stay:
            await reader.read()

    return serve


@pytest.mark.parametrize(
    "parts", [(SWITCH + b"early",), (SWITCH, b"early"), tuple(bytes([b]) for b in SWITCH + b"early")],
    ids=["in-one-piece", "after-the-head", "byte-by-byte"],
)
async def test_what_comes_with_the_head_is_not_lost(parts: tuple[bytes, ...]) -> None:
    async def use(response: Response) -> None:
        assert response.status == 101
        assert ("x-stream-protocol-version", "v4.channel.k8s.io") in response.headers
        assert response.upgrade is not None
        near = Pipe()
        await response.upgrade(near)
        assert near.told == b"early"

    await asked_of(answering(*parts), use)


async def test_bytes_pass_both_ways_until_one_side_ends() -> None:
    heads = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(SWITCH)
        assert await reader.readexactly(200_000) == b"x" * 200_000
        writer.write(b"y" * 300_000)

    async def use(response: Response) -> None:
        assert response.upgrade is not None
        near = Pipe(b"x" * 100_000, b"x" * 100_000)
        await response.upgrade(near)
        assert near.told == b"y" * 300_000
        assert near.closed.is_set()

    await asked_of(serve, use)
    assert heads[0].startswith(b"POST /exec/n/p/c?command=a%20b HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("answer", "stay"),
    [
        pytest.param(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone", True, id="length"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngone\r\n0\r\n\r\n", True, id="chunked"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\ngone", False, id="to-the-end"),
    ],
)
async def test_a_refusal_is_an_answer(answer: bytes, stay: bool) -> None:
    async def use(response: Response) -> None:
        assert (response.status, response.body, response.upgrade) == (404, b"gone", None)

    await asked_of(answering(answer[:30], answer[30:], stay=stay), use)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(b"", "ended before the answer", id="nothing"),
        pytest.param(b"HTTP/1.1 101 Swi", "ended before the answer", id="half-a-head"),
        pytest.param(b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP", id="another-protocol"),
        pytest.param(b"HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\n\r\ngone", "only half an answer", id="half-a-body"),
    ],
)
async def test_what_is_no_answer_is_an_error(answer: bytes, told: str) -> None:
    async def use(response: Response) -> None:
        raise AssertionError(f"an answer: {response}")

    with pytest.raises(OSError, match=told):
        await asked_of(answering(answer), use)


async def test_nobody_there() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    with pytest.raises(ConnectionRefusedError):
        await HTTPSTransport(f"http://127.0.0.1:{port}").send(ASKED)
