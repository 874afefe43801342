"""Where a node's kubelet is, and what of a request and of an answer passes."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.http import Request, Response
from wherry.apiserver.nodes import NodeDialer, _ours, _theirs, endpoint
from wherry.client import TLSConfig


def node(*addresses: tuple[str, str], port: int | None = None) -> dict[str, Any]:
    status: dict[str, Any] = {"addresses": [{"type": kind, "address": address} for kind, address in addresses]}
    return {"status": status | ({} if port is None else {"daemonEndpoints": {"kubeletEndpoint": {"Port": port}}})}


@pytest.mark.parametrize(
    ("found", "where"),
    [
        (node(("Hostname", "n1"), ("InternalIP", "10.0.0.1"), port=4194), "https://10.0.0.1:4194"),
        (node(("InternalIP", "10.0.0.1"), ("InternalIP", "fd00::1"), port=1), "https://10.0.0.1:1"),
        (node(("InternalIP", "fd00::1"), port=10250), "https://[fd00::1]:10250"),
        (node(("InternalIP", "10.0.0.1")), "https://10.0.0.1:10250"),
        (node(("InternalIP", "10.0.0.1"), port=0), "https://10.0.0.1:10250"),
    ],
    ids=["internal-ip", "the-first-of-two", "ipv6", "no-port", "port-0"],
)
def test_endpoint(found: dict[str, Any], where: str) -> None:
    assert endpoint(found) == where


@pytest.mark.parametrize("found", [{}, {"status": {}}, node(("Hostname", "n1"), ("ExternalIP", "1.2.3.4"))], ids=["new", "empty", "others"])
def test_a_node_without_an_address(found: dict[str, Any]) -> None:
    with pytest.raises(StatusError, match="error dialing backend: no preferred addresses found"):
        endpoint(found)


def test_a_node_that_is_not_there() -> None:
    with pytest.raises(StatusError, match='nodes "n1" not found'):
        NodeDialer(lambda name: None, TLSConfig())("n1")


def test_headers_of_a_connection_do_not_pass() -> None:
    headers = {"host": "api", "connection": "keep-alive, Upgrade", "upgrade": "websocket", "sec-websocket-key": "k", "content-length": "0"}
    assert _theirs(Request("GET", "/exec", headers=headers)).headers == {
        "connection": "keep-alive, Upgrade", "upgrade": "websocket", "sec-websocket-key": "k",
    }
    plain = {"host": "api", "connection": "keep-alive", "accept": "a/b", "accept-encoding": "gzip", "te": "trailers"}
    assert _theirs(Request("GET", "/pods", headers=plain)).headers == {"accept": "a/b"}


def test_an_answer_is_as_if_given_here() -> None:
    told = [("content-type", "text/plain; charset=utf-8"), ("content-length", "2"), ("date", "now"), ("connection", "close"), ("x-y", "z")]
    ours = _ours(Response(200, b"ok", "text/plain", list(told)))
    assert (ours.content_type, ours.headers) == ("text/plain; charset=utf-8", [("x-y", "z")])
    switched = _ours(Response(101, headers=[("connection", "Upgrade"), ("upgrade", "SPDY/3.1"), ("date", "now")]))
    assert switched.headers == [("connection", "Upgrade"), ("upgrade", "SPDY/3.1")]
