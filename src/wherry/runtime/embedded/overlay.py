"""A container's root file system: image layers below, a layer of its own on top; and its end."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from wherry.runtime.embedded import linux
from wherry.runtime.interface import RuntimeFault

_OPTIONS_LIMIT = 4095


def mount(rootfs: Path, layers: Sequence[Path], writable: Path) -> None:
    """Mount `layers` (the topmost first) under `writable`'s own at `rootfs`.  Raises RuntimeFault."""
    for each in (rootfs, writable / "upper", writable / "work"):
        each.mkdir(parents=True, exist_ok=True)
    os.chmod(writable / "upper", 0o755)
    lower = ":".join(str(layer) for layer in layers)
    options = f"lowerdir={lower},upperdir={writable / 'upper'},workdir={writable / 'work'}"
    if len(options) > _OPTIONS_LIMIT:
        raise RuntimeFault(f"the image has too many layers ({len(layers)}) for one overlay mount here", "CreateContainerError")
    linux.mount("overlay", rootfs, "overlay", data=options)


def show(layers: Sequence[Path], point: Path) -> Path:
    """Where the files of an image are together: its only layer itself, or an overlay of several at `point`.  Raises RuntimeFault."""
    if len(layers) == 1:
        return layers[0]
    options = f"lowerdir={':'.join(str(layer) for layer in layers)}"
    if len(options) > _OPTIONS_LIMIT:
        raise RuntimeFault(f"the image has too many layers ({len(layers)}) for one overlay mount here", "CreateContainerError")
    if not point.is_dir():
        point.mkdir(parents=True)
        linux.mount("overlay", point, "overlay", data=options)
    return point


def hide(directory: Path) -> None:
    """Unmount all that `show` put into `directory`.  Again is no error."""
    if directory.is_dir():
        for point in directory.iterdir():
            linux.unmount(point)


def remove(rootfs: Path, writable: Path) -> None:
    """Unmount and delete what was written.  Again is no error."""
    linux.unmount(rootfs)
    shutil.rmtree(writable, ignore_errors=True)


def written_bytes(writable: Path) -> int:
    """How much the container has written, in bytes on disk."""
    total = 0
    for top, directories, files in os.walk(writable / "upper"):
        for name in [*directories, *files]:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(top, name)).st_blocks * 512
    return total


def delete_container(runtime: str, oci_state: Path, container_id: str) -> None:
    """Have the OCI runtime forget a container that has ended.  One that it does not know is no error."""
    if not (oci_state / container_id).is_dir():
        return
    command = [runtime, "--root", str(oci_state), "delete", "--force", container_id]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    shutil.rmtree(oci_state / container_id, ignore_errors=True)
