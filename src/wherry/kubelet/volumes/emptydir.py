"""emptyDir: a directory that lives as long as its Pod, on disk or in memory."""

from __future__ import annotations

from pathlib import Path

from wherry.api.types import core_v1
from wherry.apimachinery import quantity
from wherry.kubelet.podutil import pod_totals
from wherry.kubelet.volumes.ownership import give
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
        size = memory_size(source.size_limit, pod_totals(pod)[1].get("memory", ""))
        await context.offload(_make, path, source, fs_group(pod), size, context)
        return path

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        await context.offload(context.mounter.unmount, path)


def memory_size(limit: str, of_pod: str) -> int:
    """Bytes that a directory in memory may hold: its own limit or the Pod's memory limit, whichever is less; 0 without either."""
    sizes = [quantity.value(text) for text in (limit, of_pod) if text]
    return min((size for size in sizes if size > 0), default=0)


def _make(path: Path, source: core_v1.EmptyDirVolumeSource, group: int | None, size: int, context: VolumeContext) -> None:
    new = not path.exists()
    path.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory":
        context.mounter.mount_tmpfs(path, size)
    if not new:
        return
    path.chmod(source.mode if source.mode is not None else 0o777)
    if group is not None:
        give(path, gid=group)
        path.chmod(0o2777)
