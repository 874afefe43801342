"""`wherry doctor`: each thing that the host must offer, present or missing, and the command that mends it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

DEBIAN = "apt-get install --no-install-recommends {}"


@dataclass(frozen=True, slots=True)
class Finding:
    """One requirement: `needed` for which fidelity, `problem` ("" when all is well), and the command that mends it."""

    what: str
    needed: str
    problem: str = ""
    mend: str = ""


def _program(name: str, package: str) -> Finding:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return Finding(name, "real", "" if found else "not installed", DEBIAN.format(package))


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding(f"Python {version}", "all", "" if sys.version_info >= (3, 11) else "too old", "install Python 3.11 or newer")


def _root() -> Finding:
    return Finding("root", "real", "" if os.geteuid() == 0 else "you are not root", "sudo wherry up, or wherry up --fidelity sim")


def _linux() -> Finding:
    return Finding("Linux", "real", "" if sys.platform == "linux" else f"this is {sys.platform}", "wherry up --fidelity sim")


def _kernel_file(path: str, what: str, mend: str) -> Finding:
    return Finding(what, "real", "" if Path(path).exists() else f"{path} is not there", mend)


def _overlay() -> Finding:
    try:
        known = "overlay" in Path("/proc/filesystems").read_text()
    except OSError:
        known = False
    return Finding("overlayfs", "real", "" if known else "the kernel does not offer it", "modprobe overlay")


def _cgroups() -> Finding:
    root = Path("/sys/fs/cgroup")
    if (root / "cgroup.controllers").exists():
        have = set((root / "cgroup.controllers").read_text().split())
        missing = {"cpu", "memory", "pids"} - have
        return Finding("cgroup v2", "real", f"controllers missing: {', '.join(sorted(missing))}" if missing else "",
                       "boot with cgroup_enable=memory")
    missing = {name for name in ("cpu", "memory", "pids", "freezer") if not (root / name).is_dir()}
    return Finding("cgroup v1", "real", f"not mounted: {', '.join(sorted(missing))}" if missing else "", "mount the cgroup controllers")


def _disk() -> Finding:
    parent = Path("/var/lib") if os.geteuid() == 0 else Path.home()
    free = shutil.disk_usage(parent).free / (1 << 30)
    return Finding(f"disk ({free:.0f} GiB free in {parent})", "all", "" if free >= 1 else "less than 1 GiB", "free some space")


def findings() -> Iterator[Finding]:
    """Every requirement, checked now."""
    checks: tuple[Callable[[], Finding], ...] = (_python, _linux, _root, _overlay, _cgroups, _disk)
    for check in checks:
        yield check()
    for namespace in ("net", "ipc", "uts", "mnt", "pid"):
        yield _kernel_file(f"/proc/self/ns/{namespace}", f"{namespace} namespaces", "use a kernel with namespaces")
    yield _kernel_file("/proc/sys/net/ipv4/ip_forward", "IPv4 forwarding", "use a kernel with IPv4")
    programs = (("runc", "runc"), ("conmon", "conmon"), ("nft", "nftables"), ("skopeo", "skopeo"))
    for name, package in programs:
        yield _program(name, package)
    kubectl = Finding("kubectl", "you", "" if shutil.which("kubectl") else "not installed", "https://kubernetes.io/docs/tasks/tools/")
    yield kubectl


def show() -> int:
    """Print every finding; 1 when something that real containers need is missing."""
    bad = 0
    for finding in findings():
        if finding.problem:
            bad += finding.needed in ("real", "all")
            print(f"missing  {finding.what}: {finding.problem}\n           mend: {finding.mend}")
        else:
            print(f"ok       {finding.what}")
    if bad:
        print(f"\n{bad} missing for real containers; `wherry up --fidelity sim` works without.")
    return 1 if bad else 0
