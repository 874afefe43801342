"""Namespaces on their way out: what is deleted in what order, what they say of themselves, and when they go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wherry.api.types import core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.client import Client, ResourceInfo
from wherry.controller.namespace.controller import NamespaceController
from wherry.controller.namespace.plan import Progress, conditions, order
from wherry.util.clock import rfc3339

World = Callable[[], Any]
NOW = 1_700_000_000.0
FULL = ("delete", "list", "deletecollection")
PODS, MAPS = ResourceInfo("", "v1", "pods", True, "Pod", FULL), ResourceInfo("", "v1", "configmaps", True, "ConfigMap", FULL)
FOOS = ResourceInfo("example.com", "v1", "foos", True, "Foo", FULL)
GOOD = {
    "NamespaceDeletionDiscoveryFailure": ("False", "ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": ("False", "ParsedGroupVersions", "All legacy kube types successfully parsed"),
    "NamespaceDeletionContentFailure": ("False", "ContentDeleted", "All content successfully deleted, may be waiting on finalization"),
    "NamespaceContentRemaining": ("False", "ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished"),
}


def told(progress: Progress, namespace: core_v1.Namespace | None = None, now: float = NOW) -> dict[str, tuple[str, str, str]]:
    found = conditions(namespace or core_v1.Namespace(), progress, now)
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in found}


def test_what_goes_first() -> None:
    nodes, reviews = ResourceInfo("", "v1", "nodes", False, "Node", FULL), ResourceInfo("a", "v1", "reviews", True, "Review", ("create",))
    odd = ResourceInfo("metrics", "v1", "pods", True, "PodMetrics", FULL)
    unlisted = ResourceInfo("a", "v1", "blind", True, "Blind", ("delete",))
    assert order([MAPS, nodes, PODS, reviews, odd, unlisted, FOOS]) == [[PODS], [MAPS, odd, FOOS]]


@pytest.mark.parametrize(("progress", "changed"), [
    pytest.param(Progress(), {}, id="nothing left"),
    pytest.param(Progress(remaining={MAPS: 0}), {}, id="nothing left of it"),
    pytest.param(
        Progress(remaining={PODS: 2, FOOS: 1}),
        {"NamespaceContentRemaining": (
            "True", "SomeResourcesRemain",
            "Some resources are remaining: foos.example.com has 1 resource instances, pods. has 2 resource instances",
        )}, id="something left",
    ),
    pytest.param(
        Progress(errors=["a: no", "b: never"]),
        {"NamespaceDeletionContentFailure": ("True", "ContentDeletionFailed", "Failed to delete all resource types, 2 remaining: a: no, b: never")},
        id="not deleted",
    ),
    pytest.param(
        Progress(discovery_error="away"),
        {"NamespaceDeletionDiscoveryFailure": ("True", "DiscoveryFailed", "Discovery failed for some groups, 1 failing: away")}, id="not known",
    ),
])
def test_what_it_says(progress: Progress, changed: dict[str, tuple[str, str, str]]) -> None:
    assert told(progress) == {**GOOD, **changed}
    assert progress.empty is not bool(changed)


def test_finalizers_are_counted_and_sorted() -> None:
    progress = Progress(remaining={MAPS: 3})
    for names in (["b"], ["a", "b"], []):
        progress.finalizers.update(names)
    message = "Some content in the namespace has finalizers remaining: a in 1 resource instances, b in 2 resource instances"
    assert told(progress)["NamespaceFinalizersRemaining"] == ("True", "SomeFinalizersRemain", message)


def test_a_condition_is_dated_by_its_last_change() -> None:
    first = conditions(core_v1.Namespace(), Progress(remaining={MAPS: 1}), NOW)
    namespace = core_v1.Namespace(status=core_v1.NamespaceStatus(conditions=[
        core_v1.NamespaceCondition(type=each["type"], status=each["status"], last_transition_time=each["lastTransitionTime"]) for each in first
    ]))
    later = {each["type"]: each["lastTransitionTime"] for each in conditions(namespace, Progress(), NOW + 60)}
    assert later["NamespaceContentRemaining"] == rfc3339(NOW + 60)
    assert {time for kind, time in later.items() if kind != "NamespaceContentRemaining"} == {rfc3339(NOW)}


async def _held(w: Any, kind: type[Any], name: str, **fields: Any) -> None:
    meta = meta_v1.ObjectMeta(name=name, namespace="x", finalizers=["example.com/f"])
    await w.client.create(kind(metadata=meta, **fields))


async def _release(w: Any, kind: type[Any], name: str) -> None:
    await w.client.patch(kind, name, {"metadata": {"finalizers": None}}, "x")


async def test_pods_hold_up_all_else_and_finalizers_the_namespace(world: World) -> None:
    async with world() as w:
        await w.namespace("x")
        await w.namespace("y")
        w.start(NamespaceController)
        await _held(w, core_v1.Pod, "p", spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")]))
        await _held(w, core_v1.ConfigMap, "c")
        await w.client.create(core_v1.Secret(metadata=meta_v1.ObjectMeta(name="s", namespace="x")))
        await w.client.delete(core_v1.Namespace, "x")
        await w.advance(3)
        namespace = await w.client.get(core_v1.Namespace, "x")
        assert namespace.status.phase == "Terminating"
        found = {each.type: each.message for each in namespace.status.conditions if each.status == "True"}
        assert found == {
            "NamespaceContentRemaining": "Some resources are remaining: pods. has 1 resource instances",
            "NamespaceFinalizersRemaining":
                "Some content in the namespace has finalizers remaining: example.com/f in 1 resource instances",
        }
        assert [each.metadata.name for each in (await w.client.list(core_v1.Secret, "x")).items] == ["s"], "Pods may need it"
        await _release(w, core_v1.Pod, "p")
        await w.advance(3)
        assert (await w.client.list(core_v1.Secret, "x")).items == []
        assert (await w.client.get(core_v1.ConfigMap, "c", "x")).metadata.deletion_timestamp
        await _release(w, core_v1.ConfigMap, "c")
        await w.advance(3)
        assert [each.metadata.name for each in (await w.client.list(core_v1.Namespace)).items] == ["y"]
        assert len((await w.client.list(core_v1.ServiceAccount, "y")).items) == 1, "another namespace keeps what it has"


async def test_a_finalizer_of_somebody_else_keeps_an_empty_namespace(world: World) -> None:
    async with world() as w:
        await w.client.create(core_v1.Namespace(
            metadata=meta_v1.ObjectMeta(name="x"), spec=core_v1.NamespaceSpec(finalizers=["kubernetes", "example.com/f"]),
        ))
        w.start(NamespaceController)
        await w.client.delete(core_v1.Namespace, "x")
        await w.advance(3)
        assert (await w.client.get(core_v1.Namespace, "x")).spec.finalizers == ["example.com/f"]
        with pytest.raises(StatusError, match="because it is being terminated"):
            await w.client.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="c", namespace="x")))
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}, "spec": {"finalizers": []}}
        await w.client.update_raw(core_v1.Namespace, "x", body, subresource="finalize")
        await w.settle()
        assert (await w.client.list(core_v1.Namespace)).items == []


async def test_what_cannot_be_deleted_is_told_and_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world() as w:
        await w.namespace("x")
        w.start(NamespaceController)
        await w.settle()
        refuse, delete = [True], Client.delete_collection

        async def refusing(client: Client, kind: Any, namespace: str, **options: Any) -> Any:
            if refuse[0] and options["resource"].plural == "serviceaccounts":
                raise StatusError(403, "Forbidden", "not now")
            return await delete(client, kind, namespace, **options)

        monkeypatch.setattr(Client, "delete_collection", refusing)
        await w.client.delete(core_v1.Namespace, "x")
        await w.advance(2)
        conditions_ = (await w.client.get(core_v1.Namespace, "x")).status.conditions
        found = {each.type: each.message for each in conditions_ if each.status == "True"}
        assert found == {
            "NamespaceDeletionContentFailure": "Failed to delete all resource types, 1 remaining: serviceaccounts: not now",
        }
        refuse[0] = False
        await w.advance(3)
        assert (await w.client.list(core_v1.Namespace)).items == []
