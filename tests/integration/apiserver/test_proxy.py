"""pods/proxy, services/proxy and nodes/proxy, in front of a server that tells what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from api_harness import ADMIN, API

from wherry.apimachinery.http import Request, Response
from wherry.apiserver.endpoints.proxy import NO_NETWORK, Passing, PodProxy, ServiceProxy
from wherry.client.forward import Forwarder

N, MERGE = "/api/v1/namespaces/n", "application/merge-patch+json"
IP = "10.9.8.7"
PAGE = b'<a href="/x?a=1&amp;b=2">x</a><!-- <a href="/no"> --><script src=/s.js>"<a href=\'/no\'>"</script><img src="y.png">'


class Redirected(Forwarder):
    """Notes where a request was to go, and takes it to this test's own server."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.asked = port, list[str]()

    async def send(self, origin: str, request: Request) -> Response:
        self.asked.append(origin)
        return await super().send(f"http://127.0.0.1:{self.port}", request)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Tells line, headers and body of what it was asked; some paths have answers of their own."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    line, *rest = head.strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in rest)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    if headers.get("upgrade") == "echo":
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        while data := await reader.read(100):
            writer.write(data)
    elif "/moved" in line:
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /there?x=1\r\nContent-Length: 0\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n")
    elif "/page" in line:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n" + PAGE)
    else:
        told = json.dumps({"line": line, "headers": headers, "body": body.decode()}).encode()
        writer.write(b"HTTP/1.1 203 Odd\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(told) + told)
    writer.close()


@pytest.fixture
async def backend(api: API) -> AsyncIterator[Redirected]:
    await api.namespace("n")
    spec = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 8080}]}]}
    await api.call("POST", f"{N}/pods", {"metadata": {"name": "p"}, "spec": spec})
    status = {"phase": "Running", "podIP": IP, "podIPs": [{"ip": IP}]}
    await api.call("PATCH", f"{N}/pods/p/status", {"status": status}, content_type=MERGE)
    ports = [{"name": "http", "port": 80, "targetPort": 8080}, {"name": "empty", "port": 81}]
    await api.call("POST", f"{N}/services", {"metadata": {"name": "s"}, "spec": {"ports": ports}})
    endpoint = {"addresses": [IP], "targetRef": {"kind": "Pod", "name": "p", "namespace": "n"}}
    foreign = {"addresses": ["10.1.1.1"], "targetRef": {"kind": "Pod", "name": "p", "namespace": "n"}}
    body = {"metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}}, "addressType": "IPv4",
            "ports": [{"name": "http", "port": 8080}], "endpoints": [foreign, endpoint, {"addresses": ["10.2.2.2"]}]}
    await api.call("POST", "/apis/discovery.k8s.io/v1/namespaces/n/endpointslices", body)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    forwarder = Redirected(server.sockets[0].getsockname()[1])
    passing = Passing(forwarder)
    api.server.subresources["", "pods", "proxy"] = PodProxy(passing)
    api.server.subresources["", "services", "proxy"] = ServiceProxy(passing, api.server)
    try:
        yield forwarder
    finally:
        await forwarder.close()
        server.close()


@pytest.mark.parametrize(("path", "origin"), [
    pytest.param("pods/p", f"http://{IP}:8080", id="the Pod's first port"),
    pytest.param("pods/p:9", f"http://{IP}:9", id="a port of the Pod"),
    pytest.param("pods/https:p:9", f"https://{IP}:9", id="TLS"),
    pytest.param("services/s:80", f"http://{IP}:8080", id="a Service's port by number"),
    pytest.param("services/s:http", f"http://{IP}:8080", id="a Service's port by name"),
    pytest.param("services/https:s:http", f"https://{IP}:8080", id="a Service over TLS"),
])
async def test_where_a_request_goes(api: API, backend: Redirected, path: str, origin: str) -> None:
    response = await api.send("POST", f"{N}/{path}/proxy/a%2Fb", "body", authorization="Bearer x", x_own="kept")
    assert response.status == 203, response.body
    told = json.loads(response.body)
    assert backend.asked == [origin]
    assert told["line"] == "POST /a/b HTTP/1.1"
    assert told["body"] == "body"
    assert told["headers"]["x-own"] == "kept"
    assert told["headers"]["x-forwarded-uri"] == f"{N}/{path}/proxy/a/b"
    assert "authorization" not in told["headers"], "our credentials are not the Pod's to see"


async def test_the_target_stays_as_it_was_written(api: API, backend: Redirected) -> None:
    target = f"{N}/pods/p/proxy/a%2Fb/?wsdl&x=%20"
    request = Request("GET", f"{N}/pods/p/proxy/a/b/", [("wsdl", ""), ("x", " ")], target=target)
    request.user = ADMIN
    told = json.loads((await api.server.handle(request)).body)
    assert told["line"] == "GET /a%2Fb/?wsdl&x=%20 HTTP/1.1"


@pytest.mark.parametrize(("path", "status", "words"), [
    pytest.param("pods/a:b:c/proxy/", 400, 'invalid pod request "a:b:c"', id="a scheme that is none"),
    pytest.param("services/ftp:s:80/proxy/", 400, 'invalid service request "ftp:s:80"', id="another scheme"),
    pytest.param("pods/none/proxy/", 404, 'pods "none" not found', id="no such Pod"),
    pytest.param("services/s:99/proxy/", 503, 'no service port 99 found for service "s"', id="no such port"),
    pytest.param("services/s:81/proxy/", 503, 'no endpoints available for service "s:81"', id="nothing behind the port"),
    pytest.param("services/s/proxy/", 503, 'no endpoints available for service "s"', id="ports have names, and none is given"),
])
async def test_refusals(api: API, backend: Redirected, path: str, status: int, words: str) -> None:
    response = await api.send("GET", f"{N}/{path}")
    assert (response.status, json.loads(response.body)["message"]) == (status, words)
    assert backend.asked == []


@pytest.mark.parametrize("ip", ["127.0.0.1", "169.254.169.254", "224.0.0.1", "::1"])
async def test_addresses_that_are_no_pods(api: API, backend: Redirected, ip: str) -> None:
    await api.call("PATCH", f"{N}/pods/p/status", {"status": {"podIP": ip, "podIPs": [{"ip": ip}]}}, content_type=MERGE)
    response = await api.send("GET", f"{N}/pods/p/proxy/")
    assert (response.status, json.loads(response.body)["message"]) == (400, "address not allowed")


async def test_an_empty_path_is_led_to_a_slash(api: API, backend: Redirected) -> None:
    response = await api.send("GET", f"{N}/pods/p/proxy?a=1")
    assert (response.status, response.headers[1:]) == (301, [("Location", f"{N}/pods/p/proxy/?a=1")])


async def test_redirects_and_links_lead_through_the_proxy(api: API, backend: Redirected) -> None:
    moved = await api.send("GET", f"{N}/pods/p/proxy/moved")
    assert moved.headers[1:] == [("Location", f"{N}/pods/p/proxy/there?x=1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    page = await api.send("GET", f"{N}/pods/p/proxy/page")
    prefix = f"{N}/pods/p/proxy"
    assert page.body.decode() == (
        f'<a href="{prefix}/x?a=1&amp;b=2">x</a><!-- <a href="/no"> --><script src="{prefix}/s.js">"<a href=\'/no\'>"</script>'
        '<img src="y.png">'
    )


async def test_nothing_listens(api: API, backend: Redirected) -> None:
    backend.port = 1
    response = await api.send("GET", f"{N}/pods/p/proxy/")
    told = json.loads(response.body)
    assert (response.status, told["reason"]) == (503, "ServiceUnavailable")
    assert told["message"] == "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused"


async def test_simulated_pods_have_no_network(api: API, backend: Redirected) -> None:
    api.server.subresources["", "pods", "proxy"] = PodProxy(Passing(backend, network=False))
    response = await api.send("GET", f"{N}/pods/p/proxy/")
    assert (response.status, json.loads(response.body)["message"]) == (503, NO_NETWORK)
    assert backend.asked == []


class Near:
    """The client's side of an upgraded connection."""

    def __init__(self) -> None:
        self.sent, self.got = asyncio.Queue[bytes](), asyncio.Queue[bytes]()

    async def read(self, limit: int = 65536) -> bytes:
        return await self.sent.get()

    async def write(self, data: bytes) -> None:
        self.got.put_nowait(data)

    async def close(self) -> None: ...


async def test_an_upgrade_passes_through(api: API, backend: Redirected) -> None:
    response = await api.send("GET", f"{N}/pods/p/proxy/ws", connection="Upgrade", upgrade="echo")
    assert response.status == 101
    assert response.upgrade is not None
    near = Near()
    running = asyncio.ensure_future(response.upgrade(near))
    near.sent.put_nowait(b"hello")
    assert await asyncio.wait_for(near.got.get(), 5) == b"hello"
    near.sent.put_nowait(b"")
    await asyncio.wait_for(running, 5)
