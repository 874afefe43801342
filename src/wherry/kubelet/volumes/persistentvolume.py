"""persistentVolumeClaim and ephemeral: what a claim is bound to, where that is a place on this node.

https://kubernetes.io/docs/concepts/storage/persistent-volumes/#claims-as-volumes
"""

from __future__ import annotations

import os
from pathlib import Path

from wherry.api.types import core_v1
from wherry.api.volumes import Claim, Volume, is_fully_bound, mode_of, not_owner, pod_claims
from wherry.kubelet.volumes.hostpath import check
from wherry.kubelet.volumes.ownership import give
from wherry.kubelet.volumes.plugin import VolumeContext, VolumeError, fs_group

_SOURCES = frozenset(core_v1.PersistentVolumeSpec.__struct_fields__) - {
    "access_modes", "capacity", "claim_ref", "mount_options", "node_affinity", "persistent_volume_reclaim_policy", "storage_class_name",
    "volume_attributes_class_name", "volume_mode",
}


class PersistentVolumeClaimVolume:
    """Mounted where it is: nothing is made, and nothing taken away with the Pod."""

    kind = "persistent-volume-claim"
    fresh = False

    def supports(self, volume: core_v1.Volume) -> bool:
        return volume.persistent_volume_claim is not None or volume.ephemeral is not None

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        found = await self._volume(pod, volume, context)
        path = await self._place(pod, found, context)
        others = context.users_of(path) - {pod.metadata.uid}
        if others and found.spec.access_modes == ["ReadWriteOncePod"]:
            raise _failed(found, "SetUp", "volume uses the ReadWriteOncePod access mode and is already in use by another pod")
        return path

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        """The claim's, not the Pod's."""

    async def _volume(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Volume:
        """The volume behind the claim.  Raises VolumeError until there is one."""
        namespace = pod.metadata.namespace
        name = next(claim for each, claim in pod_claims(pod) if each.name == volume.name)
        claim = await context.get_claim(namespace, name)
        found = await context.get_volume(claim.spec.volume_name) if claim is not None and is_fully_bound(claim) else None
        why = _unusable(pod, volume, name, claim, found)
        if why or found is None:
            error = f"error processing PVC {namespace}/{name}: {why}"
            unmounted = f"unmounted volumes=[{volume.name}], unattached volumes=[], failed to process volumes=[{volume.name}]"
            raise VolumeError(error, f"Unable to attach or mount volumes: {unmounted}: {error}")
        return found

    async def _place(self, pod: core_v1.Pod, volume: Volume, context: VolumeContext) -> Path:
        spec = volume.spec
        if spec.mount_options:
            raise _failed(volume, "NewMounter", "Mount options are not supported for this volume type")
        if spec.host_path is not None:
            path = Path(spec.host_path.path)
            if not context.simulated:
                try:
                    await context.offload(check, path, spec.host_path.type)
                except VolumeError as error:
                    raise _failed(volume, "SetUp", str(error)) from error
            return path
        if spec.local is None:
            kind = next((name for name in sorted(_SOURCES) if getattr(spec, name) is not None), "none")
            raise _failed(volume, "SetUp", f"PersistentVolumes of kind {kind} are not supported: only local and hostPath are")
        path = Path(spec.local.path)
        if not context.simulated:
            if not await context.offload(path.exists):
                raise _failed(volume, "NewMounter", f'path "{path}" does not exist')
            await self._share(pod, volume, path, context)
        return path

    async def _share(self, pod: core_v1.Pod, volume: Volume, path: Path, context: VolumeContext) -> None:
        """The first Pod's fsGroup has it; one that comes while it is in use takes it as it is."""
        group = fs_group(pod)
        if not context.users_of(path) - {pod.metadata.uid}:
            await context.offload(_give_to_group, path, group, pod)
        elif group is not None and (has := (await context.offload(path.stat)).st_gid) != group:
            told = f"The requested fsGroup is {group}, but the volume {volume.metadata.name} has GID {has}."
            context.warn(pod, "AlreadyMountedVolume", f"{told} The volume may not be shareable.")


def _unusable(pod: core_v1.Pod, volume: core_v1.Volume, name: str, claim: Claim | None, found: Volume | None) -> str:
    """Why there is nothing to mount, in upstream's words; "" when there is."""
    if claim is None:
        return f'failed to fetch PVC from API server: persistentvolumeclaims "{name}" not found'
    if volume.ephemeral is not None and (why := not_owner(pod, claim)):
        return why
    if claim.metadata.deletion_timestamp is not None and pod.status.phase in ("", "Pending"):  # what runs keeps it
        return "PVC is being deleted"
    if claim.status.phase != "Bound" or not claim.spec.volume_name:
        return "PVC is not bound"
    if found is None:
        return f'failed to fetch PV {claim.spec.volume_name} from API server: persistentvolumes "{claim.spec.volume_name}" not found'
    if found.spec.claim_ref is None or found.spec.claim_ref.uid != claim.metadata.uid:
        return f"PV {found.metadata.name} is not bound to this claim"
    if mode_of(found) == "Block":
        return f"volume {volume.name} has volumeMode Block, but is specified in volumeMounts"
    return ""


def _failed(volume: Volume, step: str, why: str) -> VolumeError:
    """Events name the PersistentVolume, not the Pod's volume."""
    what = {"SetUp": "MountVolume.SetUp failed", "NewMounter": "MountVolume.NewMounter initialization failed"}[step]
    return VolumeError(why, f'{what} for volume "{volume.metadata.name}" : {why}')


def _give_to_group(path: Path, group: int | None, pod: core_v1.Pod) -> None:
    """fsGroup: everything in the volume is the group's, and what is made in it later, too."""
    if group is None:
        return
    context, top = pod.spec.security_context, path.stat()
    policy = context.fs_group_change_policy if context is not None else ""
    if policy == "OnRootMismatch" and top.st_gid == group and top.st_mode & 0o2070 == 0o2070:
        return
    for folder, _, files in os.walk(path):
        for name in (folder, *(os.path.join(folder, file) for file in files)):
            if not os.path.islink(name):
                give(name, gid=group)
                os.chmod(name, os.stat(name).st_mode | (0o2770 if name == folder else 0o660))
