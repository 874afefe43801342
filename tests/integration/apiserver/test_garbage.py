"""Whatever a client sends, it is answered, and never with a 500 of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from api_harness import API, serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wherry.apimachinery.http import Request, Response, UserInfo
from wherry.util.clock import RealClock

ADMIN = UserInfo("admin", ("system:masters",))
FEW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
WORDS = ("api", "apis", "v1", "apps", "namespaces", "n", "pods", "configmaps", "deployments", "c", "status", "scale", "watch", "", ".", "..")
QUERIES = (
    "watch", "limit", "continue", "resourceVersion", "resourceVersionMatch", "labelSelector", "fieldSelector", "dryRun", "fieldManager",
    "fieldValidation", "timeoutSeconds", "sendInitialEvents", "force", "propagationPolicy", "gracePeriodSeconds", "includeObject",
)
MEDIA = (
    "application/json", "application/yaml", "application/merge-patch+json", "application/json-patch+json",
    "application/strategic-merge-patch+json", "application/apply-patch+yaml", "text/plain", "",
)
text = st.text(max_size=12)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8)
keys = st.sampled_from(("metadata", "spec", "status", "data", "name", "labels", "template", "containers", "replicas", "kind", "$patch")) | text
objects = st.dictionaries(keys, values | st.dictionaries(keys, values, max_size=4), max_size=5)


def against_a_server(ask: Callable[[API], Awaitable[Response]]) -> Response:
    async def run() -> Response:
        async with serve(RealClock()) as api:
            await api.namespace("n")
            await api.call("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "c"}, "data": {"a": "b"}})
            template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
            body = {"metadata": {"name": "c"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template}}
            await api.call("POST", "/apis/apps/v1/namespaces/n/deployments", body)
            response = await ask(api)
            if response.stream is not None:
                await response.stream.aclose()  # type: ignore[attr-defined]
            return response

    return asyncio.run(run())


def answered(response: Response) -> None:
    """Nothing of ours failed, and a failure is a Status (or the plain 404 of an unknown path)."""
    assert response.status != 500 or json.loads(response.body).get("reason") != "InternalError", response.body
    if response.status >= 400 and response.content_type == "application/json":
        status = json.loads(response.body)
        assert (status["kind"], status["code"]) == ("Status", response.status)


@FEW
@given(
    method=st.sampled_from(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "BREW")),
    path=st.lists(st.sampled_from(WORDS) | text, max_size=9).map("/".join),
    query=st.lists(st.tuples(st.sampled_from(QUERIES) | text, st.sampled_from(("1", "true", "0", "All", "a=b", "a in (b", "x.y=z")) | text), max_size=4),
    media=st.sampled_from(MEDIA),
)  # fmt: skip
def test_paths_and_queries(method: str, path: str, query: list[tuple[str, str]], media: str) -> None:
    query = [pair for pair in query if pair[0] != "resourceVersion"]  # a future one makes the server wait for it
    headers = {"accept": "application/json", "content-type": media}
    answered(against_a_server(lambda api: api.server.handle(Request(method, f"/{path}", query, headers, b"{}", ADMIN))))


@FEW
@given(
    where=st.sampled_from((
        "/api/v1/namespaces/n/configmaps", "/api/v1/namespaces/n/pods", "/apis/apps/v1/namespaces/n/deployments",
        "/api/v1/namespaces/n/services", "/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/batch/v1/namespaces/n/jobs",
        "/api/v1/namespaces/n/resourcequotas", "/apis/autoscaling/v1/namespaces/n/horizontalpodautoscalers",
    )),
    body=objects,
)  # fmt: skip
def test_new_objects(where: str, body: dict[str, Any]) -> None:
    body.setdefault("metadata", {"name": "x"})
    answered(against_a_server(lambda api: api.send("POST", where, body)))


@FEW
@given(
    where=st.sampled_from(("/api/v1/namespaces/n/configmaps/c", "/apis/apps/v1/namespaces/n/deployments/c",
                           "/apis/apps/v1/namespaces/n/deployments/c/scale", "/apis/apps/v1/namespaces/n/deployments/c/status")),
    media=st.sampled_from(MEDIA), method=st.sampled_from(("PATCH", "PUT", "DELETE")),
    body=objects | values | st.lists(st.fixed_dictionaries({"op": st.sampled_from(("add", "remove", "test", "move")), "path": text})),
)  # fmt: skip
def test_changes(where: str, media: str, method: str, body: Any) -> None:
    answered(against_a_server(lambda api: api.send(method, f"{where}?fieldManager=x", body, content_type=media)))


@FEW
@given(body=st.binary(max_size=200), media=st.sampled_from(MEDIA))
def test_bytes(body: bytes, media: str) -> None:
    answered(against_a_server(lambda api: api.send("POST", "/api/v1/namespaces/n/configmaps", body, content_type=media)))
