"""Pods that no kubelet will ever end: which go, in what order, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wherry.api.types import core_v1, meta_v1
from wherry.controller.controller import Options
from wherry.controller.podgc.controller import PodGCController
from wherry.controller.podgc.plan import OUT_OF_SERVICE, missing_nodes, orphaned, terminated, terminating, unscheduled
from wherry.util.clock import rfc3339

World = Callable[[], Any]
NOW = 1_700_000_000.0


def pod(name: str, phase: str = "Running", *, age: float = 0, node: str = "n1", going: bool = False, reason: str = "") -> core_v1.Pod:
    meta = meta_v1.ObjectMeta(
        name=name, namespace="default", creation_timestamp=rfc3339(NOW - age), deletion_timestamp=rfc3339(NOW) if going else None,
    )
    spec = core_v1.PodSpec(node_name=node, containers=[core_v1.Container(name="c", image="i")])
    return core_v1.Pod(metadata=meta, spec=spec, status=core_v1.PodStatus(phase=phase, reason=reason))


def node(name: str = "n1", ready: str = "False", *taints: str) -> core_v1.Node:
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=name), spec=core_v1.NodeSpec(taints=[core_v1.Taint(key=key, effect="NoExecute") for key in taints]),
        status=core_v1.NodeStatus(conditions=[core_v1.NodeCondition(type="Ready", status=ready)]),
    )


def names(removals: list[Any]) -> list[str]:
    return [each.pod.metadata.name for each in removals]


ENDED = [pod("a", "Failed", age=1), pod("b", "Succeeded", age=3, reason="Evicted"), pod("c", "Failed", age=2), pod("e", "Failed", age=0, reason="Evicted")]


@pytest.mark.parametrize(("threshold", "expected"), [(0, []), (5, []), (4, []), (3, ["e"]), (2, ["e", "b"]), (1, ["e", "b", "c"])])
def test_of_too_many_that_have_ended_the_evicted_go_first_and_then_the_oldest(threshold: int, expected: list[str]) -> None:
    others = [pod("r", "Running", age=9), pod("p", "Pending", age=9), pod("u", "Unknown", age=9), pod("g", "Failed", age=9, going=True)]
    found = terminated([*ENDED, *others], threshold)
    assert names(found) == expected
    assert not any(each.message for each in found)


def test_those_that_no_node_ever_had() -> None:
    pods = [pod("a", "Pending", node="", going=True), pod("b", "Pending", node=""), pod("c", "Pending", going=True)]
    assert names(unscheduled(pods)) == ["a"]


@pytest.mark.parametrize(("on", "going", "expected"), [
    pytest.param(node("n1", "False", OUT_OF_SERVICE), True, True, id="down, they say"),
    pytest.param(node("n1", "Unknown", OUT_OF_SERVICE), True, True, id="silent"),
    pytest.param(node("n1", "True", OUT_OF_SERVICE), True, False, id="ready all the same"),
    pytest.param(node("n1", "False", "other"), True, False, id="nobody says so"),
    pytest.param(node("n1", "False", OUT_OF_SERVICE), False, False, id="not asked to go"),
    pytest.param(None, True, False, id="the node is gone"),
])
def test_those_whose_node_is_out_of_service(on: core_v1.Node | None, going: bool, expected: bool) -> None:
    assert bool(terminating([pod("p", going=going)], lambda name: on)) is expected


def test_those_whose_node_is_gone() -> None:
    pods = [pod("a"), pod("b", node="n2"), pod("c", node="")]
    assert missing_nodes(pods, ["n1"]) == {"n2"}
    found = orphaned(pods, {"n2"})
    assert (names(found), found[0].message) == (["b"], "PodGC: node no longer exists")


async def _add(w: Any, made: core_v1.Pod, *, finalizer: bool = True) -> None:
    """Held by a finalizer, so that what was written before it was deleted can be read."""
    meta = meta_v1.ObjectMeta(name=made.metadata.name, namespace="default", finalizers=["example.com/f"] if finalizer else [])
    await w.client.create(core_v1.Pod(metadata=meta, spec=made.spec))


async def test_what_goes_has_failed_first_and_says_why_if_it_was_disrupted(world: World) -> None:
    async with world() as w:
        await w.namespace()
        await w.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n1")))
        for each in (pod("orphan", node="n2"), pod("homeless", node=""), pod("stays")):
            await _add(w, each)
        await w.client.delete(core_v1.Pod, "homeless", "default", grace_period_seconds=0)
        w.start(PodGCController)
        await w.advance(39)
        assert {each.metadata.name: each.status.phase for each in await w.pods()} == {
            "homeless": "Failed", "orphan": "Pending", "stays": "Pending",
        }
        await w.advance(25)
        found = {each.metadata.name: each for each in await w.pods()}
        assert found["orphan"].metadata.deletion_timestamp is not None
        assert found["stays"].metadata.deletion_timestamp is None
        told = {name: [(c.type, c.reason, c.message) for c in each.status.conditions if c.type == "DisruptionTarget"] for name, each in found.items()}
        assert told == {
            "orphan": [("DisruptionTarget", "DeletionByPodGC", "PodGC: node no longer exists")], "homeless": [], "stays": [],
        }
        assert found["orphan"].status.phase == "Failed"


async def test_a_node_that_is_only_unknown_to_the_cache_keeps_its_pods(world: World) -> None:
    async with world() as w:
        await w.namespace()
        await w.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n2")))
        await _add(w, pod("p", node="n2"), finalizer=False)
        w.start(PodGCController)
        await w.settle()
        (controller,) = w.manager.controllers
        controller.nodes.store.remove("n2")
        await w.advance(100)
        assert len(await w.pods()) == 1


async def test_a_node_out_of_service_lets_its_pods_go(world: World) -> None:
    async with world() as w:
        await w.namespace()
        await w.client.create(node("n1", "Unknown", OUT_OF_SERVICE))
        await _add(w, pod("p"), finalizer=False)
        await _add(w, pod("q"), finalizer=False)
        await w.client.delete(core_v1.Pod, "p", "default", grace_period_seconds=30)
        w.start(PodGCController, options=Options(terminated_pod_gc_threshold=1))
        await w.advance(21)
        assert [each.metadata.name for each in await w.pods()] == ["q"]
