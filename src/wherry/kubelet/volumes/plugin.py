"""What a kind of volume must offer, and what it is given."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wherry.api.types import core_v1
from wherry.kubelet.config import Offload


class VolumeError(Exception):
    """A volume cannot be set up: FailedMount, in upstream's words."""


class Mounter(Protocol):
    """What needs the kernel: memory-backed directories.  Called off the loop."""

    def mount_tmpfs(self, path: Path, size: int) -> None: ...

    def unmount(self, path: Path) -> None:
        """Not mounted is no error."""
        ...


class RealMounter:
    """mount(8) and umount(8)."""

    def mount_tmpfs(self, path: Path, size: int) -> None:
        if os.path.ismount(path):
            return
        options = f"size={size}" if size else "size=50%"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise VolumeError(f"mount of tmpfs at {path} failed: {done.stderr.strip()}")

    def unmount(self, path: Path) -> None:
        if os.path.ismount(path):
            subprocess.run(["umount", str(path)], check=True, capture_output=True)


class NoMounter:
    """No kernel to ask (`sim`, tests): memory is the directory itself."""

    def mount_tmpfs(self, path: Path, size: int) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def unmount(self, path: Path) -> None:
        return None


@dataclass(frozen=True, slots=True)
class VolumeContext:
    """Where a volume's content comes from."""

    pods_dir: Path
    get_config_map: Callable[[str, str], Awaitable[core_v1.ConfigMap | None]]
    get_secret: Callable[[str, str], Awaitable[core_v1.Secret | None]]
    get_token: Callable[[core_v1.Pod, core_v1.ServiceAccountTokenProjection], Awaitable[str]]
    pod_ips: Callable[[str], tuple[str, ...]]  # of the Pod with this uid
    host_ip: str
    allocatable: Callable[[], dict[str, str]]
    mounter: Mounter
    offload: Offload
    now: Callable[[], float]  # wall seconds

    def directory(self, pod: core_v1.Pod, kind: str, volume: str) -> Path:
        return self.pods_dir / pod.metadata.uid / "volumes" / f"kubernetes.io~{kind}" / volume


class VolumePlugin(Protocol):
    """One kind of volume."""

    kind: str

    def supports(self, volume: core_v1.Volume) -> bool: ...

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        """Make it, or freshen it, and tell where it is on the host.  Raises VolumeError."""
        ...

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        """Take away what removing the Pod's directory would not."""
        ...


def fs_group(pod: core_v1.Pod) -> int | None:
    return pod.spec.security_context.fs_group if pod.spec.security_context else None
