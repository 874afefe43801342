"""The scheduler is killed at every write while it gives devices out: no device is given twice, and nobody is left without.

Also through the real API server without a death: what stands in the claims, events and Pods in the end.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec
from device_makers import DRIVER, claim, device_class, devices, slice_of
from test_scheduler_killed import World, live, open_world, placed, when

from wherry.api.resourceclaims import FINALIZER, Claim
from wherry.api.types import core_v1
from wherry.scheduler.scheduler import Scheduler

SHARED = {"a": "one", "b": "two", "c": "shared", "d": "shared", "e": "three"}  # Pod -> claim


async def create(world: World, of: Any) -> Any:
    meta = msgspec.structs.replace(of.metadata, uid="", resource_version="")
    return await world.client.create(msgspec.structs.replace(of, metadata=meta))


async def add_pod(world: World, name: str, claim_name: str, **spec: Any) -> core_v1.Pod:
    raw = {"metadata": {"name": name, "namespace": "default"}, "spec": {
        "containers": [{"name": "c", "image": "app"}], "resourceClaims": [{"name": "gpu", "resourceClaimName": claim_name}], **spec,
    }}
    made: core_v1.Pod = await world.client.create(msgspec.convert(raw, core_v1.Pod))
    return made


async def two_and_one_devices(world: World) -> None:
    """Three devices for four claims, one of them of two Pods."""
    for name in ("n1", "n2"):
        await world.add_node(name, "4")
    await create(world, device_class())
    for each in (slice_of(devices("x", "y"), node="n1"), slice_of(devices("z"), node="n2")):
        await create(world, each)
    for name in sorted(set(SHARED.values())):
        await create(world, claim(name))
    for name, claim_name in SHARED.items():
        await add_pod(world, name, claim_name)


def reached(pods: dict[str, core_v1.Pod]) -> bool:
    """Three claims have a device; who has none is told."""
    waiting = [pod for pod in pods.values() if not pod.spec.node_name]
    told = [c for pod in waiting for c in pod.status.conditions if c.type == "PodScheduled" and c.status == "False"]
    return placed(pods) + len(told) == 5 and placed(pods) >= 3


@when
async def test_no_device_is_given_twice(after: bool) -> None:
    for at in range(1, 100):
        async with open_world() as world:
            await two_and_one_devices(world)
            transport = await live(world, at, after, reached)
            pods = await world.pods()
            claims = (await world.client.list(Claim, "default")).items
            given = [(r.pool, r.device) for each in claims if each.status.allocation is not None for r in each.status.allocation.devices.results]
            last = transport.writes[-1]
            assert sorted(given) == [("n1", "x"), ("n1", "y"), ("n2", "z")], last
            for each in claims:
                users = {SHARED[user.name] for user in each.status.reserved_for}
                assert users <= {each.metadata.name}, last
                if each.status.allocation is not None:
                    assert FINALIZER in each.metadata.finalizers, last
                    bound = {pods[name].spec.node_name for name, wanted in SHARED.items() if wanted == each.metadata.name and pods[name].spec.node_name}
                    assert bound == {each.status.allocation.devices.results[0].pool}, last
            if not transport.dead.is_set():
                assert at > 10
                return


async def scheduled(world: World, until: Any) -> dict[str, core_v1.Pod]:
    scheduler = Scheduler(world.client, world.clock, rng=random.Random(0))
    task = asyncio.create_task(scheduler.run())
    try:
        assert await world.until(until, asyncio.Event())
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return await world.pods()


async def test_what_is_written() -> None:
    async with open_world() as world:
        await world.add_node("n1", "4")
        await create(world, device_class())
        await create(world, slice_of(devices("x"), node="n1"))
        await create(world, claim("one"))
        pod = await add_pod(world, "p", "one")
        await scheduled(world, lambda pods: bool(pods["p"].spec.node_name))
        [found] = (await world.client.list(Claim, "default")).items
        allocation = found.status.allocation
        assert allocation is not None
        assert msgspec.to_builtins(allocation.devices) == {"results": [{"request": "r", "driver": DRIVER, "pool": "n1", "device": "x"}]}
        assert allocation.allocation_timestamp
        [term] = allocation.node_selector.node_selector_terms
        assert [(each.key, each.operator, each.values) for each in term.match_fields] == [("metadata.name", "In", ["n1"])]
        assert msgspec.to_builtins(found.status.reserved_for) == [{"resource": "pods", "name": "p", "uid": pod.metadata.uid}]
        assert found.metadata.finalizers == [FINALIZER]


async def test_a_pod_waits_for_its_claim_its_class_and_its_device() -> None:
    async with open_world() as world:
        await world.add_node("n1", "4")
        await add_pod(world, "p", "one")
        scheduler = Scheduler(world.client, world.clock, rng=random.Random(0))
        task = asyncio.create_task(scheduler.run())

        async def told() -> str:
            for _ in range(10):
                await world.clock.advance(0.5)
                await world.clock.settle(100)
            conditions = (await world.pods())["p"].status.conditions
            return next((each.message for each in conditions if each.type == "PodScheduled"), "")

        try:
            assert await told() == ""  # not tried
            await create(world, claim("one"))
            assert await told() == (
                "0/1 nodes are available: request r: device class gpu does not exist. still not schedulable, "
                "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
            )
            await create(world, device_class())
            assert (await told()).startswith("0/1 nodes are available: 1 cannot allocate all claims. still not schedulable, preemption:")
            await create(world, slice_of(devices("x"), node="n1"))
            assert await world.until(lambda pods: bool(pods["p"].spec.node_name), asyncio.Event())
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_a_device_that_must_be_made_ready_is_waited_for() -> None:
    async with open_world() as world:
        await world.add_node("n1", "4")
        await create(world, device_class())
        await create(world, slice_of(devices("x", bindingConditions=["ready"], bindingFailureConditions=["failed"]), node="n1"))
        await create(world, claim("one"))
        await add_pod(world, "p", "one")
        scheduler = Scheduler(world.client, world.clock, rng=random.Random(0))
        task = asyncio.create_task(scheduler.run())

        async def tell(condition: str) -> None:
            state = {"type": condition, "status": "True", "reason": "R", "lastTransitionTime": "2026-01-01T00:00:00Z"}
            device = {"driver": DRIVER, "pool": "n1", "device": "x", "conditions": [state]}
            await world.client.patch(Claim, "one", {"status": {"devices": [device]}}, "default", subresource="status")

        async def the_claim() -> Claim:
            for _ in range(10):
                await world.clock.advance(0.5)
                await world.clock.settle(100)
            return await world.client.get(Claim, "one", "default")

        try:
            assert (await the_claim()).status.allocation is not None
            assert not (await world.pods())["p"].spec.node_name
            await tell("failed")  # given free, and then given again, as there is no other
            freed = await the_claim()
            assert not freed.status.devices
            await the_claim()
            await tell("ready")
            assert await world.until(lambda pods: bool(pods["p"].spec.node_name), asyncio.Event())
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def extended_resources(world: World) -> None:
    await world.add_node("n1", "4")
    await create(world, device_class("gpu", extendedResourceName="example.com/gpu"))
    await create(world, slice_of(devices("x", "y"), node="n1"))
    for name in ("p", "q"):
        resources = {"requests": {"example.com/gpu": "1"}, "limits": {"example.com/gpu": "1"}}
        raw = {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [{"name": "c", "image": "app", "resources": resources}]}}
        await world.client.create(msgspec.convert(raw, core_v1.Pod))


@when
async def test_extended_resources_get_one_claim_a_pod(after: bool) -> None:
    for at in range(1, 100):
        async with open_world() as world:
            await extended_resources(world)
            transport = await live(world, at, after, lambda pods: placed(pods) == 2)
            claims = (await world.client.list(Claim, "default")).items
            last = transport.writes[-1]
            told = {}
            for pod in (await world.pods()).values():
                status = pod.status.extended_resource_claim_status
                assert status is not None, last
                told[status.resource_claim_name] = pod.metadata.name
                assert msgspec.to_builtins(status.request_mappings) == [{"containerName": "c", "requestName": "container-0-request-0", "resourceName": "example.com/gpu"}]
            assert {each.metadata.name: each.status.reserved_for[0].name for each in claims} == told, last
            assert {each.status.allocation.devices.results[0].device for each in claims if each.status.allocation} == {"x", "y"}, last
            if not transport.dead.is_set():
                assert at > 10
                return
