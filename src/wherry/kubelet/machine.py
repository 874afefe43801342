"""What the node is: read from the kernel's files, or told (simulated nodes)."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts that do not change while the node runs.  Sizes are bytes."""

    cpus: int = 1
    memory: int = 0
    disk: int = 0
    machine_id: str = ""
    system_uuid: str = ""
    boot_id: str = ""
    kernel: str = ""
    os_image: str = ""
    architecture: str = "amd64"
    operating_system: str = "linux"
    hugepages: dict[str, int] = field(default_factory=dict)  # page size ("2Mi") -> bytes
    selinux: bool = False  # whether the kernel enforces labels
    apparmor: bool = False


_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def memory_info(text: str) -> dict[str, int]:
    """/proc/meminfo's figures in bytes."""
    figures = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        words = rest.split()
        if words and words[0].isdigit():
            figures[name] = int(words[0]) * (1024 if len(words) > 1 else 1)
    return figures


def os_name(release: str) -> str:
    """PRETTY_NAME of /etc/os-release."""
    for line in release.splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip().strip('"')
    return ""


def read_machine(root_dir: Path) -> Machine:
    """This machine.  `root_dir` lies on the file system that Pods use."""
    existing = next(path for path in (root_dir, *root_dir.parents) if path.exists())
    memory = memory_info(_text("/proc/meminfo")).get("MemTotal", 0)
    if not memory:  # not Linux
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    hugepages = {}
    for directory in sorted(Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB")):
        size = int(directory.name.removeprefix("hugepages-").removesuffix("kB"))
        count = int(_text(str(directory / "nr_hugepages")) or 0)
        hugepages[f"{size >> 20}Gi" if size >= 1 << 20 else f"{size >> 10}Mi"] = count * size * 1024
    return Machine(
        cpus=os.cpu_count() or 1, memory=memory, disk=shutil.disk_usage(existing).total,
        machine_id=_text("/etc/machine-id"), system_uuid=_text("/sys/class/dmi/id/product_uuid"),
        boot_id=_text("/proc/sys/kernel/random/boot_id"), kernel=platform.release(), os_image=os_name(_text("/etc/os-release")),
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()), operating_system=platform.system().lower(),
        hugepages=hugepages, selinux=Path("/sys/fs/selinux/enforce").exists(),
        apparmor=_text("/sys/module/apparmor/parameters/enabled") == "Y",
    )
