"""port-forward without a socket: pairs of streams, refused ports, half-closes."""

from __future__ import annotations

import asyncio

import pytest
from wires import Memory, SPDYClient

from wherry.apimachinery.http import Request
from wherry.apimachinery.streaming.portforward import TUNNEL_PROTOCOL, upgrade
from wherry.util.clock import FakeClock

SPDY = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "portforward.k8s.io"}


class Upper:
    """A Pod's server: answers in capitals once its client has ended."""

    def __init__(self) -> None:
        self.got, self.ended, self.closed = bytearray(), asyncio.Event(), asyncio.Event()
        self._answered = False

    async def read(self, limit: int = 65536) -> bytes:
        await self.ended.wait()
        if self._answered:
            return b""
        self._answered = True
        return bytes(self.got).upper()

    async def write(self, data: bytes) -> None:
        self.got += data

    async def write_eof(self) -> None:
        self.ended.set()

    async def close(self) -> None:
        self.closed.set()


class Session:
    def __init__(self) -> None:
        self.memory, self.clock = Memory(), FakeClock()
        self.client = SPDYClient(self.memory)
        self.dialed: list[Upper] = []

        async def dial(port: int) -> Upper:
            if port != 80:
                raise ConnectionRefusedError("connection refused")
            self.dialed.append(Upper())
            return self.dialed[-1]

        response = upgrade(Request("POST", "/", headers=SPDY), "p", "", dial, self.clock)
        assert response.upgrade is not None
        self.task = asyncio.ensure_future(response.upgrade(self.memory))

    async def open(self, error: int, port: int = 80, request: str = "0") -> None:
        for number, kind in ((error, "error"), (error + 2, "data")):
            self.client.open(number, {"streamtype": kind, "port": str(port), "requestid": request}, end=kind == "error")
            assert (await self.client.frame())[0] == 2

    async def ends(self) -> None:
        self.memory.feed(b"")
        await asyncio.wait_for(self.task, 5)


async def test_an_answer_that_comes_after_the_clients_end() -> None:
    session = Session()
    await session.open(1)
    session.client.data(3, b"abc", end=True)
    assert await session.client.frame() == (("data", 3), 0, b"ABC")
    ended = {await anext_end(session) for _ in range(2)}
    assert ended == {("data", 1), ("data", 3)}
    assert session.dialed[0].closed.is_set()
    await session.ends()


async def anext_end(session: Session) -> object:
    kind, flags, payload = await session.client.frame()
    assert (flags, payload) == (1, b"")
    return kind


async def test_a_refused_port_is_told_on_the_error_stream() -> None:
    session = Session()
    await session.open(1, port=81)
    assert await session.client.frame() == (("data", 1), 0, b"error forwarding port 81 to pod p, uid : connection refused")
    await session.ends()


async def test_connections_go_with_the_client_or_a_reset() -> None:
    session = Session()
    await session.open(1, request="0")
    await session.open(5, request="1")
    await session.clock.settle()
    session.client.reset(3)
    await asyncio.wait_for(session.dialed[0].closed.wait(), 5)
    assert not session.dialed[1].closed.is_set()
    await session.ends()
    assert session.dialed[1].closed.is_set()


async def test_half_a_pair_is_given_up() -> None:
    session = Session()
    session.client.open(1, {"streamtype": "error", "port": "80", "requestid": "0"})
    assert (await session.client.frame())[0] == 2
    await session.clock.settle()
    await session.clock.advance(31)
    assert await session.client.frame() == (("data", 1), 1, b"")
    assert not session.dialed
    await session.ends()


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"streamtype": "data", "port": "0", "requestid": "0"}, id="port-0"),
        pytest.param({"streamtype": "data", "port": "x", "requestid": "0"}, id="no-port"),
        pytest.param({"streamtype": "other", "port": "80", "requestid": "0"}, id="no-type"),
        pytest.param({"streamtype": "data", "port": "80"}, id="no-request"),
    ],
)
async def test_streams_that_make_no_sense_are_refused(headers: dict[str, str]) -> None:
    session = Session()
    session.client.open(1, headers)
    assert (await session.client.frame())[0] == 3
    await session.ends()


def test_the_tunnel_is_negotiated() -> None:
    async def dial(port: int) -> Upper:
        raise AssertionError

    headers = {
        "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "k",
        "sec-websocket-protocol": TUNNEL_PROTOCOL,
    }
    answer = upgrade(Request("GET", "/", headers=headers), "p", "", dial, FakeClock())
    assert ("Sec-WebSocket-Protocol", "SPDY/3.1+portforward.k8s.io") in answer.headers
