"""exec and attach over both wires, without a socket."""

from __future__ import annotations

import asyncio
import struct

import pytest
from wires import FakeProcess, Memory, SPDYClient, masked, message, status

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request
from wherry.apimachinery.streaming.pipe import Pipe
from wherry.apimachinery.streaming.remotecommand import SUCCESS, Options, failure, sizes, upgrade
from wherry.util.clock import FakeClock

WEBSOCKET = {
    "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "k",
    "sec-websocket-protocol": "v5.channel.k8s.io",
}
SPDY = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io,v3.channel.k8s.io"}


class Session:
    """An upgraded exec or attach."""

    def __init__(self, process: FakeProcess | Exception, options: Options, headers: dict[str, str] = WEBSOCKET, verb: str = "exec") -> None:
        self.memory, self.clock = Memory(), FakeClock()
        self.client = SPDYClient(self.memory)

        async def start() -> FakeProcess:
            if isinstance(process, Exception):
                raise process
            return process

        self.response = upgrade(Request("GET", "/", headers=headers), options, verb, start, self.clock)
        assert self.response.upgrade is not None
        self.task = asyncio.ensure_future(self.response.upgrade(self.memory))

    async def ends(self) -> None:
        self.memory.feed(b"")
        await asyncio.wait_for(self.task, 5)

    async def messages(self) -> list[bytes]:
        """Every message until the closing frame."""
        found = []
        while (got := await message(self.memory))[0] != 8:
            found.append(got[1])
        return found


OUT = Options(stdin=False, stdout=True, stderr=True, tty=False)
ALL = Options(stdin=True, stdout=True, stderr=True, tty=False)


@pytest.mark.parametrize(("code", "verb", "verdict"), [(0, "exec", SUCCESS), (3, "exec", failure(3)), (3, "attach", SUCCESS)])
async def test_output_and_verdict(code: int, verb: str, verdict: dict[str, object]) -> None:
    process = FakeProcess(code, (1, b"out"), (2, b"err"))
    process.items.put_nowait(None)
    session = Session(process, OUT, verb=verb)
    *output, last = await session.messages()
    assert output == [b"\1", b"\1out", b"\2err"]
    assert (last[0], status(last[1:])) == (3, verdict)
    assert process.closed.is_set()
    await session.ends()


async def test_a_client_that_does_not_close_is_waited_for_only_so_long() -> None:
    process = FakeProcess(0)
    process.items.put_nowait(None)
    session = Session(process, OUT)
    await session.messages()
    await session.clock.advance(4)
    assert not session.task.done()
    await session.clock.advance(2)
    await asyncio.wait_for(session.task, 5)


async def test_input_its_end_and_sizes() -> None:
    process = FakeProcess(0)
    session = Session(process, Options(stdin=True, stdout=True, stderr=False, tty=True))
    session.memory.feed(masked(2, b'\4{"Width":80,"Height":24}') + masked(2, b"\0abc") + masked(2, b"\0d") + masked(2, b"\xff\0"))
    await session.messages()
    assert (bytes(process.stdin), process.stdin_closed.is_set(), process.sizes) == (b"abcd", True, [(80, 24)])
    await session.ends()


async def test_a_client_that_goes_lets_the_process_go() -> None:
    process = FakeProcess(0)
    session = Session(process, ALL)
    await session.clock.settle()
    await session.ends()
    assert process.closed.is_set()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("no such file"), "Internal error occurred: error executing command in container: no such file"),
        (StatusError(400, "BadRequest", "not so"), "not so"),
    ],
    ids=["any-error", "status"],
)
async def test_a_start_that_fails_is_told(error: Exception, told: str) -> None:
    session = Session(error, OUT)
    assert status((await session.messages())[-1][1:])["message"] == told
    await session.ends()


@pytest.mark.parametrize(
    ("protocol", "verdict"),
    [
        ("v4.channel.k8s.io", b'"reason": "NonZeroExitCode"'),
        ("v2.channel.k8s.io", b"error executing remote command: command terminated with non-zero exit code"),
    ],
)
async def test_spdy_streams_end_before_the_verdict(protocol: str, verdict: bytes) -> None:
    process = FakeProcess(7, (1, b"out"))
    process.items.put_nowait(None)
    session = Session(process, OUT, SPDY | {"x-stream-protocol-version": protocol})
    for number, name in ((1, "error"), (3, "stdout"), (5, "stderr")):
        session.client.open(number, {"streamtype": name})
        assert (await session.client.frame())[0] == 2
    assert await session.client.frame() == (("data", 3), 0, b"out")
    assert await session.client.frame() == (("data", 3), 1, b"")
    assert await session.client.frame() == (("data", 5), 1, b"")
    kind, _, payload = await session.client.frame()
    assert kind == ("data", 1)
    assert verdict in payload
    assert await session.client.frame() == (("data", 1), 1, b"")
    await session.ends()


async def test_spdy_refuses_a_stream_that_was_not_asked_for() -> None:
    session = Session(FakeProcess(0), OUT, SPDY)
    session.client.open(1, {"streamtype": "stdin"})
    assert await session.client.frame() == (3, 0, struct.pack("!II", 1, 3))
    await session.ends()


async def test_spdy_streams_that_never_come() -> None:
    session = Session(FakeProcess(0), OUT, SPDY)
    await session.clock.settle()
    await session.clock.advance(31)
    await session.clock.advance(6)
    await asyncio.wait_for(session.task, 5)


@pytest.mark.parametrize(
    ("options", "headers", "code"),
    [
        pytest.param(Options(False, False, False, False), WEBSOCKET, 400, id="no-stream"),
        pytest.param(Options(True, True, True, True), WEBSOCKET, 400, id="tty-and-stderr"),
        pytest.param(OUT, {}, 400, id="no-upgrade"),
        pytest.param(OUT, SPDY | {"x-stream-protocol-version": "v9"}, 403, id="unknown-protocol"),
    ],
)
async def test_refused(options: Options, headers: dict[str, str], code: int) -> None:
    with pytest.raises(StatusError) as refused:
        Session(FakeProcess(), options, headers)
    assert refused.value.code == code


async def test_sizes_however_cut() -> None:
    pipe = Pipe()
    for part in (b'{"Width":1,"Hei', b'ght":2}\n{"Width":3,"Height":4}', b'{"Width":0,"Height":9}{"Width":70000,"Height":1}'):
        await pipe.put(part)
    await pipe.end()
    assert [size async for size in sizes(pipe)] == [(1, 2), (3, 4)]
