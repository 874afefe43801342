"""Writes: what is checked, kept, given out and given back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
CONFIG_MAPS, SERVICES, PODS = (f"/api/v1/namespaces/n/{plural}" for plural in ("configmaps", "services", "pods"))
LEASES = "/apis/coordination.k8s.io/v1/namespaces/n/leases"


@pytest.fixture
async def api(api: API) -> API:
    await api.namespace("n")
    return api


async def failure(api: API, method: str, path: str, body: Any, **headers: str) -> tuple[int, str]:
    response = await api.send(method, path, body, **headers)
    assert response.status >= 400, response.body
    return response.status, json.loads(response.body)["message"]


async def test_a_job_without_labels_has_its_templates(api: API) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}
    job = await api.call("POST", "/apis/batch/v1/namespaces/n/jobs", {"metadata": {"name": "j"}, "spec": {"template": template}})
    assert job["metadata"]["labels"]["job-name"] == "j"
    assert job["metadata"]["labels"] == job["spec"]["template"]["metadata"]["labels"]


# --- identity and revisions --------------------------------------------------------------------------


async def test_some_kinds_are_updated_by_revision_only(api: API) -> None:
    body = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me"}}
    made = await api.call("POST", LEASES, body)
    status, message = await failure(api, "PUT", f"{LEASES}/l", body)
    assert status == 422
    assert message == (
        'Lease.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update'
    )
    await api.call("PUT", f"{LEASES}/l", {**body, "metadata": {"name": "l", "resourceVersion": made["metadata"]["resourceVersion"]}})


@pytest.mark.parametrize("field", ["resourceVersion", "uid"])
async def test_an_apply_checks_what_it_is_about(api: API, field: str) -> None:
    made = await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", field: "1"}, "data": {"a": "b"}}
    status, _ = await failure(api, "PATCH", f"{CONFIG_MAPS}/c?fieldManager=m", body, content_type=APPLY)
    assert status == 409
    body["metadata"] = {"name": "c", field: made["metadata"][field]}
    await api.call("PATCH", f"{CONFIG_MAPS}/c?fieldManager=m", body, content_type=APPLY)


# --- the object and its status -----------------------------------------------------------------------


async def test_status_and_object_are_written_apart(api: API) -> None:
    path = "/apis/apps/v1/namespaces/n/deployments"
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"selector": {"matchLabels": {"a": "b"}}, "template": template}
    await api.call("POST", path, {"metadata": {"name": "d", "labels": {"l": "1"}}, "spec": spec, "status": {"replicas": 9}})
    body = {"metadata": {"labels": {"l": "2"}, "annotations": {"k": "v"}}, "spec": {"replicas": 5}, "status": {"replicas": 3}}
    written = await api.call("PATCH", f"{path}/d/status", body, content_type=MERGE, user_agent="controller/1")
    assert written["status"] == {"replicas": 3}
    assert (written["spec"]["replicas"], written["metadata"]["generation"]) == (1, 1)
    assert written["metadata"]["labels"] == {"l": "1"}, "as upstream: labels stay, annotations change"
    assert written["metadata"]["annotations"] == {"k": "v"}
    mine = next(e for e in written["metadata"]["managedFields"] if e.get("subresource") == "status")
    assert mine["fieldsV1"].keys() == {"f:metadata", "f:status"}
    assert "f:labels" not in mine["fieldsV1"]["f:metadata"]
    again = await api.call("PATCH", f"{path}/d", {"spec": {"replicas": 2}, "status": {"replicas": 7}}, content_type=MERGE)
    assert (again["status"], again["metadata"]["generation"]) == ({"replicas": 3}, 2)
    annotated = await api.call("PATCH", f"{path}/d", {"metadata": {"annotations": {"k": "w"}}}, content_type=MERGE)
    assert annotated["metadata"]["generation"] == 3, "a Deployment's generation counts changes of annotations"


# --- Services ----------------------------------------------------------------------------------------


def service(name: str, kind: str = "ClusterIP", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"type": kind, "ports": [{"port": 80}], **spec}}


async def change(api: API, name: str, **spec: Any) -> dict[str, Any]:
    patched = await api.call("PATCH", f"{SERVICES}/{name}", {"spec": spec}, content_type=MERGE)
    return dict(patched["spec"])


async def test_a_service_becomes_a_node_port_and_back(api: API) -> None:
    ip = (await api.call("POST", SERVICES, service("s")))["spec"]["clusterIP"]
    spec = await change(api, "s", type="NodePort")
    port = spec["ports"][0]["nodePort"]
    assert spec["clusterIP"] == ip
    assert 30000 <= port <= 32767
    assert "nodePort" not in (await change(api, "s", type="ClusterIP"))["ports"][0]
    taken = await api.call("POST", SERVICES, service("t", "NodePort", ports=[{"port": 80, "nodePort": port}]))
    assert taken["spec"]["ports"][0]["nodePort"] == port, "it was given back"


async def test_an_external_name_gives_its_address_back(api: API) -> None:
    ip = (await api.call("POST", SERVICES, service("s")))["spec"]["clusterIP"]
    assert "clusterIP" not in await change(api, "s", type="ExternalName", externalName="example.com")
    again = await api.call("POST", SERVICES, service("t", clusterIP=ip))
    assert again["spec"]["clusterIP"] == ip
    back = await change(api, "s", type="ClusterIP", externalName=None)
    assert back["clusterIP"] not in ("", ip)


async def test_a_deleted_service_gives_all_back(api: API) -> None:
    body = service("s", "NodePort", clusterIP="10.43.0.77", ports=[{"port": 80, "nodePort": 30777}])
    await api.call("POST", SERVICES, body)
    await api.call("DELETE", f"{SERVICES}/s")
    await api.call("POST", SERVICES, body)


async def test_a_refused_service_holds_nothing(api: API) -> None:
    bad = service("s", clusterIP="10.43.0.78", ports=[{"port": 0}])
    assert (await failure(api, "POST", SERVICES, bad))[0] == 422
    await api.call("POST", f"{SERVICES}?dryRun=All", service("s", clusterIP="10.43.0.78"))
    await api.call("POST", SERVICES, service("s", clusterIP="10.43.0.78"))


async def test_dns_answers_both_protocols_on_one_node_port(api: API) -> None:
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    made = await api.call("POST", SERVICES, service("s", "NodePort", ports=ports))
    assert len({port["nodePort"] for port in made["spec"]["ports"]}) == 1


async def test_a_load_balancer_with_local_traffic_has_a_health_check_port(api: API) -> None:
    made = await api.call("POST", SERVICES, service("s", "LoadBalancer", externalTrafficPolicy="Local"))
    assert 30000 <= made["spec"]["healthCheckNodePort"] <= 32767
    assert "healthCheckNodePort" not in await change(api, "s", type="ClusterIP")


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"ipFamilyPolicy": "RequireDualStack", "selector": {"a": "b"}}, "this cluster is not configured for dual-stack services"),
        ({"clusterIP": "10.43.0.0"}, "the provided network does not match the current range"),
        ({"clusterIP": "192.168.1.1"}, "the provided network does not match the current range"),
    ],
    ids=["two families", "the network's own address", "another network"],
)
async def test_addresses_that_cannot_be_had(api: API, spec: dict[str, Any], why: str) -> None:
    status, message = await failure(api, "POST", SERVICES, service("s", **spec))
    assert status == 422
    assert why in message


# --- deletion ----------------------------------------------------------------------------------------


async def test_a_bound_pod_waits_for_its_kubelet(api: API) -> None:
    spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]}
    await api.call("POST", PODS, {"metadata": {"name": "p"}, "spec": spec})
    gone = await api.call("DELETE", f"{PODS}/p")
    assert (gone["metadata"]["deletionGracePeriodSeconds"], gone["metadata"]["generation"]) == (30, 2)
    sooner = await api.call("DELETE", f"{PODS}/p?gracePeriodSeconds=5")
    assert sooner["metadata"]["deletionGracePeriodSeconds"] == 5
    later = await api.call("DELETE", f"{PODS}/p?gracePeriodSeconds=60")
    assert later["metadata"]["deletionGracePeriodSeconds"] == 5
    await api.call("DELETE", f"{PODS}/p?gracePeriodSeconds=0")
    assert (await api.send("GET", f"{PODS}/p")).status == 404


async def test_finalizers_hold_an_object(api: API) -> None:
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c", "finalizers": ["a.b/c"]}})
    marked = await api.call("DELETE", f"{CONFIG_MAPS}/c")
    assert marked["metadata"]["deletionTimestamp"]
    await api.call("PATCH", f"{CONFIG_MAPS}/c", {"metadata": {"finalizers": None}}, content_type=MERGE)
    assert (await api.send("GET", f"{CONFIG_MAPS}/c")).status == 404


@pytest.mark.parametrize("then", ["removed", "replaced", "written"])
async def test_a_delete_that_a_kubelet_is_quicker_with(api: API, monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    """Between the mark of a Pod that goes at once and its removal, somebody acts on the mark."""
    body = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    made = await api.call("POST", PODS, body)
    remove, calls = api.server.storage.delete, list[str]()

    async def overtaken(key: str, revision: int) -> Any:
        calls.append(key)
        if len(calls) > 1:
            return await remove(key, revision)
        if then == "written":
            await api.call("PATCH", f"{PODS}/p/status", {"status": {"message": "ended"}}, content_type=MERGE)
        else:
            await remove(key, revision)
        if then == "replaced":
            await api.call("POST", PODS, body)
        return await remove(key, revision)

    monkeypatch.setattr(api.server.storage, "delete", overtaken)
    gone = await api.call("DELETE", f"{PODS}/p", {"gracePeriodSeconds": 0})
    assert gone["metadata"]["uid"] == made["metadata"]["uid"]
    left = await api.send("GET", f"{PODS}/p")
    assert left.status == (200 if then == "replaced" else 404), "another one of its name is let be"


async def test_finalizers_of_a_namespace_are_written_by_revision(api: API) -> None:
    """Else the controller, taking its own away, would undo what somebody wrote while it looked."""
    read = await api.call("GET", "/api/v1/namespaces/n")
    both = {"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes", "example.com/f"]}}
    assert (await api.call("PUT", "/api/v1/namespaces/n/finalize", both))["spec"] == both["spec"]
    status, message = await failure(api, "PUT", "/api/v1/namespaces/n/finalize", {**read, "spec": {"finalizers": []}})
    assert (status, "the object has been modified" in message) == (409, True)
    assert (await api.call("GET", "/api/v1/namespaces/n"))["spec"] == both["spec"]


async def test_a_dry_run_changes_nothing(api: API) -> None:
    made = await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})
    patched = await api.call("PATCH", f"{CONFIG_MAPS}/c?dryRun=All", {"data": {"a": "b"}}, content_type=MERGE)
    assert patched["data"] == {"a": "b"}
    await api.call("DELETE", f"{CONFIG_MAPS}/c?dryRun=All")
    assert await api.call("GET", f"{CONFIG_MAPS}/c") == made
