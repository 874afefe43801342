"""The host as `wherry doctor` looks at it: files, programs, ports, and what the kernel does when it is tried.

Trying leaves nothing: it happens in namespaces that end with their thread, and in a folder that is deleted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from wherry.cluster import host


class Host:
    """This machine."""

    def __init__(self, data: Path) -> None:
        self.data = data  # where the cluster's data is or would be
        self.root = os.geteuid() == 0
        self.linux = sys.platform == "linux"
        self.python = sys.version_info[:3]

    def text(self, path: str) -> str:
        """A file's text, "" when it cannot be read."""
        try:
            return Path(path).read_text()
        except OSError:
            return ""

    def exists(self, path: str) -> bool:
        return Path(path).exists()

    def program(self, name: str) -> bool:
        return host.program(name) is not None

    def output(self, *command: str) -> str:
        """What a command prints, "" when it is not there or fails."""
        if (found := host.program(command[0])) is None:
            return ""
        done = subprocess.run([found, *command[1:]], capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""

    def space(self) -> tuple[int, float]:
        """Free bytes, and the free part (0 to 1) of the files that the data's file system can hold."""
        found = os.statvfs(self._parent())
        return shutil.disk_usage(self._parent()).free, found.f_favail / found.f_files if found.f_files else 1.0

    def holder(self, port: int) -> str:
        """The program that listens on a TCP port ("another program" when it is not ours to see), or ""."""
        return "" if host.is_free("127.0.0.1", port) else host.holder(port) or "another program"

    def tried(self, what: str) -> str:
        """Let the kernel do it once; "" when it did, else its error.  `what`: overlay, veth, bridge, nf_tables."""
        from wherry.runtime.embedded.netns import in_own_thread

        tries: dict[str, Callable[[], None]] = {
            "overlay": self._overlay, "veth": _veth, "bridge": _bridge, "nf_tables": _nf_tables,
        }
        try:
            in_own_thread(tries[what])
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def _parent(self) -> Path:
        """The nearest folder that is there."""
        return next(path for path in (self.data, *self.data.parents) if path.is_dir())

    def _overlay(self) -> None:
        """Where images would be: an overlay's upper layer may not lie on another overlay, nor on some file systems."""
        from wherry.runtime.embedded import linux

        with tempfile.TemporaryDirectory(dir=self._parent(), prefix=".wherry-doctor-") as folder:
            lower, upper, work, merged = (Path(folder) / each for each in ("lower", "upper", "work", "merged"))
            for each in (lower, upper, work, merged):
                each.mkdir()
            linux.unshare(linux.CLONE_NEWNS)
            linux.mount("none", Path("/"), flags=linux.MS_REC | linux.MS_PRIVATE)
            linux.mount("overlay", merged, "overlay", data=f"lowerdir={lower},upperdir={upper},workdir={work}")
            (merged / "file").write_text("seen")
            linux.unmount(merged)


def _veth() -> None:
    from wherry.runtime.embedded import linux, rtnl

    linux.unshare(linux.CLONE_NEWNET)
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        with rtnl.Netlink() as netlink:
            netlink.apply([rtnl.add_veth("one", b"\2wherr", "two", b"\2wherp", namespace, 1500)])
    finally:
        os.close(namespace)


def _bridge() -> None:
    from wherry.runtime.embedded import linux, rtnl

    linux.unshare(linux.CLONE_NEWNET)
    with rtnl.Netlink() as netlink:
        netlink.apply([rtnl.add_bridge("bridge", b"\2wherr")])


def _nf_tables() -> None:
    """The kinds of chain that Services need, in a network namespace of its own (a child is born into ours)."""
    from wherry.runtime.embedded import linux

    linux.unshare(linux.CLONE_NEWNET)
    rules = (
        "table ip t { map m { type ipv4_addr . inet_proto . inet_service : verdict; }\n"
        "chain n { type nat hook prerouting priority -100; dnat to 192.0.2.1; }\n"
        "chain f { type filter hook forward priority 0; ct state new ip daddr . meta l4proto . th dport vmap @m; }\n}\n"
    )
    done = subprocess.run([host.program("nft") or "nft", "-f", "-"], input=rules, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip().splitlines()[0] if done.stderr.strip() else "nft failed")
