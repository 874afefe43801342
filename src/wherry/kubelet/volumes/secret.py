"""secret: a Secret's keys as files, in memory."""

from __future__ import annotations

from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.env import secret_data
from wherry.kubelet.volumes.files import put_files
from wherry.kubelet.volumes.payload import DEFAULT_MODE, key_files
from wherry.kubelet.volumes.plugin import VolumeContext, VolumeError


class SecretVolume:
    kind = "secret"
    fresh = True

    def supports(self, volume: core_v1.Volume) -> bool:
        return volume.secret is not None

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        source = volume.secret or core_v1.SecretVolumeSource()
        found = await context.get_secret(pod.metadata.namespace, source.secret_name)
        if found is None and not source.optional:
            raise VolumeError(f'secret "{source.secret_name}" not found')
        data = secret_data(found) if found else {}
        mode = DEFAULT_MODE if source.default_mode is None else source.default_mode
        files = key_files(data, source.items, mode, bool(source.optional), "secret")
        return await put_files(pod, volume.name, self.kind, files, context, source.default_user, in_memory=True)

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        await context.offload(context.mounter.unmount, path)
