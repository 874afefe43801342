"""pods/binding, and what a Pod takes over from its node."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API

PODS = "/api/v1/namespaces/n/pods"
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"


def pod(name: str, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {}}, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


async def bind(api: API, name: str, node: str) -> dict[str, Any]:
    await api.call("POST", f"{PODS}/{name}/binding", {"metadata": {"name": name}, "target": {"kind": "Node", "name": node}})
    return await api.call("GET", f"{PODS}/{name}")


async def test_a_bound_pod_is_nominated_no_more(api: API) -> None:
    await api.namespace("n")
    await api.call("POST", PODS, pod("p"))
    merge = "application/merge-patch+json"
    named = await api.call("PATCH", f"{PODS}/p/status", {"status": {"nominatedNodeName": "elsewhere"}}, content_type=merge)
    assert named["status"]["nominatedNodeName"] == "elsewhere"
    bound = await bind(api, "p", "n1")
    assert bound["spec"]["nodeName"] == "n1"
    assert "nominatedNodeName" not in bound["status"]
    (scheduled,) = bound["status"]["conditions"]
    assert (scheduled["type"], scheduled["status"], scheduled["lastProbeTime"]) == ("PodScheduled", "True", None)
    assert "observedGeneration" not in scheduled, "the kubelet tells it"


async def test_nobody_owns_what_a_binding_sets(api: API) -> None:
    await api.namespace("n")
    await api.call("POST", "/api/v1/nodes", {"metadata": {"name": "n1", "labels": {ZONE: "a"}}})
    made = await api.call("POST", PODS, pod("p"), user_agent="creator/1")
    bound = await bind(api, "p", "n1")
    assert bound["metadata"]["labels"] == {ZONE: "a"}
    assert bound["metadata"]["managedFields"] == made["metadata"]["managedFields"]
    assert [entry["manager"] for entry in bound["metadata"]["managedFields"]] == ["creator"]


@pytest.mark.parametrize(
    ("node_labels", "expected"),
    [({ZONE: "a", REGION: "r", "x": "y"}, {"app": "p", ZONE: "a", REGION: "r"}), ({ZONE: "a"}, {"app": "p", ZONE: "a"}), ({"x": "y"}, {"app": "p"})],
    ids=["zone-and-region", "zone", "neither"],
)
@pytest.mark.parametrize("how", ["bound", "created"])
async def test_a_pod_bears_its_nodes_topology(api: API, node_labels: dict[str, str], expected: dict[str, str], how: str) -> None:
    await api.namespace("n")
    await api.call("POST", "/api/v1/nodes", {"metadata": {"name": "n1", "labels": node_labels}})
    if how == "bound":
        await api.call("POST", PODS, pod("p", {"app": "p", ZONE: "wrong"} if ZONE in node_labels else {"app": "p"}))
        made = await bind(api, "p", "n1")
    else:
        made = await api.call("POST", PODS, pod("p", {"app": "p"}, nodeName="n1"))
    assert made["metadata"]["labels"] == expected


async def test_a_scheduling_group_is_dropped_while_the_feature_is_off(api: API) -> None:
    await api.namespace("n")
    made = await api.call("POST", PODS, pod("p", schedulingGroup={"podGroupName": "g"}))
    assert "schedulingGroup" not in made["spec"]


@pytest.mark.parametrize("meta", [{"name": "other"}, {}], ids=["another", "none"])
async def test_a_binding_names_its_pod(api: API, meta: dict[str, str]) -> None:
    await api.namespace("n")
    await api.call("POST", PODS, pod("p"))
    refused = await api.send("POST", f"{PODS}/p/binding", {"metadata": meta, "target": {"name": "n1"}})
    assert refused.status == 400
    assert json.loads(refused.body)["message"] == "name in URL does not match name in Binding object"
