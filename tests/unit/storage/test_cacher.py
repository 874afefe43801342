"""The watch cache over a memory store: what it shows, what watchers are told, and how little it looks at."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator

import pytest

from wherry.api.registry import storage_prefix
from wherry.api.resource import Resource, SelectableField, Version
from wherry.apimachinery.fields import FieldSelector
from wherry.apimachinery.labels import Selector
from wherry.storage import cached
from wherry.storage.cached import WatchEvent
from wherry.storage.cacher import CachedObject, Cacher
from wherry.storage.interface import Compacted, FutureRevision
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import FakeClock

NODE_NAME = SelectableField(lambda obj: obj["spec"]["nodeName"], ("spec.nodeName",))
PODS = Resource("pods", "Pod", "", (Version("v1", "io.k8s.api.core.v1.Pod"),), selectable_fields={"spec.nodeName": NODE_NAME})
PREFIX = storage_prefix(PODS)


def pod(name: str, namespace: str = "default", node: str = "", **labels: str) -> bytes:
    meta = {"name": name, "namespace": namespace, **({"labels": labels} if labels else {})}
    return json.dumps({"kind": "Pod", "metadata": meta, "spec": {"nodeName": node}}).encode()


def encode(value: bytes, revision: int) -> bytes:
    return value.replace(b'"metadata": {', b'"metadata": {"resourceVersion": "%d", ' % revision, 1)


class World:
    """A store, its cache, and writes by name."""

    def __init__(self, storage: MemoryStorage, cacher: Cacher) -> None:
        self.storage, self.cacher = storage, cacher
        self.dropped = 0

    async def create(self, name: str, namespace: str = "default", node: str = "", **labels: str) -> int:
        entry = await self.storage.create(f"{PREFIX}{namespace}/{name}", pod(name, namespace, node, **labels))
        return entry.revision

    async def update(self, name: str, namespace: str = "default", node: str = "", **labels: str) -> int:
        obj = self.cacher.get(namespace, name)
        assert obj is not None
        return (await self.storage.update(obj.key, pod(name, namespace, node, **labels), obj.revision)).revision

    async def delete(self, name: str, namespace: str = "default") -> int:
        obj = self.cacher.get(namespace, name)
        assert obj is not None
        return (await self.storage.delete(obj.key, obj.revision)).revision

    def watch(self, revision: int | None = None, namespace: str = "", field: tuple[str, str] | None = None) -> list[WatchEvent]:
        """Events as they come."""
        events: list[WatchEvent] = []
        self.cacher.subscribe(self.cacher.revision if revision is None else revision, namespace, events.extend, self.on_dropped, field)
        return events

    def on_dropped(self) -> None:
        self.dropped += 1


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with await MemoryStorage.open(FakeClock()) as storage:
        cacher = await Cacher.open(storage, PODS, encode)
        yield World(storage, cacher)
        cacher.close()


def names(objects: list[CachedObject]) -> list[str]:
    return [f"{obj.namespace}/{obj.name}" for obj in objects]


def told(events: list[WatchEvent]) -> list[tuple[str, str, int]]:
    return [(event.type, event.object.name, event.revision) for event in events]


async def test_a_write_that_was_answered_is_read(world: World) -> None:
    revision = await world.create("a", app="web")
    obj = world.cacher.get("default", "a")
    assert obj is not None
    assert (obj.namespace, obj.name, obj.revision, obj.labels) == ("default", "a", revision, {"app": "web"})
    assert obj.fields == {"spec.nodeName": ""}
    assert json.loads(obj.value)["metadata"]["resourceVersion"] == str(revision)
    assert world.cacher.revision == revision
    updated = await world.update("a")
    assert [(o.revision, o.labels) for o in world.cacher.list()] == [(updated, {})]
    await world.delete("a")
    assert world.cacher.get("default", "a") is None
    assert world.cacher.list() == []


async def test_what_the_store_held_is_loaded_and_what_is_written_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wherry.storage.cacher.LOAD_PAGE", 3)
    async with await MemoryStorage.open(FakeClock()) as storage:
        for n in range(10):
            await storage.create(f"{PREFIX}default/{n}", pod(str(n)))
        await storage.create("/registry/podtemplates/default/x", b"{}")
        before = storage.revision
        opening = asyncio.ensure_future(Cacher.open(storage, PODS, encode))
        await asyncio.sleep(0)
        late = [asyncio.ensure_future(storage.create(f"{PREFIX}default/{n}", pod(str(n)))) for n in ("00", "99")]
        await asyncio.gather(*late)
        cacher = await opening
        assert [obj.name for obj in cacher.list()] == sorted(["00", "99", *map(str, range(10))])
        events: list[WatchEvent] = []
        cacher.subscribe(cacher.oldest, "", events.extend, lambda: None)
        assert cacher.oldest >= before
        assert [event.revision for event in events] == list(range(cacher.oldest + 1, storage.revision + 1))
        cacher.close()


async def test_cluster_scoped_objects_have_no_namespace() -> None:
    nodes = Resource("nodes", "Node", "", (Version("v1", "io.k8s.api.core.v1.Node"),), namespaced=False)
    async with await MemoryStorage.open(FakeClock()) as storage:
        cacher = await Cacher.open(storage, nodes, encode)
        await storage.create(f"{storage_prefix(nodes)}n1", b'{"metadata": {"name": "n1", "labels": {"a": "b"}}}')
        events: list[WatchEvent] = []
        cacher.subscribe(1, "", events.extend, lambda: None)
        found = cacher.get("", "n1")
        assert found is not None
        assert (found.namespace, found.name) == ("", "n1")
        assert cacher.list("", Selector.parse("a=b")) == [found] == [event.object for event in events]
        cacher.close()


LISTS: dict[str, tuple[str, str, str, list[str]]] = {
    "all, in the storage's key order": ("", "", "", ["a-b/z", "a/x", "a/y", "b/x", "b/y"]),
    "a namespace, not those that begin like it": ("a", "", "", ["a/x", "a/y"]),
    "an empty namespace": ("c", "", "", []),
    "a label": ("", "app=web", "", ["a-b/z", "a/x", "b/x"]),
    "a label in a namespace": ("a", "app=web", "", ["a/x"]),
    "two labels": ("", "app=web,tier=front", "", ["a/x"]),
    "a label nobody has": ("", "app=none", "", []),
    "a field": ("", "", "spec.nodeName=n1", ["a/x", "b/y"]),
    "a field that is empty": ("", "", "spec.nodeName=", ["a-b/z", "a/y", "b/x"]),
    "a field and a label": ("", "app=web", "spec.nodeName=n1", ["a/x"]),
}


@pytest.mark.parametrize(("namespace", "labels", "fields", "expected"), LISTS.values(), ids=LISTS)
async def test_lists_look_only_at_what_may_match(world: World, namespace: str, labels: str, fields: str, expected: list[str]) -> None:
    await world.create("y", "b", "n1")
    await world.create("x", "a", "n1", app="web", tier="front")
    await world.create("z", "a-b", "", app="web")
    await world.create("x", "b", "", app="web", tier="back")
    await world.create("y", "a", "", app="db")
    assert names(world.cacher.list(namespace, Selector.parse(labels), FieldSelector.parse(fields))) == expected


async def test_an_index_follows_changed_labels(world: World) -> None:
    web, db = Selector.parse("app=web"), Selector.parse("app=db")
    await world.create("a", app="web")
    await world.update("a", app="db")
    assert (names(world.cacher.list("", web)), names(world.cacher.list("", db))) == ([], ["default/a"])
    await world.delete("a")
    assert world.cacher.list("", db) == []
    assert world.cacher._index._terms == {}


async def test_one_instance_of_a_version_is_shared(world: World) -> None:
    first, second = world.watch(), world.watch()
    await world.create("a")
    obj = world.cacher.get("default", "a")
    assert first[0] is second[0]
    assert first[0].object is obj is world.cacher.list()[0]
    await world.update("a")
    assert second[1].previous is obj


async def test_watchers_are_told_every_change(world: World) -> None:
    events = world.watch()
    created = await world.create("a", app="web")
    updated = await world.update("a", app="db")
    deleted = await world.delete("a")
    again = await world.create("a")
    assert told(events) == [("ADDED", "a", created), ("MODIFIED", "a", updated), ("DELETED", "a", deleted), ("ADDED", "a", again)]
    gone = events[2]
    assert gone.object.revision == deleted
    assert json.loads(gone.object.value)["metadata"]["resourceVersion"] == str(deleted)
    assert gone.object.labels == {"app": "db"}
    assert gone.previous is events[1].object
    assert events[3].previous is None


async def test_a_commit_is_one_call(world: World) -> None:
    batches: list[list[WatchEvent]] = []
    world.cacher.subscribe(world.cacher.revision, "", batches.append, world.on_dropped)
    await asyncio.gather(*(world.create(name) for name in "abc"))
    assert [[event.object.name for event in batch] for batch in batches] == [["a", "b", "c"]]


async def test_the_past_is_told_first(world: World) -> None:
    revisions = [await world.create(name) for name in "abc"]
    events = world.watch(revisions[0])
    assert told(events) == [("ADDED", "b", revisions[1]), ("ADDED", "c", revisions[2])]
    last = await world.create("d")
    assert told(events)[2:] == [("ADDED", "d", last)]


async def test_a_namespaces_watcher_hears_only_of_it(world: World) -> None:
    early = world.watch(namespace="a")
    start = world.cacher.revision
    await asyncio.gather(world.create("x", "a"), world.create("x", "a-b"), world.create("y", "a"))
    late = world.watch(start, "a")
    await world.delete("x", "a-b")
    assert names([e.object for e in early]) == names([e.object for e in late]) == ["a/x", "a/y"]


async def test_a_fields_watcher_hears_of_what_enters_and_leaves(world: World) -> None:
    mine, others = world.watch(field=("spec.nodeName", "n1")), world.watch(field=("spec.nodeName", "n2"))
    unindexed, unscheduled = world.watch(field=("status.phase", "Running")), world.watch(field=("spec.nodeName", ""))
    await world.create("a")
    bound = await world.update("a", node="n1")
    moved = await world.update("a", node="n2")
    gone = await world.delete("a")
    assert told(mine) == [("MODIFIED", "a", bound), ("MODIFIED", "a", moved)]
    assert told(others) == [("MODIFIED", "a", moved), ("DELETED", "a", gone)]
    assert [event.type for event in unscheduled] == ["ADDED", "MODIFIED"]
    assert len(unindexed) == 4


async def test_history_is_bounded_and_says_what_it_has_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "HISTORY_EVENTS", 5)
    revisions = [await world.create(str(n)) for n in range(10)]
    assert world.cacher.oldest == revisions[4]
    with pytest.raises(Compacted):
        world.watch(revisions[3])
    assert len(world.watch(revisions[4])) == 5


async def test_history_is_bounded_in_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "HISTORY_BYTES", 10_000)
    monkeypatch.setattr(cached, "HISTORY_LEAST", 3)
    revisions = [await world.create(str(n), big="x" * 3000) for n in range(6)]
    assert world.cacher.oldest == revisions[2]
    revisions = [await world.create(f"b{n}", big="x" * 9000) for n in range(6)]
    assert world.cacher.oldest == revisions[2]


async def test_the_future_is_refused(world: World) -> None:
    with pytest.raises(FutureRevision):
        world.watch(world.cacher.revision + 1)


async def test_other_resources_move_the_revision(world: World) -> None:
    entry = await world.storage.create("/registry/nodes/n", b"{}")
    assert world.cacher.revision == entry.revision
    assert world.watch(entry.revision) == []
    waiting = asyncio.ensure_future(world.cacher.wait_until_fresh(entry.revision + 1))
    await world.create("a")
    await asyncio.wait_for(waiting, 10)


async def test_a_watcher_that_fails_is_dropped_alone(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def fail(events: list[WatchEvent]) -> None:
        raise RuntimeError("a bug")

    world.cacher.subscribe(world.cacher.revision, "", fail, world.on_dropped)
    events = world.watch()
    await world.create("a")
    await world.create("b")
    assert world.dropped == 1
    assert len(events) == 2
    assert "a watcher failed" in caplog.text


async def test_a_watcher_may_close_others_and_itself(world: World) -> None:
    heard: list[str] = []

    def on_events(events: list[WatchEvent]) -> None:
        heard.append("first")
        first.close()
        second.close()

    revision = world.cacher.revision
    first = world.cacher.subscribe(revision, "", on_events, world.on_dropped)
    second = world.cacher.subscribe(revision, "", lambda _: heard.append("second"), world.on_dropped)
    await world.create("a")
    await world.create("b")
    assert heard == ["first"]
    assert (first.closed, second.closed, world.dropped) == (True, True, 0)


async def test_closing_drops_every_watcher(world: World) -> None:
    events = world.watch(), world.watch(namespace="a")
    world.cacher.close()
    await world.create("a")
    assert world.dropped == 2
    assert events == ([], [])


async def test_an_old_version_is_described(world: World) -> None:
    await world.create("a", node="n1", app="web")
    entry = (await world.storage.list(PREFIX)).entries[0]
    obj = world.cacher.describe(entry, encode(entry.value, entry.revision))
    newest = world.cacher.get("default", "a")
    assert newest is not None
    assert (obj.key, obj.name, obj.labels, obj.fields, obj.value) == (
        newest.key, newest.name, newest.labels, newest.fields, newest.value,
    )  # fmt: skip
    assert obj is not newest


@pytest.mark.parametrize("seed", range(5))
async def test_a_watcher_that_keeps_up_ends_with_what_the_store_holds(world: World, seed: int) -> None:
    dice = random.Random(seed)
    view: dict[str, bytes] = {}

    def follow(events: list[WatchEvent]) -> None:
        for event in events:
            assert (event.object.key in view) == (event.type != "ADDED")
            if event.type == "DELETED":
                del view[event.object.key]
            else:
                view[event.object.key] = event.object.value

    world.cacher.subscribe(world.cacher.revision, "", follow, world.on_dropped)
    for _ in range(300):
        namespace, name, node = dice.choice("ab"), dice.choice("xyz"), dice.choice("12")
        labels = {"app": dice.choice(["web", "db"])} if dice.random() < 0.7 else {}
        if world.cacher.get(namespace, name) is None:
            await world.create(name, namespace, node, **labels)
        elif dice.random() < 0.3:
            await world.delete(name, namespace)
        else:
            await world.update(name, namespace, node, **labels)
        for query in ("app=web", "app=db"):
            selector = Selector.parse(query)
            assert world.cacher.list("a", selector) == [o for o in world.cacher.list("a") if selector.matches(o.labels)]
    page = await world.storage.list(PREFIX)
    assert view == {entry.key: encode(entry.value, entry.revision) for entry in page.entries}
    assert [obj.key for obj in world.cacher.list()] == [entry.key for entry in page.entries]
    assert world.dropped == 0
