"""Channels of a WebSocket, as numbers and as digits before base64: exec and port-forward over them."""

from __future__ import annotations

import asyncio
import base64

import pytest
from wires import FakeProcess, Memory, masked, message, status

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request
from wherry.apimachinery.streaming import portforward, remotecommand
from wherry.apimachinery.streaming.remotecommand import SUCCESS, failure
from wherry.util.clock import FakeClock

UPGRADE = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "k"}
OPTIONS = remotecommand.Options(stdin=True, stdout=True, stderr=False, tty=False)


class Echo:
    """A Pod's server: says what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self, limit: int = 65536) -> bytes:
        return await self.heard.get()

    async def write(self, data: bytes) -> None:
        self.heard.put_nowait(data)

    async def write_eof(self) -> None:
        pass

    async def close(self) -> None:
        self.heard.put_nowait(b"")


def asked(protocol: str, *query: tuple[str, str]) -> Request:
    return Request("GET", "/", list(query), UPGRADE | ({"sec-websocket-protocol": protocol} if protocol else {}))


def coded(protocol: str, channel: int, data: bytes) -> bytes:
    return b"%d" % channel + base64.b64encode(data) if "base64" in protocol else bytes([channel]) + data


@pytest.mark.parametrize("protocol", ["v5.channel.k8s.io", "v4.base64.channel.k8s.io", "base64.channel.k8s.io", "channel.k8s.io", ""])
@pytest.mark.parametrize("code", [0, 3])
async def test_exec(protocol: str, code: int) -> None:
    process, memory = FakeProcess(code, (1, b"out")), Memory()

    async def start() -> FakeProcess:
        return process

    response = remotecommand.upgrade(asked(protocol), OPTIONS, "exec", start, FakeClock())
    assert dict(response.headers).get("Sec-WebSocket-Protocol", "") == protocol
    assert response.upgrade is not None
    task = asyncio.ensure_future(response.upgrade(memory))
    opcode = 1 if "base64" in protocol else 2
    assert await message(memory) == (opcode, coded(protocol, 1, b""))
    assert await message(memory) == (opcode, coded(protocol, 1, b"out"))
    memory.feed(masked(opcode, coded(protocol, 0, b"typed\xff")))
    for _ in range(20):
        await asyncio.sleep(0)
    assert bytes(process.stdin) == b"typed\xff"
    process.items.put_nowait(None)
    kind, told = await message(memory)
    if protocol.startswith("v"):
        told = base64.b64decode(told[1:]) if opcode == 1 else told[1:]
        assert status(told) == (failure(code) if code else SUCCESS)
    elif code:
        assert told == coded(protocol, 3, b"command terminated with non-zero exit code: command terminated with exit code 3")
    else:
        assert kind == 8, "nothing is said when all went well"
    memory.feed(b"")
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v4.base64.channel.k8s.io", ""])
async def test_ports_have_two_channels_each(protocol: str) -> None:
    memory, echo = Memory(), Echo()

    async def dial(port: int) -> Echo:
        if port != 80:
            raise OSError("nothing listens")
        return echo

    response = portforward.upgrade(asked(protocol, ("port", "80,9")), "p", "u", dial, FakeClock())
    assert response.upgrade is not None
    task = asyncio.ensure_future(response.upgrade(memory))
    told = [(await message(memory))[1] for _ in range(5)]
    assert told[:4] == [coded(protocol, 0, b"\x50\0"), coded(protocol, 1, b"\x50\0"), coded(protocol, 2, b"\x09\0"), coded(protocol, 3, b"\x09\0")]
    assert told[4] == coded(protocol, 3, b"error forwarding port 9 to pod p, uid u: nothing listens")
    memory.feed(masked(2, coded(protocol, 0, b"hello")))
    assert (await message(memory))[1] == coded(protocol, 0, b"hello")
    await echo.close()  # the last connection's end is the session's
    assert (await message(memory))[0] == 8
    memory.feed(b"")
    await asyncio.wait_for(task, 5)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        pytest.param([], 'query parameter "port" is required', id="none"),
        pytest.param([("port", "80,http")], 'unable to parse "http" as a port', id="a-word"),
        pytest.param([("port", "70000")], 'unable to parse "70000" as a port', id="too-large"),
        pytest.param([("port", "0")], 'port "0" must be > 0', id="zero"),
    ],
)
def test_ports_that_are_none(query: list[tuple[str, str]], told: str) -> None:
    async def dial(port: int) -> Echo:
        raise AssertionError

    with pytest.raises(StatusError, match=told):
        portforward.upgrade(asked("v4.channel.k8s.io", *query), "p", "", dial, FakeClock())


async def test_what_is_no_base64_ends_the_session() -> None:
    memory, process = Memory(), FakeProcess()

    async def start() -> FakeProcess:
        return process

    response = remotecommand.upgrade(asked("base64.channel.k8s.io"), OPTIONS, "exec", start, FakeClock())
    assert response.upgrade is not None
    task = asyncio.ensure_future(response.upgrade(memory))
    await message(memory)
    memory.feed(masked(1, b"0?"))
    kind, data = await message(memory)
    assert (kind, int.from_bytes(data[:2], "big")) == (8, 1002)
    memory.feed(b"")
    await asyncio.wait_for(task, 5)
