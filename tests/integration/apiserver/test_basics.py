"""The API, end to end but for the socket."""

from __future__ import annotations

import json

import pytest
from api_harness import API


async def test_create_get_list_delete(api: API) -> None:
    await api.namespace("n")
    made = await api.call("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "c"}, "data": {"k": "v"}})
    assert await api.call("GET", "/api/v1/namespaces/n/configmaps/c") == made
    listed = await api.call("GET", "/api/v1/namespaces/n/configmaps")
    assert listed["kind"] == "ConfigMapList"
    assert listed["items"] == [{k: v for k, v in made.items() if k not in ("kind", "apiVersion")}]
    gone = await api.call("DELETE", "/api/v1/namespaces/n/configmaps/c")
    assert gone["status"] == "Success"
    assert (await api.send("GET", "/api/v1/namespaces/n/configmaps/c")).status == 404


async def test_watch_sees_every_change(api: API) -> None:
    await api.namespace("n")
    listed = await api.call("GET", "/api/v1/namespaces/n/configmaps")
    revision = listed["metadata"]["resourceVersion"]
    response = await api.send("GET", f"/api/v1/namespaces/n/configmaps?watch=1&resourceVersion={revision}")
    assert response.stream is not None
    await api.call("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "c"}})
    await api.call("PATCH", "/api/v1/namespaces/n/configmaps/c", {"data": {"a": "b"}}, content_type="application/merge-patch+json")
    await api.call("DELETE", "/api/v1/namespaces/n/configmaps/c")
    lines = b""
    while lines.count(b"\n") < 3:
        lines += await anext(response.stream)
    events = [json.loads(line) for line in lines.splitlines()]
    assert [e["type"] for e in events] == ["ADDED", "MODIFIED", "DELETED"]
    assert events[1]["object"]["data"] == {"a": "b"}
    await response.stream.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/api", "/apis", "/apis/apps", "/apis/apps/v1", "/api/v1", "/version", "/openapi/v2", "/openapi/v3", "/healthz"])
async def test_a_slash_at_the_end_changes_nothing(api: API, path: str) -> None:
    plain, slashed = await api.send("GET", path), await api.send("GET", path + "/")
    assert (plain.status, plain.body) == (slashed.status, slashed.body)
    assert plain.status == 200
