"""Clients that begin and do not go on: each is let go of after its time, and keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from api_harness import ADMIN, serve

from wherry.cluster.config import ClusterConfig
from wherry.cluster.pki import PKI
from wherry.serving import edge as serving
from wherry.serving.edge import Edge
from wherry.serving.tls import server_context
from wherry.util.clock import RealClock

SHORT = 0.2  # seconds, in place of half a minute
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"  # the beginning of one of 512 bytes
HEAD = b"GET /version HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\n"


@pytest.fixture
async def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(serving, "HEAD_SECONDS", SHORT)
    monkeypatch.setattr(serving, "BODY_SECONDS", SHORT)
    pki = PKI(ClusterConfig("slow", "api", tmp_path / "data", tmp_path / "run", 0), RealClock())
    pki.ensure()
    async with serve(RealClock(), tokens={"secret": ADMIN}) as api:
        edge = Edge(api.server.handle, server_context(pki.server.certificate, pki.server.key, pki.ca.certificate))
        try:
            yield await edge.listen("127.0.0.1", 0)
        finally:
            await edge.close()


class Client:
    """A connection with TLS, or without."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int, *, tls: bool = True) -> Client:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context if tls else None))

    async def ask(self) -> int:
        """A whole request; the status of its answer."""
        self.send(HEAD + b"\r\n")
        head = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 5)).decode().lower()
        await self._reader.readexactly(int(head.partition("content-length: ")[2].split()[0]))
        return int(head.split()[1])

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def rest(self) -> bytes:
        """All that comes, until the server ends the connection.  Raises TimeoutError."""
        try:
            return await asyncio.wait_for(self._reader.read(), 5)
        except ConnectionError:
            return b""

    def close(self) -> None:
        self._writer.close()


@pytest.mark.parametrize(
    ("tls", "sent"),
    [(False, b""), (False, HELLO), (True, b""), (True, b"GET"), (True, HEAD)],
    ids=["silence", "half a ClientHello", "silence in TLS", "half a line", "half a head"],
)
async def test_one_that_does_not_finish_its_request_is_let_go(port: int, tls: bool, sent: bytes) -> None:
    client = await Client.open(port, tls=tls)
    client.send(sent)
    assert await client.rest() == b""
    client.close()


async def test_one_that_sends_its_head_byte_by_byte_is_let_go(port: int) -> None:
    client = await Client.open(port)
    client.send(HEAD + b"X-Slow: ")

    async def drip() -> None:
        while True:
            client.send(b"a")
            await asyncio.sleep(SHORT / 10)

    dripping = asyncio.create_task(drip())
    assert await client.rest() == b""
    dripping.cancel()
    client.close()


async def test_a_body_that_does_not_come_is_a_timeout(port: int) -> None:
    client = await Client.open(port)
    client.send(b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{")
    head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    client.close()
    assert head.startswith(b"HTTP/1.1 504")
    status = json.loads(body)
    assert (status["reason"], status["message"]) == ("Timeout", "request did not complete within the allowed duration")


async def test_one_that_rests_between_its_requests_stays(port: int) -> None:
    client = await Client.open(port)
    for _ in range(3):
        assert await client.ask() == 200
        await asyncio.sleep(SHORT * 3)
    client.close()


async def test_a_long_answer_is_no_slow_request(port: int) -> None:
    client = await Client.open(port)
    client.send(HEAD.replace(b"/version", b"/api/v1/namespaces?watch=true&timeoutSeconds=1") + b"Connection: close\r\n\r\n")
    assert (await client.rest()).endswith(b"0\r\n\r\n"), "the watch's own end, after a second"
    client.close()


async def test_half_open_ones_keep_nobody_waiting(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEAD_SECONDS", 60.0)
    held = []
    for number in range(500):
        client = await Client.open(port, tls=False)
        client.send(HELLO if number % 2 else b"")
        held.append(client)
    other = await Client.open(port)
    assert await other.ask() == 200
    for client in [*held, other]:
        client.close()


async def test_no_file_left_for_another_connection(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is connected is served, and the next one is once there is room."""
    monkeypatch.setattr(serving, "HEAD_SECONDS", 60.0)
    old = await Client.open(port)
    waiting = [socket.socket() for _ in range(30)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_next_file() + 5, limits[1]))
    try:
        for each in waiting:  # the kernel takes them; for the server to accept there are too few files
            each.connect(("127.0.0.1", port))
        assert await old.ask() == 200
        with pytest.raises(OSError, match="Too many open files"):
            socket.socket()
        assert await old.ask() == 200
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    for each in waiting:
        each.close()
    new = await Client.open(port)
    assert await new.ask() == 200
    for client in (old, new):
        client.close()


def _next_file() -> int:
    with open("/dev/null") as file:
        return file.fileno()
