"""What belongs to whom: adoption, release, foreign owners and taken names, against the API server in-process."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from controller_objects import deployment, image_patch, pod_template, replica_set
from workload_helpers import kill_controllers

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.apimachinery.errors import StatusError
from wherry.apimachinery.labels import from_label_selector
from wherry.controller.daemonset.controller import DaemonSetController
from wherry.controller.deployment.controller import DeploymentController
from wherry.controller.hashing import template_hash
from wherry.controller.ownership import carry_out, claim, controller_ref
from wherry.controller.replicaset.controller import ReplicaSetController, ReplicationControllerController
from wherry.controller.statefulset.controller import StatefulSetController

replace = msgspec.structs.replace
LABELS = {"a": "web"}
ROLLING = (DeploymentController, ReplicaSetController)


def bare_pod(name: str, labels: dict[str, str] | None = None, *owners: meta_v1.OwnerReference, **meta: Any) -> core_v1.Pod:
    template = pod_template(LABELS if labels is None else labels)
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", labels=template.metadata.labels, owner_references=list(owners), **meta),
        spec=template.spec,
    )


def owners_of(obj: Any) -> list[tuple[str, str, bool]]:
    return [(ref.kind, ref.uid, bool(ref.controller)) for ref in obj.metadata.owner_references]


def workload(kind: type[Any], name: str = "web") -> Any:
    meta, selector, template = meta_v1.ObjectMeta(name=name, namespace="default"), meta_v1.LabelSelector(match_labels=LABELS), pod_template(LABELS)
    if kind is core_v1.ReplicationController:
        return kind(metadata=meta, spec=core_v1.ReplicationControllerSpec(replicas=1, selector=LABELS, template=template))
    if kind is apps_v1.ReplicaSet:
        return replica_set(replicas=1)
    return kind(metadata=meta, spec=apps_v1.StatefulSetSpec(replicas=1, selector=selector, template=template, service_name="x"))


def test_what_is_claimed():
    owner = replace(replica_set(), metadata=replace(replica_set().metadata, uid="mine"))
    ref, namesakes = controller_ref(owner), replace(controller_ref(owner), uid="former")
    pods = {
        "mine": bare_pod("mine", None, ref), "mine no more": bare_pod("mine no more", {}, ref), "orphan": bare_pod("orphan"),
        "namesake's": bare_pod("namesake's", None, namesakes), "other": bare_pod("other", {}),
        "owned, not controlled": bare_pod("owned, not controlled", None, replace(namesakes, controller=None)),
        "going": bare_pod("going", None, deletion_timestamp="2026-01-01T00:00:00Z"),
    }

    def names(found: list[core_v1.Pod]) -> list[str]:
        return [pod.metadata.name for pod in found]

    found = claim(owner, from_label_selector(owner.spec.selector), pods.values())
    assert (names(found.owned), names(found.release)) == (["mine"], ["mine no more"])
    assert names(found.adopt) == ["orphan", "owned, not controlled"]
    leaving = replace(owner, metadata=replace(owner.metadata, deletion_timestamp="2026-01-01T00:00:00Z"))
    found = claim(leaving, from_label_selector(owner.spec.selector), pods.values())
    assert (names(found.owned), found.adopt, found.release) == (["mine"], [], [])


KINDS = [
    pytest.param(apps_v1.ReplicaSet, ReplicaSetController, id="ReplicaSet"),
    pytest.param(core_v1.ReplicationController, ReplicationControllerController, id="ReplicationController"),
    pytest.param(apps_v1.StatefulSet, StatefulSetController, id="StatefulSet"),
]


@pytest.mark.parametrize(("kind", "controller"), KINDS)
async def test_an_orphan_is_adopted_released_and_adopted_again(world, kind, controller):
    async with world() as w:
        await w.namespace()
        w.start(controller)
        await w.client.create(bare_pod("web-0"))
        owner = await w.client.create(workload(kind))
        await w.settle()
        assert [owners_of(pod) for pod in await w.pods()] == [[(kind.__name__, owner.metadata.uid, True)]]
        await w.client.patch(core_v1.Pod, "web-0", {"metadata": {"labels": {"a": "other"}}}, "default")
        await w.settle()
        assert owners_of(await w.client.get(core_v1.Pod, "web-0", "default")) == []
        await kill_controllers(w)
        await w.client.patch(kind, "web", {"spec": {"replicas": 2}}, "default")
        await w.client.patch(core_v1.Pod, "web-0", {"metadata": {"labels": LABELS}}, "default")
        w.start(controller)
        await w.settle()
        assert owners_of(await w.client.get(core_v1.Pod, "web-0", "default")) == [(kind.__name__, owner.metadata.uid, True)]


@pytest.mark.parametrize(("kind", "controller"), KINDS)
async def test_a_reference_becomes_a_controllers_and_one_of_a_namesake_is_foreign(world, kind, controller):
    async with world() as w:
        await w.namespace()
        owner = await w.client.create(workload(kind))
        mine = replace(controller_ref(owner), controller=None, block_owner_deletion=None)
        await w.client.create(bare_pod("web-0", None, mine))
        former = replace(controller_ref(owner), uid="another")
        await w.client.create(bare_pod("web-1", None, former))
        w.start(controller)
        await w.settle()
        assert owners_of(await w.client.get(core_v1.Pod, "web-0", "default")) == [(kind.__name__, owner.metadata.uid, True)]
        assert owners_of(await w.client.get(core_v1.Pod, "web-1", "default")) == [(kind.__name__, "another", True)]
        assert len(await w.pods()) == 2, "it has its one, and the namesake's stays"
        await w.client.delete(core_v1.Pod, "web-1", "default", grace_period_seconds=0)
        await w.settle()
        assert [pod.metadata.name for pod in await w.pods()] == ["web-0"]


async def test_what_is_going_or_has_ended_is_not_adopted(world):
    async with world() as w:
        await w.namespace()
        await w.client.create(bare_pod("going", None, finalizers=["x.io/y"]))
        await w.client.delete(core_v1.Pod, "going", "default", grace_period_seconds=0)
        ended = await w.client.create(bare_pod("ended"))
        await w.set_pod(ended, "Failed", ready=False)
        await w.client.create(bare_pod("elsewhere", {"b": "other"}))
        w.start(ReplicaSetController)
        await w.client.create(replica_set(replicas=1))
        await w.settle()
        owned = [pod.metadata.name for pod in await w.pods() if pod.metadata.owner_references]
        assert len(owned) == 1
        assert owned[0].startswith("web-")


async def test_orphans_of_another_namespace_are_not_seen(world):
    async with world() as w:
        await w.namespace()
        await w.namespace("two")
        pod = bare_pod("web-0")
        await w.client.create(replace(pod, metadata=replace(pod.metadata, namespace="two")))
        w.start(ReplicaSetController, StatefulSetController, DaemonSetController)
        await w.client.create(replica_set(replicas=1))
        await w.settle()
        assert owners_of(await w.client.get(core_v1.Pod, "web-0", "two")) == []
        assert len(await w.pods()) == 1


async def test_an_owner_that_is_going_neither_adopts_nor_releases(world):
    async with world() as w:
        await w.namespace()
        made = replica_set(replicas=1)
        await w.client.create(replace(made, metadata=replace(made.metadata, finalizers=["x.io/y"])))
        w.start(ReplicaSetController)
        await w.settle()
        (pod,) = await w.pods()
        await w.client.delete(apps_v1.ReplicaSet, "web", "default", propagation_policy="Background")
        await w.client.create(bare_pod("late"))
        await w.client.patch(core_v1.Pod, pod.metadata.name, {"metadata": {"labels": {"a": "other"}}}, "default")
        await w.settle()
        assert owners_of(await w.client.get(core_v1.Pod, "late", "default")) == []
        assert len(owners_of(await w.client.get(core_v1.Pod, pod.metadata.name, "default"))) == 1
        await w.remove_pod(pod)
        await w.settle()
        assert [each.metadata.name for each in await w.pods()] == ["late"], "and makes no new ones"


async def test_a_cached_owner_that_is_gone_adopts_nothing(world):
    """It was deleted, or made anew under its name, since the cache was filled."""
    async with world() as w:
        await w.namespace()
        stale = await w.client.create(replica_set(replicas=1))
        pod = await w.client.create(bare_pod("orphan"))
        await w.client.delete(apps_v1.ReplicaSet, "web", "default")
        for make in (None, replica_set(replicas=1)):
            if make is not None:
                await w.client.create(make)
            with pytest.raises(StatusError):
                await carry_out(w.client, stale, claim(stale, from_label_selector(stale.spec.selector), [pod]))
            assert owners_of(await w.client.get(core_v1.Pod, "orphan", "default")) == []


async def test_a_pod_made_anew_under_its_name_is_not_claimed_for_the_old_one(world):
    async with world() as w:
        await w.namespace()
        rs = await w.client.create(replica_set(replicas=1))
        old = await w.client.create(bare_pod("orphan"))
        await w.remove_pod(old)
        await w.client.create(bare_pod("orphan", {"b": "other"}))
        with pytest.raises(StatusError):
            await carry_out(w.client, rs, claim(rs, from_label_selector(rs.spec.selector), [old]))
        assert owners_of(await w.client.get(core_v1.Pod, "orphan", "default")) == []


# --- Deployments and their ReplicaSets ---------------------------------------------------------------


async def sets(w) -> dict[str, apps_v1.ReplicaSet]:
    return {rs.metadata.name: rs for rs in (await w.client.list(apps_v1.ReplicaSet, "default")).items}


async def test_a_taken_name_is_hashed_anew(world):
    """By a ReplicaSet that is nobody's, or of the same template but another's, or ours with another template."""
    async with world() as w:
        await w.namespace()
        w.start(*ROLLING)
        await w.client.create(deployment(replicas=1))
        await w.run_kubelet()
        ((first, made),) = (await sets(w)).items()
        await w.client.patch(apps_v1.ReplicaSet, first, {"metadata": {"labels": {"a": "released"}}}, "default")
        await w.run_kubelet()
        found = await sets(w)
        assert owners_of(found[first]) == []
        (second,) = [name for name in found if name != first]
        d = await w.client.get(apps_v1.Deployment, "web", "default")
        assert d.status.collision_count == 1
        assert (found[second].spec.replicas, d.status.available_replicas) == (1, 1)
        foreign = replace(controller_ref(d), uid="another")
        await w.client.patch(apps_v1.ReplicaSet, second, {"metadata": {"ownerReferences": [foreign]}}, "default")
        await w.run_kubelet()
        found = await sets(w)
        assert (await w.client.get(apps_v1.Deployment, "web", "default")).status.collision_count == 2
        assert len(found) == 3
        assert owners_of(found[second]) == [("Deployment", "another", True)]
        assert made.spec.template.spec == found[second].spec.template.spec


async def test_the_same_hash_of_another_template_is_a_collision(world):
    async with world() as w:
        await w.namespace()
        d = await w.client.create(deployment(replicas=1))
        name, labels = f"web-{template_hash(d.spec.template)}", {"a": "web", "pod-template-hash": template_hash(d.spec.template)}
        spec = apps_v1.ReplicaSetSpec(
            replicas=0, selector=meta_v1.LabelSelector(match_labels=labels), template=pod_template(labels, "busybox:other"),
        )
        meta = meta_v1.ObjectMeta(name=name, namespace="default", labels=labels, owner_references=[controller_ref(d)])
        await w.client.create(apps_v1.ReplicaSet(metadata=meta, spec=spec))
        w.start(*ROLLING)
        await w.run_kubelet()
        assert (await w.client.get(apps_v1.Deployment, "web", "default")).status.collision_count == 1
        assert [pod.spec.containers[0].image for pod in await w.pods()] == ["busybox:1.36"]


async def test_a_replica_set_comes_back_to_its_deployment(world):
    async with world() as w:
        await w.namespace()
        w.start(*ROLLING)
        d = await w.client.create(deployment(replicas=2))
        await w.run_kubelet()
        (name,) = await sets(w)
        await w.client.patch(apps_v1.ReplicaSet, name, {"metadata": {"ownerReferences": None}}, "default")
        await w.run_kubelet()
        assert owners_of((await sets(w))[name]) == [("Deployment", d.metadata.uid, True)]
        assert len(await sets(w)) == 1
        assert len(await w.pods()) == 2


async def test_orphaned_ones_are_taken_over_by_the_next_deployment_without_a_new_pod(world):
    async with world() as w:
        await w.namespace()
        w.start(*ROLLING)
        await w.client.create(deployment(replicas=2))
        await w.run_kubelet()
        before = {pod.metadata.uid for pod in await w.pods()}
        await kill_controllers(w)
        (name,) = await sets(w)
        await w.client.delete(apps_v1.Deployment, "web", "default", propagation_policy="Background")
        await w.client.patch(apps_v1.ReplicaSet, name, {"metadata": {"ownerReferences": None}}, "default")
        again = await w.client.create(deployment(replicas=2))
        w.start(*ROLLING)
        await w.run_kubelet()
        assert owners_of((await sets(w))[name]) == [("Deployment", again.metadata.uid, True)]
        assert {pod.metadata.uid for pod in await w.pods()} == before
        assert (await w.client.get(apps_v1.Deployment, "web", "default")).metadata.annotations["deployment.kubernetes.io/revision"] == "1"


async def test_of_two_of_the_same_template_the_older_is_the_newest_revision(world):
    async with world() as w:
        await w.namespace()
        w.start(*ROLLING)
        await w.client.create(deployment(replicas=2))
        await w.run_kubelet()
        ((name, first),) = (await sets(w)).items()
        await w.advance(5)
        meta = replace(first.metadata, name="web-twin", uid="", resource_version="", owner_references=[])
        twin = replace(first, metadata=meta, spec=replace(first.spec, replicas=1), status=apps_v1.ReplicaSetStatus())
        await w.client.create(twin)
        await w.run_kubelet()
        found = await sets(w)
        assert {each: rs.spec.replicas for each, rs in found.items()} == {name: 2, "web-twin": 0}


async def test_a_deployment_that_is_going_makes_and_sizes_nothing(world):
    async with world() as w:
        await w.namespace()
        w.start(*ROLLING)
        made = deployment(replicas=2)
        await w.client.create(replace(made, metadata=replace(made.metadata, finalizers=["x.io/y"])))
        await w.run_kubelet()
        await w.client.delete(apps_v1.Deployment, "web", "default", propagation_policy="Background")
        await w.client.patch(apps_v1.Deployment, "web", {"spec": {"replicas": 5}}, "default")
        await w.client.patch(apps_v1.Deployment, "web", image_patch("busybox:2"), "default", patch_type="strategic")
        await w.run_kubelet()
        assert [rs.spec.replicas for rs in (await sets(w)).values()] == [2]
        d = await w.client.get(apps_v1.Deployment, "web", "default")
        assert d.status.observed_generation == d.metadata.generation, "it still says what it sees"


async def test_min_ready_seconds_reach_the_replica_set_that_is_there(world):
    async with world() as w:
        await w.namespace()
        w.start(*ROLLING)
        await w.client.create(deployment(replicas=1))
        await w.run_kubelet()
        await w.client.patch(apps_v1.Deployment, "web", {"spec": {"minReadySeconds": 7}}, "default")
        await w.settle()
        assert [rs.spec.min_ready_seconds for rs in (await sets(w)).values()] == [7]


async def test_a_pod_becomes_available_by_time_alone(world):
    async with world() as w:
        await w.namespace()
        w.start(*ROLLING)
        await w.client.create(deployment(replicas=1, min_ready_seconds=10))
        await w.run_kubelet()
        await w.advance(9)
        d = await w.client.get(apps_v1.Deployment, "web", "default")
        assert (d.status.ready_replicas, d.status.available_replicas or 0) == (1, 0)
        await w.advance(2)
        assert (await w.client.get(apps_v1.Deployment, "web", "default")).status.available_replicas == 1
