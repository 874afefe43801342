"""What browsers ask for: watches over WebSocket, and a token among its subprotocols."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from api_harness import ADMIN, API, serve

from wherry.apimachinery.http import Request, Response
from wherry.util.clock import RealClock

PATH = "/api/v1/namespaces/n/configmaps"
UPGRADE = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13", "sec-websocket-key": "k"}


class Line:
    """A Duplex: keeps what the server sends; ends when told."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.wrote, self.gone = asyncio.Event(), asyncio.Event()

    async def read(self, limit: int = 65536) -> bytes:
        await self.gone.wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.sent += data
        self.wrote.set()

    async def close(self) -> None:
        self.gone.set()

    async def text(self) -> str:
        """The next text message."""
        while True:
            size, start = (self.sent[1], 2) if len(self.sent) > 1 else (0, 0)
            if size == 126 and len(self.sent) >= 4:
                size, start = int.from_bytes(self.sent[2:4], "big"), 4
            if ((start and size < 126) or start == 4) and len(self.sent) >= start + size:
                assert self.sent[0] == 0x81, "one whole text message"
                found = self.sent[start : start + size].decode()
                del self.sent[: start + size]
                return found
            self.wrote.clear()
            await asyncio.wait_for(self.wrote.wait(), 5)


async def watch(api: API, query: list[tuple[str, str]], **headers: str) -> Response:
    sent = UPGRADE | {name.replace("_", "-"): value for name, value in headers.items()}
    return await api.server.handle(Request("GET", PATH, [("watch", "1"), *query], sent, user=ADMIN))


async def test_each_event_is_a_text_message(api: API) -> None:
    await api.namespace("n")
    response = await watch(api, [])
    assert (response.status, dict(response.headers).get("Sec-WebSocket-Protocol")) == (101, None)
    assert response.upgrade is not None
    line = Line()
    task = asyncio.ensure_future(response.upgrade(line))
    for number in range(2):
        await api.call("POST", PATH, {"metadata": {"name": f"c{number}"}, "data": {"text": "x" * 300}})
        event = json.loads(await line.text())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", f"c{number}")
    line.gone.set()
    await asyncio.wait_for(task, 5)


async def test_one_subprotocol_is_taken_over(api: API) -> None:
    await api.namespace("n")
    response = await watch(api, [("timeoutSeconds", "1")], sec_websocket_protocol="base64.binary.k8s.io")
    assert dict(response.headers)["Sec-WebSocket-Protocol"] == "base64.binary.k8s.io"
    assert response.upgrade is not None
    line = Line()
    line.gone.set()
    await asyncio.wait_for(response.upgrade(line), 5)
    refused = await watch(api, [], sec_websocket_protocol="a, b")
    assert (refused.status, "one subprotocol" in json.loads(refused.body)["message"]) == (400, True)


@pytest.mark.parametrize(("token", "code"), [("secret", 101), ("wrong", 401), ("", 401)])
async def test_a_token_among_the_subprotocols(token: str, code: int) -> None:
    async with serve(RealClock(), tokens={"secret": ADMIN}) as api:
        offer = "base64url.bearer.authorization.k8s.io." + base64.urlsafe_b64encode(token.encode()).decode().rstrip("=") if token else ""
        headers = UPGRADE | {"sec-websocket-protocol": f"{offer}, base64.binary.k8s.io" if offer else "base64.binary.k8s.io"}
        response = await api.server.handle(Request("GET", "/api/v1/configmaps", [("watch", "1"), ("resourceVersion", "0")], headers))
        assert response.status == code, response.body
        if response.upgrade is not None:
            assert "bearer" not in str(response.headers)
            line = Line()
            line.gone.set()
            await asyncio.wait_for(response.upgrade(line), 5)


async def test_component_statuses(api: API) -> None:
    api.server.components["scheduler"] = lambda: "it has ended"
    listed = await api.call("GET", "/api/v1/componentstatuses")
    assert {each["metadata"]["name"]: each["conditions"] for each in listed["items"]} == {
        "etcd-0": [{"type": "Healthy", "status": "True", "message": "ok"}],
        "scheduler": [{"type": "Healthy", "status": "False", "message": "it has ended"}],
    }
    table = await api.call("GET", "/api/v1/componentstatuses/etcd-0", accept="application/json;as=Table;g=meta.k8s.io;v=v1")
    assert [row["cells"] for row in table["rows"]] == [["etcd-0", "Healthy", "ok", ""]]
    missing = await api.send("GET", "/api/v1/componentstatuses/nobody")
    assert json.loads(missing.body)["message"] == 'componentstatuses "nobody" not found'
    assert ("Warning", '299 - "v1 ComponentStatus is deprecated in v1.19+"') in missing.headers
    assert (await api.send("DELETE", "/api/v1/componentstatuses/etcd-0")).status == 405
