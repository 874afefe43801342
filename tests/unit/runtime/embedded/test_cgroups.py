"""Control groups of every version, on a tree of plain files."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from wherry.runtime.embedded import cgroups
from wherry.runtime.embedded.cgroups import Cgroups, limits, weight
from wherry.runtime.embedded.sandbox import cgroup_of
from wherry.runtime.interface import Resources, RuntimeFault, SandboxConfig, Usage

V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = (
    "31 23 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/memory rw shared:9 - cgroup cgroup rw,memory\n"
    "34 31 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n"
)
HYBRID = V1 + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("mountinfo", "controllers", "unified", "v2"),
    [
        pytest.param(V2, [], "/sys/fs/cgroup", True, id="v2"),
        pytest.param(V1, ["cpu", "cpuacct", "memory", "name=systemd"], None, False, id="v1"),
        pytest.param(HYBRID, ["cpu", "cpuacct", "memory", "name=systemd"], "/sys/fs/cgroup/unified", False, id="hybrid"),
    ],
)
def test_detect(mountinfo: str, controllers: list[str], unified: str | None, v2: bool) -> None:
    found = cgroups.detect(mountinfo)
    assert sorted(found.v1) == controllers
    assert found.unified == (Path(unified) if unified else None)
    assert found.is_v2 is v2


@pytest.mark.parametrize(("shares", "expected"), [(2, 1), (102, 17), (512, 59), (1024, 100), (2048, 174), (262_144, 10_000), (0, 1), (1 << 30, 10_000)])
def test_weight(shares: int, expected: int) -> None:
    assert weight(shares) == expected


@pytest.mark.parametrize(
    ("resources", "v1", "v2"),
    [
        pytest.param(Resources(), [], [], id="nothing"),
        pytest.param(
            Resources(cpu_quota=20_000),
            [("cpu", "cpu.cfs_period_us", "100000"), ("cpu", "cpu.cfs_quota_us", "20000")],
            [("cpu", "cpu.max", "20000 100000")],
            id="quota",
        ),
        pytest.param(Resources(cpu_shares=512), [("cpu", "cpu.shares", "512")], [("cpu", "cpu.weight", "59")], id="shares"),
        pytest.param(
            Resources(memory_limit=4096, pids_limit=3),
            [("memory", "memory.limit_in_bytes", "4096"), ("pids", "pids.max", "3")],
            [("memory", "memory.max", "4096"), ("pids", "pids.max", "3")],
            id="memory and pids",
        ),
    ],
)
def test_limits(resources: Resources, v1: list[tuple[str, str, str]], v2: list[tuple[str, str, str]]) -> None:
    assert limits(resources, unified=False) == v1
    assert limits(resources, unified=True) == v2


def test_v2_enables_controllers_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids rdma")
    (tmp_path / "cgroup.subtree_control").write_text("")
    tree = Cgroups({}, tmp_path)
    tree.create("/wherry-x/pod1")
    assert (tmp_path / "wherry-x" / "pod1").is_dir()
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+pids"  # a plain file keeps the last write
    tree.limit("/wherry-x/pod1", Resources(memory_limit=4096))
    assert (tmp_path / "wherry-x" / "pod1" / "memory.max").read_text() == "4096"
    tree.enroll("/wherry-x/pod1", 77)
    assert tree.processes("/wherry-x") == {77}


def test_v1_makes_the_group_in_every_hierarchy(tmp_path: Path) -> None:
    both, cpuset = tmp_path / "cpu,cpuacct", tmp_path / "cpuset"
    for each in (both, cpuset):
        each.mkdir()
    for file, value in (("cpuset.cpus", "0-1\n"), ("cpuset.mems", "0\n")):
        (cpuset / file).write_text(value)
        for path in ("a", "a/b"):
            (cpuset / path).mkdir(parents=True, exist_ok=True)
            (cpuset / path / file).write_text("\n")
    tree = Cgroups({"cpu": both, "cpuacct": both, "cpuset": cpuset}, None)
    tree.create("/a/b")
    assert tree.directories("/a/b") == [both / "a/b", cpuset / "a/b"]
    assert (cpuset / "a" / "b" / "cpuset.cpus").read_text() == "0-1"
    assert tree.directory("/a", "cpuacct") == both / "a"
    with pytest.raises(FileNotFoundError, match="no cgroup hierarchy with memory"):
        tree.directory("/a", "memory")


def test_remove_takes_the_tree_and_may_be_repeated(tmp_path: Path) -> None:
    tree = Cgroups({}, tmp_path)
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    assert tree.exists("/a")
    assert tree.remove("/a")
    assert not tree.exists("/a")
    assert not tree.remove("/a")


def test_usage_v2(tmp_path: Path) -> None:
    group = tmp_path / "g"
    group.mkdir()
    (group / "cpu.stat").write_text("usage_usec 1500\nuser_usec 1\n")
    (group / "memory.current").write_text("1000\n")
    (group / "memory.stat").write_text("anon 300\ninactive_file 250\npgfault 7\npgmajfault 1\n")
    (group / "memory.events").write_text("low 0\noom 1\noom_kill 2\n")
    tree = Cgroups({}, tmp_path)
    assert tree.usage("/g", 5.0) == Usage(5.0, 1_500_000, 1000, 750, 300, 7, 1)
    assert tree.oom_kills("/g") == 2


def test_usage_v1(tmp_path: Path) -> None:
    group = tmp_path / "g"
    group.mkdir()
    (group / "cpuacct.usage").write_text("1500000\n")
    (group / "memory.usage_in_bytes").write_text("100\n")
    (group / "memory.stat").write_text(
        "rss 1\ntotal_rss 300\ninactive_file 9\ntotal_inactive_file 250\ntotal_pgfault 7\ntotal_pgmajfault 1\n"
    )
    (group / "memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    tree = Cgroups({"cpuacct": tmp_path, "memory": tmp_path}, None)
    assert tree.usage("/g", 5.0) == Usage(5.0, 1_500_000, 100, 0, 300, 7, 1)
    assert tree.oom_kills("/g") == 1
    with pytest.raises(FileNotFoundError):
        tree.usage("/gone", 5.0)
    assert tree.oom_kills("/gone") == 0


@pytest.mark.parametrize(
    ("parent", "expected"),
    [
        pytest.param("", "/wherry-x/podU", id="default"),
        pytest.param("burstable/podU", "/wherry-x/burstable/podU", id="relative"),
        pytest.param("/kubepods/podU", "/wherry-x/kubepods/podU", id="absolute is below ours"),
        pytest.param("/wherry-x/podU", "/wherry-x/podU", id="ours already"),
    ],
)
def test_the_pod_s_group(parent: str, expected: str) -> None:
    assert cgroup_of("/wherry-x", SandboxConfig("p", "n", "U", cgroup_parent=parent)) == expected


def test_the_pod_s_group_never_leads_out() -> None:
    with pytest.raises(RuntimeFault, match="leads out"):
        cgroup_of("/wherry-x", SandboxConfig("p", "n", "U", cgroup_parent="/wherry-x/../other"))


def test_inside_a_container_everything_moves_aside_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel refuses controllers to a group's children while it holds processes."""
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    (tmp_path / "cgroup.subtree_control").write_text("")
    (tmp_path / "cgroup.procs").write_text("1\n77\n")
    moved: list[str] = []

    def write(path: Path, text: str) -> int:
        if path.name == "cgroup.subtree_control" and (tmp_path / "cgroup.procs").read_text():
            raise OSError(errno.EBUSY, "busy", str(path))
        if path == tmp_path / "init/cgroup.procs":
            moved.append(text)
            left = [pid for pid in (tmp_path / "cgroup.procs").read_text().split() if pid != text]
            (tmp_path / "cgroup.procs").write_bytes("".join(f"{pid}\n" for pid in left).encode())
        return path.write_bytes(text.encode())

    monkeypatch.setattr(Path, "write_text", write)
    Cgroups({}, tmp_path).create("/wherry-x/pod1")
    assert moved == ["1", "77"]
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+memory"


def test_a_group_below_the_top_that_is_busy_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (tmp_path, tmp_path / "wherry-x"):
        path.mkdir(exist_ok=True)
        (path / "cgroup.controllers").write_text("cpu")
        (path / "cgroup.subtree_control").write_text("")
    plain = Path.write_text

    def write(path: Path, text: str) -> int:
        if path == tmp_path / "wherry-x/cgroup.subtree_control":
            raise OSError(errno.EBUSY, "busy", str(path))
        return plain(path, text)

    monkeypatch.setattr(Path, "write_text", write)
    Cgroups({}, tmp_path).create("/wherry-x/pod1")
    assert not (tmp_path / "wherry-x/init").exists()
    assert (tmp_path / "wherry-x/pod1").is_dir()


def test_the_kernel_kills_a_group_where_it_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group, rounds = tmp_path / "g", iter([{77, 78}, set[int]()])
    group.mkdir()
    (group / "cgroup.kill").write_text("")
    tree = Cgroups({}, tmp_path)
    monkeypatch.setattr(Cgroups, "processes", lambda self, group: next(rounds))
    monkeypatch.setattr(cgroups, "_is_zombie", lambda pid: False)
    monkeypatch.setattr(cgroups.os, "kill", lambda *given: pytest.fail("one by one"))
    assert tree.kill("/g") == 2
    assert (group / "cgroup.kill").read_text() == "1"


@pytest.mark.parametrize(
    ("v2", "file", "expected"),
    [(True, "memory.swap.max", True), (True, "memory.max", False), (False, "memory.memsw.limit_in_bytes", True), (False, "memory.swap.max", False)],
)
def test_whether_swap_is_counted(tmp_path: Path, v2: bool, file: str, expected: bool) -> None:
    (tmp_path / "g").mkdir()
    (tmp_path / "g" / file).touch()
    assert Cgroups({} if v2 else {"memory": tmp_path}, tmp_path).counts_swap("/g") is expected
    assert Cgroups({"cpu": tmp_path}, None).counts_swap("/g") is False


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (4096, ["memory.memsw.limit_in_bytes", "memory.limit_in_bytes"]), (16384, ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"]),
        (9223372036854771712, ["memory.limit_in_bytes"]),
    ],
    ids=["more", "less", "a Pod's group, without a limit"],
)
def test_v1_memory_is_never_allowed_more_than_memory_with_swap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int, expected: list[str]
) -> None:
    for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
        (tmp_path / name).write_text(f"{before}\n")
    written: list[str] = []
    monkeypatch.setattr(Path, "write_text", lambda path, text: written.append(path.name) or len(text))
    Cgroups({"memory": tmp_path}, None).limit("/", Resources(memory_limit=8192))
    assert written == expected
