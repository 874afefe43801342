"""What the API server itself says of streaming requests: checked, refused, or passed on."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from streaming_harness import ADMIN, Cluster, body

from wherry.apimachinery.http import Duplex, Request, Response, UserInfo
from wherry.serving.edge import Edge

UPGRADE = {"connection": "Upgrade", "upgrade": "SPDY/3.1", "x-stream-protocol-version": "v4.channel.k8s.io"}


async def ask(cluster: Cluster, path: str, *, method: str = "GET", user: UserInfo = ADMIN, **headers: str) -> Response:
    path, _, text = path.partition("?")
    query = [(k, v) for k, _, v in (pair.partition("=") for pair in text.split("&") if pair)]
    return await cluster.server.handle(Request(method, f"/api/v1/namespaces/n/pods/{path}", query, headers, user=user))


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        pytest.param("none/log", 404, 'pods "none" not found', id="no-pod"),
        pytest.param(
            "two/log", 400, "a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [i]",
            id="several-containers",
        ),
        pytest.param("p/log?container=x", 400, "container x is not valid for pod p", id="no-such-container"),
        pytest.param(
            "p/log?tailLines=-1", 422,
            'PodLogOptions "p" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0', id="tail-negative",
        ),
        pytest.param(
            "p/log?limitBytes=0", 422, 'PodLogOptions "p" is invalid: limitBytes: Invalid value: 0: must be greater than 0', id="limit-zero",
        ),
        pytest.param("p/log?tailLines=many", 400, 'strconv.ParseInt: parsing "many": invalid syntax', id="tail-no-number"),
        pytest.param("lost/log", 500, "error dialing backend: no such node: n2", id="node-unknown"),
    ],
)
async def test_logs_refused(cluster: Cluster, path: str, code: int, message: str) -> None:
    answer = await ask(cluster, path)
    assert (answer.status, body(answer)["message"]) == (code, message)
    assert not cluster.node.asked


async def test_since_given_twice(cluster: Cluster) -> None:
    answer = await ask(cluster, "p/log?sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z")
    assert answer.status == 422
    assert "at most one of `sinceTime` or `sinceSeconds` may be specified" in body(answer)["message"]


async def test_recorded_answers_for_a_pending_pod(cluster: Cluster, shared: Any) -> None:
    recorded = {case["name"]: case["response"] for case in json.loads((shared / "upstream/api/errors.json").read_text())}
    logs = await ask(cluster, "pending/log")
    assert (logs.status, logs.body) == (recorded["logs-pending"]["status"], b"")
    refused = await ask(cluster, "pending/exec?command=ls&stdout=1", method="POST")
    expected = recorded["exec-pending"]
    expected["body"]["message"] = expected["body"]["message"].replace("p1", "pending")
    assert (refused.status, body(refused)) == (expected["status"], expected["body"])


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [
        pytest.param(400, "is waiting", {"code": 400, "reason": "BadRequest", "message": "is waiting"}, id="400"),
        pytest.param(
            404, "gone", {"code": 404, "reason": "NotFound", "message": "the server could not find the requested resource ( pods/log p)"},
            id="404",
        ),
        pytest.param(500, "boom", {"code": 500, "reason": "InternalError", "message": "Internal error occurred: boom"}, id="500"),
    ],
)
async def test_a_kubelets_refusal_becomes_a_status(cluster: Cluster, code: int, text: str, status: dict[str, Any]) -> None:
    cluster.node.log_answer = Response(code, text.encode(), "text/plain")
    answer = body(await ask(cluster, "p/log"))
    assert {key: answer[key] for key in status} == status


async def test_without_an_upgrade(cluster: Cluster) -> None:
    answer = await ask(cluster, "p/exec?command=ls&stdout=1", method="POST")
    assert (answer.status, body(answer)["message"]) == (400, "Upgrade request required")
    answer = await ask(cluster, "p/exec?command=ls&stdout=1", method="POST", connection="Upgrade", upgrade="h2c")
    assert (answer.status, answer.body) == (400, b"Upgrade request required")


async def test_an_unknown_protocol(cluster: Cluster) -> None:
    headers = UPGRADE | {"x-stream-protocol-version": "v9.channel.k8s.io"}
    answer = await ask(cluster, "p/exec?command=ls&stdout=1", method="POST", **headers)
    assert answer.status == 403
    assert b"unable to negotiate protocol" in answer.body


async def test_the_kubelet_is_asked_in_its_own_words(cluster: Cluster) -> None:
    answer = await ask(cluster, "p/exec?command=sh&command=-c&stdin=true&stdout=true&stderr=false&tty=1", method="POST", **UPGRADE)
    assert answer.status == 101
    asked = cluster.node.asked[-1]
    assert asked.path == "/exec/n/p/c"
    assert asked.query == [("input", "1"), ("output", "1"), ("tty", "1"), ("command", "sh"), ("command", "-c")]


async def test_whoever_may_only_get_may_not_exec(cluster: Cluster) -> None:
    """A WebSocket can only GET, so the verb create is asked for as well."""
    rules = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": ["get"]}]
    viewer = UserInfo("viewer", ("system:authenticated",))
    for path, made in (
        ("clusterroles", {"metadata": {"name": "r"}, "rules": rules}),
        ("clusterrolebindings", {
            "metadata": {"name": "r"}, "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "viewer"}],
        }),
    ):
        path = f"/apis/rbac.authorization.k8s.io/v1/{path}"
        request = Request("POST", path, [], {"content-type": "application/json"}, json.dumps(made).encode(), ADMIN)
        assert (await cluster.server.handle(request)).status == 201
    answer = await ask(cluster, "p/exec?command=ls&stdout=1", user=viewer, **UPGRADE)
    assert answer.status == 403
    assert 'cannot create resource "pods/exec"' in body(answer)["message"]


async def test_node_proxy(cluster: Cluster) -> None:
    answer = await cluster.server.handle(Request("GET", "/api/v1/nodes/n1/proxy/stats/summary", user=ADMIN))
    assert (answer.status, answer.body) == (200, b"/stats/summary")


async def _early_bytes(upgrade: str) -> bytes:
    """Send a request and what follows it in one write, and read what the handler echoes."""

    async def handle(request: Request) -> Response:
        async def run(duplex: Duplex) -> None:
            got = b""
            while len(got) < 10:
                got += await duplex.read()
            await duplex.write(got)

        return Response(101, headers=[("Connection", "Upgrade"), ("Upgrade", upgrade)], upgrade=run)

    edge = Edge(handle, None)
    port = await edge.listen("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n".encode()
    writer.write(head + b"01234")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(b"56789")
    got = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    assert not edge._server.connections  # type: ignore[union-attr]
    await edge.close()
    return got


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_bytes_that_come_with_the_request_are_kept(loop: str) -> None:
    """SPDY clients must wait for the 101 (aiohttp would take what comes before for a request), WebSocket's may not."""
    uvloop = pytest.importorskip("uvloop")
    factory = uvloop.new_event_loop if loop == "uvloop" else asyncio.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(_early_bytes("websocket")) == b"0123456789"
