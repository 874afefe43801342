"""ReplicaSets against the API server in-process."""
from __future__ import annotations

import asyncio

from controller_objects import replica_set

from wherry.api.types import apps_v1
from wherry.controller.controller import SLICE
from wherry.controller.replicaset.controller import ReplicaSetController


async def test_makes_its_pods_and_tells(world):
    async with world() as w:
        await w.namespace()
        w.start(ReplicaSetController)
        await w.client.create(replica_set())
        await w.settle()
        pods = await w.pods()
        assert len(pods) == 3
        rs = await w.client.get(apps_v1.ReplicaSet, "web", "default")
        assert (rs.status.replicas, rs.status.fully_labeled_replicas, rs.status.ready_replicas) == (3, 3, None)
        assert [e[:2] for e in await w.events()] == [("ReplicaSet/web", "SuccessfulCreate")] * 3


async def test_thousands_of_pods_are_looked_at_with_turns_for_others_between(world):
    async with world() as w:
        w.start(ReplicaSetController)
        controller = w.manager.controllers[0]
        turns: list[int] = []
        sizes: list[int] = []

        async def others() -> None:
            while True:
                turns.append(len(sizes))
                await asyncio.sleep(0)

        beside = asyncio.create_task(others())
        async for some in controller.in_slices(range(3 * SLICE + 1)):
            sizes.append(len(some))
        beside.cancel()
        assert sizes == [SLICE, SLICE, SLICE, 1]
        assert turns == [1, 2, 3]  # how many slices each turn of the others came after
