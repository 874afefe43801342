"""Endpoints of Services without a selector, mirrored into EndpointSlices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from wherry.api.types import core_v1, discovery_v1, meta_v1
from wherry.controller.endpointslicemirroring.controller import EndpointSliceMirroringController
from wherry.controller.endpointslicemirroring.plan import LEADER, MANAGED_BY, MANAGER, SERVICE_NAME, SKIP, is_mirrored, plan

PORT = core_v1.EndpointPort(name="http", port=80, protocol="TCP")


def endpoints(*ips: str, not_ready: tuple[str, ...] = (), **meta: Any) -> core_v1.Endpoints:
    subset = core_v1.EndpointSubset(
        addresses=[core_v1.EndpointAddress(ip=ip) for ip in ips],
        not_ready_addresses=[core_v1.EndpointAddress(ip=ip) for ip in not_ready], ports=[PORT],
    )
    return core_v1.Endpoints(metadata=meta_v1.ObjectMeta(name="db", namespace="default", uid="e", **meta), subsets=[subset])


def service(**selector: str) -> core_v1.Service:
    return core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="db", namespace="default"),
        spec=core_v1.ServiceSpec(selector=selector, ports=[core_v1.ServicePort(name="http", port=80)]),
    )


def ips(slice_: discovery_v1.EndpointSlice) -> list[str]:
    return [ip for each in slice_.endpoints for ip in each.addresses]


@pytest.mark.parametrize(
    ("given", "of", "mirrored"),
    [
        pytest.param(endpoints(), service(), True, id="custom"),
        pytest.param(endpoints(), service(app="db"), False, id="selector"),
        pytest.param(endpoints(), None, False, id="no-service"),
        pytest.param(None, service(), False, id="no-endpoints"),
        pytest.param(endpoints(labels={SKIP: "true"}), service(), False, id="skip-label"),
        pytest.param(endpoints(labels={SKIP: "no"}), service(), True, id="skip-label-of-another-value"),
        pytest.param(endpoints(annotations={LEADER: "x"}), service(), False, id="leader-election"),
    ],
)
def test_is_mirrored(given: core_v1.Endpoints | None, of: core_v1.Service | None, mirrored: bool) -> None:
    assert is_mirrored(given, of) is mirrored


def test_a_slice_a_family() -> None:
    found = plan(endpoints("10.0.0.1", "2001:db8::1", "10.0.0.2", not_ready=("10.0.0.3",), labels={"a": "b"}), [])
    assert [(each.address_type, ips(each)) for each in found.create] == [
        ("IPv4", ["10.0.0.1", "10.0.0.2", "10.0.0.3"]), ("IPv6", ["2001:db8::1"]),
    ]
    made = found.create[0]
    assert [each.conditions.ready for each in made.endpoints if each.conditions] == [True, True, False]
    assert made.metadata.labels == {"a": "b", SERVICE_NAME: "db", MANAGED_BY: MANAGER}
    assert made.metadata.owner_references[0].kind == "Endpoints"
    assert made.metadata.generate_name == "db-"


def test_what_kubectl_noted_is_not_copied() -> None:
    notes = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "x"}
    assert plan(endpoints("10.0.0.1", annotations=notes), []).create[0].metadata.annotations == {"mine": "x"}


def test_no_more_than_a_thousand() -> None:
    found = plan(endpoints(*(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1003)), "none"), [])
    assert [len(each.endpoints) for each in found.create] == [1000]
    assert (found.skipped, found.invalid) == (3, 1)


def test_changes() -> None:
    old = plan(endpoints("10.0.0.1"), []).create
    assert plan(endpoints("10.0.0.1"), old) == type(plan(endpoints(), []))()
    more = plan(endpoints("10.0.0.1", "10.0.0.2"), old)
    assert (more.create, [ips(each) for each in more.update], more.delete) == ([], [["10.0.0.1", "10.0.0.2"]], [])
    assert plan(endpoints(), old).delete == old
    assert plan(endpoints("10.0.0.1"), [*old, *old]).delete == old, "one of the same ports is enough"
    labelled = plan(endpoints("10.0.0.1", labels={"a": "b"}), old)
    assert [each.metadata.labels["a"] for each in labelled.update] == ["b"]


async def test_mirroring(world: Callable[[], Any]) -> None:
    async with world() as w:
        w.start(EndpointSliceMirroringController)
        await w.namespace()
        await w.client.create(service())
        await w.client.create(endpoints("10.0.0.1"))
        await w.settle()
        [made] = (await w.client.list(discovery_v1.EndpointSlice, "default")).items
        assert (ips(made), made.metadata.labels[SERVICE_NAME]) == (["10.0.0.1"], "db")
        body = {"subsets": [{"addresses": [{"ip": "10.0.0.9"}], "ports": [{"name": "http", "port": 80}]}]}
        await w.client.patch(core_v1.Endpoints, "db", body, "default")
        await w.settle()
        [changed] = (await w.client.list(discovery_v1.EndpointSlice, "default")).items
        assert (changed.metadata.name, ips(changed)) == (made.metadata.name, ["10.0.0.9"])
        await w.client.patch(core_v1.Service, "db", {"spec": {"selector": {"app": "db"}}}, "default")
        await w.settle()
        assert (await w.client.list(discovery_v1.EndpointSlice, "default")).items == []


async def test_too_many_are_told_of(world: Callable[[], Any]) -> None:
    async with world() as w:
        w.start(EndpointSliceMirroringController)
        await w.namespace()
        await w.client.create(service())
        await w.client.create(endpoints(*(f"10.0.{n // 250}.{n % 250 + 1}" for n in range(1001))))
        await w.settle()
        assert await w.events() == [(
            "Endpoints/db", "TooManyAddressesToMirror",
            "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 1 addresses were skipped",
        )]
