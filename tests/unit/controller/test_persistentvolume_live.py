"""Claims and volumes against the API server in-process: bound, protected, released, made for Pods."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from volume_objects import claim, pod_with, storage_class, volume

from wherry.api.types import core_v1
from wherry.api.volumes import SELECTED_NODE, STORAGE_PROVISIONER, Claim, Volume
from wherry.apimachinery.errors import StatusError
from wherry.controller.ephemeral.controller import EphemeralVolumeController
from wherry.controller.expand.controller import ExpandController
from wherry.controller.garbagecollector.controller import GarbageCollector
from wherry.controller.persistentvolume.controller import PersistentVolumeController
from wherry.controller.pvcprotection.controller import PVCProtectionController
from wherry.controller.pvprotection.controller import PVProtectionController

ALL = (PersistentVolumeController, PVCProtectionController, PVProtectionController, ExpandController, EphemeralVolumeController)


async def start(w: Any, *more: Any) -> None:
    await w.namespace()
    w.start(*ALL, *more)
    await w.settle()


async def phases(w: Any) -> dict[str, str]:
    """Name -> phase of every claim and volume."""
    await w.settle()
    found = [*(await w.client.list(Claim)).items, *(await w.client.list(Volume)).items]
    return {each.metadata.name: each.status.phase for each in found}


async def make_pod(w: Any, pod: core_v1.Pod) -> core_v1.Pod:
    meta = msgspec.structs.replace(pod.metadata, uid="")
    return await w.client.create(msgspec.structs.replace(pod, metadata=meta))


async def test_a_claim_finds_its_volume_whichever_comes_first(world):
    async with world() as w:
        await start(w)
        await w.client.create(volume("first", "2Gi"))
        assert await phases(w) == {"first": "Available"}
        await w.client.create(claim("a"))
        await w.client.create(claim("b"))
        assert await phases(w) == {"first": "Bound", "a": "Bound", "b": "Pending"}
        await w.client.create(volume("second"))
        assert await phases(w) == {"first": "Bound", "second": "Bound", "a": "Bound", "b": "Bound"}
        bound = await w.client.get(Claim, "a", "default")
        assert (bound.spec.volume_name, bound.status.capacity, bound.status.access_modes) == ("first", {"storage": "2Gi"}, ["ReadWriteOnce"])
        told = await w.events()
        assert ("PersistentVolumeClaim/b", "FailedBinding", "no persistent volumes available for this claim and no storage class is set") in told


async def test_two_claims_never_share_a_volume(world):
    async with world() as w:
        await start(w)
        for number in range(6):
            await w.client.create(claim(f"c{number}"))
        for number in range(4):
            await w.client.create(volume(f"v{number}"))
        assert sorted((await phases(w)).values()) == ["Bound"] * 8 + ["Pending"] * 2
        owners = [each.spec.claim_ref.name for each in (await w.client.list(Volume)).items]
        assert len(set(owners)) == 4


async def test_what_is_in_use_waits_and_what_is_kept_stays(world):
    async with world() as w:
        await start(w)
        await w.client.create(volume())
        await w.client.create(claim())
        await w.settle()
        assert (await w.client.get(Claim, "data", "default")).metadata.finalizers == ["kubernetes.io/pvc-protection"]
        pod = await make_pod(w, pod_with(node="n1"))
        await w.client.delete(Claim, "data", "default")
        await w.client.delete(Volume, "pv")
        assert await phases(w) == {"data": "Bound", "pv": "Bound"}
        await w.remove_pod(pod)
        assert await phases(w) == {}


async def test_a_claim_tells_since_when_nobody_uses_it(world):
    async def told(w) -> tuple[str, str, str] | None:
        found = (await w.client.get(Claim, "data", "default")).status.conditions
        return next(((each.status, each.reason, each.last_transition_time) for each in found if each.type == "Unused"), None)

    async with world() as w:
        await start(w)
        await w.client.create(claim())
        await w.settle()
        assert await told(w) is None, "it is not bound"
        await w.client.create(volume())
        await w.settle()
        since = (await told(w))
        assert since[:2] == ("True", "NoPodsUsingPVC")
        await w.advance(5)
        pod = await make_pod(w, pod_with())
        await w.settle()
        used = await told(w)
        assert used[:2] == ("False", "PodUsingPVC"), "a Pod that waits for a node means to use it"
        assert used[2] > since[2]
        await w.set_pod(pod, "Succeeded", ready=False)
        await w.settle()
        assert (await told(w))[0] == "True", "one that has ended does not"
        await w.advance(5)
        again = await told(w)
        await w.client.patch(Claim, "data", {"metadata": {"labels": {"a": "b"}}}, "default")
        await w.settle()
        assert await told(w) == again, "it is told once"


async def test_a_pod_without_a_node_does_not_hold_its_claim(world):
    async with world() as w:
        await start(w)
        await w.client.create(claim())
        await make_pod(w, pod_with())
        await w.settle()
        await w.client.delete(Claim, "data", "default")
        assert await phases(w) == {}


@pytest.mark.parametrize(("policy", "phase", "reason"), [
    ("Retain", "Released", None), ("Delete", "Failed", "VolumeFailedDelete"), ("Recycle", "Failed", "VolumeFailedRecycle"),
])
async def test_what_becomes_of_a_volume(world, policy: str, phase: str, reason: str | None):
    async with world() as w:
        await start(w)
        await w.client.create(volume(policy=policy))
        await w.client.create(claim())
        await w.settle()
        await w.client.delete(Claim, "data", "default")
        assert await phases(w) == {"pv": phase}
        assert [each[1] for each in await w.events() if each[0] == "PersistentVolume/pv"] == ([reason] if reason else [])
        released = await w.client.get(Volume, "pv")
        assert bool(released.status.message) is bool(reason)
        # A new claim of the same name is another one: the data is not its own.
        await w.client.create(claim())
        assert await phases(w) == {"pv": phase, "data": "Pending"}


async def test_a_retained_volume_is_free_again_when_its_reference_is_taken_away(world):
    async with world() as w:
        await start(w)
        await w.client.create(volume())
        await w.client.create(claim())
        await w.settle()
        await w.client.delete(Claim, "data", "default")
        await w.settle()
        await w.client.patch(Volume, "pv", {"spec": {"claimRef": None}})
        assert await phases(w) == {"pv": "Available"}
        await w.client.create(claim("next"))
        assert await phases(w) == {"pv": "Bound", "next": "Bound"}


async def test_a_lost_volume_is_told(world):
    async with world() as w:
        await start(w)
        await w.client.create(volume())
        await w.client.create(claim())
        await w.settle()
        await w.client.delete(Volume, "pv")
        await w.client.patch(Volume, "pv", {"metadata": {"finalizers": None}})  # by force
        assert (await phases(w))["data"] == "Lost"
        assert ("PersistentVolumeClaim/data", "ClaimLost", "Bound claim has lost its PersistentVolume. Data on the volume is lost!") in await w.events()


async def test_classes_that_come_later(world):
    """A claim of a class that does not exist yet, and one without any before there is a default."""
    async with world() as w:
        await start(w)
        await w.client.create(claim("early", storage="fast"))
        await w.client.create(claim("open", storage=None))
        await w.settle()
        assert ("PersistentVolumeClaim/early", "ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found') in await w.events()
        await w.client.create(storage_class("fast", default=True))
        await w.settle()
        for name in ("early", "open"):
            found = await w.client.get(Claim, name, "default")
            assert found.spec.storage_class_name == "fast"
            assert found.metadata.annotations[STORAGE_PROVISIONER] == "example.com/disk"


async def test_a_claim_waits_for_its_consumer(world):
    async with world() as w:
        await start(w)
        await w.client.create(storage_class("slow", mode="WaitForFirstConsumer"))
        await w.client.create(volume(storage="slow"))
        await w.client.create(claim(storage="slow"))
        assert await phases(w) == {"pv": "Available", "data": "Pending"}
        await make_pod(w, pod_with())
        await w.advance(16)
        reasons = [each[1] for each in await w.events()]
        assert reasons[0] == "WaitForFirstConsumer"
        assert "WaitForPodScheduled" in reasons
        await w.client.patch(Claim, "data", {"metadata": {"annotations": {SELECTED_NODE: "n1"}}}, "default")
        await w.settle()
        assert (await w.client.get(Claim, "data", "default")).metadata.annotations[STORAGE_PROVISIONER] == "example.com/disk"


async def test_only_what_may_grow_grows(world):
    async with world() as w:
        await start(w)
        more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
        await w.client.create(storage_class("stiff"))
        await w.client.create(storage_class("fast", allow_volume_expansion=True))
        for name in ("stiff", "fast"):
            await w.client.create(volume(f"pv-{name}", storage=name))
            await w.client.create(claim(name, storage=name))
        await w.settle()
        with pytest.raises(StatusError) as refused:
            await w.client.patch(Claim, "stiff", more, "default")
        assert "only dynamically provisioned pvc can be resized" in refused.value.message
        await w.client.patch(Claim, "fast", more, "default")
        await w.settle()
        assert ("PersistentVolumeClaim/fast", "ExternalExpanding", "waiting for an external controller to expand this PVC") in await w.events()
        with pytest.raises(StatusError) as shrunk:
            await w.client.patch(Claim, "fast", {"spec": {"resources": {"requests": {"storage": "1Mi"}}}}, "default")
        assert "field can not be less than status.capacity" in shrunk.value.message


def ephemeral(name: str = "p") -> core_v1.Pod:
    template = core_v1.PersistentVolumeClaimTemplate(spec=claim().spec)
    own = core_v1.Volume(name="scratch", ephemeral=core_v1.EphemeralVolumeSource(volume_claim_template=template))
    pod = pod_with(name=name)
    mounts = [core_v1.VolumeMount(name="scratch", mount_path="/scratch")]
    containers = [msgspec.structs.replace(pod.spec.containers[0], volume_mounts=mounts)]
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, volumes=[own], containers=containers))


async def test_an_ephemeral_volume_lives_as_long_as_its_pod(world):
    async with world() as w:
        await start(w, GarbageCollector)
        pod = await make_pod(w, ephemeral())
        await w.settle()
        made = await w.client.get(Claim, "p-scratch", "default")
        assert [(ref.kind, ref.name, ref.controller) for ref in made.metadata.owner_references] == [("Pod", "p", True)]
        await w.remove_pod(pod)
        await w.advance(2)
        assert await phases(w) == {}


async def test_an_ephemeral_volume_takes_no_claim_of_another(world):
    async with world() as w:
        await start(w)
        await w.client.create(claim("p-scratch"))
        await make_pod(w, ephemeral())
        await w.settle()
        why = "ephemeral volume scratch: PVC default/p-scratch was not created for pod default/p (pod is not owner)"
        assert ("Pod/p", "FailedBinding", why) in await w.events()
