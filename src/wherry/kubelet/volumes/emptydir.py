"""emptyDir: a directory that lives as long as its Pod, on disk or in memory."""

from __future__ import annotations

import os
from pathlib import Path

from wherry.api.types import core_v1
from wherry.apimachinery import quantity
from wherry.kubelet.volumes.plugin import VolumeContext, VolumeError, fs_group


class EmptyDir:
    kind = "empty-dir"
    fresh = True

    def supports(self, volume: core_v1.Volume) -> bool:
        return volume.empty_dir is not None

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        source = volume.empty_dir or core_v1.EmptyDirVolumeSource()
        path = context.directory(pod, self.kind, volume.name)
        if source.medium not in ("", "Memory"):
            raise VolumeError(f"unknown storage medium {source.medium!r}: only the default and Memory are supported")
        await context.offload(_make, path, source, fs_group(pod), context)
        return path

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        await context.offload(context.mounter.unmount, path)


def _make(path: Path, source: core_v1.EmptyDirVolumeSource, group: int | None, context: VolumeContext) -> None:
    new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory":
        context.mounter.mount_tmpfs(path, quantity.value(source.size_limit or "0"))
    if not new:
        return
    path.chmod(source.mode if source.mode is not None else 0o777)
    if group is not None:
        os.chown(path, -1, group)
        path.chmod(0o2777)
