"""Control groups, version 1, 2 and hybrid, under absolute paths of the cluster's own.

Names and values are pure (`limits`, `detect`); the rest reads and writes small files.  A group is
named by its absolute cgroup path (`/wherry-NAME/pod<uid>`), the same in every hierarchy.
"""

import contextlib
import errno
import math
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wherry.runtime.interface import Resources, Usage

_WITH_SWAP = "memory.memsw.limit_in_bytes"
NO_BOUND = 1 << 60  # version 1 writes no limit as the largest number of whole pages
V2_CONTROLLERS = ("cpu", "memory", "pids", "cpuset", "io")


def weight(shares: int) -> int:
    """cgroup v2's cpu.weight (1..10000) for version 1's cpu.shares (2..262144).

    The least, the most and the default (1,024 and 100) meet; between them a parabola of the logarithms, as runc has it
    since 1.3.2.  KEP-2254's first formula, a straight line, gave a CPU's request less than half of what systemd's own
    units have.
    """
    if shares <= 2:
        return 1
    if shares >= 262_144:
        return 10_000
    power = math.log2(shares)
    return math.ceil(10 ** ((power * power + 125 * power) / 612 - 7 / 34))


def limits(resources: Resources, unified: bool) -> list[tuple[str, str, str]]:
    """(controller, file, value) for each limit that is set."""
    period = resources.cpu_period or 100_000
    found: list[tuple[str, str, str]] = []
    if unified:
        if resources.cpu_quota:
            found.append(("cpu", "cpu.max", f"{resources.cpu_quota} {period}"))
        if resources.cpu_shares:
            found.append(("cpu", "cpu.weight", str(weight(resources.cpu_shares))))
        if resources.memory_limit:
            found.append(("memory", "memory.max", str(resources.memory_limit)))
    else:
        if resources.cpu_quota:
            found.append(("cpu", "cpu.cfs_period_us", str(period)))
            found.append(("cpu", "cpu.cfs_quota_us", str(resources.cpu_quota)))
        if resources.cpu_shares:
            found.append(("cpu", "cpu.shares", str(max(2, resources.cpu_shares))))
        if resources.memory_limit:
            found.append(("memory", "memory.limit_in_bytes", str(resources.memory_limit)))
    if resources.pids_limit:
        found.append(("pids", "pids.max", str(resources.pids_limit)))
    return found


def _numbers(text: str) -> dict[str, int]:
    """The `name value` lines of a statistics file."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.strip().isdigit():
            found[name] = int(value)
    return found


@dataclass(frozen=True, slots=True)
class Cgroups:
    """The hierarchies of this host: version 1's by controller, and the unified one if it is mounted.

    Without version 1 controllers the unified one does the work; beside them it only tracks processes.
    """

    v1: Mapping[str, Path]
    unified: Path | None

    @property
    def is_v2(self) -> bool:
        return not self.v1

    def _roots(self) -> list[Path]:
        roots = list(dict.fromkeys(self.v1.values()))
        return [*roots, self.unified] if self.unified is not None else roots

    def directories(self, group: str) -> list[Path]:
        """The group's directory in every hierarchy."""
        return [root / group.lstrip("/") for root in self._roots()]

    def directory(self, group: str, controller: str) -> Path:
        """The group's directory where `controller` is.  Raises FileNotFoundError when the host has it nowhere."""
        root = self.unified if self.is_v2 else self.v1.get(controller)
        if root is None:
            raise FileNotFoundError(errno.ENOENT, f"no cgroup hierarchy with {controller}")
        return root / group.lstrip("/")

    def create(self, group: str) -> None:
        """Make the group in every hierarchy; one that is there already is no error."""
        for root in self._roots():
            path = root
            for part in group.strip("/").split("/"):
                if self.is_v2:
                    _enable_controllers(path, top=path == root)
                path = path / part
                path.mkdir(exist_ok=True)
                if root == self.v1.get("cpuset"):
                    _inherit_cpuset(path)

    def limit(self, group: str, resources: Resources) -> None:
        for controller, file, value in limits(resources, self.is_v2):
            path = self.directory(group, controller)
            if file == "memory.limit_in_bytes" and _has_bound(path / _WITH_SWAP):
                _limit_both(path, value)
            else:
                (path / file).write_text(value)

    def enroll(self, group: str, pid: int) -> None:
        """Move a process into the group, in every hierarchy."""
        for path in self.directories(group):
            (path / "cgroup.procs").write_text(str(pid))

    def processes(self, group: str) -> set[int]:
        """The group's processes and those of groups below it."""
        found: set[int] = set()
        for top in self.directories(group):
            for path in _tree(top):
                with contextlib.suppress(OSError):
                    found.update(int(pid) for pid in (path / "cgroup.procs").read_text().split())
        return found

    def kill(self, group: str) -> int:
        """SIGKILL everything in the group; how many there were.  Rounds, for what forks meanwhile."""
        killed: set[int] = set()
        for _ in range(20):
            alive = {pid for pid in self.processes(group) if not _is_zombie(pid)}
            if not alive:
                break
            if not self._kill_at_once(group):
                for pid in alive:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            killed |= alive
            time.sleep(0.005)  # a worker thread waits for the kernel here, not for time to pass
        return len(killed)

    def _kill_at_once(self, group: str) -> bool:
        """By the kernel, which no fork outruns: cgroup v2 has a file for it since Linux 5.14."""
        if not self.is_v2 or self.unified is None:
            return False
        file = self.unified / group.lstrip("/") / "cgroup.kill"
        if not file.exists():
            return False
        file.write_text("1")
        return True

    def remove(self, group: str) -> bool:
        """Remove the group and those below it from every hierarchy; whether there was any.

        Groups that still hold processes stay.
        """
        found = False
        for top in self.directories(group):
            for path in _tree(top):
                try:
                    path.rmdir()
                    found = True
                except OSError as error:
                    if error.errno not in (errno.ENOENT, errno.EBUSY, errno.ENOTEMPTY):
                        raise
        return found

    def counts_swap(self, group: str) -> bool:
        """Whether the kernel can limit the group's swap: not without a memory controller that accounts for it."""
        file = "memory.swap.max" if self.is_v2 else _WITH_SWAP
        try:
            return (self.directory(group, "memory") / file).exists()
        except FileNotFoundError:
            return False

    def exists(self, group: str) -> bool:
        return any(path.is_dir() for path in self.directories(group))

    def oom_kills(self, group: str) -> int:
        """How many of the group's processes the kernel killed for want of memory; 0 when it cannot be said."""
        file = "memory.events" if self.is_v2 else "memory.oom_control"
        try:
            return _numbers((self.directory(group, "memory") / file).read_text()).get("oom_kill", 0)
        except OSError:
            return 0

    def usage(self, group: str, now: float) -> Usage:
        """CPU and memory.  Raises FileNotFoundError when the group is gone."""
        memory = self.directory(group, "memory")
        values = _numbers((memory / "memory.stat").read_text())
        if self.is_v2:
            cpu = _numbers((memory / "cpu.stat").read_text()).get("usage_usec", 0) * 1000
            used = int((memory / "memory.current").read_text())
            cache, rss, prefix = values.get("inactive_file", 0), values.get("anon", 0), ""
        else:
            cpu = int((self.directory(group, "cpuacct") / "cpuacct.usage").read_text())
            used = int((memory / "memory.usage_in_bytes").read_text())
            cache, rss, prefix = values.get("total_inactive_file", 0), values.get("total_rss", 0), "total_"
        return Usage(
            time=now,
            cpu_ns=cpu,
            memory_usage=used,
            memory_working_set=max(0, used - cache),
            memory_rss=rss,
            memory_page_faults=values.get(f"{prefix}pgfault", 0),
            memory_major_page_faults=values.get(f"{prefix}pgmajfault", 0),
        )


def detect(mountinfo: str) -> Cgroups:
    """The hierarchies that are mounted, from the text of /proc/self/mountinfo."""
    v1: dict[str, Path] = {}
    unified: Path | None = None
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        point = Path(left.split(" ")[4])
        if kind == "cgroup2" and unified is None:
            unified = point
        elif kind == "cgroup":
            for option in options.split(","):
                plain = "=" not in option and option not in ("rw", "ro", "xattr", "clone_children", "noprefix")
                if plain or option.startswith("name="):
                    v1.setdefault(option, point)
    if set(v1) <= {"name=systemd"} and unified is not None:
        v1 = {}
    return Cgroups(v1, unified)


def host() -> Cgroups:
    """This host's hierarchies."""
    return detect(Path("/proc/self/mountinfo").read_text())


def _tree(top: Path) -> Iterator[Path]:
    """`top` and every directory below it, the deepest first."""
    try:
        children: Iterable[os.DirEntry[str]] = list(os.scandir(top))
    except OSError:
        return
    for child in children:
        if child.is_dir(follow_symlinks=False):
            yield from _tree(Path(child.path))
    yield top


def _has_bound(file: Path) -> bool:
    try:
        return int(file.read_text()) < NO_BOUND
    except FileNotFoundError:
        return False


def _limit_both(path: Path, value: str) -> None:
    """Memory alone may never be allowed more than memory with swap: upwards that one goes first, downwards last."""
    names = ["memory.limit_in_bytes", _WITH_SWAP]
    if int((path / _WITH_SWAP).read_text()) < int(value):
        names.reverse()
    for name in names:
        (path / name).write_text(value)


def _enable_controllers(path: Path, *, top: bool) -> None:
    """Let groups below `path` have what the host offers of the controllers that limits need.

    A group that holds processes gives its children nothing, but for the host's true root.  Inside a container the top
    of what can be seen is no root and holds everything: that moves aside first, as every runtime in a container does it.
    """
    try:
        offered = (path / "cgroup.controllers").read_text().split()
        enabled = (path / "cgroup.subtree_control").read_text().split()
    except OSError:
        return
    for controller in V2_CONTROLLERS:
        if controller in offered and controller not in enabled:
            try:
                _enable(path, controller)
            except OSError as error:
                if top and error.errno == errno.EBUSY:
                    _move_aside(path)
                with contextlib.suppress(OSError):  # one that cannot be enabled must not cost the others
                    _enable(path, controller)


def _enable(path: Path, controller: str) -> None:
    (path / "cgroup.subtree_control").write_text(f"+{controller}")


def _move_aside(top: Path) -> None:
    """Every process of the group into one below it.  Rounds, for what forks meanwhile."""
    aside = top / "init"
    aside.mkdir(exist_ok=True)
    for _ in range(10):
        pids = (top / "cgroup.procs").read_text().split()
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(OSError):  # it ended, or is the kernel's
                (aside / "cgroup.procs").write_text(pid)


def _inherit_cpuset(path: Path) -> None:
    """A new version 1 cpuset group is empty and takes no process until it has its parent's CPUs and memory."""
    for file in ("cpuset.cpus", "cpuset.mems"):
        with contextlib.suppress(FileNotFoundError):
            if not (path / file).read_text().strip():
                (path / file).write_text((path.parent / file).read_text().strip())


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
