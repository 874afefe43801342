"""Watches: what each client sees, from when, and what happens to one that does not read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from api_harness import API

from wherry.apiserver.endpoints import watch as watches

MERGE = "application/merge-patch+json"
CONFIG_MAPS = "/api/v1/namespaces/n/configmaps"


class Watcher:
    """Reads a watch as a client in the same process does."""

    def __init__(self, stream: Any) -> None:
        self._stream, self._rest = stream, b""

    async def events(self, count: int) -> list[dict[str, Any]]:
        while self._rest.count(b"\n") < count:
            self._rest += await asyncio.wait_for(anext(self._stream), 5)
        lines = self._rest.split(b"\n")
        self._rest = b"\n".join(lines[count:])
        return [json.loads(line) for line in lines[:count]]

    async def seen(self, count: int) -> list[tuple[str, str]]:
        return [(event["type"], event["object"]["metadata"]["name"]) for event in await self.events(count)]


@asynccontextmanager
async def watching(api: API, query: str = "", path: str = CONFIG_MAPS, **headers: str) -> AsyncIterator[Watcher]:
    response = await api.send("GET", f"{path}?watch=1{query}", **headers)
    assert response.stream is not None, response.body
    try:
        yield Watcher(response.stream)
    finally:
        await response.stream.aclose()  # type: ignore[attr-defined]


@pytest.fixture
async def api(api: API) -> API:
    await api.namespace("n")
    return api


async def make(api: API, name: str, **labels: str) -> dict[str, Any]:
    made: dict[str, Any] = await api.call("POST", CONFIG_MAPS, {"metadata": {"name": name, "labels": labels}})
    return made


async def label(api: API, name: str, **labels: str | None) -> dict[str, Any]:
    body = {"metadata": {"labels": labels}}
    patched: dict[str, Any] = await api.call("PATCH", f"{CONFIG_MAPS}/{name}", body, content_type=MERGE)
    return patched


async def test_a_selector_lets_objects_in_and_out(api: API) -> None:
    revision = (await make(api, "c"))["metadata"]["resourceVersion"]
    async with watching(api, f"&labelSelector=a%3Db&resourceVersion={revision}") as watcher:
        await label(api, "c", a="b")
        await label(api, "c", more="x")
        left = await label(api, "c", a=None)
        await api.call("DELETE", f"{CONFIG_MAPS}/c")
        await make(api, "other", a="b")
        events = await watcher.events(4)
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED", "ADDED"]
    gone = events[2]["object"]["metadata"]
    assert gone["labels"] == {"a": "b", "more": "x"}, "the last state that matched"
    assert gone["resourceVersion"] == left["metadata"]["resourceVersion"]


async def test_initial_events_end_with_a_bookmark(api: API) -> None:
    await make(api, "c")
    query = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with watching(api, query) as watcher:
        added, bookmark = await watcher.events(2)
        await make(api, "d")
        assert await watcher.seen(1) == [("ADDED", "d")]
    assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "c")
    assert bookmark["type"] == "BOOKMARK"
    assert bookmark["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(bookmark["object"]["metadata"]["resourceVersion"]) >= int(added["object"]["metadata"]["resourceVersion"])


async def test_without_a_revision_what_is_there_comes_first(api: API) -> None:
    await make(api, "c")
    async with watching(api) as watcher:
        assert await watcher.seen(1) == [("ADDED", "c")]


async def test_a_field_selector_by_name(api: API) -> None:
    async with watching(api, "&fieldSelector=metadata.name%3Dd") as watcher:
        await make(api, "c")
        await make(api, "d")
        assert await watcher.seen(1) == [("ADDED", "d")]


async def test_pods_of_a_node(api: API) -> None:
    spec = {"containers": [{"name": "c", "image": "i"}]}
    async with watching(api, "&fieldSelector=spec.nodeName%3Dn1", path="/api/v1/pods") as watcher:
        for name in ("p", "q"):
            await api.call("POST", "/api/v1/namespaces/n/pods", {"metadata": {"name": name}, "spec": spec})
        body = {"metadata": {"name": "q"}, "target": {"kind": "Node", "name": "n1"}}
        await api.call("POST", "/api/v1/namespaces/n/pods/q/binding", body)
        assert await watcher.seen(1) == [("ADDED", "q")]


async def test_a_pod_that_goes_at_once_is_marked_first(api: API) -> None:
    """As upstream's does: a watcher sees that no grace was left, and the last version tells it, too."""
    spec = {"containers": [{"name": "c", "image": "i"}]}
    async with watching(api, path="/api/v1/namespaces/n/pods") as watcher:
        await api.call("POST", "/api/v1/namespaces/n/pods", {"metadata": {"name": "p"}, "spec": spec})
        await api.call("DELETE", "/api/v1/namespaces/n/pods/p")
        _, marked, gone = await watcher.events(3)
    assert [marked["type"], gone["type"]] == ["MODIFIED", "DELETED"]
    for each in (marked, gone):
        meta = each["object"]["metadata"]
        assert (meta["deletionGracePeriodSeconds"], meta["generation"]) == (0, 2)
        assert meta["deletionTimestamp"]


async def test_only_the_first_table_has_columns(api: API) -> None:
    async with watching(api, accept="application/json;as=Table;v=v1;g=meta.k8s.io") as watcher:
        await make(api, "c")
        await make(api, "d")
        first, second = await watcher.events(2)
    assert [column["name"] for column in first["object"]["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert second["object"]["columnDefinitions"] is None


async def test_an_old_revision_is_gone(api: API) -> None:
    first = (await make(api, "first"))["metadata"]["resourceVersion"]
    newest = (await make(api, "second"))["metadata"]["resourceVersion"]
    api.server.store("", "configmaps").cacher._history.oldest = int(newest)  # as after ten thousand events
    response = await api.send("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion={first}")
    assert response.status == 200
    event = json.loads(response.body)
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")


async def test_a_thousand_idle_watchers(api: API) -> None:
    responses = [await api.send("GET", f"{CONFIG_MAPS}?watch=1&resourceVersion=1") for _ in range(1000)]
    watchers = [Watcher(response.stream) for response in responses]
    await make(api, "c")
    for watcher in watchers:
        assert await watcher.seen(1) == [("ADDED", "c")]
    for response in responses:
        await response.stream.aclose()  # type: ignore[union-attr]
    assert not api.server.store("", "configmaps").cacher._subscriptions._audiences, "none is left behind"


async def test_a_watcher_that_does_not_read_is_dropped(api: API, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BACKLOG_EVENTS", 10)
    response = await api.send("GET", f"{CONFIG_MAPS}?watch=1")
    for index in range(12):
        await make(api, f"c{index}")
    stream = response.stream
    assert stream is not None
    assert [chunk async for chunk in stream] == [], "it ends, and its client lists again"
    assert not api.server.store("", "configmaps").cacher._subscriptions._audiences


async def test_a_connection_that_does_not_drain_is_dropped(api: API) -> None:
    response = await api.send("GET", f"{CONFIG_MAPS}?watch=1")
    sent: list[bytes] = []
    pushing = asyncio.ensure_future(response.stream.push(sent.append, lambda: watches.BACKLOG_BYTES + 1))  # type: ignore[union-attr]
    await asyncio.sleep(0)
    await make(api, "c")
    await asyncio.wait_for(pushing, 5)
    assert sent == []
