"""Subresources through which a part of a Pod is written: `ephemeralcontainers`, `resize`, `binding`."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API

STRATEGIC = "application/strategic-merge-patch+json"
PODS = "/api/v1/namespaces/n/pods"
DEBUGGER = {"name": "d", "image": "busybox", "stdin": True}


@pytest.fixture
async def api(api: API) -> API:
    await api.namespace("n")
    resources = {"requests": {"cpu": "100m", "memory": "10Mi"}}
    await api.call("POST", PODS, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}]}})
    return api


async def patch(api: API, view: str, spec: dict[str, Any]) -> Any:
    body = {"metadata": {"labels": {"not": "kept"}}, "spec": spec}
    return await api.call("PATCH", f"{PODS}/p/{view}", body, content_type=STRATEGIC)


async def refusal(api: API, method: str, path: str, body: Any) -> str:
    response = await api.send(method, path, body, content_type=STRATEGIC if method == "PATCH" else "application/json")
    assert response.status == 422, response.body
    return str(json.loads(response.body)["message"])


async def test_an_ephemeral_container_is_added_and_nothing_else(api: API) -> None:
    written = await patch(api, "ephemeralcontainers", {"ephemeralContainers": [DEBUGGER], "activeDeadlineSeconds": 5})
    (added,) = written["spec"]["ephemeralContainers"]
    assert (added["name"], added["terminationMessagePolicy"]) == ("d", "File"), "defaults are filled in"
    assert "activeDeadlineSeconds" not in written["spec"]
    assert "labels" not in written["metadata"]
    assert written["metadata"]["generation"] == 2
    owned = next(e for e in written["metadata"]["managedFields"] if e.get("subresource") == "ephemeralcontainers")
    assert owned["fieldsV1"].keys() == {"f:spec"}


async def test_a_scale_is_shown_as_a_table(api: API) -> None:
    spec = {"replicas": 3, "selector": {"matchLabels": {"a": "b"}}}
    spec["template"] = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    await api.call("POST", "/apis/apps/v1/namespaces/n/deployments", {"metadata": {"name": "d"}, "spec": spec})
    path = "/apis/apps/v1/namespaces/n/deployments/d/scale"
    table = await api.call("GET", path, accept="application/json;as=Table;g=meta.k8s.io;v=v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert table["rows"][0]["cells"][:3] == ["d", 3, 0]
    scale = await api.call("GET", path)
    assert (scale["kind"], scale["apiVersion"], scale["spec"], scale["status"]["selector"]) == ("Scale", "autoscaling/v1", {"replicas": 3}, "a=b")


async def test_an_ephemeral_container_stays_as_it_is(api: API) -> None:
    pod = await patch(api, "ephemeralcontainers", {"ephemeralContainers": [DEBUGGER]})
    pod["spec"]["ephemeralContainers"] = []
    message = await refusal(api, "PUT", f"{PODS}/p/ephemeralcontainers", pod)
    assert 'spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be removed' in message
    changed = {"ephemeralContainers": [{"name": "d", "image": "another"}]}
    message = await refusal(api, "PATCH", f"{PODS}/p/ephemeralcontainers", {"spec": changed})
    assert 'existing ephemeral containers "d" may not be changed' in message


async def test_the_pod_itself_takes_no_ephemeral_container(api: API) -> None:
    message = await refusal(api, "PATCH", f"{PODS}/p", {"spec": {"ephemeralContainers": [DEBUGGER]}})
    assert "spec: Forbidden: pod updates may not change fields other than" in message


async def test_a_resize_changes_cpu_and_memory_only(api: API) -> None:
    container = {"name": "c", "image": "another", "resources": {"requests": {"cpu": "200m"}}}
    written = await patch(api, "resize", {"containers": [container]})
    (resized,) = written["spec"]["containers"]
    assert resized["resources"] == {"requests": {"cpu": "200m", "memory": "10Mi"}}
    assert resized["image"] == "i"
    assert "labels" not in written["metadata"]
    assert written["metadata"]["generation"] == 2


@pytest.mark.parametrize(("containers", "words"), [
    pytest.param([{"name": "c", "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1", "memory": "10Mi"}}},
                  {"name": "more", "image": "i"}], "only cpu and memory resources are mutable", id="another container"),
    pytest.param([{"name": "c", "resources": {"requests": {"memory": None}}}], "resource requests cannot be removed", id="taken away"),
    pytest.param([{"name": "c", "resources": {"limits": {"cpu": "100m", "memory": "10Mi"}}}], "Pod QOS Class may not change", id="class"),
])
async def test_a_resize_refused(api: API, containers: list[Any], words: str) -> None:
    assert words in await refusal(api, "PATCH", f"{PODS}/p/resize", {"spec": {"containers": containers}})


async def test_a_binding_names_a_node(api: API) -> None:
    body = {"metadata": {"name": "p"}, "target": {"kind": "Minion"}}
    message = await refusal(api, "POST", f"{PODS}/p/binding", body)
    assert message == (
        'Binding "p" is invalid: [target.kind: Unsupported value: "Minion": supported values: "Node", "<empty>", target.name: Required value]'
    )


async def test_an_older_binding_names_its_pod(api: API) -> None:
    path = "/api/v1/namespaces/n/bindings"
    target = {"kind": "Node", "name": "n1"}
    bound = await api.call("POST", path, {"metadata": {"name": "p"}, "target": target})
    assert bound["status"] == "Success"
    assert (await api.call("GET", f"{PODS}/p"))["spec"]["nodeName"] == "n1"
    for body, status in (
        ({"metadata": {"name": "nope"}, "target": target}, 404), ({"metadata": {"name": "p"}, "target": target}, 409), ({"target": target}, 422),
    ):
        assert (await api.send("POST", path, body)).status == status
    assert (await api.send("GET", path)).status == 405
