"""ReplicaSets against the API server in-process."""
from __future__ import annotations

from controller_objects import replica_set

from wherry.api.types import apps_v1
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
