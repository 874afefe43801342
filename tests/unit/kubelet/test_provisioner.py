"""The provisioner of local volumes: its plan, its directories, and both against the API server in-process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kubelet_harness import ADMIN, Node, cluster

from wherry.api.types import core_v1, meta_v1, storage_v1
from wherry.api.volumes import PROVISIONED_BY, PROVISIONER_FINALIZER, SELECTED_NODE, STORAGE_PROVISIONER, Claim, Volume
from wherry.client import Client, InProcessTransport
from wherry.controller.manager import ControllerManager
from wherry.controller.persistentvolume.controller import PersistentVolumeController
from wherry.controller.pvcprotection.controller import PVCProtectionController
from wherry.controller.pvprotection.controller import PVProtectionController
from wherry.kubelet.config import inline
from wherry.kubelet.provisioner import directories
from wherry.kubelet.provisioner.plan import PROVISIONER, Make, Refuse, Remove, Resize, SelectNode, SetFinalizers, plan_claim, plan_volume
from wherry.kubelet.provisioner.provisioner import LocalProvisioner

NODES = {"n1": Path("/volumes/n1"), "n2": Path("/volumes/n2")}


def storage_class(mode: str = "WaitForFirstConsumer", **more: Any) -> storage_v1.StorageClass:
    meta = meta_v1.ObjectMeta(name="standard")
    return storage_v1.StorageClass(metadata=meta, provisioner=more.pop("provisioner", PROVISIONER), volume_binding_mode=mode, **more)


def claim(node: str = "", size: str = "1Gi", *, ours: bool = True, volume: str = "", has: str = "", **spec: Any) -> Claim:
    annotations = {STORAGE_PROVISIONER: PROVISIONER} if ours else {}
    if node:
        annotations[SELECTED_NODE] = node
    return Claim(
        metadata=meta_v1.ObjectMeta(name="data", namespace="default", uid="u1" if ours else "", annotations=annotations),
        spec=core_v1.PersistentVolumeClaimSpec(
            access_modes=["ReadWriteOnce"], storage_class_name="standard", volume_name=volume,
            resources=core_v1.VolumeResourceRequirements(requests={"storage": size}), **spec,
        ),
        status=core_v1.PersistentVolumeClaimStatus(phase="Bound" if has else "Pending", capacity={"storage": has} if has else {}),
    )


def made(policy: str = "Delete", phase: str = "Bound", *, node: str = "n1", by: str = PROVISIONER, held: bool = True, going: bool = False) -> Volume:
    term = core_v1.NodeSelectorRequirement(key="kubernetes.io/hostname", operator="In", values=[node])
    selector = core_v1.NodeSelector(node_selector_terms=[core_v1.NodeSelectorTerm(match_expressions=[term])])
    return Volume(
        metadata=meta_v1.ObjectMeta(
            name="pvc-u1", annotations={PROVISIONED_BY: by}, finalizers=["kubernetes.io/pv-protection", *([PROVISIONER_FINALIZER] if held else [])],
            deletion_timestamp="2026-11-23T00:00:00Z" if going else None,
        ),
        spec=core_v1.PersistentVolumeSpec(
            capacity={"storage": "1Gi"}, access_modes=["ReadWriteOnce"], persistent_volume_reclaim_policy=policy,
            local=core_v1.LocalVolumeSource(path="/volumes/n1/pvc-u1_default_data"), node_affinity=core_v1.VolumeNodeAffinity(required=selector),
        ),
        status=core_v1.PersistentVolumeStatus(phase=phase),
    )


@pytest.mark.parametrize(("looked_at", "of_class"), [
    pytest.param(claim(), storage_class(), id="no node selected"),
    pytest.param(claim("n9"), storage_class(), id="a node of another machine"),
    pytest.param(claim("n1", ours=False), storage_class(), id="the binder has not said so"),
    pytest.param(claim("n1"), storage_class(provisioner="example.com/disk"), id="another provisioner"),
    pytest.param(claim("n1"), None, id="no such class"),
])
def test_what_is_not_its_business(looked_at: Claim, of_class: storage_v1.StorageClass | None):
    assert plan_claim(looked_at, of_class, None, NODES) is None


def test_a_claim_gets_a_directory_on_its_node():
    action = plan_claim(claim("n2"), storage_class(), None, NODES)
    assert isinstance(action, Make)
    assert action.path == Path("/volumes/n2/pvc-u1_default_data")
    spec = action.volume["spec"]
    assert spec["local"] == {"path": str(action.path)}
    assert (spec["persistentVolumeReclaimPolicy"], spec["capacity"], spec["claimRef"]["uid"]) == ("Delete", {"storage": "1Gi"}, "u1")
    assert action.volume["metadata"]["finalizers"] == [PROVISIONER_FINALIZER]


def test_without_waiting_a_provisioner_takes_a_node_of_its_own():
    assert plan_claim(claim(), storage_class("Immediate"), None, NODES) == SelectNode("n1")
    assert isinstance(plan_claim(claim("n1"), storage_class("Immediate"), None, NODES), Make)


def test_a_volume_that_is_kept_is_not_held():
    action = plan_claim(claim("n1"), storage_class(reclaim_policy="Retain"), None, NODES)
    assert isinstance(action, Make)
    assert "finalizers" not in action.volume["metadata"]


@pytest.mark.parametrize(("looked_at", "of_class", "why"), [
    (claim("n1", volume_mode="Block"), storage_class(), "volumeMode Block is not supported: wherry.io/local makes directories"),
    (claim("n1", selector=meta_v1.LabelSelector()), storage_class(), "claim Selector is not supported"),
    (
        claim("n1", data_source=core_v1.TypedLocalObjectReference(kind="PersistentVolumeClaim", name="x")), storage_class(),
        "a data source is not supported: the volume begins empty",
    ),
    (claim("n1"), storage_class(parameters={"type": "ssd"}), "unknown parameters: type"),
    (claim("n1"), storage_class(mount_options=["ro"]), "mountOptions are not supported"),
], ids=["block", "selector", "data source", "parameters", "mount options"])
def test_what_a_directory_cannot_be(looked_at: Claim, of_class: storage_v1.StorageClass, why: str):
    told = f'failed to provision volume with StorageClass "standard": {why}'
    assert plan_claim(looked_at, of_class, None, NODES) == Refuse(told)


@pytest.mark.parametrize(("looked_at", "volume", "action"), [
    pytest.param(claim(size="2Gi", volume="pvc-u1", has="1Gi"), made(), Resize("2Gi"), id="grows"),
    pytest.param(claim(volume="pvc-u1", has="1Gi"), made(), None, id="has what it wants"),
    pytest.param(claim(size="2Gi", volume="pvc-u1"), made(), None, id="not bound yet"),
    pytest.param(claim(size="2Gi", volume="pvc-u1", has="1Gi"), made(by="example.com/disk"), None, id="another's volume"),
    pytest.param(claim(size="2Gi", volume="pvc-u1", has="1Gi"), made(node="n9"), None, id="another machine's"),
])
def test_growth(looked_at: Claim, volume: Volume, action: Resize | None):
    assert plan_claim(looked_at, None, volume, NODES) == action


BOTH = ["kubernetes.io/pv-protection", PROVISIONER_FINALIZER]


@pytest.mark.parametrize(("volume", "action"), [
    pytest.param(made(), None, id="bound"),
    pytest.param(made(phase="Released"), Remove(Path("/volumes/n1/pvc-u1_default_data")), id="released"),
    pytest.param(made(phase="Released", going=True), Remove(Path("/volumes/n1/pvc-u1_default_data")), id="released and deleted"),
    pytest.param(made(phase="Bound", going=True), None, id="deleted while bound"),
    pytest.param(made("Retain", "Released"), SetFinalizers(BOTH[:1]), id="to be kept, since its making"),
    pytest.param(made("Retain", "Released", held=False), None, id="kept"),
    pytest.param(made(held=False), SetFinalizers(BOTH), id="no longer kept"),
    pytest.param(made(phase="Available", going=True), SetFinalizers(BOTH[:1]), id="deleted, never used"),
    pytest.param(made(phase="Released", node="n9"), None, id="another machine's"),
    pytest.param(made(phase="Released", by="example.com/disk"), None, id="another provisioner's"),
])
def test_volumes(volume: Volume, action: Remove | SetFinalizers | None):
    assert plan_volume(volume, NODES) == action


def test_only_its_own_directories_are_removed(tmp_path: Path):
    base, outside = tmp_path / "n1", tmp_path / "outside"
    own = base / "pvc-1"
    directories.make(own)
    directories.make(own)  # again, after a crash
    assert own.stat().st_mode & 0o777 == 0o777
    outside.mkdir()
    (own / "sub").mkdir()
    (own / "sub" / "link").symlink_to(outside)
    (base / "link").symlink_to(outside)
    for path in (outside, base, base / "..", tmp_path, base / "link"):
        with pytest.raises(ValueError, match="is no directory of|is a symbolic link"):
            directories.remove(path, base)
    directories.remove(own, base)
    directories.remove(own, base)
    assert outside.is_dir()
    assert not own.exists()


# --- against the API server ---------------------------------------------------------------------


@asynccontextmanager
async def world(root: Path):
    """Binder and provisioner of node n1; there is no kubelet, the test plays the scheduler."""
    async with cluster(root) as node, asyncio.TaskGroup() as group:
        admin = Client(InProcessTransport(node.server.handle, ADMIN))
        manager = ControllerManager(
            lambda name: admin, node.clock, controllers=(PersistentVolumeController, PVCProtectionController, PVProtectionController),
        )
        provisioner = LocalProvisioner(admin, node.clock, {"n1": root / "volumes" / "n1"}, offload=inline)
        tasks = [group.create_task(manager.run()), group.create_task(provisioner.run())]
        await admin.create(storage_class(allow_volume_expansion=True))
        try:
            yield node
        finally:
            for task in tasks:
                task.cancel()


async def bound(node: Node) -> tuple[Claim, Volume]:
    await node.client.create(claim(ours=False))
    await node.run(1)
    await node.client.patch(Claim, "data", {"metadata": {"annotations": {SELECTED_NODE: "n1"}}}, "default")
    await node.run(1)
    found = await node.client.get(Claim, "data", "default")
    return found, await node.client.get(Volume, found.spec.volume_name)


async def test_a_volume_is_made_grows_and_goes(tmp_path: Path):
    async with world(tmp_path) as node:
        found, volume = await bound(node)
        assert (found.status.phase, volume.status.phase) == ("Bound", "Bound")
        assert volume.spec.local is not None
        path = Path(volume.spec.local.path)
        (path / "file").write_text("data")
        await node.client.patch(Claim, "data", {"spec": {"resources": {"requests": {"storage": "3Gi"}}}}, "default")
        await node.run(1)
        found = await node.client.get(Claim, "data", "default")
        assert (found.status.capacity, found.status.allocated_resources) == ({"storage": "3Gi"}, {"storage": "3Gi"})
        assert [each.type for each in found.status.conditions] == ["Unused"], "no resize is under way"
        assert (await node.client.get(Volume, volume.metadata.name)).spec.capacity == {"storage": "3Gi"}
        await node.client.delete(Claim, "data", "default")
        await node.run(1)
        assert (await node.client.list(Volume)).items == []
        assert list(path.parent.iterdir()) == []
        reasons = [event.reason for event in await node.events("data", "default")]
        wanted = ["WaitForFirstConsumer", "ExternalProvisioning", "Provisioning", "ProvisioningSucceeded", "Resizing", "VolumeResizeSuccessful"]
        assert sorted(reasons, key=wanted.index) == wanted


async def test_a_volume_that_shall_be_kept_stays(tmp_path: Path):
    async with world(tmp_path) as node:
        _, volume = await bound(node)
        await node.client.patch(Volume, volume.metadata.name, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
        await node.client.delete(Claim, "data", "default")
        await node.run(1)
        assert (await node.client.get(Volume, volume.metadata.name)).status.phase == "Released"
        await node.client.delete(Volume, volume.metadata.name)
        await node.run(1)
        assert (await node.client.list(Volume)).items == []
        assert volume.spec.local is not None
        assert Path(volume.spec.local.path).is_dir()
