"""Informers over a scripted server: list, watch, resume, relist; and the store's indexes."""

from __future__ import annotations

import asyncio
import json

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.http import Request, Response
from wherry.client import Client, InProcessTransport, info_of
from wherry.client.client import AT_ONCE
from wherry.client.codec import newest
from wherry.client.informer import Handler, Informer, Scope, SharedInformerFactory
from wherry.client.store import Store
from wherry.util.clock import FakeClock


def config_map(name: str, version: int, uid: str = "", **labels: str) -> dict:
    meta = {"name": name, "namespace": "d", "uid": uid or f"u-{name}", "resourceVersion": str(version), "labels": labels}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": meta}


def event(type_: str, obj: dict) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode() + b"\n"


class Script:
    """Answers lists and watches from what it was given; a watch that has nothing more stays open."""

    def __init__(self, lists: list[tuple[int, list[dict]]], watches: list[list[bytes]]) -> None:
        self.lists, self.watches, self.asked = lists, watches, []

    async def handle(self, request: Request) -> Response:
        await asyncio.sleep(0)
        if not request.param("watch"):
            version, items = self.lists.pop(0)
            self.asked.append("list")
            return Response(200, json.dumps({"metadata": {"resourceVersion": str(version)}, "items": items}).encode())
        self.asked.append(f"watch {request.param('resourceVersion')}")
        return Response(200, stream=self._stream(self.watches.pop(0) if self.watches else None))

    async def _stream(self, chunks):
        for chunk in chunks or ():
            yield chunk
        if chunks is None:
            await asyncio.Event().wait()


async def follow(script: Script):
    """The informer, and all that its handler was told, after everything scripted has been read."""
    clock, told = FakeClock(), []
    scope = Scope(core_v1.ConfigMap, info_of(core_v1.ConfigMap))
    informer = Informer(Client(InProcessTransport(script.handle)), scope, clock)
    informer.add_handler(Handler(
        lambda obj: told.append(("add", obj.metadata.name)),
        lambda old, new: told.append(("update", new.metadata.name)),
        lambda obj: told.append(("delete", obj.metadata.name)),
    ))
    task = asyncio.ensure_future(informer.run())
    await clock.advance(120)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return informer, told


async def test_lists_then_watches_from_the_list():
    script = Script([(5, [config_map("a", 3)])], [[event("ADDED", config_map("b", 6)), event("DELETED", config_map("a", 7))]])
    informer, told = await follow(script)
    assert told == [("add", "a"), ("add", "b"), ("delete", "a")]
    assert script.asked == ["list", "watch 5", "watch 7"]
    assert informer.has_synced
    assert informer.store.keys() == ["d/b"]


async def test_a_bookmark_moves_the_revision_and_nothing_else():
    script = Script([(5, [])], [[event("BOOKMARK", config_map("", 50))]])
    _, told = await follow(script)
    assert (told, script.asked[-1]) == ([], "watch 50")


async def test_gone_history_is_listed_anew_and_the_difference_told():
    gone = event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})
    script = Script([(5, [config_map("a", 3), config_map("b", 4)]), (9, [config_map("b", 8)])], [[gone]])
    _, told = await follow(script)
    assert told == [("add", "a"), ("add", "b"), ("delete", "a"), ("update", "b")]
    assert script.asked == ["list", "watch 5", "list", "watch 9"]


async def test_another_object_of_the_same_name_is_a_deletion_and_an_addition():
    script = Script([(5, [config_map("a", 3)])], [[event("MODIFIED", config_map("a", 6, uid="other"))]])
    _, told = await follow(script)
    assert told == [("add", "a"), ("delete", "a"), ("add", "a")]


async def test_events_split_over_chunks_are_one():
    whole = event("ADDED", config_map("a", 6))
    _, told = await follow(Script([(5, [])], [[whole[:20], whole[20:]]]))
    assert told == [("add", "a")]


async def test_of_changes_that_come_together_the_last_of_each_object_counts():
    def modified(name: str, version: int) -> bytes:
        return event("MODIFIED", config_map(name, version)).replace(b": ", b":").replace(b", ", b",")

    burst = [modified("a", 6), modified("b", 7), modified("a", 8), modified("a", 9)]
    informer, told = await follow(Script([(5, [config_map("a", 3), config_map("b", 4)])], [[b"".join(burst)]]))
    assert told == [("add", "a"), ("add", "b"), ("update", "b"), ("update", "a")]
    assert (informer.resource_version, informer.store.get("a", "d").metadata.resource_version) == ("9", "9")


async def test_a_long_batch_leaves_turns_to_others():
    burst = b"".join(event("ADDED", config_map(f"c{number}", 6 + number)) for number in range(2 * AT_ONCE + 1))
    script, seen = Script([(5, [])], [[burst]]), []
    informer = Informer(Client(InProcessTransport(script.handle)), Scope(core_v1.ConfigMap, info_of(core_v1.ConfigMap)), FakeClock())
    running = asyncio.ensure_future(informer.run())
    while len(seen) < 40:
        await asyncio.sleep(0)
        seen.append((len(informer.store.keys()), informer.resource_version))
    assert list(dict.fromkeys(seen))[-3:] == [(AT_ONCE, "69"), (2 * AT_ONCE, "133"), (2 * AT_ONCE + 1, "134")]
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_change_before_a_deletion_is_not_overtaken_by_one_after_it():
    changes = [b'{"type":"%s","object":{"metadata":{"name":"a"}}}' % kind for kind in (b"MODIFIED", b"DELETED", b"ADDED", b"MODIFIED")]
    assert newest(changes) == changes
    assert newest(changes[:1]) == changes[:1]
    assert newest([*changes, changes[-1], changes[-1]]) == changes


async def test_two_informers_share_what_they_decode():
    line = event("ADDED", config_map("shared", 6))
    one, _ = await follow(Script([(5, [])], [[line]]))
    two, _ = await follow(Script([(5, [])], [[line]]))
    assert one.store.get("shared", "d") is two.store.get("shared", "d")


def test_indexes_follow_every_change():
    import msgspec

    store: Store[core_v1.ConfigMap] = Store()
    store.add_indexer("colour", lambda obj: [obj.metadata.labels.get("colour", "")])

    def put(name: str, colour: str) -> None:
        store.put(msgspec.convert(config_map(name, 1, colour=colour), core_v1.ConfigMap))

    put("a", "red")
    put("b", "red")
    put("a", "blue")
    names = {value: [o.metadata.name for o in store.by_index("colour", value)] for value in ("red", "blue")}
    assert names == {"red": ["b"], "blue": ["a"]}
    store.remove("d/b")
    assert store.index_values("colour") == ["blue"]


async def test_metadata_comes_from_the_informer_of_the_whole_objects():
    first, second = config_map("a", 1, x="1"), config_map("b", 3)
    chunks = [event("ADDED", second), event("MODIFIED", config_map("a", 4, x="2")), event("DELETED", config_map("b", 5))]
    script = Script([(2, [first])], [chunks])
    clock, told = FakeClock(), []
    factory = SharedInformerFactory(Client(InProcessTransport(script.handle)), clock)
    whole = factory.informer(core_v1.ConfigMap)
    running = asyncio.ensure_future(factory.run())
    informer = factory.metadata_informer(info_of(core_v1.ConfigMap))
    assert informer is factory.metadata_informer(info_of(core_v1.ConfigMap))
    informer.add_handler(Handler(
        lambda obj: told.append(("add", obj.metadata.name)),
        lambda old, new: told.append(("update", old.metadata.labels["x"], new.metadata.labels["x"])),
        lambda obj: told.append(("delete", obj.metadata.resource_version)),
    ))
    assert not informer.has_synced
    await clock.advance(1)
    assert informer.has_synced
    assert told == [("add", "a"), ("add", "b"), ("update", "1", "2"), ("delete", "5")]
    assert script.asked[:2] == ["list", "watch 2"]  # once each, not twice
    assert script.asked.count("list") == 1
    assert [each.metadata for each in informer.store] == [each.metadata for each in whole.store]
    factory.stop(informer)
    await clock.settle()
    whole._put(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="c", namespace="d", uid="c")))
    assert ("add", "c") not in told
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_metadata_of_what_nobody_holds_whole_is_watched():
    script = Script([(2, [config_map("a", 1)])], [])
    clock = FakeClock()
    factory = SharedInformerFactory(Client(InProcessTransport(script.handle)), clock)
    factory.informer(core_v1.ConfigMap, label_selector="x=1")  # not the same collection
    running = asyncio.ensure_future(factory.run())
    script.lists.append((2, []))
    informer = factory.metadata_informer(info_of(core_v1.ConfigMap))
    await clock.settle()
    assert informer.has_synced
    assert script.asked.count("list") == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
