"""Pods that the API refuses for a while, as over a quota: the workload says why, and goes on when it may."""

from __future__ import annotations

import pytest
from controller_objects import deployment, image_patch, pod_template, replica_set
from workload_helpers import kill_controllers

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.daemonset.controller import DaemonSetController
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.replicaset.controller import ReplicaSetController
from wherry.controller.statefulset.controller import StatefulSetController

LABELS = {"a": "web"}
META, SELECTOR = meta_v1.ObjectMeta(name="web", namespace="default"), meta_v1.LabelSelector(match_labels=LABELS)
ACCOUNT = core_v1.ServiceAccount(metadata=meta_v1.ObjectMeta(name="default", namespace="default"))


def daemon_set() -> apps_v1.DaemonSet:
    return apps_v1.DaemonSet(metadata=META, spec=apps_v1.DaemonSetSpec(selector=SELECTOR, template=pod_template(LABELS)))


def stateful_set(replicas: int = 3, **more: str) -> apps_v1.StatefulSet:
    spec = apps_v1.StatefulSetSpec(replicas=replicas, selector=SELECTOR, template=pod_template(LABELS), service_name="web", **more)
    return apps_v1.StatefulSet(metadata=META, spec=spec)


async def nodes(w) -> None:
    for name in ("n1", "n2", "n3"):
        await w.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name)))
        await w.client.patch(core_v1.Node, name, {"spec": {"taints": None}})


@pytest.mark.parametrize(("make", "controller"), [
    pytest.param(replica_set, ReplicaSetController, id="ReplicaSet"), pytest.param(daemon_set, DaemonSetController, id="DaemonSet"),
    pytest.param(stateful_set, StatefulSetController, id="StatefulSet"),
])
async def test_it_goes_on_when_pods_may_be_made(world, make, controller):
    async with world() as w:
        await w.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="default")))
        await nodes(w)
        w.start(controller)
        await w.client.create(make())
        await w.advance(3)
        assert await w.pods() == []
        assert {reason for _, reason, _ in await w.events()} == {"FailedCreate"}
        await w.client.create(ACCOUNT)
        for _ in range(12):
            await w.advance(5)
            await w.run_kubelet()
        assert len(await w.pods()) == 3, "long before expectations would time out"


@pytest.mark.parametrize(("make", "controller"), [
    pytest.param(replica_set, ReplicaSetController, id="ReplicaSet"), pytest.param(daemon_set, DaemonSetController, id="DaemonSet"),
    pytest.param(lambda: stateful_set(20, pod_management_policy="Parallel"), StatefulSetController, id="StatefulSet"),
])
async def test_a_refusal_is_met_once_and_not_by_every_pod(world, make, controller):
    async with world() as w:
        await w.client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="default")))
        await nodes(w)
        w.start(controller)
        await w.client.create(make())
        await w.settle()
        assert 1 <= len(await w.events()) <= 2, "one a try; writing the status is seen and makes another"


async def test_a_refusal_in_mid_rollout_is_told_and_over_when_it_is(world):
    async with world() as w:
        await w.namespace()
        w.start(DeploymentController, ReplicaSetController)
        await w.client.create(deployment(replicas=3))
        await w.run_kubelet()
        await w.client.delete(core_v1.ServiceAccount, "default", "default")
        await w.client.patch(apps_v1.Deployment, "web", image_patch("busybox:2"), "default", patch_type="strategic")
        await w.advance(2)

        async def conditions() -> dict[str, tuple[str, str, str]]:
            found = await w.client.get(apps_v1.Deployment, "web", "default")
            return {each.type: (each.status, each.reason, each.message) for each in found.status.conditions}

        told = (await conditions())["ReplicaFailure"]
        assert told[:2] == ("True", "FailedCreate")
        assert 'error looking up service account default/default: serviceaccount "default" not found' in told[2]
        assert [pod.spec.containers[0].image for pod in await w.pods()] == ["busybox:1.36"] * 3, "nothing was taken from service"
        assert (await conditions())["Available"][0] == "True"
        await w.client.create(ACCOUNT)
        for _ in range(6):
            await w.advance(5)
            await w.run_kubelet()
        assert [pod.spec.containers[0].image for pod in await w.pods()] == ["busybox:2"] * 3
        assert sorted(await conditions()) == ["Available", "Progressing"]


async def test_one_that_never_is_ready_stops_the_rollout_and_undo_heals_it(world):
    async with world() as w:
        await w.namespace()
        w.start(DeploymentController, ReplicaSetController)
        await w.client.create(deployment(replicas=4, progress_deadline_seconds=10))
        await w.run_kubelet()
        await w.client.patch(apps_v1.Deployment, "web", image_patch("busybox:broken"), "default", patch_type="strategic")
        await w.settle()

        async def ended() -> None:
            for pod in await w.pods():
                if pod.metadata.deletion_timestamp is not None:
                    await w.remove_pod(pod)
            await w.settle()

        await ended()
        await w.advance(5)
        await kill_controllers(w)
        w.start(DeploymentController, ReplicaSetController)
        await w.advance(8)
        found = await w.client.get(apps_v1.Deployment, "web", "default")
        told = next(each for each in found.status.conditions if each.type == "Progressing")
        assert (told.status, told.reason) == ("False", "ProgressDeadlineExceeded"), "also over a restart"
        images = sorted(pod.spec.containers[0].image for pod in await w.pods())
        assert images == ["busybox:1.36"] * 3 + ["busybox:broken"] * 2
        await w.client.patch(apps_v1.Deployment, "web", image_patch("busybox:1.36"), "default", patch_type="strategic")
        await w.run_kubelet()
        assert [pod.spec.containers[0].image for pod in await w.pods()] == ["busybox:1.36"] * 4
        found = await w.client.get(apps_v1.Deployment, "web", "default")
        assert next(each for each in found.status.conditions if each.type == "Progressing").reason == "NewReplicaSetAvailable"
