"""Who owns whom, and what becomes of an object: the graph and the plan alone, from any order of news."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from controller_world import open_world
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.api.types import core_v1, meta_v1
from wherry.client import PartialObjectMetadata, ResourceInfo
from wherry.controller.garbagecollector.controller import GarbageCollector
from wherry.controller.garbagecollector.graph import ABSENT, FOREGROUND, ORPHAN, Graph
from wherry.controller.garbagecollector.plan import (
    Delete,
    DropReferences,
    LookAt,
    Nothing,
    Owner,
    RemoveFinalizer,
    owner_state,
    plan,
    unblocked,
    without_finalizer,
    without_owners,
)

World = Callable[[], Any]
MAPS = ResourceInfo("", "v1", "configmaps", True, "ConfigMap", ("delete", "list", "watch", "patch"))
SETS = ResourceInfo("apps", "v1", "replicasets", True, "ReplicaSet", ("delete", "list", "watch", "patch"))


def ref(uid: str, *, block: bool = False, kind: str = "ConfigMap", version: str = "v1", name: str = "") -> meta_v1.OwnerReference:
    return meta_v1.OwnerReference(api_version=version, kind=kind, name=name or uid, uid=uid, block_owner_deletion=block or None)


def obj(uid: str, *owners: meta_v1.OwnerReference, going: bool = False, finalizers: tuple[str, ...] = (), namespace: str = "d") -> PartialObjectMetadata:
    return PartialObjectMetadata(metadata=meta_v1.ObjectMeta(
        name=uid, namespace=namespace, uid=uid, owner_references=list(owners), finalizers=list(finalizers),
        deletion_timestamp="2026-11-28T00:00:00Z" if going else None,
    ))


def graph(*objects: PartialObjectMetadata) -> Graph:
    made = Graph()
    for each in objects:
        made.put(MAPS, each)
    return made


SOLID, DANGLING, WAITING = Owner.SOLID, Owner.DANGLING, Owner.WAITING
FG = {"going": True, "finalizers": (FOREGROUND,)}


@pytest.mark.parametrize(("of", "owners", "others", "expected"), [
    pytest.param(obj("x"), {}, (), Nothing(), id="nobody's"),
    pytest.param(obj("x", ref("a"), going=True), {"a": DANGLING}, (), Nothing(), id="goes already"),
    pytest.param(obj("x", ref("a")), {"a": SOLID}, (), Nothing(), id="has its owner"),
    pytest.param(obj("x", ref("a")), {"a": DANGLING}, (), Delete("Background"), id="lost it"),
    pytest.param(obj("x", ref("a"), ref("b")), {"a": SOLID, "b": DANGLING}, (), DropReferences(frozenset("b")), id="lost one of two"),
    pytest.param(obj("x", ref("a"), ref("b")), {"a": SOLID, "b": WAITING}, (), DropReferences(frozenset("b")), id="one waits for it"),
    pytest.param(obj("x", ref("a"), ref("b")), {"a": DANGLING, "b": DANGLING}, (), Delete("Background"), id="lost both"),
    pytest.param(obj("x", ref("a")), {"a": WAITING}, (), Delete("Background"), id="awaited, owns nothing"),
    pytest.param(obj("x", ref("a")), {"a": WAITING}, (obj("y", ref("x")),), Delete("Foreground"), id="awaited, owns something"),
    pytest.param(obj("x", ref("a")), {"a": WAITING}, (obj("y", ref("x", block=True), **FG),), Delete("Foreground", unblock=True), id="circle"),
    pytest.param(obj("x", ref("a")), {"a": DANGLING}, (obj("y", ref("x")),), Delete("Background"), id="lost, owns something"),
    pytest.param(obj("x", ref("a"), finalizers=(ORPHAN,)), {"a": DANGLING}, (), Delete("Orphan"), id="wants its own left alone"),
    pytest.param(obj("x", ref("a"), finalizers=(FOREGROUND,)), {"a": DANGLING}, (), Delete("Foreground"), id="wants to see them gone"),
    pytest.param(obj("x", **FG), {}, (), RemoveFinalizer(FOREGROUND), id="foreground: nothing left"),
    pytest.param(obj("x", **FG), {}, (obj("y", ref("x")),), RemoveFinalizer(FOREGROUND), id="foreground: what is left does not block"),
    pytest.param(obj("x", **FG), {}, (obj("y", ref("x"), ref("b", block=True)),), RemoveFinalizer(FOREGROUND), id="foreground: it blocks another"),
    pytest.param(obj("x", **FG), {}, (obj("y", ref("x", block=True)),), LookAt(["y"]), id="foreground: looks at what blocks"),
    pytest.param(obj("x", **FG), {}, (obj("y", ref("x", block=True), **FG),), LookAt([]), id="foreground: waits for what is on its way"),
])
def test_what_becomes_of_an_object(of: Any, owners: dict[str, Owner], others: tuple[Any, ...], expected: Any) -> None:
    made = graph(of, *others)
    assert plan(made.nodes["x"], owners, made) == expected


@pytest.mark.parametrize(("live", "expected"), [
    (None, DANGLING), (obj("b"), DANGLING), (obj("a"), SOLID), (obj("a", going=True), SOLID),
    (obj("a", finalizers=(FOREGROUND,)), SOLID), (obj("a", going=True, finalizers=(ORPHAN,)), SOLID), (obj("a", **FG), WAITING),
])
def test_what_an_owner_is(live: PartialObjectMetadata | None, expected: Owner) -> None:
    assert owner_state(ref("a"), live.metadata if live is not None else None) is expected


def test_patches_change_the_entries_they_have_looked_at() -> None:
    meta = obj("x", ref("a", block=True), ref("b"), ref("c", block=True), finalizers=("f", ORPHAN)).metadata
    path = "/metadata/ownerReferences"
    assert without_owners(meta, {"a", "c"}) == [
        {"op": "test", "path": f"{path}/2/uid", "value": "c"}, {"op": "remove", "path": f"{path}/2"},
        {"op": "test", "path": f"{path}/0/uid", "value": "a"}, {"op": "remove", "path": f"{path}/0"},
    ]
    assert without_owners(meta, {"z"}) == []
    assert unblocked(meta, "c") == [
        {"op": "test", "path": f"{path}/2/uid", "value": "c"}, {"op": "replace", "path": f"{path}/2/blockOwnerDeletion", "value": False},
    ]
    assert unblocked(meta, "b") == unblocked(meta, "z") == []
    assert without_finalizer(meta, ORPHAN) == [
        {"op": "test", "path": "/metadata/finalizers/1", "value": ORPHAN}, {"op": "remove", "path": "/metadata/finalizers/1"},
    ]
    assert without_finalizer(meta, "g") == []


# --- the graph -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "news", "looked_at"), [
    pytest.param([obj("a")], obj("x", ref("a")), [], id="of an owner that is there"),
    pytest.param([], obj("x", ref("a")), ["x"], id="of one nobody has seen"),
    pytest.param([obj("a", going=True)], obj("x", ref("a")), ["x"], id="of one that goes"),
    pytest.param([obj("a", namespace="e")], obj("x", ref("a")), ["x"], id="of one elsewhere"),
    pytest.param([obj("a", namespace="")], obj("x", ref("a")), [], id="of one in no namespace"),
    pytest.param([obj("a")], obj("x", ref("a", kind="Secret")), ["x"], id="of another kind"),
    pytest.param([obj("a")], obj("x", ref("a", name="b")), ["x"], id="of another name"),
    pytest.param([obj("a")], obj("x", ref("a", version="apps/v1")), ["x"], id="of another group"),
    pytest.param([obj("x", ref("a"))], obj("x", ref("a")), [], id="nothing new"),
    pytest.param([obj("x", ref("a"))], obj("x", ref("a"), finalizers=("f",)), [], id="nothing new of its owners"),
    pytest.param([obj("x", ref("a"))], obj("x", ref("a"), ref("b")), ["x"], id="one more owner"),
    pytest.param([obj("a"), obj("x", ref("a"))], obj("a", going=True), [], id="the owner goes, not in the foreground"),
    pytest.param([obj("a"), obj("x", ref("a"))], obj("a", **FG), ["x", "a"], id="the owner goes, in the foreground"),
    pytest.param([obj("a", **FG), obj("x", ref("a"))], obj("a", going=True, finalizers=(FOREGROUND, "f")), [], id="as it did"),
    pytest.param([obj("a", **FG), obj("x", ref("a", block=True))], obj("x", ref("a")), ["a"], id="it blocks its owner no more"),
    pytest.param([obj("a", **FG), obj("x", ref("a", block=True))], obj("x"), ["a"], id="it has that owner no more"),
    pytest.param([obj("a"), obj("x", ref("a", block=True))], obj("x", ref("a")), [], id="its owner does not wait"),
    pytest.param([obj("a", **FG), obj("x", ref("a", block=True))], obj("x", ref("a", block=True), finalizers=("f",)), [], id="it blocks on"),
])
def test_who_is_looked_at(before: list[Any], news: Any, looked_at: list[str]) -> None:
    work = graph(*before).put(MAPS, news)
    assert (work.delete, work.orphan) == (looked_at, [])


def test_an_owner_of_a_group_is_known_by_it() -> None:
    made = Graph()
    made.put(SETS, obj("a"))
    assert made.put(MAPS, obj("x", ref("a", kind="ReplicaSet", version="apps/v1"))).delete == []
    assert made.put(MAPS, obj("y", ref("a", kind="ReplicaSet", version="v1"))).delete == ["y"]
    made.mark_absent(ref("b", version="apps/v1"), "d")
    assert made.is_absent(ref("b", version="apps/v2"), "d"), "the version is not who it is"
    assert not made.is_absent(ref("b"), "d")


def test_dependents_are_orphaned_once() -> None:
    made = graph(obj("a"), obj("x", ref("a")))
    assert made.put(MAPS, obj("a", finalizers=(ORPHAN,))).orphan == []
    assert made.put(MAPS, obj("a", going=True, finalizers=(ORPHAN,))).orphan == ["a"]
    assert made.put(MAPS, obj("a", going=True, finalizers=(ORPHAN, "f"))).orphan == []


def test_when_one_is_gone() -> None:
    made = graph(obj("a", **FG), obj("b"), obj("x", ref("a", block=True), ref("b")), obj("y", ref("x")))
    assert made.remove("x").delete == ["y", "a"]
    assert [each.uid for each in made.dependents("a")] == []
    assert made.is_absent(ref("x"), "d")
    assert made.remove("never seen").delete == []
    made.put(MAPS, obj("z", ref("nobody")))
    assert made.remove("z").delete == []
    assert [each.uid for each in made.dependents("x")] == ["y"], "known by its owner's uid, also when that is gone"


def test_nothing_is_kept_of_what_nobody_names() -> None:
    made = graph(obj("a"), obj("x", ref("a")))
    made.put(MAPS, obj("x"))
    assert made.dependents("a") == []
    made.put(MAPS, obj("x", ref("a")))
    made.remove("x")
    assert made._dependents == {}


def test_what_is_not_served_any_more_is_not_known_to_be_gone() -> None:
    made = graph(obj("a"))
    made.put(SETS, obj("x", ref("a")))
    made.forget(SETS)
    assert (list(made.nodes), made.dependents("a"), made.is_absent(ref("x"), "d")) == (["a"], [], False)


def test_a_wrong_reference_makes_no_right_one_wrong() -> None:
    made = Graph()
    made.mark_absent(ref("a", kind="Secret"), "d")
    assert made.is_absent(ref("a", kind="Secret"), "d")
    for each, namespace in ((ref("a"), "d"), (ref("a", kind="Secret"), "e"), (ref("a", kind="Secret", name="b"), "d")):
        assert not made.is_absent(each, namespace)


def test_only_so_many_are_remembered() -> None:
    made = Graph()
    for number in range(ABSENT + 1):
        made.remove(f"u{number}")
    assert [made.is_absent(ref(f"u{number}"), "") for number in (0, 1, ABSENT)] == [False, True, True]


UIDS = "abcd"
states = st.builds(
    lambda uid, owners, going, finalizers: obj(uid, *(ref(each, block=block) for each, block in owners.items()), going=going, finalizers=finalizers),
    st.sampled_from(UIDS), st.dictionaries(st.sampled_from(UIDS), st.booleans(), max_size=3), st.booleans(),
    st.sampled_from([(), (FOREGROUND,), (ORPHAN,), (FOREGROUND, ORPHAN)]),
)


@given(st.lists(st.one_of(states, st.sampled_from(UIDS)), max_size=30))
def test_the_graph_says_what_its_nodes_say(news: list[PartialObjectMetadata | str]) -> None:
    """After any history dependents are those that name the owner, and a solid owner keeps what it owns."""
    made = Graph()
    for each in news:
        if isinstance(each, str):
            made.remove(each)
        else:
            made.put(MAPS, each)
        for uid in UIDS:
            named = {node.uid for node in made.nodes.values() if any(owner.uid == uid for owner in node.meta.owner_references)}
            assert {node.uid for node in made.dependents(uid)} == named
        for node in made.nodes.values():
            owners = {owner.uid: SOLID if owner.uid in made.nodes else DANGLING for owner in node.meta.owner_references}
            action = plan(node, owners, made)
            if SOLID in owners.values():
                assert not isinstance(action, Delete)
            if isinstance(action, DropReferences):
                assert all(owners[uid] is not SOLID for uid in action.uids)


# --- live: in any order, with any lies ---------------------------------------------------------------

names = st.sampled_from("abcde")
lies = st.sampled_from(["", "", "", "kind", "name", "uid"])
edges = st.lists(st.tuples(names, names, lies), max_size=8)


@settings(max_examples=15, deadline=None)
@given(edges, st.lists(st.tuples(names, st.sampled_from(["Background", "Foreground", "Orphan"])), max_size=3))
def test_what_has_a_living_owner_is_never_deleted(owned: list[tuple[str, str, str]], deleted: list[tuple[str, str]]) -> None:
    asyncio.run(_play(owned, deleted))


async def _play(owned: list[tuple[str, str, str]], deleted: list[tuple[str, str]]) -> None:
    async with open_world() as w:
        await w.namespace()
        uids = {}
        for name in "abcde":
            made = await w.client.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name=name, namespace="default")))
            uids[name] = made.metadata.uid
        w.start(GarbageCollector)
        await w.settle()
        owners: dict[str, dict[str, meta_v1.OwnerReference]] = {}
        for dependent, owner, lie in owned:
            kind, name = ("Secret" if lie == "kind" else "ConfigMap"), ("nobody" if lie == "name" else owner)
            uid = "00000000-0000-0000-0000-000000000000" if lie == "uid" else uids[owner]
            if dependent != owner:
                owners.setdefault(dependent, {})[uid] = meta_v1.OwnerReference(api_version="v1", kind=kind, name=name, uid=uid)
        for dependent, refs in owners.items():
            await _patch(w, dependent, refs)
        for name, policy in deleted:
            await _delete(w, name, policy)
        await w.advance(20)
        left = {each.metadata.name: each.metadata for each in (await w.client.list(core_v1.ConfigMap, "default")).items}
        _check(left, owners, {name for name, _ in deleted}, uids)


async def _patch(w: Any, name: str, refs: dict[str, meta_v1.OwnerReference]) -> None:
    from wherry.apimachinery.errors import StatusError, is_not_found

    body = {"metadata": {"ownerReferences": [msgspec.to_builtins(each) for each in refs.values()]}}
    try:
        await w.client.patch(core_v1.ConfigMap, name, body, "default")
    except StatusError as error:  # collected already, for a lie that was told of it before
        if not is_not_found(error):
            raise


async def _delete(w: Any, name: str, policy: str) -> None:
    from wherry.apimachinery.errors import StatusError, is_not_found

    try:
        await w.client.delete(core_v1.ConfigMap, name, "default", propagation_policy=policy)
    except StatusError as error:
        if not is_not_found(error):
            raise


def _check(left: Any, owners: Any, deleted: set[str], uids: dict[str, str]) -> None:
    """Who was neither deleted nor owned stays; who is left names only what is there."""
    by_uid = {uid: name for name, uid in uids.items()}
    for name in uids.keys() - deleted:
        refs = owners.get(name, {})
        living = any(
            by_uid.get(each.uid) == each.name and each.kind == "ConfigMap" and each.name in left and each.name not in deleted
            for each in refs.values()
        )
        if not refs or living:
            assert name in left
    for name, meta in left.items():
        assert meta.deletion_timestamp is None
        for each in meta.owner_references:
            assert each.name in left, f"{name} waits for nobody"
