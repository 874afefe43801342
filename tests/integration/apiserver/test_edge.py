"""The edge, over sockets: what HTTP demands of every answer, whatever it says."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest
from api_harness import ADMIN, serve

from wherry.apimachinery.http import Handler, Request, Response
from wherry.serving.edge import MAX_BODY, Edge
from wherry.util.clock import RealClock

AUTH = "Authorization: Bearer secret\r\n"


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with serve(RealClock(), tokens={"secret": ADMIN}) as api:
        await api.namespace("n")
        await api.call("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "c"}, "data": {"big": "x" * 200_000}})
        edge = Edge(api.server.handle, None)
        try:
            yield await edge.listen("127.0.0.1", 0)
        finally:
            await edge.close()


class Connection:
    """One connection, spoken to by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Connection:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, line: str, headers: str = AUTH, body: bytes = b"", *, head_only: bool = False) -> tuple[str, dict[str, str], bytes]:
        host = "" if "HTTP/1.0" in line else "Host: x\r\n"
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        self._writer.write(f"{line}\r\n{host}{headers}{length}\r\n".encode() + body)
        head = (await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), 5)).decode()
        status, *lines = head.strip().split("\r\n")
        found = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
        size = 0 if head_only else int(found.get("content-length", 0))
        return status, found, await asyncio.wait_for(self._reader.readexactly(size), 5)

    async def closed(self) -> bool:
        return await asyncio.wait_for(self._reader.read(1), 5) == b""

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()


@pytest.fixture
async def connection(port: int) -> AsyncIterator[Connection]:
    connection = await Connection.open(port)
    yield connection
    await connection.close()


async def test_one_connection_serves_many_requests(connection: Connection) -> None:
    for _ in range(3):
        status, headers, body = await connection.ask("GET /api/v1/namespaces/n/configmaps/c HTTP/1.1")
        assert status == "HTTP/1.1 200 OK"
        assert (headers["content-type"], headers["cache-control"]) == ("application/json", "no-cache, private")
        assert "date" in headers
        assert len(json.loads(body)["data"]["big"]) == 200_000


async def test_head_has_no_body(connection: Connection) -> None:
    status, headers, _ = await connection.ask("HEAD /api/v1/namespaces/n/configmaps/c HTTP/1.1", head_only=True)
    assert status == "HTTP/1.1 200 OK"
    assert int(headers["content-length"]) > 200_000
    assert (await connection.ask("GET /healthz HTTP/1.1"))[2] == b"ok"


async def test_http_1_0_is_closed(connection: Connection) -> None:
    _, headers, body = await connection.ask("GET /healthz HTTP/1.0")
    assert (body, headers["connection"]) == (b"ok", "close")
    assert await connection.closed()


async def test_connection_close_is_obeyed(connection: Connection) -> None:
    _, headers, _ = await connection.ask("GET /healthz HTTP/1.1", AUTH + "Connection: close\r\n")
    assert headers["connection"] == "close"
    assert await connection.closed()


async def test_escapes_and_repeated_parameters(connection: Connection) -> None:
    path = "/api/v1/namespaces/n/configmaps?fieldSelector=metadata.name%3Dc&labelSelector=a+in+%28b%29%2C%21a"
    status, _, body = await connection.ask(f"GET {path} HTTP/1.1")
    assert status == "HTTP/1.1 200 OK"
    assert json.loads(body)["items"] == []
    status, _, _ = await connection.ask("GET /api/v1/namespaces/%6E/configmaps/c HTTP/1.1")
    assert status == "HTTP/1.1 200 OK"


async def test_a_very_long_url_is_read(connection: Connection) -> None:
    status, _, _ = await connection.ask(f"GET /healthz?command={'x' * 100_000} HTTP/1.1")
    assert status == "HTTP/1.1 200 OK"


async def test_what_is_no_http_gets_a_status(connection: Connection) -> None:
    status, headers, body = await connection.ask("GET /healthz HTTP/1.1", "no colon here\r\n")
    assert status == "HTTP/1.1 400 Bad Request"
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["kind"] == "Status"


async def test_a_body_that_is_too_large(connection: Connection) -> None:
    length = f"Content-Length: {MAX_BODY + 1}\r\n"
    status, _, body = await connection.ask("POST /api/v1/namespaces HTTP/1.1", AUTH + length)
    assert status.startswith("HTTP/1.1 413 ")
    assert json.loads(body)["reason"] == "RequestEntityTooLarge"


async def test_who_asks_before_it_sends_is_told_to_go_on(port: int) -> None:
    """curl does, with bodies over a kilobyte, and waits a second otherwise."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b'{"metadata": {"name": "asked"}}'
    head = f"POST /api/v1/namespaces/n/configmaps HTTP/1.1\r\nHost: x\r\n{AUTH}Content-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode())
    assert await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5) == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(body)
    assert (await asyncio.wait_for(reader.readline(), 5)).startswith(b"HTTP/1.1 201 ")
    writer.close()
    await writer.wait_closed()


async def test_a_body_that_is_not_packed_as_it_says(connection: Connection) -> None:
    headers = AUTH + "Content-Type: application/json\r\nContent-Encoding: gzip\r\n"
    status, _, body = await connection.ask("POST /api/v1/namespaces HTTP/1.1", headers, b"not gzip")
    assert status.startswith("HTTP/1.1 400 ")
    assert json.loads(body)["reason"] == "BadRequest"


async def test_without_credentials(connection: Connection) -> None:
    status, _, body = await connection.ask("GET /api/v1/pods HTTP/1.1", "")
    assert status == "HTTP/1.1 401 Unauthorized"
    assert json.loads(body)["message"] == "Unauthorized"


async def test_a_watch_is_chunked_and_ends(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    line = "GET /api/v1/namespaces/n/configmaps?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dc HTTP/1.1"
    writer.write(f"{line}\r\nHost: x\r\n{AUTH}\r\n".encode())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b"Transfer-Encoding: chunked" in head
    size = int(await asyncio.wait_for(reader.readline(), 5), 16)
    assert json.loads(await reader.readexactly(size))["type"] == "ADDED"
    assert await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 5) == b"\r\n0\r\n\r\n"
    writer.close()
    await writer.wait_closed()


async def test_a_watcher_that_hangs_up_is_forgotten(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /api/v1/configmaps?watch=1&resourceVersion=1 HTTP/1.1\r\nHost: x\r\n{AUTH}\r\n".encode())
    await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    writer.close()
    await writer.wait_closed()
    tasks = [task for task in asyncio.all_tasks() if task.get_name() == "watch timer"]
    for _ in range(100):
        if all(task.done() for task in tasks):
            break
        await asyncio.sleep(0.01)
    assert all(task.done() for task in tasks)


async def _backend(request: Request) -> Response:
    """Answers as what is behind a proxy may."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    status = int(request.param("status") or 200)
    return Response(status, stream=chunks()) if request.path == "/stream" else Response(status, b"")


async def _exchange(handler: Handler, ask: str) -> tuple[str, str]:
    """(head, all that follows until the server closes the connection)."""
    edge = Edge(handler, None)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", await edge.listen("127.0.0.1", 0))
        writer.write(ask.encode())
        head, _, body = (await asyncio.wait_for(reader.read(), 5)).decode().partition("\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        return head, body
    finally:
        await edge.close()


CLOSING = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("path", ["/whole", "/stream"])
async def test_a_status_without_a_name_passes(path: str) -> None:
    head, _ = await _exchange(_backend, f"GET {path}?status=299{CLOSING}")
    assert head.startswith("HTTP/1.1 299 \r\n")


async def test_a_head_that_knows_no_length_tells_none() -> None:
    head, body = await _exchange(_backend, f"HEAD /whole{CLOSING}")
    assert head.startswith("HTTP/1.1 200 OK")
    assert "content-length" not in head.lower()
    assert body == ""


async def test_a_stream_to_http_1_0_ends_with_the_connection() -> None:
    head, body = await _exchange(_backend, "GET /stream HTTP/1.0\r\n\r\n")
    assert " 200 OK" in head
    assert "transfer-encoding" not in head.lower()
    assert body == "onetwo"


async def test_each_answer_has_an_audit_id(connection: Connection) -> None:
    """Also a refused one, and one without a body: as upstream, where a request's own is kept."""
    seen = [(await connection.ask(f"GET {path} HTTP/1.1"))[1]["audit-id"] for path in ("/api/v1/namespaces/n", "/api/v1/namespaces/x", "/nowhere")]
    seen.append((await connection.ask("GET /api/v1/namespaces/n HTTP/1.1", ""))[1]["audit-id"])  # nobody in particular
    assert len(set(seen)) == 4
    for each in seen:
        assert str(uuid.UUID(each)) == each
    _, headers, _ = await connection.ask("GET /api/v1/namespaces/n HTTP/1.1", AUTH + "Audit-ID: mine\r\n")
    assert headers["audit-id"] == "mine"


async def test_an_audit_id_that_no_header_may_hold_is_replaced(port: int) -> None:
    """Bytes beyond ASCII come as surrogates, which nothing can send back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /api/v1/namespaces/n HTTP/1.1\r\nHost: x\r\n" + AUTH.encode() + b"Audit-ID: a\xffb\r\n\r\n")
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()
    writer.close()
    assert head.startswith("HTTP/1.1 200")
    [told] = [line.partition(": ")[2] for line in head.splitlines() if line.startswith("Audit-Id")]
    assert str(uuid.UUID(told)) == told


async def test_a_path_takes_other_methods_only_where_it_is_an_action() -> None:
    """`/metrics` is read; what `wherry image` asks for is posted."""

    async def action(request: Request) -> Response:
        return Response(200, request.method.encode())

    async with serve(RealClock(), tokens={"secret": ADMIN}) as api:
        api.server.actions["/wherry/images"] = action
        assert (await api.send("POST", "/wherry/images", {})).body == b"POST"
        assert (await api.send("POST", "/version", {})).status == 405
