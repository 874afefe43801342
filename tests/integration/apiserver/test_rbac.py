"""Who may do what, and that nobody grants what they do not have; messages are upstream's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API

from wherry.apimachinery.http import UserInfo
from wherry.apiserver.authorization.policy import bootstrap_objects

GROUP = "rbac.authorization.k8s.io"
JANE = UserInfo("jane", ("devs", "system:authenticated"))


async def bind(api: API, role: str, *, namespace: str = "", user: str = "jane", kind: str = "ClusterRole") -> None:
    where, plural = (f"namespaces/{namespace}/", "rolebindings") if namespace else ("", "clusterrolebindings")
    body = {
        "metadata": {"generateName": "b-"}, "roleRef": {"apiGroup": GROUP, "kind": kind, "name": role},
        "subjects": [{"apiGroup": GROUP, "kind": "User", "name": user}],
    }
    await api.call("POST", f"/apis/{GROUP}/v1/{where}{plural}", body)


@pytest.fixture
async def cluster(api: API) -> API:
    """With the bootstrap policy and a namespace."""
    await api.namespace("kube-system")
    for obj in bootstrap_objects():
        where = f"namespaces/{obj['metadata']['namespace']}/" if "namespace" in obj["metadata"] else ""
        await api.call("POST", f"/apis/{GROUP}/v1/{where}{obj['kind'].lower()}s", obj)
    await api.namespace("n")
    return api


async def denied(api: API, method: str, path: str, body: Any = None, user: UserInfo = JANE) -> str:
    response = await api.send(method, path, body, user=user)
    assert response.status == 403, response.body
    status = json.loads(response.body)
    assert status["reason"] == "Forbidden"
    return str(status["message"])


@pytest.mark.parametrize(
    ("method", "path", "message"),
    [
        ("GET", "/api/v1/namespaces/n/pods", 'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "n"'),
        ("GET", "/api/v1/pods?watch=1", 'pods is forbidden: User "jane" cannot watch resource "pods" in API group "" at the cluster scope'),
        ("GET", "/api/v1/namespaces/n/pods/p",
         'pods "p" is forbidden: User "jane" cannot get resource "pods" in API group "" in the namespace "n"'),
        ("DELETE", "/apis/apps/v1/namespaces/n/deployments",
         'deployments.apps is forbidden: User "jane" cannot deletecollection resource "deployments" in API group "apps" in the namespace "n"'),
        ("GET", "/api/v1/namespaces/n/pods/p/log",
         'pods "p" is forbidden: User "jane" cannot get resource "pods/log" in API group "" in the namespace "n"'),
        ("GET", "/metrics", 'forbidden: User "jane" cannot get path "/metrics"'),
    ],
    ids=["list", "watch", "get", "deletecollection", "subresource", "path"],
)  # fmt: skip
async def test_without_a_role(cluster: API, method: str, path: str, message: str) -> None:
    assert await denied(cluster, method, path) == message


async def test_a_role_in_one_namespace(cluster: API) -> None:
    await cluster.namespace("other")
    await bind(cluster, "view", namespace="n")
    assert (await cluster.send("GET", "/api/v1/namespaces/n/pods", user=JANE)).status == 200
    await denied(cluster, "GET", "/api/v1/namespaces/other/pods")
    await denied(cluster, "GET", "/api/v1/namespaces/n/secrets")
    await denied(cluster, "POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "c"}})


async def test_a_group(cluster: API) -> None:
    body = {
        "metadata": {"name": "devs"}, "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": GROUP, "kind": "Group", "name": "devs"}],
    }
    await cluster.call("POST", f"/apis/{GROUP}/v1/namespaces/n/rolebindings", body)
    made = await cluster.send("POST", "/api/v1/namespaces/n/configmaps", {"metadata": {"name": "c"}}, user=JANE)
    assert made.status == 201
    await cluster.call("DELETE", f"/apis/{GROUP}/v1/namespaces/n/rolebindings/devs")
    await denied(cluster, "GET", "/api/v1/namespaces/n/configmaps/c")


async def test_a_role_for_named_objects(cluster: API) -> None:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": ["get"]}]
    await cluster.call("POST", f"/apis/{GROUP}/v1/namespaces/n/roles", {"metadata": {"name": "r"}, "rules": rules})
    await bind(cluster, "r", namespace="n", kind="Role")
    assert (await cluster.send("GET", "/api/v1/namespaces/n/configmaps/mine", user=JANE)).status == 404
    await denied(cluster, "GET", "/api/v1/namespaces/n/configmaps/other")
    rules[0].pop("resourceNames")
    role = await cluster.call("GET", f"/apis/{GROUP}/v1/namespaces/n/roles/r")
    await cluster.call("PUT", f"/apis/{GROUP}/v1/namespaces/n/roles/r", {**role, "rules": rules})
    assert (await cluster.send("GET", "/api/v1/namespaces/n/configmaps/other", user=JANE)).status == 404


async def test_what_is_remembered_of_one_name_is_not_said_of_another(cluster: API) -> None:
    named = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["mine"], "verbs": ["get"]}
    every = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["delete"]}
    await cluster.call("POST", f"/apis/{GROUP}/v1/namespaces/n/roles", {"metadata": {"name": "r"}, "rules": [named, every]})
    await bind(cluster, "r", namespace="n", kind="Role")
    for _ in range(2):
        await denied(cluster, "GET", "/api/v1/namespaces/n/configmaps/other")
        assert (await cluster.send("GET", "/api/v1/namespaces/n/configmaps/mine", user=JANE)).status == 404
        assert (await cluster.send("DELETE", "/api/v1/namespaces/n/configmaps/other", user=JANE)).status == 404
        await denied(cluster, "GET", "/api/v1/namespaces/n/secrets/mine")


# --- escalation ------------------------------------------------------------------------------------

HELD = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": [GROUP], "resources": ["roles", "rolebindings"], "verbs": ["create", "update", "get"]},
]


@pytest.fixture
async def janes(cluster: API) -> API:
    """Jane may write roles and bindings, and read Pods."""
    await cluster.call("POST", f"/apis/{GROUP}/v1/namespaces/n/roles", {"metadata": {"name": "janes"}, "rules": HELD})
    await bind(cluster, "janes", namespace="n", kind="Role")
    return cluster


def role(*rules: dict[str, list[str]], name: str = "new") -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


async def test_a_role_with_what_one_has(janes: API) -> None:
    made = await janes.send("POST", f"/apis/{GROUP}/v1/namespaces/n/roles", role(HELD[0]), user=JANE)
    assert made.status == 201


async def test_a_role_with_more(janes: API) -> None:
    wanted = role({"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "delete"]})
    message = await denied(janes, "POST", f"/apis/{GROUP}/v1/namespaces/n/roles", wanted)
    assert message == (
        'roles.rbac.authorization.k8s.io "new" is forbidden: user "jane" (groups=["devs" "system:authenticated"])'
        " is attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}'
    )


async def test_a_role_grown_by_an_update(janes: API) -> None:
    path = f"/apis/{GROUP}/v1/namespaces/n/roles"
    await janes.call("POST", path, role(HELD[0]))
    grown = role(HELD[0], {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]})
    assert "not currently held" in await denied(janes, "PUT", f"{path}/new", grown)
    labelled = {**role(HELD[0]), "metadata": {"name": "new", "labels": {"a": "b"}}}
    assert (await janes.send("PUT", f"{path}/new", labelled, user=JANE)).status == 200


async def test_a_binding_of_a_stronger_role(janes: API) -> None:
    body = {"metadata": {"name": "up"}, "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "cluster-admin"}}
    message = await denied(janes, "POST", f"/apis/{GROUP}/v1/namespaces/n/rolebindings", body)
    assert message.startswith('rolebindings.rbac.authorization.k8s.io "up" is forbidden: user "jane"')
    assert message.endswith('{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}')


async def test_a_binding_that_may_be_made(janes: API) -> None:
    rules = [{"apiGroups": [GROUP], "resources": ["clusterroles"], "resourceNames": ["edit"], "verbs": ["bind"]}]
    await janes.call("POST", f"/apis/{GROUP}/v1/namespaces/n/roles", {"metadata": {"name": "binder"}, "rules": rules})
    await bind(janes, "binder", namespace="n", kind="Role")
    body = {"metadata": {"name": "up"}, "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": "edit"}}
    assert (await janes.send("POST", f"/apis/{GROUP}/v1/namespaces/n/rolebindings", body, user=JANE)).status == 201


async def test_a_binding_of_a_role_that_is_not_there(janes: API) -> None:
    body = {"metadata": {"name": "up"}, "roleRef": {"apiGroup": GROUP, "kind": "Role", "name": "nosuch"}}
    response = await janes.send("POST", f"/apis/{GROUP}/v1/namespaces/n/rolebindings", body, user=JANE)
    assert response.status == 404
    assert json.loads(response.body)["message"] == 'roles.rbac.authorization.k8s.io "nosuch" not found'


@pytest.mark.parametrize(("plural", "name", "allowed"), [
    ("persistentvolumeclaims", "used", True), ("persistentvolumeclaims", "p-own", True), ("persistentvolumeclaims", "other", False),
    ("persistentvolumes", "used", True), ("persistentvolumes", "other", False), ("persistentvolumes", "none", False),
])
async def test_a_node_reads_only_the_volumes_of_its_pods(cluster: API, plural: str, name: str, allowed: bool) -> None:
    size = {"storage": "1Gi"}
    for claimed in ("used", "other", "p-own"):
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": size}}
        await cluster.call("POST", "/api/v1/namespaces/n/persistentvolumeclaims", {"metadata": {"name": claimed}, "spec": spec})
        ref = {"namespace": "n", "name": claimed}
        volume = {"accessModes": ["ReadWriteOnce"], "capacity": size, "hostPath": {"path": "/x"}, "claimRef": ref}
        await cluster.call("POST", "/api/v1/persistentvolumes", {"metadata": {"name": claimed}, "spec": volume})
    own = {"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "used"}}, own]
    containers = [{"name": "c", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]
    await cluster.call("POST", "/api/v1/namespaces/n/pods", {
        "metadata": {"name": "p"}, "spec": {"nodeName": "n1", "containers": containers, "volumes": volumes},
    })
    where = "/api/v1/namespaces/n" if plural == "persistentvolumeclaims" else "/api/v1"
    node = UserInfo("system:node:n1", ("system:nodes", "system:authenticated"))
    response = await cluster.send("GET", f"{where}/{plural}/{name}", user=node)
    assert response.status == (200 if allowed else 403), response.body
