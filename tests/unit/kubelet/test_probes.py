"""Probes against real sockets on loopback, and files against a real directory."""

from __future__ import annotations

import asyncio
import os
import stat
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from wherry.kubelet.prober import grpc, http, tcp
from wherry.kubelet.volumes.atomic_writer import FileContent, validate_path, write_atomically
from wherry.kubelet.volumes.hostpath import check
from wherry.kubelet.volumes.plugin import VolumeError

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[int]:
    """A server on a free port of loopback."""
    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def answers(*heads: str) -> tuple[Talk, list[str]]:
    """Answers each request with the next head; what was asked is kept."""
    asked: list[str] = []
    left = list(heads)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(left.pop(0).replace("\n", "\r\n").encode())
        await writer.drain()

    return talk, asked


async def test_http_status_and_headers() -> None:
    talk, asked = answers("HTTP/1.1 503 No\nContent-Length: 2\n\nhi")
    async with serving(talk) as port:
        answer = await http.get(f"http://127.0.0.1:{port}/a?b=c", {"X-Y": "z", "Host": "h.example"}, 5)
    assert (answer.status, answer.body) == (503, "hi")
    lines = asked[0].splitlines()
    assert lines[0] == "GET /a?b=c HTTP/1.1"
    assert {"host: h.example", "x-y: z", "connection: close"} <= set(lines)
    assert any(line.startswith("user-agent: kube-probe/") for line in lines)


async def test_http_follows_a_redirect_to_the_same_host() -> None:
    talk, asked = answers("HTTP/1.1 302 Found\nLocation: /there\n\n", "HTTP/1.1 404 No\nContent-Length: 0\n\n")
    async with serving(talk) as port:
        answer = await http.get(f"http://127.0.0.1:{port}/", {}, 5)
    assert answer.status == 404
    assert asked[1].startswith("GET /there ")


async def test_http_redirect_elsewhere_is_a_success_with_a_warning() -> None:
    talk, _ = answers("HTTP/1.1 302 Found\nLocation: http://elsewhere.invalid/\n\n")
    async with serving(talk) as port:
        assert (await http.get(f"http://127.0.0.1:{port}/", {}, 5)).redirected_away


async def test_http_that_is_refused_or_slow() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(silent) as port:
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(http.HTTPFailure, match="context deadline exceeded"):
            await http.get(url, {}, 0.05)
    with pytest.raises(http.HTTPFailure) as caught:
        await http.get(url, {}, 5)
    assert str(caught.value) == f'Get "{url}": dial tcp 127.0.0.1:{port}: connect: connection refused'


async def test_tcp() -> None:
    async def nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return None

    async with serving(nothing) as port:
        assert await tcp.connect("127.0.0.1", port, 5) == ""
    assert await tcp.connect("127.0.0.1", port, 5) == f"dial tcp 127.0.0.1:{port}: connect: connection refused"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def health(*frames: bytes) -> Talk:
    """Speaks just enough HTTP/2 to answer one health check."""
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(24) == b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        writer.write(frame(4, 0, 0) + frame(6, 0, 0, b"12345678") + b"".join(frames))
        await reader.read(65536)
        await writer.drain()

    return talk


HEADERS = frame(1, 4, 1, b"\x88")
DATA = frame(0, 0, 1, b"\0\0\0\0\x02\x08\x01")
TRAILERS = frame(1, 5, 1, b"\x88")


@pytest.mark.parametrize(("frames", "expected"), [
    pytest.param((HEADERS, DATA, TRAILERS), "SERVING", id="serves"),
    pytest.param((HEADERS, frame(0, 8, 1, b"\x03\0\0\0\0\x02\x08\x02pad")), "NOT_SERVING", id="does not, padded"),
    pytest.param((HEADERS, frame(0, 0, 1, b"\0\0\0"), frame(0, 0, 1, b"\0\x02\x08\x01")), "SERVING", id="in two frames"),
])
async def test_grpc(frames: tuple[bytes, ...], expected: str) -> None:
    async with serving(health(*frames)) as port:
        assert await grpc.check("127.0.0.1", port, "svc", 5) == expected


@pytest.mark.parametrize(("frames", "message"), [
    pytest.param((TRAILERS,), "does not implement the grpc health protocol", id="no such method"),
    pytest.param((frame(7, 0, 0, b"\0" * 8),), "refused", id="goes away"),
    pytest.param((), "rpc failed", id="hangs up"),
])
async def test_grpc_that_fails(frames: tuple[bytes, ...], message: str) -> None:
    async with serving(health(*frames)) as port:
        with pytest.raises(grpc.GRPCFailure, match=message):
            await grpc.check("127.0.0.1", port, "", 5)


# Files that change all at once -----------------------------------------------------------------------


def content(text: str, mode: int = 0o644) -> FileContent:
    return FileContent(text.encode(), mode)


def test_files_change_at_once(tmp_path: Path) -> None:
    volume = tmp_path / "v"
    assert write_atomically(volume, {"a": content("1"), "d/b": content("2", 0o400)}, 1_700_000_000.0)
    assert os.readlink(volume / "a") == "..data/a"
    assert os.readlink(volume / "d") == "..data/d"
    assert (volume / "d/b").read_text() == "2"
    assert stat.S_IMODE((volume / "d/b").stat().st_mode) == 0o400
    first = os.readlink(volume / "..data")
    assert first.startswith("..2023_11_14_22_13_20.")
    assert not write_atomically(volume, {"a": content("1"), "d/b": content("2", 0o400)}, 1_700_000_009.0)
    assert os.readlink(volume / "..data") == first
    assert write_atomically(volume, {"c": content("3")}, 1_700_000_009.0)
    assert sorted(path.name for path in volume.iterdir() if not path.name.startswith("..2")) == ["..data", "c"]
    assert not (volume / first).exists()


def test_a_changed_mode_is_a_change(tmp_path: Path) -> None:
    write_atomically(tmp_path / "v", {"a": content("1")}, 1.0)
    assert write_atomically(tmp_path / "v", {"a": content("1", 0o600)}, 2.0)


@pytest.mark.parametrize("path", ["/a", "../a", "a/../b", "..a", ""])
def test_paths_stay_inside(path: str) -> None:
    with pytest.raises(ValueError, match="invalid path"):
        validate_path(path)


@pytest.mark.parametrize(("kind", "fits"), [
    ("", True), ("Directory", True), ("File", False), ("Socket", False), ("DirectoryOrCreate", True), ("FileOrCreate", False),
])
def test_host_path_types(tmp_path: Path, kind: str, fits: bool) -> None:
    if fits:
        check(tmp_path, kind)
        return
    with pytest.raises(VolumeError, match="hostPath type check failed"):
        check(tmp_path, kind)


def test_host_paths_are_made_where_asked(tmp_path: Path) -> None:
    check(tmp_path / "d" / "e", "DirectoryOrCreate")
    check(tmp_path / "f", "FileOrCreate")
    assert (tmp_path / "d/e").is_dir()
    assert (tmp_path / "f").is_file()
    with pytest.raises(VolumeError, match="is not a directory"):
        check(tmp_path / "no", "Directory")
