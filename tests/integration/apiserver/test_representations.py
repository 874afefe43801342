"""In which form an answer comes: pretty, as metadata, in protobuf, compressed; and what is not to be had."""

from __future__ import annotations

import gzip
import json
import struct
from typing import Any

import pytest
import yaml
from api_harness import API

from wherry.api.protobuf import MAGIC, to_object

CONFIG_MAPS = "/api/v1/namespaces/n/configmaps"
PROTOBUF = "application/vnd.kubernetes.protobuf"
AS = "application/json;g=meta.k8s.io;v=v1;as="


@pytest.fixture
async def api(api: API) -> API:
    await api.namespace("n")
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"a": "b"}})
    return api


@pytest.mark.parametrize(
    ("query", "agent", "pretty"),
    [
        ("", "kubectl/v1.37.0", False), ("", "curl/8.0", True), ("", "Mozilla/5.0 (X11)", True), ("?pretty=1", "", True),
        ("?pretty=true", "", True), ("?pretty=false", "curl/8.0", False), ("?pretty=yes", "curl/8.0", False),
    ],
)
async def test_who_looks_by_eye_gets_lines(api: API, query: str, agent: str, pretty: bool) -> None:
    for path in (f"{CONFIG_MAPS}/c{query}", f"{CONFIG_MAPS}/nope{query}"):
        response = await api.send("GET", path, user_agent=agent)
        assert (b'{\n  "kind": ' in response.body) is pretty
        assert json.loads(response.body)["apiVersion"] == "v1"


@pytest.mark.parametrize(
    ("path", "accept", "words"),
    [
        (CONFIG_MAPS, "text/html", "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, " + PROTOBUF),
        (CONFIG_MAPS, AS + "Chair", "only the following media types are accepted: application/json, application/yaml, " + PROTOBUF),
        (CONFIG_MAPS, AS + "PartialObjectMetadata", "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)"),
        (
            f"{CONFIG_MAPS}/c", AS + "PartialObjectMetadataList",
            "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)",
        ),
        (CONFIG_MAPS, f"{PROTOBUF};g=meta.k8s.io;v=v1;as=Table", f"only the following media types are accepted: application/json, application/yaml, {PROTOBUF}"),
    ],
)
async def test_what_is_not_to_be_had(api: API, path: str, accept: str, words: str) -> None:
    response = await api.send("GET", path, accept=accept)
    assert (response.status, json.loads(response.body)["message"]) == (406, words)


# --- protobuf ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("accept", [f"{PROTOBUF},application/json", f"{PROTOBUF}, */*"])
async def test_json_for_who_takes_it(api: API, accept: str) -> None:
    assert (await api.send("GET", CONFIG_MAPS, accept=accept)).content_type == "application/json"


async def test_protobuf_for_who_takes_nothing_else(api: API) -> None:
    async def ask(method: str, path: str, body: Any = None, accept: str = PROTOBUF) -> dict[str, Any]:
        response = await api.send(method, path, body, accept=accept)
        assert response.content_type == PROTOBUF
        return to_object(response.body)

    one = await ask("GET", f"{CONFIG_MAPS}/c")
    assert one == await api.call("GET", f"{CONFIG_MAPS}/c")
    many = await ask("GET", CONFIG_MAPS)
    assert (many["kind"], [each["data"] for each in many["items"]]) == ("ConfigMapList", [{"a": "b"}])
    meta = await ask("GET", CONFIG_MAPS, accept=f"{PROTOBUF};g=meta.k8s.io;v=v1;as=PartialObjectMetadataList")
    assert (meta["kind"], meta["items"][0]["metadata"]["name"]) == ("PartialObjectMetadataList", "c")
    made = await ask("POST", CONFIG_MAPS, {"metadata": {"name": "d"}})
    assert made["metadata"]["name"] == "d"
    assert (await ask("GET", f"{CONFIG_MAPS}/nope"))["reason"] == "NotFound"
    assert (await ask("DELETE", f"{CONFIG_MAPS}/d"))["status"] == "Success"
    review = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    assert (await ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review))["status"] == {"allowed": True}


async def test_a_watch_in_protobuf(api: API) -> None:
    response = await api.send("GET", f"{CONFIG_MAPS}?watch=1&allowWatchBookmarks=true", accept=f"{PROTOBUF};stream=watch")
    assert response.content_type == f"{PROTOBUF};stream=watch"
    assert response.stream is not None
    event = await anext(response.stream)
    (length,) = struct.unpack(">I", event[:4])
    assert length == len(event) - 4
    assert to_object(event[event.index(MAGIC) :])["metadata"]["name"] == "c"
    await response.stream.aclose()  # type: ignore[union-attr]


async def test_a_watch_is_no_yaml(api: API) -> None:
    response = await api.send("GET", f"{CONFIG_MAPS}?watch=1", accept="application/yaml")
    assert (response.status, yaml.safe_load(response.body)["message"]) == (
        406, f"only the following media types are accepted: application/json;stream=watch, {PROTOBUF};stream=watch",
    )


async def test_a_kind_that_protobuf_does_not_know(api: API) -> None:
    response = await api.send("GET", "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps", accept=PROTOBUF)
    assert response.status in (404, 406)
    response = await api.send("GET", "/apis/apiregistration.k8s.io/v1/apiservices", accept=PROTOBUF)
    assert response.status == 406
    assert b"only the following media types are accepted: application/json, application/yaml" in response.body


@pytest.mark.parametrize(
    ("path", "kind"), [("/api", "APIVersions"), ("/api/v1", "APIResourceList"), ("/apis", "APIGroupList"), ("/apis/apps", "APIGroup")],
)
async def test_discovery_in_protobuf(api: API, path: str, kind: str) -> None:
    response = await api.send("GET", path, accept=PROTOBUF)
    assert (response.content_type, to_object(response.body)["kind"]) == (PROTOBUF, kind)


@pytest.mark.parametrize(
    ("accept", "found"),
    [
        ("application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", "apidiscovery.k8s.io/v2"),
        ("application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList", "apidiscovery.k8s.io/v2beta1"),
        ("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,application/json", "v1"),
        ("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList", None),
        ("text/html", None),
    ],
)
async def test_discovery_at_once(api: API, accept: str, found: str | None) -> None:
    response = await api.send("GET", "/apis", accept=accept)
    if found is None:
        assert response.status == 406
    else:
        assert json.loads(response.body)["apiVersion"] == found


@pytest.mark.parametrize(("method", "path"), [("POST", "/version"), ("DELETE", "/healthz"), ("PUT", "/apis"), ("CONNECT", "/")])
async def test_plain_paths_are_only_read(api: API, method: str, path: str) -> None:
    assert (await api.send(method, path)).status == 405


# --- gzip --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "encodings", "packed"),
    [(200_000, "gzip", True), (200_000, "deflate, gzip", True), (200_000, "identity", False), (1_000, "gzip", False)],
)
async def test_large_answers_are_compressed(api: API, size: int, encodings: str, packed: bool) -> None:
    await api.call("POST", CONFIG_MAPS, {"metadata": {"name": "big"}, "data": {"a": "x" * size}})
    response = await api.send("GET", f"{CONFIG_MAPS}/big", accept_encoding=encodings)
    assert (("Content-Encoding", "gzip") in response.headers) is packed
    assert (("Vary", "Accept-Encoding") in response.headers) is packed
    body = gzip.decompress(response.body) if packed else response.body
    assert len(json.loads(body)["data"]["a"]) == size
