"""RFC 6455: the handshake's example, framing, and what is refused."""

from __future__ import annotations

import asyncio

import pytest
from wires import Memory, masked, message

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request
from wherry.apimachinery.streaming.websocket import Tunnel, WebSocket, frame, handshake

HEADERS = {
    "connection": "keep-alive, Upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-protocol": "v5.channel.k8s.io, v4.channel.k8s.io",
}


def test_handshake_of_the_rfc() -> None:
    chosen, headers = handshake(Request("GET", "/", headers=HEADERS), ("v4.channel.k8s.io", "v5.channel.k8s.io"))
    assert chosen == "v5.channel.k8s.io"  # the client's order counts
    assert ("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") in headers


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"sec-websocket-version": "8"}, id="old-version"),
        pytest.param({"sec-websocket-key": ""}, id="no-key"),
        pytest.param({"sec-websocket-protocol": "base64.channel.k8s.io"}, id="no-common-protocol"),
    ],
)
def test_handshake_refused(change: dict[str, str]) -> None:
    with pytest.raises(StatusError) as refused:
        handshake(Request("GET", "/", headers=HEADERS | change), ("v5.channel.k8s.io",))
    assert refused.value.code == 400


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
async def test_both_ways_at_each_length(size: int) -> None:
    memory, data = Memory(), bytes(n % 251 for n in range(size))
    socket = WebSocket(memory)
    memory.feed(masked(2, data))
    assert await socket.receive() == data
    await socket.send(data)
    assert await message(memory) == (2, data)


async def test_fragments_and_a_ping_between_them() -> None:
    memory = Memory()
    memory.feed(masked(1, b"a", final=False) + masked(9, b"hi") + masked(0, b"b", final=False) + masked(0, b"c"))
    assert await WebSocket(memory).receive() == b"abc"
    assert await message(memory) == (10, b"hi")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(2, b"unmasked"), 1002, id="unmasked"),
        pytest.param(masked(0, b"x"), 1002, id="continuation-of-nothing"),
        pytest.param(masked(2, b"x", final=False) + masked(2, b"y"), 1002, id="new-message-within-one"),
        pytest.param(masked(3, b"x"), 1002, id="unknown-opcode"),
        pytest.param(b"\xc2\x80\0\0\0\0", 1002, id="extension-bit"),
        pytest.param(b"\x82\xff" + (1 << 40).to_bytes(8, "big"), 1009, id="too-big"),
        pytest.param(masked(9, b"x" * 126), 1002, id="long-ping"),
    ],
)
async def test_broken_frames_close_the_socket(sent: bytes, code: int) -> None:
    memory = Memory()
    memory.feed(sent)
    assert await WebSocket(memory).receive() is None
    opcode, data = await message(memory)
    assert (opcode, int.from_bytes(data[:2], "big")) == (8, code)


async def test_closing_is_answered_once() -> None:
    memory = Memory()
    socket = WebSocket(memory)
    memory.feed(masked(8, b"\x03\xe8bye"))
    assert await socket.receive() is None
    await socket.close()
    assert bytes(memory.sent) == b"\x88\x02\x03\xe8"
    with pytest.raises(ConnectionError):
        await socket.send(b"late")


async def test_a_tunnel_carries_bytes_without_their_borders() -> None:
    memory = Memory()
    tunnel = Tunnel(WebSocket(memory))
    memory.feed(masked(2, b"abcdef") + masked(2, b"") + masked(2, b"g"))
    assert [await tunnel.read(4), await tunnel.read(4), await tunnel.read(4)] == [b"abcd", b"ef", b"g"]
    memory.feed(b"")
    assert await asyncio.wait_for(tunnel.read(), 1) == b""
