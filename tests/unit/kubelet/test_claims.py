"""Pods with claims on a node: what is mounted, and what the kubelet says of what cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kubelet_harness import Node, cluster

from wherry.api.types import core_v1
from wherry.api.volumes import BIND_COMPLETED
from wherry.client.paths import info_of
from wherry.runtime.fake import FakeRuntime
from wherry.runtime.interface import ContainerConfig

MOUNTED = {"containers": [{"name": "c", "image": "busybox:1.36", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}


def using(claim: str = "data", **source: Any) -> dict[str, Any]:
    return {**MOUNTED, "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim, **source}}]}


async def bound(node: Node, claim: str = "data", modes: tuple[str, ...] = ("ReadWriteOnce",), **spec: Any) -> None:
    """A claim and its volume, tied together as the binder does."""
    size = {"storage": "1Gi"}
    claimed = await node.create({
        "kind": "PersistentVolumeClaim", "metadata": {"name": claim, "annotations": {BIND_COMPLETED: "yes"}},
        "spec": {
            "accessModes": modes, "resources": {"requests": size}, "volumeName": f"pv-{claim}", "storageClassName": "",
            "volumeMode": spec.get("volumeMode", "Filesystem"),
        },
    })
    if "local" in spec:
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1"]}]}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [term]}}
    ref = {"kind": "PersistentVolumeClaim", "namespace": "life", "name": claim, "uid": claimed["metadata"]["uid"]}
    await node.client.create_raw(
        info_of(core_v1.PersistentVolume), {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"pv-{claim}"},
                  "spec": {"capacity": size, "accessModes": modes, "claimRef": ref, **spec}},
    )
    body = {"status": {"phase": "Bound", "capacity": size, "accessModes": modes}}
    await node.client.patch(core_v1.PersistentVolumeClaim, claim, body, "life", subresource="status")


class Recording(FakeRuntime):
    """Remembers what containers were made with."""

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        self.made = [*getattr(self, "made", ()), config]
        return await super().create_container(sandbox_id, config)


async def failures(node: Node, pod: str = "p") -> list[str]:
    return [event.message for event in await node.events(pod) if event.reason == "FailedMount"]


async def test_a_claim_is_mounted_where_its_volume_is(tmp_path: Path):
    (tmp_path / "disk").mkdir()
    async with cluster(tmp_path, Recording) as node:
        node.start()
        await bound(node, local={"path": str(tmp_path / "disk")})
        await bound(node, "other", hostPath={"path": str(tmp_path / "made"), "type": "DirectoryOrCreate"})
        await node.create_pod("p", using())
        await node.create_pod("q", using("other", readOnly=True))
        await node.until(lambda: node.phase("p") == node.phase("q") == "Running")
        found = {m.host_path: m.read_only for config in node.runtime.made for m in config.mounts if m.container_path == "/data"}
        assert found == {str(tmp_path / "disk"): False, str(tmp_path / "made"): True}
        (tmp_path / "disk" / "file").write_text("stays")
        await node.delete("p", 0)
        await node.until(lambda: node.pod("p") is None)
        await node.run(1)
        assert (tmp_path / "disk" / "file").read_text() == "stays"


UNBOUND = "Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC "


@pytest.mark.parametrize(("spec", "told"), [
    pytest.param(
        {"local": {"path": "/nowhere/at/all"}},
        'MountVolume.NewMounter initialization failed for volume "pv-data" : path "/nowhere/at/all" does not exist', id="no such path",
    ),
    pytest.param(
        {"hostPath": {"path": "/nowhere/at/all", "type": "Directory"}},
        'MountVolume.SetUp failed for volume "pv-data" : hostPath type check failed: /nowhere/at/all is not a directory', id="wrong type",
    ),
    pytest.param(
        {"nfs": {"server": "nas", "path": "/"}},
        'MountVolume.SetUp failed for volume "pv-data" : PersistentVolumes of kind nfs are not supported: only local and hostPath are',
        id="not supported",
    ),
    pytest.param(
        {"hostPath": {"path": "/mnt"}, "mountOptions": ["ro"]},
        'MountVolume.NewMounter initialization failed for volume "pv-data" : Mount options are not supported for this volume type',
        id="mount options",
    ),
    pytest.param(
        {"hostPath": {"path": "/mnt"}, "volumeMode": "Block"},
        f"{UNBOUND}life/data: volume data has volumeMode Block, but is specified in volumeMounts", id="block",
    ),
])
async def test_what_cannot_be_mounted_is_told(tmp_path: Path, spec: dict[str, Any], told: str):
    async with cluster(tmp_path) as node:
        node.start()
        await bound(node, **spec)
        await node.create_pod("p", using())
        await node.run(3)
        assert told in await failures(node)
        assert node.phase("p") == "Pending"


async def test_it_waits_for_the_claim_to_be_bound(tmp_path: Path):
    async with cluster(tmp_path) as node:
        node.start()
        await node.create_pod("p", using())
        await node.run(1)
        assert await failures(node) == [
            f'{UNBOUND}life/data: failed to fetch PVC from API server: persistentvolumeclaims "data" not found',
        ]
        await bound(node, hostPath={"path": str(tmp_path)})
        await node.until(lambda: node.phase("p") == "Running")


async def test_one_pod_only(tmp_path: Path):
    async with cluster(tmp_path) as node:
        node.start()
        await bound(node, modes=("ReadWriteOncePod",), hostPath={"path": str(tmp_path)})
        await node.create_pod("p", using())
        await node.until(lambda: node.phase("p") == "Running")
        await node.create_pod("q", using())
        await node.run(2)
        why = "volume uses the ReadWriteOncePod access mode and is already in use by another pod"
        assert f'MountVolume.SetUp failed for volume "pv-data" : {why}' in await failures(node, "q")
        await node.delete("p", 0)
        await node.until(lambda: node.phase("q") == "Running", 60)


async def test_a_running_pod_outlives_a_restart_while_its_claim_goes(tmp_path: Path):
    """The claim waits for the Pod, so the Pod must not wait for the claim."""
    async with cluster(tmp_path) as node:
        node.start()
        await bound(node, hostPath={"path": str(tmp_path)})
        await node.create_pod("p", using())
        await node.until(lambda: node.phase("p") == "Running")
        await node.client.delete(core_v1.PersistentVolumeClaim, "data", "life")
        await node.stop()
        node.start()
        await node.run(5)
        assert await failures(node) == []
        await node.create_pod("q", using())
        await node.run(2)
        assert await failures(node, "q") == [f"{UNBOUND}life/data: PVC is being deleted"]


async def test_a_simulated_node_has_no_files(tmp_path: Path):
    async with cluster(tmp_path) as node:
        node.start(simulated=True)
        await bound(node, local={"path": "/nowhere/at/all"})
        await node.create_pod("p", using())
        await node.until(lambda: node.phase("p") == "Running")


async def test_a_volume_in_use_keeps_its_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    given: list[int | None] = []
    monkeypatch.setattr("wherry.kubelet.volumes.persistentvolume._give_to_group", lambda path, group, pod: given.append(group))
    async with cluster(tmp_path) as node:
        node.runtime.images.add("busybox:1.36")
        await bound(node, local={"path": str(disk)})
        node.start()
        has = disk.stat().st_gid
        for name, group in (("p", has), ("q", has), ("r", has + 1)):
            await node.create_pod(name, {**using(), "securityContext": {"fsGroup": group}})
            await node.until(lambda name=name: node.condition(name, "Ready") == "True", 5)
        told = f"The requested fsGroup is {has + 1}, but the volume pv-data has GID {has}. The volume may not be shareable."
        found = [(e.involved_object.name, e.type, e.message) for e in await node.events() if e.reason == "AlreadyMountedVolume"]
        assert (given, found) == ([has], [("r", "Warning", told)])
