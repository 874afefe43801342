"""ReplicaSets against the API server in-process."""
from __future__ import annotations

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.replicaset.controller import ReplicaSetController
from tests.unit.controller.objects import replica_set


def replica_set(replicas: int = 3) -> apps_v1.ReplicaSet:
    labels = {"a": "web"}
    spec = core_v1.PodSpec(containers=[core_v1.Container(name="c", image="busybox:1.36")])
    return apps_v1.ReplicaSet(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=apps_v1.ReplicaSetSpec(
            replicas=replicas, selector=meta_v1.LabelSelector(match_labels=labels),
            template=core_v1.PodTemplateSpec(metadata=meta_v1.ObjectMeta(labels=labels), spec=spec),
        ),
    )


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
