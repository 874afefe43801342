"""Slices of a Service: what is in them, how they fill, and how little changes."""

from __future__ import annotations

import msgspec
import pytest

from wherry.api.types import core_v1, discovery_v1, meta_v1
from wherry.controller.endpoints.plan import subsets
from wherry.controller.endpointslice.plan import MAX_ENDPOINTS, plan

NODES = {"n1": core_v1.Node(metadata=meta_v1.ObjectMeta(name="n1", labels={"topology.kubernetes.io/zone": "z"}))}


def service(**spec) -> core_v1.Service:
    ports = spec.pop("ports", [core_v1.ServicePort(port=80, protocol="TCP", target_port=80)])
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="web", namespace="d", uid="s"),
        spec=core_v1.ServiceSpec(selector={"a": "web"}, ports=ports, cluster_ip=spec.pop("cluster_ip", "10.96.0.1"), **spec),
    )


def pod(number: int, *, ready: bool = True, going: bool = False, port: int = 0, phase: str = "Running") -> core_v1.Pod:
    ports = [core_v1.ContainerPort(name="http", container_port=port, protocol="TCP")] if port else []
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=f"p{number}", namespace="d", uid=f"u{number}", deletion_timestamp="2023-01-01T00:00:00Z" if going else None,
        ),
        spec=core_v1.PodSpec(node_name="n1", containers=[core_v1.Container(name="c", ports=ports)]),
        status=core_v1.PodStatus(
            phase=phase, pod_ip=f"10.0.{number // 250}.{number % 250 + 1}",
            conditions=[core_v1.PodCondition(type="Ready", status="True" if ready else "False")],
        ),
    )


def stored(slices: list[discovery_v1.EndpointSlice]) -> list[discovery_v1.EndpointSlice]:
    """As the server gives them back."""
    return [
        msgspec.structs.replace(each, metadata=msgspec.structs.replace(each.metadata, name=f"web-{number}", uid=f"e{number}"))
        for number, each in enumerate(slices)
    ]


def sizes(slices: list[discovery_v1.EndpointSlice]) -> list[int]:
    return [len(each.endpoints) for each in slices]


@pytest.mark.parametrize(("ready", "going", "everyone", "expected"), [
    pytest.param(True, False, False, (True, True, False), id="ready"),
    pytest.param(False, False, False, (False, False, False), id="not-ready"),
    pytest.param(True, True, False, (False, True, True), id="going-but-serving"),
    pytest.param(False, False, True, (True, False, False), id="published-though-not-ready"),
])
def test_conditions_of_an_endpoint(ready, going, everyone, expected):
    made = plan(service(publish_not_ready_addresses=everyone), [pod(1, ready=ready, going=going)], [], NODES).create
    conditions = made[0].endpoints[0].conditions
    assert (conditions.ready, conditions.serving, conditions.terminating) == expected
    assert made[0].endpoints[0].zone == "z"


@pytest.mark.parametrize(("distribution", "zones", "nodes"), [
    pytest.param("PreferClose", ["z"], [], id="zone, by its old name"),
    pytest.param("PreferSameZone", ["z"], [], id="zone"),
    pytest.param("PreferSameNode", ["z"], ["n1"], id="node, else zone"),
])
def test_a_service_that_wants_its_traffic_near_gets_hints(distribution, zones, nodes):
    near = service(traffic_distribution=distribution)
    made = plan(near, [pod(1)], [], NODES).create
    hints = made[0].endpoints[0].hints
    assert ([each.name for each in hints.for_zones], [each.name for each in hints.for_nodes]) == (zones, nodes)
    bare = {"n1": core_v1.Node(metadata=meta_v1.ObjectMeta(name="n1"))}
    moved = plan(near, [pod(1)], stored(made), bare)
    assert (moved.update[0].endpoints[0].hints is None) == (not nodes)
    assert plan(service(), [pod(1)], stored(made), NODES).update[0].endpoints[0].hints is None


def test_a_service_without_pods_has_one_empty_slice_that_is_used_later():
    empty = plan(service(), [], [], NODES)
    assert (sizes(empty.create), empty.create[0].ports) == ([0], [])
    later = plan(service(), [pod(1)], stored(empty.create), NODES)
    assert (later.create, later.delete, [each.metadata.name for each in later.update]) == ([], [], ["web-0"])


def test_nothing_changes_when_nothing_has():
    pods = [pod(n) for n in range(5)]
    made = stored(plan(service(), pods, [], NODES).create)
    again = plan(service(), list(reversed(pods)), made, NODES)
    assert (again.create, again.update, again.delete) == ([], [], [])


def test_slices_hold_a_hundred_and_the_rest_goes_into_the_one_with_room():
    made = stored(plan(service(), [pod(n) for n in range(250)], [], NODES).create)
    assert sizes(made) == [MAX_ENDPOINTS, MAX_ENDPOINTS, 50]
    more = plan(service(), [pod(n) for n in range(260)], made, NODES)
    assert (sizes(more.create), sizes(more.update), more.update[0].metadata.name) == ([], [60], "web-2")


def test_a_named_port_that_pods_resolve_differently_makes_two_slices():
    named = service(ports=[core_v1.ServicePort(port=80, protocol="TCP", target_port="http")])
    made = plan(named, [pod(1, port=8080), pod(2, port=9090)], [], NODES).create
    assert sorted(each.ports[0].port for each in made) == [8080, 9090]


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_pods_that_have_ended_are_left_out(phase):
    assert sizes(plan(service(), [pod(1, phase=phase)], [], NODES).create) == [0]


def test_an_external_name_has_no_slices():
    made = stored(plan(service(), [pod(1)], [], NODES).create)
    steps = plan(service(type="ExternalName"), [pod(1)], made, NODES)
    assert (steps.create, len(steps.delete)) == ([], 1)


def test_endpoints_tell_ready_from_not_ready_and_leave_out_those_that_go():
    found, over = subsets(service(), [pod(1), pod(2, ready=False), pod(3, going=True)])
    assert ([a.ip for a in found[0].addresses], [a.ip for a in found[0].not_ready_addresses], over) == (
        ["10.0.0.2"], ["10.0.0.3"], False,
    )


def test_slices_of_a_namesake_that_is_gone_are_neither_used_nor_filled():
    made = stored(plan(service(), [pod(1)], [], NODES).create)
    stranger = msgspec.structs.replace(service(), metadata=meta_v1.ObjectMeta(name="web", namespace="d", uid="another"))
    for pods in ([pod(1)], []):
        steps = plan(stranger, pods, made, NODES)
        assert (len(steps.create), steps.update, steps.delete) == (1, [], made)


def test_only_an_endpoint_that_is_ready_is_hinted_at():
    near = service(traffic_distribution="PreferSameNode")
    made = plan(near, [pod(1), pod(2, ready=False), pod(3, going=True)], [], NODES).create[0]
    assert [each.hints is not None for each in made.endpoints] == [True, False, False]
