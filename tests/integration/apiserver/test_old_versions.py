"""Every API version that upstream dropped: taken, warned of, kept as the present one, and seen and changed as either."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from api_harness import ADMIN, API

from wherry.api.modernize import modernize
from wherry.api.registry import RESOURCES, by_path, full_name, group_of
from wherry.api.resource import Resource, Version
from wherry.apimachinery.http import Response
from wherry.client import Client, InProcessTransport
from wherry.client.discovery import once_each, preferred_resources

MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
SELECTED = {"selector": {"matchLabels": {"app": "web"}}, "template": TEMPLATE}
TARGET = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
NAME = "v1.g.io"  # an APIService's is its version and group
BACKEND = {"serviceName": "s", "servicePort": 80}
OLD_METRICS = [
    {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}},
    {"type": "Pods", "pods": {"metricName": "hits", "targetAverageValue": "7"}},
]

# Kind -> what a manifest of any of its old versions holds.
BODIES: dict[str, dict[str, Any]] = {
    "Deployment": {"spec": {"replicas": 2, **SELECTED}},
    "ReplicaSet": {"spec": SELECTED},
    "DaemonSet": {"spec": SELECTED},
    "StatefulSet": {"spec": {"serviceName": "s", **SELECTED}},
    "ControllerRevision": {"revision": 1, "data": {"a": 1}},
    "CronJob": {"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", **TEMPLATE["spec"]}}}}}},
    "HorizontalPodAutoscaler": {"spec": {"maxReplicas": 3, "scaleTargetRef": TARGET}},
    "PodDisruptionBudget": {"spec": {"minAvailable": 1, "selector": {}}},
    "Ingress": {"spec": {"backend": BACKEND, "rules": [{"host": "h.io", "http": {"paths": [{"path": "/", "backend": BACKEND}]}}]}},
    "IngressClass": {"spec": {"controller": "c.io/c"}},
    "NetworkPolicy": {"spec": {"podSelector": {}}},
    "Role": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "ClusterRole": {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
    "RoleBinding": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}},
    "ClusterRoleBinding": {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "r"}},
    "StorageClass": {"provisioner": "p.io/p"},
    "PriorityClass": {"value": 5},
    "APIService": {"spec": {"group": "g.io", "version": "v1", "groupPriorityMinimum": 1, "versionPriority": 1,
                            "insecureSkipTLSVerify": True, "service": {"name": "s", "namespace": "n"}}},
}


def path(resource: Resource, version: Version) -> str:
    return f"/apis/{group_of(resource, version)}/{version.name}{'/namespaces/n' if resource.namespaced else ''}/{resource.plural}"


def called(resource: Resource, version: Version) -> str:
    return f"{group_of(resource, version)}/{version.name}"


OLD = [(row, version) for row in RESOURCES for version in row.versions if not version.preferred]
each_old = pytest.mark.parametrize(("resource", "version"), OLD, ids=[f"{called(*each)} {each[0].kind}" for each in OLD])


def body(resource: Resource, version: Version) -> dict[str, Any]:
    more = BODIES[resource.kind]
    if version.name == "v2beta1":
        more = {"spec": {**more["spec"], "metrics": OLD_METRICS}}
    return {"apiVersion": called(resource, version), "kind": resource.kind, "metadata": {"name": NAME}, **more}


def owners(obj: dict[str, Any]) -> dict[str, str]:
    return {entry["manager"]: entry["apiVersion"] for entry in obj["metadata"]["managedFields"]}


@each_old
async def test_an_old_version_is_the_same_object(api: API, resource: Resource, version: Version) -> None:
    await api.namespace("n")
    old, new = path(resource, version), path(resource, resource.hub)
    revision = (await api.call("GET", new))["metadata"]["resourceVersion"]
    streams = [(await api.send("GET", f"{each}?watch=1&resourceVersion={revision}")).stream for each in (old, new)]
    response = await api.send("POST", f"{old}?fieldManager=writer&fieldValidation=Strict", body(resource, version))
    assert response.status == 201, response.body
    assert version.deprecation in warnings(response)
    made = json.loads(response.body)
    assert (made["apiVersion"], owners(made)) == (called(resource, version), {"writer": called(resource, version)})

    shown = await api.call("GET", f"{new}/{NAME}")
    assert (shown["apiVersion"], shown["metadata"]["uid"]) == (called(resource, resource.hub), made["metadata"]["uid"])
    assert await api.call("GET", f"{old}/{NAME}") == made
    for stream, wanted in zip(streams, (made, shown), strict=True):
        assert stream is not None
        assert json.loads(await anext(stream)) == {"type": "ADDED", "object": wanted}
        await stream.aclose()  # type: ignore[attr-defined]
    assert [item["metadata"]["uid"] for item in (await api.call("GET", old))["items"]] == [made["metadata"]["uid"]]


@each_old
async def test_what_was_read_can_be_written_back_and_changes_nothing(api: API, resource: Resource, version: Version) -> None:
    await api.namespace("n")
    old, new = path(resource, version), path(resource, resource.hub)
    made = await api.call("POST", f"{old}?fieldManager=writer", body(resource, version))
    for place in (old, new, old):
        read = await api.call("GET", f"{place}/{NAME}")
        written = await api.call("PUT", f"{place}/{NAME}?fieldManager=writer", read)
        spec = {name: value for name, value in read.items() if name != "metadata"}
        assert {name: value for name, value in written.items() if name != "metadata"} == spec
        assert written["metadata"].get("generation") == made["metadata"].get("generation")


@each_old
async def test_patches_and_applies_speak_the_old_version(api: API, resource: Resource, version: Version) -> None:
    await api.namespace("n")
    old, new = path(resource, version), path(resource, resource.hub)
    tried = await api.call("POST", f"{old}?dryRun=All", body(resource, version))
    await api.call("POST", f"{new}?fieldManager=writer", present(tried, resource, version))
    merged = await api.call("PATCH", f"{old}/{NAME}?fieldManager=merger", {"metadata": {"labels": {"a": "b"}}}, content_type=MERGE)
    patched = await api.call("PATCH", f"{old}/{NAME}?fieldManager=patcher", [
        {"op": "test", "path": "/apiVersion", "value": called(resource, version)},
        {"op": "add", "path": "/metadata/annotations", "value": {"c": "d"}},
    ], content_type=JSON_PATCH)
    assert merged["apiVersion"] == patched["apiVersion"] == called(resource, version)
    applied = await api.call("PATCH", f"{old}/{NAME}?fieldManager=applier&force=true", json.dumps(
        {**body(resource, version), "metadata": {"name": NAME, "labels": {"e": "f"}}}), content_type=APPLY)
    again = await api.call("PATCH", f"{old}/{NAME}?fieldManager=applier", json.dumps(
        {**body(resource, version), "metadata": {"name": NAME, "labels": {"e": "f"}}}), content_type=APPLY)
    assert again == applied, "applied again, nothing changes"
    assert {"a": "b", "e": "f"}.items() <= again["metadata"]["labels"].items()
    written_in = owners(again)
    assert {written_in[each] for each in ("merger", "patcher", "applier")} == {called(resource, version)}
    assert written_in.get("writer", called(resource, resource.hub)) == called(resource, resource.hub)
    assert (await api.call("GET", f"{new}/{NAME}"))["metadata"]["managedFields"] == again["metadata"]["managedFields"]


@each_old
async def test_a_modernized_manifest_makes_the_same_object(api: API, resource: Resource, version: Version) -> None:
    await api.namespace("n")
    old, new = path(resource, version), path(resource, resource.hub)
    manifest = body(resource, version)
    made = []
    for place, wanted in ((old, manifest), (new, modernize(manifest).obj)):
        await api.call("POST", place, wanted)
        shown = await api.call("GET", f"{new}/{NAME}")
        made.append({**shown, "metadata": {name: shown["metadata"].get(name) for name in ("name", "labels", "annotations", "generation")}})
        await api.call("DELETE", f"{new}/{NAME}")
    assert made[0] == made[1]


async def test_controllers_meet_each_object_once(api: API) -> None:
    found = await preferred_resources(Client(InProcessTransport(api.server.handle, ADMIN)))
    assert ("extensions", "Deployment") in {(each.group, each.kind) for each in found}, "an owner may be named so"
    rows = [by_path(each.group, each.version, each.plural) for each in once_each(found)]
    stored = Counter(full_name(row[0]) for row in rows if row is not None)
    assert {name for name, times in stored.items() if times > 1} == {"events"}
    assert len(stored) > 50


@pytest.mark.parametrize(("validation", "status"), [("Strict", 400), ("Warn", 422)])
async def test_a_refusal_comes_with_what_was_warned_of(api: API, validation: str, status: int) -> None:
    await api.namespace("n")
    misspelt = {"metadata": {"name": "x"}, "spec": {"schedule": "@daily", "jobTemplete": {}}}
    refused = await api.send("POST", f"/apis/batch/v1beta1/namespaces/n/cronjobs?fieldValidation={validation}", misspelt)
    told = warnings(refused)
    assert refused.status == status
    assert told[0] == "batch/v1beta1 CronJob is deprecated in v1.21+, unavailable in v1.25+; use batch/v1 CronJob"
    assert told[-1] == 'did you mean "spec.jobTemplate" instead of "spec.jobTemplete"?'
    assert told[1:-1] == ([] if validation == "Strict" else ['unknown field "spec.jobTemplete"'])


def present(obj: dict[str, Any], resource: Resource, version: Version) -> dict[str, Any]:
    """What an old client's object is in the present version."""
    new = version.to_hub(obj) if version.to_hub else obj
    metadata = {name: value for name, value in new["metadata"].items() if name in ("name", "labels", "annotations")}
    return {**new, "apiVersion": called(resource, resource.hub), "metadata": metadata}


def warnings(response: Response) -> list[str]:
    """The texts of its Warning headers: `299 - "text"`."""
    return [json.loads(value.removeprefix("299 - ")) for name, value in response.headers if name == "Warning"]
