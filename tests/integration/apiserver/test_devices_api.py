"""Dynamic resource allocation over the API: what depends on namespaces, on time, and on who writes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import ADMIN, API

from wherry.apimachinery.http import UserInfo
from wherry.apiserver.authorization.policy import bootstrap_objects

RESOURCE, RBAC = "/apis/resource.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1"
CLAIMS = f"{RESOURCE}/namespaces/n/resourceclaims"
RESULT = {"request": "r", "driver": "dra.example.com", "pool": "p", "device": "d"}
ON_A = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}]}
ALLOCATION = {"devices": {"results": [RESULT]}, "nodeSelector": ON_A}
TOLD = {"driver": "dra.example.com", "pool": "p", "device": "d", "data": {"x": 1}}


def claim(name: str = "c", **exactly: Any) -> dict[str, Any]:
    request = {"name": "r", "exactly": {"deviceClassName": "gpu", **exactly}}
    return {"metadata": {"name": name}, "spec": {"devices": {"requests": [request]}}}


@pytest.fixture
async def cluster(api: API) -> API:
    await api.namespace("kube-system")
    for obj in bootstrap_objects():
        where = f"namespaces/{obj['metadata']['namespace']}/" if "namespace" in obj["metadata"] else ""
        await api.call("POST", f"{RBAC}/{where}{obj['kind'].lower()}s", obj)
    await api.namespace("n")
    return api


async def refused(api: API, method: str, path: str, body: Any, user: UserInfo = ADMIN, **headers: str) -> str:
    response = await api.send(method, path, body, user=user, **headers)
    assert response.status == 422, response.body
    return str(json.loads(response.body)["message"])


async def test_admin_access_is_for_marked_namespaces(cluster: API):
    told = await refused(cluster, "POST", CLAIMS, claim(adminAccess=True))
    assert told == (
        'ResourceClaim.resource.k8s.io "c" is invalid: spec.devices.requests[0].exactly.adminAccess: Forbidden: admin access to devices requires the '
        "`resource.kubernetes.io/admin-access: true` label on the containing namespace"
    )
    template = {"metadata": {"name": "t"}, "spec": {"spec": claim(adminAccess=True)["spec"]}}
    assert "spec.spec.devices.requests[0]" in await refused(cluster, "POST", CLAIMS.replace("claims", "claimtemplates"), template)
    await cluster.call("POST", CLAIMS, claim())
    status = {"status": {"allocation": {"devices": {"results": [{**RESULT, "adminAccess": True}]}}}}
    told = await refused(cluster, "PATCH", f"{CLAIMS}/c/status", status, content_type="application/merge-patch+json")
    assert "status.allocation.devices.results[0].adminAccess: Forbidden" in told
    label = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    await cluster.call("PATCH", "/api/v1/namespaces/n", label, content_type="application/merge-patch+json")
    await cluster.call("POST", CLAIMS, claim("d", adminAccess=True))


async def test_a_status_keeps_to_its_rules(cluster: API):
    made = await cluster.call("POST", CLAIMS, {**claim(), "status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}]}})
    assert "status" not in made
    assert made["spec"]["devices"]["requests"][0]["exactly"] == {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 1}
    patch: dict[str, str] = {"content_type": "application/merge-patch+json"}
    assert "field is immutable" in await refused(cluster, "PATCH", f"{CLAIMS}/c", {"spec": {"devices": {"requests": []}}}, **patch)
    body = {"metadata": {"labels": {"a": "b"}, "finalizers": ["x.example.com/y"]}, "status": {"allocation": ALLOCATION, "devices": [TOLD]}}
    written = await cluster.call("PATCH", f"{CLAIMS}/c/status", body, **patch)
    assert written["status"]["devices"] == [TOLD]
    assert not {"labels", "finalizers"} & set(written["metadata"])
    moved = {"status": {"allocation": {"devices": {"results": [{**RESULT, "device": "e"}]}}}}
    assert "status.allocation: Invalid value" in await refused(cluster, "PATCH", f"{CLAIMS}/c/status", moved, **patch)
    written = await cluster.call("PATCH", f"{CLAIMS}/c/status", {"status": {"allocation": None}}, **patch)
    assert not written.get("status")  # what a driver told of devices goes with them


async def test_who_may_write_which_part_of_a_status(cluster: API):
    rules = [
        ({"apiGroups": ["resource.k8s.io"], "resources": ["resourceclaims/status"], "verbs": ["patch"]}, ("local", "far", "plain")),
        ({"apiGroups": ["resource.k8s.io"], "resources": ["resourceclaims/driver"], "resourceNames": ["dra.example.com"], "verbs": ["associated-node:patch"]}, ("local",)),
        ({"apiGroups": ["resource.k8s.io"], "resources": ["resourceclaims/driver"], "resourceNames": ["dra.example.com"], "verbs": ["arbitrary-node:patch"]}, ("far",)),
    ]
    for i, (rule, users) in enumerate(rules):
        await cluster.call("POST", f"{RBAC}/clusterroles", {"metadata": {"name": f"r{i}"}, "rules": [rule]})
        body = {"metadata": {"name": f"r{i}"}, "roleRef": {"apiGroup": RBAC.split("/")[2], "kind": "ClusterRole", "name": f"r{i}"},
                "subjects": [{"apiGroup": RBAC.split("/")[2], "kind": "User", "name": user} for user in users]}
        await cluster.call("POST", f"{RBAC}/clusterrolebindings", body)
    await cluster.call("POST", CLAIMS, claim())
    path, merge = f"{CLAIMS}/c/status", "application/merge-patch+json"
    on = {node: UserInfo("local", ("system:authenticated",), "", {"authentication.kubernetes.io/node-name": (node,)}) for node in ("a", "b")}
    plain, far = UserInfo("plain", ("system:authenticated",)), UserInfo("far", ("system:authenticated",))
    allocate, tell = {"status": {"allocation": ALLOCATION}}, {"status": {"devices": [TOLD]}}
    assert 'status.allocation: Forbidden: changing it needs "patch" on resourceclaims/binding' in await refused(cluster, "PATCH", path, allocate, plain, content_type=merge)
    await cluster.call("PATCH", path, allocate, content_type=merge)
    for user in (plain, on["b"]):
        assert "status.devices: Forbidden" in await refused(cluster, "PATCH", path, tell, user, content_type=merge)
    for user in (on["a"], far):
        assert (await cluster.send("PATCH", path, tell, user=user, content_type=merge)).status == 200
        await cluster.call("PATCH", path, {"status": {"devices": None}}, content_type=merge)
    assert (await cluster.send("PATCH", path, tell, user=UserInfo("system:kube-scheduler", ("system:authenticated",)), content_type=merge)).status == 422
    reserve = {"status": {"reservedFor": [{"resource": "pods", "name": "p", "uid": "u"}]}}
    assert (await cluster.send("PATCH", path, reserve, user=UserInfo("system:kube-scheduler", ("system:authenticated",)), content_type=merge)).status == 200


async def test_taints_are_dated(cluster: API):
    pool = {"name": "p", "generation": 1, "resourceSliceCount": 1}
    device = {"name": "d", "taints": [{"key": "k", "effect": "NoSchedule"}]}
    body = {"metadata": {"name": "s"}, "spec": {"driver": "dra.example.com", "pool": pool, "nodeName": "a", "devices": [device]}}
    made = await cluster.call("POST", f"{RESOURCE}/resourceslices", body)
    [taint] = made["spec"]["devices"][0]["taints"]
    assert taint["timeAdded"] == made["metadata"]["creationTimestamp"]
    labelled = {"metadata": {"labels": {"a": "b"}}}
    again = await cluster.call("PATCH", f"{RESOURCE}/resourceslices/s", labelled, content_type="application/merge-patch+json")
    assert again["spec"] == made["spec"]
    assert again["metadata"]["generation"] == 1
    found = await cluster.call("GET", f"{RESOURCE}/resourceslices?fieldSelector=spec.driver=dra.example.com")
    assert len(found["items"]) == 1
