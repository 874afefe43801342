"""Hints by the zones' CPU (`topology-mode: Auto`): how endpoints are shared, when there are none, and what is said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.types import core_v1, discovery_v1, meta_v1
from wherry.controller.endpointslice.controller import EndpointSliceController
from wherry.controller.endpointslice.plan import plan
from wherry.controller.endpointslice.topology import (
    NO_ZONE,
    NOT_ENOUGH,
    NOT_ENOUGH_OF_NODES,
    TOO_UNEVEN,
    Share,
    add_hints,
    cpu_ratios,
    is_automatic,
    is_overloaded,
    shares,
)

World = Callable[[], Any]
MODE = "service.kubernetes.io/topology-mode"
ELDER = "service.kubernetes.io/topology-aware-hints"


def node(name: str, zone: str, cpu: str = "1", ready: str = "True", **labels: str) -> core_v1.Node:
    zones = {"topology.kubernetes.io/zone": zone} if zone else {}
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=name, labels={**zones, **labels}),
        status=core_v1.NodeStatus(
            allocatable={"cpu": cpu} if cpu else {}, conditions=[core_v1.NodeCondition(type="Ready", status=ready)],
        ),
    )


def slice_of(*zones: str, name: str = "s", ready: bool = True, hints: tuple[str, ...] = ()) -> discovery_v1.EndpointSlice:
    endpoints = [
        discovery_v1.Endpoint(
            addresses=[f"10.0.0.{number}"], zone=zone, conditions=discovery_v1.EndpointConditions(ready=ready),
            hints=discovery_v1.EndpointHints(for_zones=[discovery_v1.ForZone(name=hints[number])]) if hints else None,
        )
        for number, zone in enumerate(zones)
    ]
    return discovery_v1.EndpointSlice(metadata=meta_v1.ObjectMeta(name=name), endpoints=endpoints)


def hinted(slice_: discovery_v1.EndpointSlice) -> list[str]:
    return [each.hints.for_zones[0].name if each.hints else "" for each in slice_.endpoints]


@pytest.mark.parametrize(("annotations", "expected"), [
    ({}, False), ({MODE: "Auto"}, True), ({MODE: "auto"}, True), ({MODE: "AUTO"}, False), ({MODE: "Disabled"}, False),
    ({ELDER: "Auto"}, True), ({ELDER: "Disabled", MODE: "Auto"}, False),
])
def test_who_asks_for_it(annotations: dict[str, str], expected: bool) -> None:
    assert is_automatic(core_v1.Service(metadata=meta_v1.ObjectMeta(annotations=annotations))) is expected


@pytest.mark.parametrize(("nodes", "expected"), [
    pytest.param([node("a", "a"), node("b", "b", "3")], {"a": 0.25, "b": 0.75}, id="by CPU"),
    pytest.param([node("a", "a"), node("b", "b", "500m"), node("c", "b", "500m")], {"a": 0.5, "b": 0.5}, id="summed"),
    pytest.param([node("a", "a"), node("b", "a")], {}, id="one zone"),
    pytest.param([], {}, id="no nodes"),
    pytest.param([node("a", "a"), node("b", "b"), node("c", "")], {}, id="a node without a zone"),
    pytest.param([node("a", "a"), node("b", "b"), node("c", "c", "")], {}, id="a node without CPU"),
    pytest.param([node("a", "a"), node("b", "b"), node("c", "", ready="False")], {"a": 0.5, "b": 0.5}, id="not ready: not asked"),
    pytest.param([node("a", "a"), node("b", "b"), node("c", "", **{"node-role.kubernetes.io/control-plane": ""})],
                 {"a": 0.5, "b": 0.5}, id="control planes do not count"),
    pytest.param([node("a", "a"), node("b", "b", ready="Unknown")], {}, id="ready in one zone only"),
])
def test_shares_of_cpu(nodes: list[core_v1.Node], expected: dict[str, float]) -> None:
    assert cpu_ratios(nodes) == expected


@pytest.mark.parametrize(("ratios", "endpoints", "expected"), [
    pytest.param({}, 4, NOT_ENOUGH_OF_NODES, id="zones unknown"),
    pytest.param({"a": 0.5, "b": 0.5}, 1, f"{NOT_ENOUGH} (1 endpoints, 2 zones)", id="fewer than zones"),
    pytest.param({"a": 0.2, "b": 0.8}, 2, f"{TOO_UNEVEN} (2 endpoints, 2 zones)", id="the smallest zone needs one"),
    pytest.param({"a": 0.5, "b": 0.5}, 2, {"a": Share(1, 1, 1.0), "b": Share(1, 1, 1.0)}, id="one each"),
    pytest.param({"a": 0.5, "b": 0.5}, 6, {"a": Share(3, 3, 3.0), "b": Share(3, 3, 3.0)}, id="half each"),
    pytest.param({"a": 0.2, "b": 0.8}, 5, {"a": Share(1, 1, 1.0), "b": Share(4, 4, 4.0)}, id="a fifth"),
    pytest.param({"a": 0.25, "b": 0.75}, 12, {"a": Share(3, 4, 3.0), "b": Share(8, 9, 9.0)}, id="spare ones"),
])
def test_how_many_a_zone_gets(ratios: dict[str, float], endpoints: int, expected: Any) -> None:
    assert shares(ratios, endpoints) == expected


@pytest.mark.parametrize(("allocated", "ratios", "expected"), [
    ({}, {"a": 0.5, "b": 0.5}, False), ({"a": 1, "b": 1}, {}, True), ({"a": 1, "b": 1}, {"a": 0.5, "b": 0.5}, False),
    ({"a": 2, "b": 2}, {"a": 0.5, "b": 0.4, "c": 0.1}, True), ({"a": 3, "b": 3}, {"a": 0.6, "b": 0.4}, False),
    ({"a": 3, "b": 3}, {"a": 0.61, "b": 0.39}, True),
])
def test_overload(allocated: dict[str, int], ratios: dict[str, float], expected: bool) -> None:
    assert is_overloaded(allocated, ratios) is expected


HALVES = {"a": 0.5, "b": 0.5}


def test_an_endpoint_that_says_nothing_of_itself_is_not_ready() -> None:
    plain = msgspec.structs.replace(slice_of("a"), endpoints=[discovery_v1.Endpoint(addresses=["10.0.0.9"], zone="a")])
    found = add_hints([slice_of("a", "b"), plain], [], HALVES)
    assert [hinted(each) for each in found.slices] == [["a", "b"], [""]]


def test_endpoints_are_for_their_own_zone_or_one_that_lacks_some() -> None:
    assert [hinted(each) for each in add_hints([slice_of("a", "b")], [], HALVES).slices] == [["a", "b"]]
    found = add_hints([slice_of("a", "a", "a", "a")], [], HALVES)
    assert Counter(hinted(found.slices[0])) == {"a": 2, "b": 2}
    assert found.allocated == {"a": 2, "b": 2}
    third = add_hints([slice_of(*"aabbcc")], [], HALVES)
    assert hinted(third.slices[0]) == list("aabbcc"), "a zone without ready nodes gives nothing"


def test_what_is_not_ready_has_no_hint_and_counts_for_nothing() -> None:
    found = add_hints([slice_of("a", "b"), slice_of("a", "", ready=False)], [], HALVES)
    assert [hinted(each) for each in found.slices] == [["a", "b"], ["", ""]]
    assert found.allocated == {"a": 1, "b": 1}
    assert add_hints([slice_of("a"), slice_of("b", ready=False)], [], HALVES).why == f"{NOT_ENOUGH} (1 endpoints, 2 zones)"


def test_no_endpoint_has_hints_when_one_has_no_zone() -> None:
    found = add_hints([slice_of("a", "")], [slice_of("b", "a", hints=("b", "a"))], HALVES)
    assert found.why == NO_ZONE
    assert found.allocated == {}
    assert [hinted(each) for each in found.slices] == [["", ""], ["", ""]]


@pytest.mark.parametrize(("hints", "kept"), [
    pytest.param(("a", "b"), True, id="they do"),
    pytest.param(("b", "a"), True, id="crossed, but so many"),
    pytest.param((), False, id="none"),
    pytest.param(("a", "a"), False, id="more than a zone may get"),
    pytest.param(("a", "c"), False, id="a zone that is none"),
])
def test_a_slice_that_need_not_be_written_is_not(hints: tuple[str, ...], kept: bool) -> None:
    before = slice_of("a", "b", hints=hints)
    after = add_hints([], [before], HALVES)
    assert (after.slices[0] == before) is kept
    assert after.allocated == {"a": 1, "b": 1}
    if not kept:
        assert hinted(after.slices[0]) == ["a", "b"]


@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=9), min_size=1, max_size=4), st.lists(st.integers(1, 16), min_size=3, max_size=3),
)
def test_all_ready_endpoints_have_one_hint_or_none_has(zones: list[list[str]], cpus: list[int]) -> None:
    ratios = {zone: cpu / sum(cpus) for zone, cpu in zip("abc", cpus, strict=True)}
    slices = [slice_of(*each, name=f"s{number}") for number, each in enumerate(zones)]
    found = add_hints(slices, [], ratios)
    told = [zone for each in found.slices for zone in hinted(each)]
    assert "" not in told if not found.why else not any(told)
    assert Counter(zone for zone in told if zone) == Counter(found.allocated)
    if not found.why:
        again = add_hints([], found.slices, ratios)
        for zone, share in dict(shares(ratios, len(told))).items():  # type: ignore[arg-type]
            assert found.allocated.get(zone, 0) >= share.minimum - 1, "half of one is not worth a write"
        assert is_overloaded(found.allocated, ratios) or again.slices == found.slices, "once is enough"


# --- in the plan, and live -------------------------------------------------------------------------


def service(mode: str = "Auto", **spec: Any) -> core_v1.Service:
    meta = meta_v1.ObjectMeta(name="web", namespace="default", uid="s", annotations={MODE: mode} if mode else {})
    ports = [core_v1.ServicePort(port=80, protocol="TCP", target_port=80)]
    return core_v1.Service(metadata=meta, spec=core_v1.ServiceSpec(selector={"a": "web"}, ports=ports, cluster_ip="10.96.0.1", **spec))


def pod(name: str, on: str) -> core_v1.Pod:
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", labels={"a": "web"}, uid=name),
        spec=core_v1.PodSpec(node_name=on, containers=[core_v1.Container(name="c", image="i")]),
        status=core_v1.PodStatus(pod_ip=f"10.0.0.{name[1:]}", conditions=[core_v1.PodCondition(type="Ready", status="True")]),
    )


NODES = {"na": node("na", "a"), "nb": node("nb", "b")}


def test_an_endpoint_that_comes_and_goes_is_shared_out_anew() -> None:
    pods = [pod(f"p{number}", "na") for number in range(4)]
    made = plan(service(), pods, [], NODES, HALVES)
    assert made.allocated == {"IPv4": {"a": 2, "b": 2}}
    stored = [msgspec.structs.replace(each, metadata=msgspec.structs.replace(each.metadata, name="web-1")) for each in made.create]
    same = plan(service(), pods, stored, NODES, HALVES)
    assert (same.create, same.update, same.delete) == ([], [], [])
    assert same.allocated == made.allocated
    fewer = plan(service(), pods[:2], stored, NODES, HALVES)
    assert Counter(hinted(fewer.update[0])) == {"a": 1, "b": 1}
    none = plan(service(), pods[:1], stored, NODES, HALVES)
    assert hinted(none.update[0]) == [""]
    assert none.unhinted == {"IPv4": f"{NOT_ENOUGH} (1 endpoints, 2 zones)"}
    assert hinted(plan(service(""), pods, stored, NODES).update[0]) == [""] * 4
    near = plan(service(traffic_distribution="PreferClose"), pods, [], NODES, HALVES)
    assert Counter(hinted(near.create[0])) == {"a": 2, "b": 2}, "the annotation goes before the field"


async def test_hints_follow_the_zones_and_events_tell_of_it(world: World) -> None:
    async with world() as w:
        await w.namespace()
        for each in NODES.values():
            await w.client.create(each)
            await w.client.patch(core_v1.Node, each.metadata.name, {"status": msgspec.to_builtins(each.status)}, subresource="status")
        for number in range(4):
            made = pod(f"p{number}", "na")
            await w.client.create(made)
            await w.set_pod(made, podIP=f"10.0.0.{number}", podIPs=[{"ip": f"10.0.0.{number}"}])
        w.start(EndpointSliceController)
        await w.client.create(service())
        await w.settle()
        assert Counter(hinted(await _slice(w))) == {"a": 2, "b": 2}

        await _ready(w, "nb", "Unknown")
        assert hinted(await _slice(w)) == [""] * 4, "one zone is none"
        await _ready(w, "nb", "True")
        assert Counter(hinted(await _slice(w))) == {"a": 2, "b": 2}
        await w.client.patch(core_v1.Node, "na", {"status": {"allocatable": {"cpu": "3"}}}, subresource="status")
        await w.settle()
        assert Counter(hinted(await _slice(w))) == {"a": 3, "b": 1}
        await w.client.patch(core_v1.Service, "web", {"metadata": {"annotations": {MODE: None}}}, "default")
        await w.settle()
        assert hinted(await _slice(w)) == [""] * 4
        assert set(await w.events()) == {("Service/web", reason, f"{message}, addressType: IPv4") for reason, message in (
            ("TopologyAwareHintsEnabled", "Topology Aware Hints has been enabled"),
            ("TopologyAwareHintsDisabled", NOT_ENOUGH_OF_NODES),
            ("TopologyAwareHintsDisabled", "Topology Aware Hints has been disabled"),
        )}


async def _slice(w: Any) -> discovery_v1.EndpointSlice:
    return (await w.client.list(discovery_v1.EndpointSlice, "default")).items[0]  # type: ignore[no-any-return]


async def _ready(w: Any, name: str, status: str) -> None:
    body = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
    await w.client.patch(core_v1.Node, name, body, subresource="status", patch_type="strategic")
    await w.settle()
