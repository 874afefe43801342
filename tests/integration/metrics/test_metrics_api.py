"""metrics.k8s.io over the API server, in-process."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from metrics_world import World

from wherry.apimachinery.http import Response

API = "/apis/metrics.k8s.io/v1beta1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"
MIB = 1 << 20


def names(listed: Any) -> list[str]:
    assert "items" in listed, listed
    return [item["metadata"]["name"] for item in listed["items"]]


async def test_discovery_shows_the_group(metrics_world: World) -> None:
    groups = (await metrics_world.call("GET", "/apis"))["groups"]
    assert "metrics.k8s.io" in [group["name"] for group in groups]
    resources = (await metrics_world.call("GET", API))["resources"]
    assert [(r["name"], r["kind"], r["namespaced"], r["verbs"]) for r in resources] == [
        ("nodes", "NodeMetrics", False, ["get", "list"]), ("pods", "PodMetrics", True, ["get", "list"]),
    ]


async def test_nodes(metrics_world: World) -> None:
    await metrics_world.node("n1", 123_456_789, 300 * MIB + 1024)
    await metrics_world.node("n2", 2_000_000_000, 1 << 30)
    listed = await metrics_world.call("GET", f"{API}/nodes")
    assert (listed["kind"], listed["apiVersion"], names(listed)) == ("NodeMetricsList", "metrics.k8s.io/v1beta1", ["n1", "n2"])
    assert [item["usage"] for item in listed["items"]] == [
        {"cpu": "123456789n", "memory": "307201Ki"}, {"cpu": "2", "memory": "1Gi"},
    ]
    one = await metrics_world.call("GET", f"{API}/nodes/n2")
    assert (one["kind"], one["metadata"]["name"], one["window"], one["usage"]["cpu"]) == ("NodeMetrics", "n2", "10s", "2")
    assert names(await metrics_world.call("GET", f"{API}/nodes?labelSelector=name=n1")) == ["n1"]


async def test_pods_by_namespace_selector_and_name(metrics_world: World) -> None:
    await metrics_world.node("n1")
    await metrics_world.node("n2")
    await metrics_world.pod("a1", "n1", c=(1_000_000, MIB), d=(2, 2 * MIB))
    await metrics_world.pod("a2", "n2", c=(5_000_000, 5 * MIB))
    await metrics_world.pod("b1", "n2", namespace="other", c=(7, 7))
    assert names(await metrics_world.call("GET", f"{API}/pods")) == ["a1", "a2", "b1"]
    assert names(await metrics_world.call("GET", f"{API}/namespaces/other/pods")) == ["b1"]
    assert names(await metrics_world.call("GET", f"{API}/pods?labelSelector=app=a")) == ["a1", "a2"]
    assert names(await metrics_world.call("GET", f"{API}/pods?fieldSelector=metadata.name=a2")) == ["a2"]
    one = await metrics_world.call("GET", f"{API}/namespaces/default/pods/a1")
    assert (one["kind"], one["metadata"]["labels"]) == ("PodMetrics", {"app": "a"})
    assert one["containers"] == [
        {"name": "c", "usage": {"cpu": "1m", "memory": "1Mi"}}, {"name": "d", "usage": {"cpu": "2n", "memory": "2Mi"}},
    ]


async def test_as_a_table(metrics_world: World) -> None:
    await metrics_world.node("n1")
    await metrics_world.pod("a1", "n1", c=(1_000_000, MIB), d=(2_000_000, 2 * MIB))
    table = await metrics_world.call("GET", f"{API}/pods", accept=TABLE)
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    assert [row["cells"] for row in table["rows"]] == [["a1", "3m", "3Mi", "10s"]]


async def test_what_does_not_run_or_was_not_measured_is_left_out(metrics_world: World) -> None:
    await metrics_world.node("n1")
    await metrics_world.pod("done", "n1", phase="Succeeded", c=(1, 1))
    await metrics_world.pod("young", "n1")
    assert names(await metrics_world.call("GET", f"{API}/pods")) == []


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nodes/none", 'nodes "none" not found'),
        ("nodes/n2", 'nodemetrics.metrics.k8s.io "n2" not found'),
        ("namespaces/default/pods/none", 'pods "default/none" not found'),
        ("namespaces/default/pods/young", 'podmetrics.metrics.k8s.io "default/young" not found'),
    ],
)
async def test_nothing_to_tell_of(metrics_world: World, path: str, message: str) -> None:
    await metrics_world.node("n1")
    await metrics_world.node("n2")
    await metrics_world.pod("young", "n1")
    del metrics_world.summaries["n2"]
    answer = await metrics_world.call("GET", f"{API}/{path}")
    assert (answer["code"], answer["message"]) == (404, message)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("POST", "nodes", 405), ("DELETE", "nodes/n1", 405), ("GET", "nodes?watch=true", 405),
     ("GET", "pods?fieldSelector=spec.nodeName=x", 400),
     ("GET", "nodes/n1/status", 404), ("GET", "namespaces/default/nodes", 404)],
)
async def test_what_is_refused(metrics_world: World, method: str, path: str, code: int) -> None:
    assert (await metrics_world.send(method, f"{API}/{path}")).status == code


@pytest.mark.parametrize(
    "told", [Response(500, b"no"), Response(200, b"{"), Response(200, b'{"pods":1}'), ConnectionResetError("gone")],
    ids=["an error", "no JSON", "another form", "a broken connection"],
)
async def test_a_kubelet_that_fails_costs_only_its_own_node(metrics_world: World, told: Any) -> None:
    await metrics_world.node("n1")
    await metrics_world.node("n2")
    metrics_world.summaries["n1"] = told
    assert names(await metrics_world.call("GET", f"{API}/nodes")) == ["n2"]


async def test_kubelets_are_asked_once_for_all_and_again_after_a_moment(metrics_world: World) -> None:
    await metrics_world.node("n1")
    await asyncio.gather(*(metrics_world.send("GET", f"{API}/nodes") for _ in range(5)))
    assert metrics_world.asked == ["n1"]
    await metrics_world.clock.advance(2.5)
    await metrics_world.send("GET", f"{API}/nodes")
    assert metrics_world.asked == ["n1", "n1"]


async def test_a_kubelet_that_does_not_answer_is_given_up(metrics_world: World) -> None:
    await metrics_world.node("n1")
    await metrics_world.node("n2")
    never = asyncio.Event()

    async def silent(request: Any) -> Response:
        await never.wait()
        raise AssertionError

    answering = metrics_world.connect
    summaries = metrics_world.server.virtuals["metrics.k8s.io", "nodes"]._summaries  # type: ignore[attr-defined]
    summaries._connect = lambda node: silent if node == "n1" else answering(node)
    asked = asyncio.ensure_future(metrics_world.call("GET", f"{API}/nodes"))
    await metrics_world.clock.advance(9)
    assert not asked.done()
    await metrics_world.clock.advance(2)
    assert names(await asked) == ["n2"]
