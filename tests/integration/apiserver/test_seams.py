"""The seams of the API server: what a later kind, version or plugin may count on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from api_harness import API, serve

from wherry.api import schemas
from wherry.api.registry import RESOURCES, Registry
from wherry.api.resource import Object, Resource, Version
from wherry.apiserver.admission.interface import Attributes
from wherry.util.clock import RealClock

MERGE = "application/merge-patch+json"
CONFIG_MAPS = "/api/v1/namespaces/n/configmaps"


# --- a throw-away kind with two served versions ------------------------------------------------------


def _to_hub(obj: Object) -> Object:
    spec = dict(obj.get("spec") or {})
    return {**obj, "spec": {"size": spec["width"]} if "width" in spec else {}}


def _from_hub(obj: Object) -> Object:
    spec = obj.get("spec") or {}
    return {**obj, "spec": {"width": spec["size"]} if "size" in spec else {}}


def _schema(version: str, field: str) -> str:
    name = f"test.{version}.Boat"
    metadata = {"type": "@io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    schemas.add(f"{name}Spec", {"type": "object", "fields": {field: {"type": "integer", "format": "int32"}}})
    schemas.add(name, {
        "type": "object",
        "fields": {"kind": "string", "apiVersion": "string", "metadata": metadata["type"], "spec": f"@{name}Spec"},
        "gvk": [["boats.test", version, "Boat"]],
    })
    return name


BOAT = Resource(
    "boats", "Boat", "boats.test",
    (
        Version("v1beta2", _schema("v1beta2", "size")),
        Version("v1beta1", _schema("v1beta1", "width"), from_hub=_from_hub, to_hub=_to_hub),
    ),
    singular="boat",
)  # fmt: skip
OLD, NEW = "/apis/boats.test/v1beta1/namespaces/n/boats", "/apis/boats.test/v1beta2/namespaces/n/boats"


async def test_a_kind_with_two_versions_is_a_row_and_a_schema() -> None:
    async with serve(RealClock(), Registry([*RESOURCES, BOAT])) as api:
        await api.namespace("n")
        made = await api.call("POST", OLD, {"metadata": {"name": "b"}, "spec": {"width": 3}})
        assert (made["apiVersion"], made["spec"]) == ("boats.test/v1beta1", {"width": 3})
        shown = await api.call("GET", f"{NEW}/b")
        assert (shown["apiVersion"], shown["spec"]) == ("boats.test/v1beta2", {"size": 3})
        assert shown["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"], "one storage"
        patched = await api.call("PATCH", f"{NEW}/b", {"spec": {"size": 4}}, content_type=MERGE)
        assert patched["metadata"]["generation"] == 2
        listed = await api.call("GET", OLD)
        assert (listed["apiVersion"], [item["spec"] for item in listed["items"]]) == ("boats.test/v1beta1", [{"width": 4}])
        owners = {e["apiVersion"]: e["fieldsV1"]["f:spec"] for e in patched["metadata"]["managedFields"]}
        assert "f:size" in owners["boats.test/v1beta2"]
        assert "f:width" not in owners["boats.test/v1beta1"], "its owner lost the field under its old name"
        groups = await api.call("GET", "/apis")
        assert "boats.test" in [group["name"] for group in groups["groups"]]
        unknown = await api.send("POST", f"{OLD}?fieldValidation=Strict", {"metadata": {"name": "c"}, "spec": {"size": 1}})
        assert b'unknown field \\"spec.size\\"' in unknown.body


@pytest.mark.parametrize(
    ("one", "other", "body"),
    [
        ("/api/v1/namespaces/n/events", "/apis/events.k8s.io/v1/namespaces/n/events",
         {"involvedObject": {"kind": "Pod", "name": "p", "namespace": "n"}, "reason": "R", "message": "m", "type": "Normal"}),
        ("/apis/autoscaling/v2/namespaces/n/horizontalpodautoscalers", "/apis/autoscaling/v1/namespaces/n/horizontalpodautoscalers",
         {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}, "maxReplicas": 3}}),
    ],
    ids=["Event", "HorizontalPodAutoscaler"],
)  # fmt: skip
async def test_two_versions_of_one_storage(api: API, one: str, other: str, body: dict[str, Any]) -> None:
    await api.namespace("n")
    revision = (await api.call("GET", other))["metadata"]["resourceVersion"]
    response = await api.send("GET", f"{other}?watch=1&resourceVersion={revision}")
    made = await api.call("POST", one, {"metadata": {"name": "x"}, **body})
    seen = await api.call("GET", f"{other}/x")
    assert seen["apiVersion"] != made["apiVersion"]
    assert seen["metadata"]["uid"] == made["metadata"]["uid"]
    assert response.stream is not None
    event = json.loads(await anext(response.stream))
    assert event == {"type": "ADDED", "object": seen}
    await response.stream.aclose()  # type: ignore[attr-defined]
    await api.call("DELETE", f"{other}/x")
    assert (await api.send("GET", f"{one}/x")).status == 404


async def test_events_are_selected_by_the_names_of_their_version(api: API) -> None:
    await api.namespace("n")
    for name in ("p", "q"):
        involved = {"kind": "Pod", "name": name, "namespace": "n"}
        body = {"metadata": {"name": name}, "involvedObject": involved, "reason": "R", "type": "Normal"}
        await api.call("POST", "/api/v1/namespaces/n/events", body)
    old = await api.call("GET", "/api/v1/namespaces/n/events?fieldSelector=involvedObject.name%3Dp")
    new = await api.call("GET", "/apis/events.k8s.io/v1/namespaces/n/events?fieldSelector=regarding.name%3Dp")
    assert [e["metadata"]["name"] for e in old["items"]] == [e["metadata"]["name"] for e in new["items"]] == ["p"]
    wrong = await api.send("GET", "/apis/events.k8s.io/v1/namespaces/n/events?fieldSelector=involvedObject.name%3Dp")
    assert wrong.status == 400


# --- an admission plugin that awaits and writes the same object ---------------------------------------


class Meddler:
    """Stands for a webhook: it takes its time, and writes the object that it is asked about."""

    name = "Meddler"

    def __init__(self, api: API) -> None:
        self._api = api
        self.asked = 0

    def handles(self, attributes: Attributes) -> bool:
        return attributes.operation == "UPDATE" and attributes.is_for("", "configmaps") and attributes.user.name == "admin"

    async def admit(self, attributes: Attributes) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked == 1:
            other = replace(attributes.user, name="webhook")
            path = f"/api/v1/namespaces/{attributes.namespace}/configmaps/{attributes.name}"
            body = {"data": {"webhook": "was here"}}
            response = await self._api.send("PATCH", path, body, user=other, content_type=MERGE)
            assert response.status == 200
        assert attributes.obj is not None
        attributes.obj["metadata"].setdefault("annotations", {})["meddled"] = "yes"

    async def validate(self, attributes: Attributes) -> None:
        return None


async def test_a_plugin_that_awaits_and_writes_the_same_object(api: API) -> None:
    await api.namespace("n")
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})
    meddler = Meddler(api)
    api.server.chain.use([*api.server.chain.plugins, meddler])
    patched = await api.call("PATCH", f"{CONFIG_MAPS}/c", {"data": {"client": "too"}}, content_type=MERGE)
    assert meddler.asked == 2, "the write was tried again, upon what the plugin had written"
    assert patched["data"] == {"webhook": "was here", "client": "too"}
    assert patched["metadata"]["annotations"] == {"meddled": "yes"}
    owned = [e["fieldsV1"] for e in patched["metadata"]["managedFields"]]
    assert not any("f:annotations" in fields.get("f:metadata", {}) for fields in owned), "what admission sets has no owner"


async def test_a_put_of_the_revision_that_a_plugin_made_old_is_a_conflict(api: API) -> None:
    await api.namespace("n")
    made = await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})
    api.server.chain.use([*api.server.chain.plugins, Meddler(api)])
    assert (await api.send("PUT", f"{CONFIG_MAPS}/c", {**made, "data": {"a": "b"}})).status == 409


# --- pages, patches ----------------------------------------------------------------------------------


async def test_three_pages_under_writes_show_one_revision(api: API) -> None:
    await api.namespace("n")
    for index in range(9):
        await api.call("POST", CONFIG_MAPS, {"metadata": {"name": f"c{index}"}, "data": {"v": "old"}})
    pages, token = [], ""
    for number in range(3):
        page = await api.call("GET", f"{CONFIG_MAPS}?limit=3&continue={token}")
        pages.append(page)
        token = page["metadata"].get("continue", "")
        await api.call("POST", CONFIG_MAPS, {"metadata": {"name": f"c{number}-new"}})
        await api.call("DELETE", f"{CONFIG_MAPS}/c{8 - number}")
        await api.call("PATCH", f"{CONFIG_MAPS}/c5", {"data": {"v": str(number)}}, content_type=MERGE)
    items = [item for page in pages for item in page["items"]]
    assert [item["metadata"]["name"] for item in items] == [f"c{index}" for index in range(9)]
    assert {item["data"]["v"] for item in items} == {"old"}
    assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
    assert [page["metadata"].get("remainingItemCount") for page in pages] == [6, 3, None]
    assert token == ""


async def test_a_page_from_before_compaction_is_expired_and_says_how_to_go_on(api: API) -> None:
    await api.namespace("n")
    for index in range(4):
        await api.call("POST", CONFIG_MAPS, {"metadata": {"name": f"c{index}"}})
    token = (await api.call("GET", f"{CONFIG_MAPS}?limit=2"))["metadata"]["continue"]
    await api.call("DELETE", f"{CONFIG_MAPS}/c2")
    await api.server.storage.compact(api.server.storage.revision)
    response = await api.send("GET", f"{CONFIG_MAPS}?limit=2&continue={token}")
    status = json.loads(response.body)
    assert (response.status, status["reason"]) == (410, "Expired")
    rest = await api.call("GET", f"{CONFIG_MAPS}?limit=2&continue={status['metadata']['continue']}")
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c3"]


async def test_sixteen_writers_of_one_object_lose_nothing(api: API) -> None:
    await api.namespace("n")
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})

    async def writer(number: int) -> None:
        for turn in range(20):
            body = {"data": {f"{number}-{turn}": "x"}}
            await api.call("PATCH", f"{CONFIG_MAPS}/c", body, content_type=MERGE)

    await asyncio.gather(*(writer(number) for number in range(16)))
    found = await api.call("GET", f"{CONFIG_MAPS}/c")
    assert len(found["data"]) == 16 * 20


async def test_a_write_that_changes_nothing_is_none(api: API) -> None:
    await api.namespace("n")
    made = await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"a": "b"}})
    again = await api.call("PUT", f"{CONFIG_MAPS}/c", {"metadata": {"name": "c"}, "data": {"a": "b"}})
    assert again == made
