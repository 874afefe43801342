"""Who may call a kubelet's port, and for what."""

from __future__ import annotations

import json

import pytest

from wherry.apimachinery.http import Request, Response
from wherry.client import Client, InProcessTransport
from wherry.client.delegation import Delegate
from wherry.kubelet.server.auth import attributes, guarded
from wherry.util.clock import FakeClock


@pytest.mark.parametrize(
    ("method", "path", "verb", "subresources"),
    [
        ("GET", "/stats/summary", "get", ["stats"]), ("GET", "/metrics/resource", "get", ["metrics"]), ("GET", "/metrics", "get", ["metrics"]),
        ("GET", "/healthz", "get", ["healthz", "proxy"]), ("GET", "/pods", "get", ["pods", "proxy"]),
        ("GET", "/containerLogs/n/p/c", "get", ["proxy"]), ("POST", "/exec/n/p/c", "create", ["proxy"]),
        ("GET", "/exec/n/p/c", "create", ["proxy"]), ("GET", "/portForward/n/p", "create", ["proxy"]), ("DELETE", "/x", "delete", ["proxy"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_request_needs(method: str, path: str, verb: str, subresources: list[str]) -> None:
    wanted = attributes(Request(method, path), "n1")
    assert [(each.verb, each.resource, each.subresource, each.name) for each in wanted] == [(verb, "nodes", s, "n1") for s in subresources]


async def kubelet(request: Request) -> Response:
    assert request.user is not None
    return Response(200, request.user.name.encode())


async def answer(request: Request, reviews: InProcessTransport) -> tuple[int, str]:
    response = await guarded(kubelet, Delegate(Client(reviews), FakeClock()), "n1")(request)
    return response.status, response.body.decode()


async def denies(request: Request) -> Response:
    return Response(201, json.dumps({"status": {"allowed": False}}).encode())


async def away(request: Request) -> Response:
    raise OSError("connection refused")


async def broken(request: Request) -> Response:
    return Response(500, b"etcdserver: no leader", "text/plain")


async def test_the_api_servers_certificate_is_admitted() -> None:
    request = Request("POST", "/exec/n/p/c", certificate=("kube-apiserver-kubelet-client", ("system:masters",)))
    assert await answer(request, InProcessTransport(away)) == (200, "kube-apiserver-kubelet-client")


async def test_another_nodes_certificate_is_not() -> None:
    request = Request("GET", "/exec/n/p/c", certificate=("system:node:n2", ("system:nodes",)))
    told = "Forbidden (user=system:node:n2, verb=create, resource=nodes, subresource(s)=[proxy])\n"
    assert await answer(request, InProcessTransport(denies)) == (403, told)


async def test_nobody_is_nobody() -> None:
    assert await answer(Request("GET", "/healthz"), InProcessTransport(denies)) == (401, "Unauthorized")


@pytest.mark.parametrize("reviews", [away, broken])
async def test_while_the_api_server_cannot_be_asked_nobody_else_is_admitted(reviews) -> None:  # type: ignore[no-untyped-def]
    request = Request("GET", "/stats/summary", certificate=("prom", ()))
    status, told = await answer(request, InProcessTransport(reviews))
    assert status == 500
    assert "does not tell" in told
