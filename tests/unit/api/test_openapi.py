"""OpenAPI v2 and v3: what kubectl reads in them, and that both forms of v2 say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from wherry.api.openapi import OpenAPI, prose
from wherry.api.openapi.prose import Library
from wherry.api.registry import RESOURCES
from wherry.api.resource import Resource, Subresource, Version

POD = "io.k8s.api.core.v1.Pod"
WIDGET = {
    "type": "object",
    "description": "A widget.",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {"size": {"type": "integer", "minimum": 1}, "port": {"anyOf": [{"type": "integer"}]}},
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"a": {"type": "string"}}},
    },
    "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Widget", "version": "v1"}],
}
WIDGETS = Resource(
    "widgets",
    "Widget",
    "example.com",
    (Version("v1", "com.example.v1.Widget"),),
    subresources=(Subresource("status", "Widget"),),
)


@pytest.fixture(scope="module")
def documents() -> OpenAPI:
    return OpenAPI(RESOURCES)


@pytest.fixture(scope="module")
def v2(documents: OpenAPI) -> Any:
    return json.loads(documents.v2_json()[0])


@pytest.fixture(scope="module")
def core(documents: OpenAPI) -> Any:
    found = documents.v3("api/v1")
    assert found is not None
    return json.loads(found[0])


def refs(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rsplit("/", 1)[1]
        for member in value.values():
            yield from refs(member)
    elif isinstance(value, list):
        for member in value:
            yield from refs(member)


class Message:
    """A protobuf message taken apart: field number -> values, in order."""

    def __init__(self, data: bytes) -> None:
        self.fields: dict[int, list[Any]] = {}
        at = 0
        while at < len(data):
            tag, at = self._varint(data, at)
            if tag & 7 == 2:
                size, at = self._varint(data, at)
                assert at + size <= len(data)
                value: Any = data[at : at + size]
                at += size
            elif tag & 7 == 1:
                value, at = data[at : at + 8], at + 8
            else:
                assert tag & 7 == 0
                value, at = self._varint(data, at)
            self.fields.setdefault(tag >> 3, []).append(value)

    @staticmethod
    def _varint(data: bytes, at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = data[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at

    def text(self, field: int) -> str:
        return bytes(self.fields[field][0]).decode() if field in self.fields else ""

    def messages(self, field: int) -> list[Message]:
        return [Message(value) for value in self.fields.get(field, [])]

    def named(self, field: int) -> dict[str, Message]:
        return {entry.text(1): entry.messages(2)[0] for entry in self.messages(field)}


@pytest.fixture(scope="module")
def proto(documents: OpenAPI) -> Message:
    return Message(documents.v2_proto()[0])


def test_every_group_version_has_a_document(documents: OpenAPI) -> None:
    index = json.loads(documents.v3_index())["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/batch/v1", "apis/events.k8s.io/v1"} <= index.keys()
    for place, entry in index.items():
        found = documents.v3(place)
        assert found is not None
        body, etag = found
        assert entry == {"serverRelativeURL": f"/openapi/v3/{place}?hash={etag}"}
        document = json.loads(body)
        assert set(refs(document)) <= document["components"]["schemas"].keys()
        assert all(path.startswith(f"/{place}/") for path in document["paths"])
    assert documents.v3("apis/no.such/v1") is None


def test_every_reference_of_v2_is_there(v2: Any) -> None:
    assert set(refs(v2)) <= v2["definitions"].keys()


def test_operations_have_names_of_their_own(v2: Any) -> None:
    names = [op["operationId"] for item in v2["paths"].values() for method, op in item.items() if method != "parameters"]
    assert len(names) == len(set(names))
    for name in (
        "listCoreV1NamespacedPod",
        "listCoreV1PodForAllNamespaces",
        "replaceAppsV1NamespacedDeploymentScale",
        "createRbacAuthorizationV1ClusterRole",
        "connectCoreV1GetNamespacedPodExec",
        "readCoreV1NamespacedPodLog",
    ):
        assert name in names


@pytest.mark.parametrize(
    "gvk",
    [("", "v1", "Pod"), ("apps", "v1", "Deployment"), ("batch", "v1", "CronJob"), ("", "v1", "Node")],
    ids=lambda gvk: gvk[2],
)
def test_kubectl_finds_what_patch_takes(v2: Any, documents: OpenAPI, gvk: tuple[str, str, str]) -> None:
    group, version, kind = gvk
    wanted = {"group": group, "version": version, "kind": kind}
    found = documents.v3(f"apis/{group}/{version}" if group else f"api/{version}")
    assert found is not None
    for document in (v2, json.loads(found[0])):
        patches = [item["patch"] for item in document["paths"].values() if "patch" in item]
        mine = [patch for patch in patches if patch["x-kubernetes-group-version-kind"] == wanted]
        assert mine
        for patch in mine:
            assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {p["name"] for p in patch["parameters"]}


def test_namespaced_paths(core: Any) -> None:
    pods = core["paths"]["/api/v1/namespaces/{namespace}/pods"]
    assert [p["name"] for p in pods["parameters"]] == ["namespace", "pretty"]
    assert {m: pods[m]["x-kubernetes-action"] for m in ("get", "post", "delete")} == {
        "get": "list",
        "post": "post",
        "delete": "deletecollection",
    }
    pod = core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]
    assert {"get", "put", "patch", "delete", "parameters"} == pod.keys()
    assert pod["put"]["requestBody"]["content"]["*/*"]["schema"] == {"$ref": f"#/components/schemas/{POD}"}
    assert "application/apply-patch+yaml" in pod["patch"]["requestBody"]["content"]
    assert "/api/v1/pods" in core["paths"]
    assert "/api/v1/nodes" in core["paths"]
    assert "/api/v1/namespaces/{namespace}/nodes" not in core["paths"]
    binding = core["paths"]["/api/v1/namespaces/{namespace}/pods/{name}/binding"]["post"]
    assert binding["x-kubernetes-group-version-kind"]["kind"] == "Binding"


def test_marks_and_types(v2: Any, core: Any) -> None:
    schemas = core["components"]["schemas"]
    ports = schemas["io.k8s.api.core.v1.Container"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["containerPort", "protocol"]
    assert ports["x-kubernetes-patch-merge-key"] == "containerPort"
    assert schemas["io.k8s.api.core.v1.ContainerPort"]["properties"]["protocol"]["default"] == "TCP"
    assert schemas[POD]["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
    assert schemas[POD]["properties"]["spec"]["allOf"] == [{"$ref": "#/components/schemas/io.k8s.api.core.v1.PodSpec"}]
    assert v2["definitions"][POD]["properties"]["spec"]["$ref"] == "#/definitions/io.k8s.api.core.v1.PodSpec"
    assert schemas["io.k8s.api.core.v1.Secret"]["properties"]["data"]["additionalProperties"] == {
        "type": "string",
        "format": "byte",
    }
    quantity, intstr = "io.k8s.apimachinery.pkg.api.resource.Quantity", "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
    assert schemas[quantity]["oneOf"] == [{"type": "string"}, {"type": "number"}]
    assert v2["definitions"][quantity]["type"] == "string"
    assert (v2["definitions"][intstr]["type"], v2["definitions"][intstr]["format"]) == ("string", "int-or-string")
    kinds = {
        member["type"] for d in v2["definitions"].values() for member in d.get("properties", {}).values() if "type" in member
    }
    assert kinds == {"string", "integer", "number", "boolean", "array", "object"}


def test_old_versions_share_a_schema_and_are_explained_by_it(documents: OpenAPI) -> None:
    found = documents.v3("apis/batch/v1beta1")
    assert found is not None
    cron = json.loads(found[0])["components"]["schemas"]["io.k8s.api.batch.v1.CronJob"]
    assert {"group": "batch", "kind": "CronJob", "version": "v1beta1"} in cron["x-kubernetes-group-version-kind"]


def test_older_ones_have_their_own_and_are_explained_all_the_same(documents: OpenAPI) -> None:
    found = documents.v3("apis/extensions/v1beta1")
    assert found is not None
    schemas = json.loads(found[0])["components"]["schemas"]
    spec = schemas["io.k8s.api.extensions.v1beta1.DeploymentSpec"]
    assert spec["required"] == ["template"], "the template's labels are the selector"
    assert spec["properties"]["replicas"]["description"]
    gvks = schemas["io.k8s.api.extensions.v1beta1.Deployment"]["x-kubernetes-group-version-kind"]
    assert gvks == [{"group": "extensions", "kind": "Deployment", "version": "v1beta1"}]


def test_the_protobuf_says_what_the_json_says(proto: Message, v2: Any) -> None:
    assert proto.text(1) == "2.0"
    assert proto.messages(2)[0].text(1) == v2["info"]["title"]
    definitions = proto.messages(9)[0].named(1)
    assert definitions.keys() == v2["definitions"].keys()
    for name, message in definitions.items():
        said = v2["definitions"][name]
        assert message.text(4) == said.get("description", "")
        properties = message.messages(25)[0].named(1) if 25 in message.fields else {}
        assert properties.keys() == said.get("properties", {}).keys()
        assert [bytes(r).decode() for r in message.fields.get(19, [])] == said.get("required", [])
        for field, schema in properties.items():
            assert schema.text(1) == said["properties"][field].get("$ref", "")
        marks = {mark: json.loads(value.text(2)) for mark, value in message.named(31).items()}
        assert marks == {k: v for k, v in said.items() if k.startswith("x-")}
    paths = proto.messages(8)[0].named(2)
    assert paths.keys() == v2["paths"].keys()
    patch = paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"].messages(8)[0]
    parameters = [item.messages(1)[0] for item in patch.messages(8)]
    queries = [p.messages(2)[0].messages(3)[0].text(4) for p in parameters if 2 in p.fields]
    assert queries == ["dryRun", "fieldManager", "fieldValidation", "force"]
    assert json.loads(patch.named(13)["x-kubernetes-group-version-kind"].text(2)) == {
        "group": "apps",
        "kind": "Deployment",
        "version": "v1",
    }


def test_prose_is_unwrapped() -> None:
    said = Library().of("io.k8s.api.core.v1.PodSpec")
    assert said.text == "PodSpec is a description of a pod."
    assert said.fields["dnsPolicy"].startswith('Set DNS policy for the pod. Defaults to "ClusterFirst". Valid values are ')
    assert "\n" not in said.fields["automountServiceAccountToken"]
    assert Library().of("io.k8s.api.core.v1.NoSuchKind").text == ""


def test_without_the_prose_package_everything_else_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(prose, "distribution", missing)
    found = OpenAPI(RESOURCES).v3("apis/apps/v1")
    assert found is not None
    deployment = json.loads(found[0])["components"]["schemas"]["io.k8s.api.apps.v1.Deployment"]
    assert "description" not in deployment
    assert "spec" in deployment["properties"]


def test_hashes_follow_what_they_are_made_of(documents: OpenAPI) -> None:
    again = OpenAPI(RESOURCES)
    assert again.v3_index() == documents.v3_index()
    more = OpenAPI((*RESOURCES, WIDGETS), {"com.example.v1.Widget": WIDGET})
    other = OpenAPI((*RESOURCES, WIDGETS), {"com.example.v1.Widget": {**WIDGET, "description": "Another."}})
    assert more.v2_json()[1] != documents.v2_json()[1]
    assert more.v2_json()[1] != more.v2_proto()[1]
    widgets = [json.loads(o.v3_index())["paths"]["apis/example.com/v1"] for o in (more, other)]
    assert widgets[0] != widgets[1]
    kept = [json.loads(o.v3_index())["paths"]["apis/apps/v1"] for o in (more, documents)]
    assert kept[0] == kept[1]


def test_custom_resources() -> None:
    documents = OpenAPI((WIDGETS,), {"com.example.v1.Widget": WIDGET})
    found = documents.v3("apis/example.com/v1")
    assert found is not None
    schemas = json.loads(found[0])["components"]["schemas"]
    assert schemas["com.example.v1.Widget"] == WIDGET
    assert schemas["com.example.v1.WidgetList"]["x-kubernetes-group-version-kind"] == [
        {"group": "example.com", "kind": "WidgetList", "version": "v1"}
    ]
    old = json.loads(documents.v2_json()[0])["definitions"]["com.example.v1.Widget"]
    assert old["properties"]["spec"]["properties"] == {"size": {"type": "integer", "minimum": 1}, "port": {}}
    assert old["properties"]["free"] == {"x-kubernetes-preserve-unknown-fields": True}
    assert b"com.example.v1.WidgetList" in documents.v2_proto()[0]
