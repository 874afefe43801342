"""The garbage collector against the API server in-process: background, foreground, orphan."""

from __future__ import annotations

import pytest
from controller_objects import deployment, replica_set

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.garbagecollector.controller import GarbageCollector
from wherry.controller.replicaset.controller import ReplicaSetController

WORKLOADS = (DeploymentController, ReplicaSetController, GarbageCollector)


async def names(w, kind):
    return sorted(each.metadata.name for each in (await w.client.list(kind, "default")).items)


@pytest.mark.parametrize("policy", [None, "Background", "Foreground"])
async def test_a_deleted_deployment_takes_its_replica_sets_and_pods_along(world, policy):
    async with world() as w:
        await w.namespace()
        w.start(*WORKLOADS)
        await w.client.create(deployment())
        await w.run_kubelet()
        assert len(await w.pods()) == 3
        await w.client.delete(apps_v1.Deployment, "web", "default", propagation_policy=policy)
        await w.run_kubelet()
        await w.settle()
        assert [await names(w, kind) for kind in (apps_v1.Deployment, apps_v1.ReplicaSet, core_v1.Pod)] == [[], [], []]


async def test_foreground_deletion_lasts_until_the_last_dependent_has_gone(world):
    async with world() as w:
        await w.namespace()
        w.start(*WORKLOADS)
        await w.client.create(replica_set())
        await w.settle()
        for pod in await w.pods():
            await w.client.patch(core_v1.Pod, pod.metadata.name, {"metadata": {"finalizers": ["example.com/hold"]}}, "default")
        await w.client.delete(apps_v1.ReplicaSet, "web", "default", propagation_policy="Foreground")
        await w.settle()
        rs = await w.client.get(apps_v1.ReplicaSet, "web", "default")
        assert rs.metadata.finalizers == ["foregroundDeletion"]
        pods = await w.pods()
        assert len(pods) == 3
        assert all(pod.metadata.deletion_timestamp for pod in pods)
        for pod in pods:
            await w.client.patch(core_v1.Pod, pod.metadata.name, {"metadata": {"finalizers": None}}, "default")
        await w.advance(1)  # conflicts are tried again
        assert await names(w, apps_v1.ReplicaSet) == []


async def test_orphans_lose_their_owner_and_stay(world):
    async with world() as w:
        await w.namespace()
        w.start(*WORKLOADS)
        await w.client.create(replica_set())
        await w.settle()
        await w.client.delete(apps_v1.ReplicaSet, "web", "default", propagation_policy="Orphan")
        await w.settle()
        assert await names(w, apps_v1.ReplicaSet) == []
        pods = await w.pods()
        assert [pod.metadata.owner_references for pod in pods] == [[], [], []]


async def test_one_solid_owner_of_two_keeps_the_object(world):
    async with world() as w:
        await w.namespace()
        w.start(GarbageCollector)
        owners = [
            await w.client.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name=name, namespace="default")))
            for name in ("one", "two")
        ]
        refs = [
            meta_v1.OwnerReference(api_version="v1", kind="ConfigMap", name=o.metadata.name, uid=o.metadata.uid) for o in owners
        ]
        await w.client.create(
            core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="kept", namespace="default", owner_references=refs)),
        )
        await w.settle()
        await w.client.delete(core_v1.ConfigMap, "one", "default")
        await w.settle()
        kept = await w.client.get(core_v1.ConfigMap, "kept", "default")
        assert [ref.name for ref in kept.metadata.owner_references] == ["two"]
        await w.client.delete(core_v1.ConfigMap, "two", "default")
        await w.settle()
        assert await names(w, core_v1.ConfigMap) == []


async def test_an_owner_that_never_was_counts_as_gone(world):
    async with world() as w:
        await w.namespace()
        w.start(GarbageCollector)
        ref = meta_v1.OwnerReference(api_version="v1", kind="ConfigMap", name="never", uid="0")
        await w.client.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="c", namespace="default", owner_references=[ref])))
        await w.settle()
        assert await names(w, core_v1.ConfigMap) == []


async def test_an_owner_in_another_namespace_is_none(world):
    async with world() as w:
        for namespace in ("default", "other"):
            await w.namespace(namespace)
        w.start(GarbageCollector)
        owner = await w.client.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="o", namespace="other")))
        await w.settle()
        ref = meta_v1.OwnerReference(api_version="v1", kind="ConfigMap", name="o", uid=owner.metadata.uid)
        await w.client.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="c", namespace="default", owner_references=[ref])))
        await w.client.create(core_v1.Node(metadata=meta_v1.ObjectMeta(name="n", owner_references=[ref])))
        await w.settle()
        assert await names(w, core_v1.ConfigMap) == []
        assert (await w.client.get(core_v1.Node, "n")).metadata.owner_references, "what is in no namespace stays"
        events = (await w.client.list(core_v1.Event, "default")).items
        told = {each.involved_object.kind: each.message for each in events if each.reason == "OwnerRefInvalidNamespace"}
        shown = f"ownerRef [v1/ConfigMap, namespace: {{}}, name: o, uid: {owner.metadata.uid}] does not exist in namespace "
        assert told == {"ConfigMap": shown.format("default") + '"default"', "Node": shown.format("") + '""'}


@pytest.mark.parametrize("lie", [{"kind": "Secret"}, {"name": "nobody"}, {"api_version": "apps/v1", "kind": "ReplicaSet"}], ids=["kind", "name", "group"])
async def test_a_reference_that_lies_about_a_uid_harms_only_who_bears_it(world, lie):
    """Upstream's conflicting data: what was looked for in vain by a wrong reference may be there by the right one."""
    async with world() as w:
        await w.namespace()
        owner = await w.client.create(core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name="owner", namespace="default")))
        right = {"api_version": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner.metadata.uid}
        for name, ref in (("a-liar", {**right, **lie}), ("child", right), ("z-liar", {**right, **lie})):
            meta = meta_v1.ObjectMeta(name=name, namespace="default", owner_references=[meta_v1.OwnerReference(**ref)])
            await w.client.create(core_v1.Secret(metadata=meta))
        w.start(GarbageCollector)
        await w.advance(10)
        assert await names(w, core_v1.Secret) == ["child"]
        assert await names(w, core_v1.ConfigMap) == ["owner"]
