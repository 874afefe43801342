"""SPDY/3.1: headers, half-closes, back-pressure, and what is refused."""

from __future__ import annotations

import asyncio
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wires import Memory, SPDYClient

from wherry.apimachinery.streaming.pipe import LIMIT
from wherry.apimachinery.streaming.spdy import CHUNK, DICTIONARY, HeaderCodec, Refused, Session, SPDYError, Stream, control


def test_dictionary_is_the_drafts() -> None:
    assert (len(DICTIONARY), zlib.adler32(DICTIONARY)) == (1423, 0xE3C6A7C2)


@given(st.lists(st.dictionaries(st.text("abc-:", min_size=1), st.text()), max_size=4))
def test_headers_round_trip_with_one_history(blocks: list[dict[str, str]]) -> None:
    ours, theirs = HeaderCodec(), HeaderCodec()
    for headers in blocks:
        assert theirs.decode(ours.encode(headers)) == headers


@pytest.mark.parametrize("plain", [b"", b"\0\0\0\1", b"\0\0\0\1\0\0\0\5ab", b"\xff\xff\xff\xff", b"\0" * 100_000], ids=range(5))
def test_headers_cut_short_or_too_large(plain: bytes) -> None:
    deflate = zlib.compressobj(zdict=DICTIONARY)
    with pytest.raises(SPDYError):
        HeaderCodec().decode(deflate.compress(plain) + deflate.flush(zlib.Z_SYNC_FLUSH))


class Server:
    """A session that runs, and the streams it was offered."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.client = SPDYClient(self.memory)
        self.session = Session(self.memory)
        self.streams: list[Stream] = []
        self.task = asyncio.create_task(self.session.run(self._opened))

    def _opened(self, stream: Stream) -> None:
        if stream.headers.get("streamtype") == "bad":
            raise Refused
        self.streams.append(stream)

    async def open(self, number: int = 1) -> Stream:
        self.client.open(number, {"StreamType": "data"})
        kind, _, payload = await self.client.frame()
        assert (kind, payload[:4]) == (2, struct.pack("!I", number))
        return self.streams[-1]

    async def ends(self) -> None:
        await asyncio.wait_for(self.task, 5)


async def test_data_and_half_closes() -> None:
    server = Server()
    stream = await server.open()
    assert stream.headers == {"streamtype": "data"}
    server.client.data(1, b"abc")
    server.client.data(1, b"d", end=True)
    assert [await stream.read(), await stream.read(), await stream.read()] == [b"abc", b"d", b""]
    await stream.write(b"x" * (CHUNK + 1))
    await stream.finish()
    assert await server.client.frame() == (("data", 1), 0, b"x" * CHUNK)
    assert await server.client.frame() == (("data", 1), 0, b"x")
    assert await server.client.frame() == (("data", 1), 1, b"")
    assert server.session.open_streams == 0
    server.memory.feed(b"")
    await server.ends()


async def test_more_than_a_window_is_sent_to_a_client_that_never_updates_it() -> None:
    server = Server()
    stream = await server.open()
    await asyncio.wait_for(stream.write(b"x" * 1_000_000), 5)
    server.memory.feed(b"")
    await server.ends()


async def test_ping_refusal_and_reset() -> None:
    server = Server()
    server.memory.feed(control(6, 0, b"\0\0\0\7"))
    assert await server.client.frame() == (6, 0, b"\0\0\0\7")
    server.client.open(1, {"streamtype": "bad"})
    assert await server.client.frame() == (3, 0, struct.pack("!II", 1, 3))
    stream = await server.open(3)
    server.client.reset(3)
    assert await stream.read() == b""
    with pytest.raises(ConnectionError):
        await stream.write(b"x")
    server.memory.feed(control(7, 0, struct.pack("!II", 0, 0)))  # GOAWAY
    await server.ends()


async def test_a_stream_nobody_reads_stops_the_connection_and_not_the_memory() -> None:
    server = Server()
    stream = await server.open()
    for _ in range(100):
        server.client.data(1, b"x" * CHUNK)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert server.memory.unread >= 100 * CHUNK - LIMIT - 4 * CHUNK
    await stream.abandon()  # now it is dropped instead
    server.memory.feed(b"")
    await server.ends()
    assert server.memory.unread == 0


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(control(99, 0, b""), id="unknown-type"),
        pytest.param(struct.pack("!HHI", 0x8002, 6, 4) + b"\0\0\0\1", id="version-2"),
        pytest.param(control(1, 0, struct.pack("!IIH", 2, 0, 0) + HeaderCodec().encode({})), id="even-stream"),
        pytest.param(control(1, 0, struct.pack("!IIH", 1, 0, 0) + b"garbage"), id="headers-garbage"),
        pytest.param(struct.pack("!HHI", 0x8003, 4, 0xFFFFFF), id="huge-control-frame"),
    ],
)
async def test_a_broken_protocol_ends_the_connection(sent: bytes) -> None:
    server = Server()
    server.memory.feed(sent)
    await server.ends()
    kind, _, payload = await server.client.frame()
    assert (kind, payload[4:]) == (7, struct.pack("!I", 1))
