"""Query parameters and option bodies: which go together, and in which words the others are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API

CONFIG_MAPS = "/api/v1/namespaces/n/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/n/deployments"
APPLY, MERGE, STRATEGIC = "application/apply-patch+yaml", "application/merge-patch+json", "application/strategic-merge-patch+json"


@pytest.fixture
async def api(api: API) -> API:
    await api.namespace("n")
    return api


async def refusal(api: API, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, str]:
    response = await api.send(method, path, body, **headers)
    assert response.status >= 400, response.body
    return response.status, json.loads(response.body)["message"]


# --- lists and watches -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("resourceVersionMatch=Exact", "resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("resourceVersionMatch=Exact&resourceVersion=0", 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'),
        ("sendInitialEvents=false", "sendInitialEvents is forbidden for list"),
        ("watch=1&resourceVersionMatch=NotOlderThan", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"),
        ("watch=1&sendInitialEvents=true", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"),
        (
            "watch=1&sendInitialEvents=true&resourceVersionMatch=Exact&resourceVersion=1",
            'resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"',
        ),
    ],
)
async def test_what_does_not_go_together(api: API, query: str, words: str) -> None:
    status, message = await refusal(api, "GET", f"{CONFIG_MAPS}?{query}")
    assert status == 422
    assert message.startswith('ListOptions.meta.k8s.io "" is invalid: ')
    assert words in message


@pytest.mark.parametrize(("text", "watched"), [("1", True), ("yes", True), ("", True), ("false", False), ("False", False), ("0", False)])
async def test_anything_but_false_is_true(api: API, text: str, watched: bool) -> None:
    response = await api.server.handle(api.request("GET", CONFIG_MAPS, [("watch", text)]))
    assert (response.stream is not None) is watched
    if response.stream is not None:
        await response.stream.aclose()  # type: ignore[union-attr]


async def test_a_watch_without_initial_events_begins_now(api: API) -> None:
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "before"}})
    response = await api.send("GET", f"{CONFIG_MAPS}?watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan")
    assert response.stream is not None
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "after"}})
    event = json.loads(await anext(response.stream))
    await response.stream.aclose()  # type: ignore[union-attr]
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "after")


# --- deletion ----------------------------------------------------------------------------------------


async def test_a_collection_goes_page_by_page(api: API) -> None:
    for index in range(5):
        await api.call("POST", CONFIG_MAPS, {"metadata": {"name": f"c{index}"}})
    gone = await api.call("DELETE", f"{CONFIG_MAPS}?limit=2")
    assert [each["metadata"]["name"] for each in gone["items"]] == ["c0", "c1"]
    assert gone["metadata"]["remainingItemCount"] == 3
    more = await api.call("DELETE", f"{CONFIG_MAPS}?limit=2&continue={gone['metadata']['continue']}")
    assert [each["metadata"]["name"] for each in more["items"]] == ["c2", "c3"]
    assert [each["metadata"]["name"] for each in (await api.call("GET", CONFIG_MAPS))["items"]] == ["c4"]


async def test_a_collection_keeps_to_preconditions(api: API) -> None:
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})
    assert (await refusal(api, "DELETE", CONFIG_MAPS, {"preconditions": {"uid": "another"}}))[0] == 409
    assert len((await api.call("GET", CONFIG_MAPS))["items"]) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "couldn't get version/kind; json parse error: unexpected end of JSON input"),
        ({"kind": "Pod", "apiVersion": "v1"}, 'Pod in version "v1" cannot be handled as a DeleteOptions'),
        ({"gracePeriodSeconds": "soon"}, "cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64"),
        ({"preconditions": "none"}, "cannot unmarshal string into Go struct field DeleteOptions.preconditions"),
    ],
)
async def test_options_that_are_none(api: API, body: Any, words: str) -> None:
    status, message = await refusal(api, "DELETE", f"{CONFIG_MAPS}/c", body)
    assert status == 400
    assert words in message


async def test_delete_options_of_any_group(api: API) -> None:
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})
    await api.call("DELETE", f"{CONFIG_MAPS}/c", {"kind": "DeleteOptions", "apiVersion": "apps/v1"})


# --- patches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media", "body", "words"),
    [
        ("application/json-patch+json", "{}", "error decoding patch: json: cannot unmarshal object into Go value of type []interface {}"),
        (MERGE, "[1]", "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"),
        (MERGE, "{", "error decoding patch: unexpected end of JSON input"),
        (STRATEGIC, '{"a" 1}', "invalid character '1' after object key"),
    ],
)
async def test_a_patch_that_is_none(api: API, media: str, body: str, words: str) -> None:
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})
    assert await refusal(api, "PATCH", f"{CONFIG_MAPS}/c", body, content_type=media) == (400, words)


@pytest.mark.parametrize("media", [MERGE, STRATEGIC])
async def test_keys_that_a_patch_has_twice(api: API, media: str) -> None:
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}})
    body = '{"data": {"a": "1", "a": "2"}, "bogus": 1}'
    status, message = await refusal(api, "PATCH", f"{CONFIG_MAPS}/c?fieldValidation=Strict", body, content_type=media)
    assert status == 422
    assert message.endswith('strict decoding error: duplicate field "data.a", unknown field "bogus"')
    warned = await api.send("PATCH", f"{CONFIG_MAPS}/c", body, content_type=media)
    told = [value for name, value in warned.headers if name == "Warning"]
    assert told == ['299 - "duplicate field \\"data.a\\""', '299 - "unknown field \\"bogus\\""']
    quiet = await api.send("PATCH", f"{CONFIG_MAPS}/c?fieldValidation=Ignore", body, content_type=media)
    assert (quiet.status, [name for name, _ in quiet.headers if name == "Warning"]) == (200, [])


# --- server-side apply -------------------------------------------------------------------------------


async def test_an_apply_of_an_object_that_is_gone(api: API) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "uid": "5"}}
    status, message = await refusal(api, "PATCH", f"{CONFIG_MAPS}/c?fieldManager=m", body, content_type=APPLY)
    assert status == 409
    assert "uid mismatch: the provided object specified uid 5, and no existing object was found" in message


async def test_an_apply_of_a_scale(api: API) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    body: dict[str, Any] = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}}
    body["spec"] = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    await api.call("PATCH", f"{DEPLOYMENTS}/d?fieldManager=owner", body, content_type=APPLY)
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "d"}, "spec": {"replicas": 4}}
    path = f"{DEPLOYMENTS}/d/scale?fieldManager=scaler"
    refused = await refusal(api, "PATCH", path, scale, content_type=APPLY)
    assert refused == (409, 'Apply failed with 1 conflict: conflict with "owner": .spec.replicas')
    scaled = await api.call("PATCH", f"{path}&force=true", scale, content_type=APPLY)
    assert (scaled["kind"], scaled["spec"]) == ("Scale", {"replicas": 4})
    owners = {e["manager"]: e for e in (await api.call("GET", f"{DEPLOYMENTS}/d"))["metadata"]["managedFields"]}
    assert owners["scaler"]["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert (owners["scaler"]["operation"], owners["scaler"]["subresource"], owners["scaler"]["apiVersion"]) == ("Apply", "scale", "apps/v1")
    del body["spec"]["replicas"]  # so the autoscaler has it alone
    kept = await api.call("PATCH", f"{DEPLOYMENTS}/d?fieldManager=owner", body, content_type=APPLY)
    assert kept["spec"]["replicas"] == 4
    bad = await refusal(api, "PATCH", path, {**scale, "spec": {"replicas": -1}}, content_type=APPLY)
    assert bad[0] == 422
