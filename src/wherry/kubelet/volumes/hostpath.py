"""hostPath: something of the node's own.

https://kubernetes.io/docs/concepts/storage/volumes/#hostpath
"""

from __future__ import annotations

import stat
from pathlib import Path

from wherry.api.types import core_v1
from wherry.kubelet.volumes.plugin import VolumeContext, VolumeError

_CHECKS = {
    "Directory": (stat.S_ISDIR, "a directory"),
    "File": (stat.S_ISREG, "a file"),
    "Socket": (stat.S_ISSOCK, "a socket file"),
    "CharDevice": (stat.S_ISCHR, "a character device"),
    "BlockDevice": (stat.S_ISBLK, "a block device"),
}


class HostPath:
    kind = "host-path"
    fresh = True

    def supports(self, volume: core_v1.Volume) -> bool:
        return volume.host_path is not None

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        source = volume.host_path or core_v1.HostPathVolumeSource()
        path = Path(source.path)
        if not context.simulated:
            await context.offload(check, path, source.type)
        return path

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        """What is the node's stays."""


def check(path: Path, kind: str) -> None:
    """See that `path` is what `kind` says, making it where that is asked for.  Raises VolumeError."""
    if kind == "":
        return
    if kind == "DirectoryOrCreate":
        if not path.exists():
            path.mkdir(mode=0o755, parents=True)
        kind = "Directory"
    elif kind == "FileOrCreate":
        if not path.exists():
            path.touch(mode=0o644)
        kind = "File"
    if kind not in _CHECKS:
        raise VolumeError(f"hostPath type {kind!r} is not known")
    fits, name = _CHECKS[kind]
    try:
        mode = path.stat().st_mode
    except OSError:
        mode = 0
    if not fits(mode):
        raise VolumeError(f"hostPath type check failed: {path} is not {name}")
