"""Putting a payload on disk, for every kind of volume that is made of files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.volumes.atomic_writer import FileContent, write_atomically
from wherry.kubelet.volumes.payload import with_group
from wherry.kubelet.volumes.plugin import VolumeContext, VolumeError, fs_group


async def put_files(
    pod: core_v1.Pod, volume: str, kind: str, files: dict[str, FileContent], context: VolumeContext,
    default_user: int | None = None, *, in_memory: bool = False,
) -> Path:
    """Write `files` as the volume's whole content.  Secrets go to memory, so that they never reach a disk."""
    directory = context.directory(pod, kind, volume)
    group = fs_group(pod)
    owned = {path: replace(f, uid=default_user) if f.uid is None and default_user is not None else f for path, f in files.items()}
    try:
        await context.offload(_put, directory, with_group(owned, group), group, context, in_memory)
    except (ValueError, OSError) as error:
        raise VolumeError(str(error)) from error
    return directory


def _put(directory: Path, files: dict[str, FileContent], group: int | None, context: VolumeContext, in_memory: bool) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    if in_memory:
        context.mounter.mount_tmpfs(directory, 1 << 20)
    write_atomically(directory, files, context.now(), group)
