"""StatefulSets against the API server in-process."""

from __future__ import annotations

from typing import Any

from controller_objects import image_patch, pod_template
from workload_helpers import kill_controllers, raw

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.garbagecollector.controller import GarbageCollector
from wherry.controller.statefulset.controller import StatefulSetController

PATH = "/apis/apps/v1/namespaces/default/statefulsets/st"


def stateful_set(replicas: int = 2, **spec: Any) -> apps_v1.StatefulSet:
    labels = {"a": "st"}
    return apps_v1.StatefulSet(
        metadata=meta_v1.ObjectMeta(name="st", namespace="default"),
        spec=apps_v1.StatefulSetSpec(
            replicas=replicas, selector=meta_v1.LabelSelector(match_labels=labels), template=pod_template(labels), service_name="st", **spec,
        ),
    )


CLAIM = core_v1.PersistentVolumeClaim(
    metadata=meta_v1.ObjectMeta(name="www"),
    spec=core_v1.PersistentVolumeClaimSpec(
        access_modes=["ReadWriteOnce"], resources=core_v1.VolumeResourceRequirements(requests={"storage": "1Mi"}),
    ),
)


async def claims(w) -> list[str]:
    found = (await w.client.list(core_v1.PersistentVolumeClaim, "default")).items
    return sorted(each.metadata.name for each in found if each.metadata.deletion_timestamp is None)


async def test_in_order_as_recorded(world):
    """The statuses and events of the recording's `st`, which is scaled to zero in the end."""
    async with world() as w:
        await w.namespace()
        w.start(StatefulSetController)
        await w.client.create(stateful_set())
        await w.settle()
        assert [pod.metadata.name for pod in await w.pods()] == ["st-0"]
        await w.run_kubelet()
        stored = (await raw(w, PATH))["status"]
        revision = stored.pop("currentRevision")
        assert stored == {
            "observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "currentReplicas": 2, "updatedReplicas": 2,
            "updateRevision": revision, "collisionCount": 0, "availableReplicas": 2,
        }
        assert {pod.metadata.labels["controller-revision-hash"] for pod in await w.pods()} == {revision}
        await w.client.patch(apps_v1.StatefulSet, "st", {"spec": {"replicas": 0}}, "default")
        await w.run_kubelet()
        assert (await raw(w, PATH))["status"] == {
            "observedGeneration": 2, "replicas": 0, "currentRevision": revision, "updateRevision": revision, "collisionCount": 0,
            "availableReplicas": 0,
        }
        assert [event[1:] for event in await w.events()] == [
            ("SuccessfulCreate", "Create Pod st-0 in StatefulSet st successful"),
            ("SuccessfulCreate", "Create Pod st-1 in StatefulSet st successful"),
            ("SuccessfulDelete", "Delete Pod st-1 in StatefulSet st successful"),
            ("SuccessfulDelete", "Delete Pod st-0 in StatefulSet st successful"),
        ]


async def test_rolls_over_and_back_over_restarts_of_the_controller(world):
    async with world() as w:
        await w.namespace()
        w.start(StatefulSetController)
        await w.client.create(stateful_set(3))
        await w.run_kubelet()
        await w.client.patch(apps_v1.StatefulSet, "st", image_patch("busybox:1.37"), "default", patch_type="strategic")
        for _ in range(30):
            await w.settle()
            await kill_controllers(w)
            w.start(StatefulSetController)
            await w.settle()
            if not await w.kubelet_step():
                break
        assert {pod.spec.containers[0].image for pod in await w.pods()} == {"busybox:1.37"}
        revisions = (await w.client.list(apps_v1.ControllerRevision, "default")).items
        first, second = sorted(revisions, key=lambda each: each.revision)
        stored = (await raw(w, PATH))["status"]
        assert stored["currentRevision"] == stored["updateRevision"] == second.metadata.name
        await w.client.patch(apps_v1.StatefulSet, "st", first.data, "default", patch_type="strategic")
        await w.run_kubelet()
        revisions = (await w.client.list(apps_v1.ControllerRevision, "default")).items
        assert max(revisions, key=lambda each: each.revision).metadata.name == first.metadata.name
        assert {pod.spec.containers[0].image for pod in await w.pods()} == {"busybox:1.36"}


async def test_claims_stay_or_go_as_the_policy_says(world):
    async with world() as w:
        await w.namespace()
        w.start(StatefulSetController, GarbageCollector)
        policy = apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted="Retain", when_scaled="Delete")
        await w.client.create(stateful_set(2, volume_claim_templates=[CLAIM], persistent_volume_claim_retention_policy=policy))
        await w.run_kubelet()
        assert await claims(w) == ["www-st-0", "www-st-1"]
        assert ("SuccessfulCreate", "Create Claim www-st-0 Pod st-0 in StatefulSet st success") == (await w.events())[0][1:]
        await w.client.patch(apps_v1.StatefulSet, "st", {"spec": {"replicas": 1}}, "default")
        await w.run_kubelet()
        await w.advance(3)
        assert await claims(w) == ["www-st-0"]
        await w.client.delete(apps_v1.StatefulSet, "st", "default", propagation_policy="Background")
        await w.advance(3)
        assert await claims(w) == ["www-st-0"]


async def test_a_claim_that_was_deleted_is_made_again_while_its_pod_waits(world):
    async with world() as w:
        await w.namespace()
        w.start(StatefulSetController)
        await w.client.create(stateful_set(1, volume_claim_templates=[CLAIM]))
        await w.settle()
        first = await w.client.get(core_v1.PersistentVolumeClaim, "www-st-0", "default")
        await w.client.delete(core_v1.PersistentVolumeClaim, "www-st-0", "default")
        await w.client.patch(core_v1.PersistentVolumeClaim, "www-st-0", {"metadata": {"finalizers": None}}, "default")
        await w.settle()
        again = await w.client.get(core_v1.PersistentVolumeClaim, "www-st-0", "default")
        assert again.metadata.uid != first.metadata.uid
        assert len(await w.pods()) == 1, "the Pod stays"


async def test_a_pod_is_not_made_on_a_claim_that_is_going(world):
    async with world() as w:
        await w.namespace()
        w.start(StatefulSetController)
        kept = core_v1.PersistentVolumeClaim(
            metadata=meta_v1.ObjectMeta(name="www-st-0", namespace="default", finalizers=["x.io/y"]), spec=CLAIM.spec,
        )
        await w.client.create(kept)
        await w.client.delete(core_v1.PersistentVolumeClaim, "www-st-0", "default")
        await w.client.create(stateful_set(1, volume_claim_templates=[CLAIM]))
        await w.settle()
        assert await w.pods() == []
        message = "Create Pod st-0 in StatefulSet st failed error: pvc www-st-0 is being deleted"
        assert ("StatefulSet/st", "FailedCreate", message) in await w.events()
        await w.client.patch(core_v1.PersistentVolumeClaim, "www-st-0", {"metadata": {"finalizers": None}}, "default")
        await w.settle()
        assert [pod.metadata.name for pod in await w.pods()] == ["st-0"]


async def test_a_claim_that_another_controls_is_told_and_left_alone(world):
    async with world() as w:
        await w.namespace()
        w.start(StatefulSetController)
        other = meta_v1.OwnerReference(api_version="v1", kind="ConfigMap", name="x", uid="x", controller=True)
        meta = meta_v1.ObjectMeta(name="www-st-0", namespace="default", owner_references=[other])
        await w.client.create(core_v1.PersistentVolumeClaim(metadata=meta, spec=CLAIM.spec))
        policy = apps_v1.StatefulSetPersistentVolumeClaimRetentionPolicy(when_deleted="Delete", when_scaled="Retain")
        await w.client.create(stateful_set(1, volume_claim_templates=[CLAIM], persistent_volume_claim_retention_policy=policy))
        await w.run_kubelet()
        found = await w.client.get(core_v1.PersistentVolumeClaim, "www-st-0", "default")
        assert [ref.kind for ref in found.metadata.owner_references] == ["ConfigMap"]
        told = [message for _, reason, message in await w.events() if reason == "ConflictingController"]
        assert told
        assert told[0].startswith("PersistentVolumeClaim www-st-0 has a conflicting OwnerReference")


async def test_a_changed_policy_changes_the_owner_of_claims(world):
    async with world() as w:
        await w.namespace()
        w.start(StatefulSetController)
        await w.client.create(stateful_set(1, volume_claim_templates=[CLAIM]))
        await w.run_kubelet()
        for policy, owners in (("Delete", ["StatefulSet"]), ("Retain", [])):
            spec = {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": policy}}}
            await w.client.patch(apps_v1.StatefulSet, "st", spec, "default")
            await w.settle()
            found = await w.client.get(core_v1.PersistentVolumeClaim, "www-st-0", "default")
            assert [ref.kind for ref in found.metadata.owner_references] == owners
        assert ("StatefulSet/st", "SuccessfulUpdate", "Update Pod st-0 in StatefulSet st successful") in await w.events()


async def test_failed_and_ended_pods_are_replaced_without_further_words(world):
    async with world() as w:
        await w.namespace()
        w.start(StatefulSetController)
        await w.client.create(stateful_set(1))
        await w.run_kubelet()
        for phase in ("Failed", "Succeeded"):
            (pod,) = await w.pods()
            await w.set_pod(pod, phase, ready=False)
            await w.run_kubelet()
            (again,) = await w.pods()
            assert again.metadata.uid != pod.metadata.uid
        assert {reason for _, reason, _ in await w.events()} == {"SuccessfulCreate", "SuccessfulDelete"}
