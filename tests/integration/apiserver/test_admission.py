"""Admission: quotas, limits, nodes, storage; messages are upstream's."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest
from api_harness import API, serve

from wherry.api.strategy.pod.defaults import default_pod
from wherry.apimachinery.http import UserInfo
from wherry.util.clock import RealClock

PODS, QUOTAS, CONFIG_MAPS = (f"/api/v1/namespaces/n/{plural}" for plural in ("pods", "resourcequotas", "configmaps"))
NODE = UserInfo("system:node:n1", ("system:nodes", "system:authenticated"))


@pytest.fixture
async def api(api: API) -> API:
    await api.namespace("n")
    return api


def pod(name: str, cpu: str = "", **spec: Any) -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}} if cpu else {}
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i", "resources": resources}], **spec}}


async def quota(api: API, hard: dict[str, str], **spec: Any) -> None:
    await api.call("POST", QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}})


async def used(api: API) -> dict[str, str]:
    status = (await api.call("GET", f"{QUOTAS}/q"))["status"]
    return dict(status.get("used", {}))


async def refused(api: API, path: str, body: dict[str, Any]) -> str:
    response = await api.send("POST", path, body)
    assert response.status == 403, response.body
    return str(json.loads(response.body)["message"])


async def test_quota_counts_objects(api: API) -> None:
    await quota(api, {"count/configmaps": "2", "count/deployments.apps": "0"})
    for name in ("a", "b"):
        await api.call("POST", CONFIG_MAPS, {"metadata": {"name": name}})
    assert await refused(api, CONFIG_MAPS, {"metadata": {"name": "c"}}) == (
        'configmaps "c" is forbidden: exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=2,'
        " limited: count/configmaps=2"
    )
    assert await used(api) == {"count/configmaps": "2", "count/deployments.apps": "0"}
    await api.call("DELETE", f"{CONFIG_MAPS}/a")
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})


async def test_quota_sums_requests_and_limits(api: API) -> None:
    await quota(api, {"requests.cpu": "1", "limits.cpu": "2", "pods": "10"})
    await api.call("POST", PODS, pod("p", "600m"))
    assert await refused(api, PODS, pod("q", "500m")) == (
        'pods "q" is forbidden: exceeded quota: q, requested: requests.cpu=500m, used: requests.cpu=600m, limited: requests.cpu=1'
    )
    assert await used(api) == {"limits.cpu": "600m", "pods": "1", "requests.cpu": "600m"}


async def test_several_quotas_are_asked_before_any_is_charged(api: API) -> None:
    for name, hard in (("q", {"pods": "1"}), ("r", {"requests.cpu": "1"})):
        await api.call("POST", QUOTAS, {"metadata": {"name": name}, "spec": {"hard": hard}})
    assert "exceeded quota: r, requested: requests.cpu=2, used: requests.cpu=0" in await refused(api, PODS, pod("p", "2"))
    assert await used(api) == {}, "nobody waits for room that nobody took"
    await api.call("POST", PODS, pod("p", "500m"))
    assert await used(api) == {"pods": "1"}
    message = await refused(api, PODS, pod("b"))
    assert message == 'pods "b" is forbidden: failed quota: r: must specify requests.cpu for: c', "told before that q has no room"


async def test_quota_of_a_scope_selector(api: API) -> None:
    def selector(*names: str) -> dict[str, Any]:
        return {"matchExpressions": [{"scopeName": name, "operator": "Exists"} for name in names]}

    path = "spec.scopeSelector.matchExpressions: Invalid value"
    for hard, names, why in (
        ({"services": "1"}, ("BestEffort",),
         f'{path}: {{"MatchExpressions":[{{"ScopeName":"BestEffort","Operator":"Exists","Values":null}}]}}: unsupported scope applied to resource'),
        ({"hugepages-2Mi": "1"}, ("Terminating",), "unsupported scope applied to resource"),
        ({"pods": "1"}, ("Terminating", "NotTerminating"), f"{path}: null: conflicting scopes"),
    ):
        response = await api.send("POST", QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": hard, "scopeSelector": selector(*names)}})
        assert response.status == 422
        assert why in json.loads(response.body)["message"]


async def test_quota_wants_to_know(api: API) -> None:
    await quota(api, {"requests.cpu": "1", "memory": "1Gi"})
    message = await refused(api, PODS, pod("p"))
    assert message == 'pods "p" is forbidden: failed quota: q: must specify memory for: c; requests.cpu for: c'


@pytest.mark.parametrize(
    ("scopes", "inside", "outside"),
    [
        (["BestEffort"], pod("p"), pod("p", "1")),
        (["NotBestEffort"], pod("p", "1"), pod("p")),
        (["Terminating"], pod("p", activeDeadlineSeconds=5), pod("p")),
        (["NotTerminating"], pod("p"), pod("p", activeDeadlineSeconds=5)),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
async def test_quota_scopes(api: API, scopes: list[str], inside: dict[str, Any], outside: dict[str, Any]) -> None:
    await quota(api, {"pods": "0"}, scopes=scopes)
    assert "exceeded quota: q, requested: pods=1" in await refused(api, PODS, inside)
    await api.call("POST", PODS, outside)


async def test_quota_under_many_writers(api: API) -> None:
    await quota(api, {"count/configmaps": "5"})
    made = await asyncio.gather(*(api.send("POST", CONFIG_MAPS, {"metadata": {"name": f"c{i}"}}) for i in range(16)))
    assert sorted(response.status for response in made) == [201] * 5 + [403] * 11
    assert await used(api) == {"count/configmaps": "5"}


async def test_a_dry_run_uses_nothing(api: API) -> None:
    await quota(api, {"count/configmaps": "1"})
    for _ in range(2):
        await api.call("POST", f"{CONFIG_MAPS}?dryRun=All", {"metadata": {"name": "c"}})
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})


async def test_what_is_added_to_a_pod_needs_no_more_defaults(api: API) -> None:
    limits = {"limits": [{"type": "Container", "default": {"cpu": "500m"}, "max": {"memory": "1Gi"}}]}
    await api.call("POST", "/api/v1/namespaces/n/limitranges", {"metadata": {"name": "l"}, "spec": limits})
    runtime_class = {
        "metadata": {"name": "r"}, "handler": "h", "overhead": {"podFixed": {"cpu": "10m"}},
        "scheduling": {"nodeSelector": {"a": "b"}, "tolerations": [{"key": "k", "operator": "Exists"}]},
    }
    await api.call("POST", "/apis/node.k8s.io/v1/runtimeclasses", runtime_class)
    made = await api.call("POST", PODS, pod("p", runtimeClassName="r"))
    (container,) = made["spec"]["containers"]
    assert container["resources"] == {"limits": {"cpu": "500m", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}}
    assert made["spec"]["volumes"][0]["projected"]["defaultMode"] == 0o644
    assert made["spec"]["overhead"] == {"cpu": "10m"}
    assert {"key": "k", "operator": "Exists"} in made["spec"]["tolerations"]
    again = copy.deepcopy(made)
    default_pod(again)
    assert again == made


async def test_there_is_one_default_priority_class(api: API) -> None:
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    await api.call("POST", path, {"metadata": {"name": "one"}, "value": 1, "globalDefault": True})
    words = await refused(api, path, {"metadata": {"name": "two"}, "value": 2, "globalDefault": True})
    assert words == (
        'priorityclasses.scheduling.k8s.io "two" is forbidden: PriorityClass one is already marked as default. Only one default can exist'
    )
    made = await api.call("POST", path, {"metadata": {"name": "two"}, "value": 2})
    response = await api.send("PUT", f"{path}/two", {**made, "globalDefault": True})
    assert response.status == 403
    assert (await api.call("POST", PODS, pod("p")))["spec"]["priorityClassName"] == "one"
    await api.call("POST", path, {"metadata": {"name": "system-node-critical"}, "value": 2_000_001_000})
    response = await api.send("DELETE", f"{path}/system-node-critical")
    assert (response.status, b"this is a system priority class and cannot be deleted" in response.body) == (403, True)


async def test_a_new_node_is_not_ready(api: API) -> None:
    node = await api.call("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


@pytest.mark.parametrize(
    ("method", "path", "body", "why"),
    [
        ("PATCH", "/api/v1/nodes/n1", {"spec": {"taints": None}}, 'node "n1" is not allowed to modify taints'),
        ("PATCH", "/api/v1/nodes/n1", {"metadata": {"labels": {"node-restriction.kubernetes.io/x": "y"}}},
         "is not allowed to modify labels: node-restriction.kubernetes.io/x"),
        ("PATCH", "/api/v1/nodes/n2", {"metadata": {"labels": {"a": "b"}}}, "node 'n1' is not allowed to modify node 'n2'"),
        ("PATCH", "/api/v1/namespaces/n/pods/p/status", {"status": {"phase": "Failed"}},
         'node "n1" can only update status for pods with spec.nodeName set to itself'),
        ("POST", PODS, pod("mine", nodeName="n1"), 'pod does not have "kubernetes.io/config.mirror" annotation'),
    ],
    ids=["taints", "labels", "another node", "another's Pod", "a Pod of its own"],
)  # fmt: skip
async def test_a_node_is_restricted(api: API, method: str, path: str, body: dict[str, Any], why: str) -> None:
    for name in ("n1", "n2"):
        await api.call("POST", "/api/v1/nodes", {"metadata": {"name": name}})
    await api.call("POST", PODS, pod("p", nodeName="n2"))
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    response = await api.send(method, path, body, user=NODE, content_type=media)
    assert response.status == 403
    assert why in json.loads(response.body)["message"]


async def test_a_node_labels_itself(api: API) -> None:
    await api.call("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}})
    body = {"metadata": {"labels": {"kubernetes.io/hostname": "n1", "mine": "yes"}}}
    response = await api.send("PATCH", "/api/v1/nodes/n1", body, user=NODE, content_type="application/merge-patch+json")
    assert response.status == 200


async def test_a_claim_gets_the_default_class() -> None:
    async with serve(RealClock(), disabled_admission=()) as api:
        await api.namespace("n")
        annotations = {"storageclass.kubernetes.io/is-default-class": "true"}
        body: dict[str, Any] = {"metadata": {"name": "fast", "annotations": annotations}, "provisioner": "x"}
        await api.call("POST", "/apis/storage.k8s.io/v1/storageclasses", body)
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        claim = await api.call("POST", "/api/v1/namespaces/n/persistentvolumeclaims", {"metadata": {"name": "c"}, "spec": spec})
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
