"""What a kind of volume must offer, and what it is given."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from wherry.api.types import core_v1
from wherry.kubelet.config import Offload

_DETACH = 2  # MNT_DETACH


class VolumeError(Exception):
    """A volume cannot be set up: FailedMount, in upstream's words.  `told` is the event's whole text where it is not the usual."""

    def __init__(self, why: str, told: str = "") -> None:
        super().__init__(why)
        self.told = told


class Mounter(Protocol):
    """What needs the kernel: memory-backed directories.  Called off the loop."""

    def mount_tmpfs(self, path: Path, size: int) -> None: ...

    def unmount(self, path: Path) -> None:
        """Not mounted is no error."""
        ...


class RealMounter:
    """mount(2) and umount2(2), by the C library: no process for each of a Pod's secrets."""

    def mount_tmpfs(self, path: Path, size: int) -> None:
        if os.path.ismount(path):
            return
        options = f"size={size}" if size else "size=50%"
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.mount(b"tmpfs", os.fsencode(path), b"tmpfs", ctypes.c_ulong(0), options.encode()):
            raise VolumeError(f"mount of tmpfs at {path} failed: {os.strerror(ctypes.get_errno())}")

    def unmount(self, path: Path) -> None:
        if not os.path.ismount(path):
            return
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.umount2(os.fsencode(path), _DETACH):
            raise OSError(ctypes.get_errno(), f"unmount of {path}")


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
    get_claim: Callable[[str, str], Awaitable[core_v1.PersistentVolumeClaim | None]]
    get_volume: Callable[[str], Awaitable[core_v1.PersistentVolume | None]]
    users_of: Callable[[Path], set[str]]  # uids of the Pods that have this place mounted
    warn: Callable[[core_v1.Pod, str, str], None]  # an event about the Pod: reason, message
    simulated: bool = False  # the node has no files: what should be on it is taken to be there

    def directory(self, pod: core_v1.Pod, kind: str, volume: str) -> Path:
        return self.pods_dir / pod.metadata.uid / "volumes" / f"kubernetes.io~{kind}" / volume


class VolumePlugin(Protocol):
    """One kind of volume.  `fresh`: what it holds may change under a running Pod, so it is set up again and again."""

    kind: str
    fresh: bool

    def supports(self, volume: core_v1.Volume) -> bool: ...

    async def set_up(self, pod: core_v1.Pod, volume: core_v1.Volume, context: VolumeContext) -> Path:
        """Make it, or freshen it, and tell where it is on the host.  Raises VolumeError."""
        ...

    async def tear_down(self, path: Path, context: VolumeContext) -> None:
        """Take away what removing the Pod's directory would not."""
        ...


def fs_group(pod: core_v1.Pod) -> int | None:
    return pod.spec.security_context.fs_group if pod.spec.security_context else None
