"""Sets a Pod's volumes up, keeps them fresh, and takes them away.

`PLUGINS` is the list of kinds: a new kind is one file and one line here.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.events import Events
from wherry.kubelet.podutil import all_containers
from wherry.kubelet.volumes.configmap import ConfigMapVolume
from wherry.kubelet.volumes.downwardapi import DownwardAPI
from wherry.kubelet.volumes.emptydir import EmptyDir
from wherry.kubelet.volumes.hostpath import HostPath
from wherry.kubelet.volumes.persistentvolume import PersistentVolumeClaimVolume
from wherry.kubelet.volumes.plugin import VolumeContext, VolumeError, VolumePlugin
from wherry.kubelet.volumes.projected import Projected
from wherry.kubelet.volumes.secret import SecretVolume
from wherry.util.clock import Clock

PLUGINS: list[VolumePlugin] = [
    EmptyDir(), ConfigMapVolume(), SecretVolume(), Projected(), DownwardAPI(), HostPath(), PersistentVolumeClaimVolume(),
]

_FIRST_RETRY, _LAST_RETRY, _GIVE_UP = 0.5, 122.0, 123.0  # seconds, upstream's

Waiter = Callable[[float], Awaitable[None]]  # sleep, cut short when something that a volume waits for changed


class VolumeManager:
    """One a kubelet.  What is mounted is remembered by Pod; after a restart it is found on disk."""

    def __init__(self, context: VolumeContext, events: Events, clock: Clock) -> None:
        self._context, self._events, self._clock = context, events, clock
        self._mounted: dict[str, dict[str, Path]] = {}

    def paths(self, uid: str) -> dict[str, Path]:
        """Where each volume of a Pod is on the host."""
        return self._mounted.get(uid, {})

    def users_of(self, path: Path) -> set[str]:
        return {uid for uid, volumes in self._mounted.items() if path in volumes.values()}

    async def mount(self, pod: core_v1.Pod, wait: Waiter) -> dict[str, Path]:
        """Set up or freshen every volume that a container mounts, trying again for a while.

        Raises VolumeError when some volume could not be set up in time; FailedMount events tell why.
        """
        used = {mount.name for container in all_containers(pod) for mount in container.volume_mounts}
        volumes = [volume for volume in pod.spec.volumes if volume.name in used and volume.image is None]  # images are the runtime's
        deadline = self._clock.monotonic() + _GIVE_UP
        delay = _FIRST_RETRY
        while True:
            failed = [volume.name for volume in volumes if not await self._set_up(pod, volume)]
            if not failed:
                return self._mounted.setdefault(pod.metadata.uid, {})
            left = deadline - self._clock.monotonic()
            if left <= 0:
                names = " ".join(failed)
                message = (f"Unable to attach or mount volumes: unmounted volumes=[{names}], unattached volumes=[], "
                           "failed to process volumes=[]: context deadline exceeded")
                self._events.pod(pod, "Warning", "FailedMount", message)
                raise VolumeError(message)
            await wait(min(delay, left))
            delay = min(delay * 2, _LAST_RETRY)

    async def _set_up(self, pod: core_v1.Pod, volume: core_v1.Volume) -> bool:
        mounted = self._mounted.setdefault(pod.metadata.uid, {})
        try:
            plugin = plugin_of(volume)
            if volume.name in mounted and not plugin.fresh:
                return True
            mounted[volume.name] = await plugin.set_up(pod, volume, self._context)
        except VolumeError as error:
            # A volume that stands already keeps its content when its source is gone for now.
            message = error.told or f'MountVolume.SetUp failed for volume "{volume.name}" : {error}'
            self._events.pod(pod, "Warning", "FailedMount", message)
            return volume.name in mounted
        return True

    async def unmount(self, uid: str) -> None:
        """Take a Pod's volumes away, with everything in its directory."""
        directory = self._context.pods_dir / uid
        volumes = directory / "volumes"
        for plugin in PLUGINS:
            kind = volumes / f"kubernetes.io~{plugin.kind}"
            if kind.is_dir():
                for path in kind.iterdir():
                    await plugin.tear_down(path, self._context)
        await self._context.offload(_remove_tree, directory)
        self._mounted.pop(uid, None)

    def on_disk(self) -> set[str]:
        """The uids of the Pods that have a directory, from this run or an earlier one."""
        pods = self._context.pods_dir
        return {entry.name for entry in pods.iterdir()} if pods.is_dir() else set()


def _remove_tree(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)


def plugin_of(volume: core_v1.Volume) -> VolumePlugin:
    """The plugin that serves `volume`.  Raises VolumeError for a kind that is not supported."""
    for plugin in PLUGINS:
        if plugin.supports(volume):
            return plugin
    kinds = [name for name in volume.__struct_fields__ if name != "name" and getattr(volume, name) is not None]
    told = kinds[0] if kinds else "none"
    supported = "emptyDir, configMap, secret, projected, downwardAPI, hostPath, image, persistentVolumeClaim and ephemeral"
    raise VolumeError(f"volumes of kind {told} are not supported: only {supported} are")
