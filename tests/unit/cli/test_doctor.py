"""doctor over hosts that have all, nothing, or one thing wrong."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wherry.cli import doctor
from wherry.cluster.config import ClusterConfig

CONFIG = ClusterConfig("one", "real", Path("/data"), Path("/run/wherry/one"), 6443, pod_range="10.244.0.0/16")
CHAINS = """table ip filter {{
\tchain FORWARD {{
\t\ttype filter hook forward priority filter; policy {policy};
\t}}
}}
table ip6 filter {{
\tchain FORWARD {{
\t\ttype filter hook forward priority filter; policy drop;
\t}}
}}
table inet firewalld {{
\tchain input {{
\t\ttype filter hook input priority filter + 10; policy drop;
\t}}
}}
"""
LISTENS = "  sl  local_address rem_address   st\n   0: {address}:0035 00000000:0000 0A\n"


@dataclass
class FakeHost:
    """A good Debian machine with cgroup v2, but for what a test takes away."""

    root: bool = True
    linux: bool = True
    python: tuple[int, int, int] = (3, 11, 2)
    data: Path = Path("/data")
    without: set[str] = field(default_factory=set)  # programs, files, modules
    outputs: dict[str, str] = field(default_factory=dict)
    holders: dict[int, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    free: tuple[int, float] = (50 << 30, 0.9)

    def text(self, path: str) -> str:
        known = {
            "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids", "/proc/sys/fs/inotify/max_user_instances": "128\n",
            "/proc/sys/fs/inotify/max_user_watches": "65536\n", **self.files,
        }
        return "" if path in self.without else known.get(path, "")

    def exists(self, path: str) -> bool:
        return path not in self.without

    def program(self, name: str) -> bool:
        return name not in self.without

    def output(self, *command: str) -> str:
        return self.outputs.get(" ".join(command), "")

    def space(self) -> tuple[int, float]:
        return self.free

    def holder(self, port: int) -> str:
        return self.holders.get(port, "")

    def tried(self, what: str) -> str:
        return "Operation not supported" if what in self.without else ""


def problems(host: FakeHost, config: ClusterConfig | None = None, *, up: bool = False) -> dict[str, tuple[str, str]]:
    """What is found wrong: name -> (problem, mend)."""
    found = list(doctor.findings(host, config, up=up))  # type: ignore[arg-type]
    assert len({f.what for f in found}) == len(found)
    assert all(f.mend for f in found if f.problem), "each problem has what mends it"
    return {f.what: (f.problem, f.mend) for f in found if f.problem}


def test_nothing_is_wrong_with_a_good_host() -> None:
    assert problems(FakeHost(), CONFIG) == {}


@pytest.mark.parametrize(
    ("host", "what", "problem", "mend"),
    [
        pytest.param(FakeHost(python=(3, 10, 1)), "Python 3.10.1", "too old", "install Python 3.11 or newer", id="old Python"),
        pytest.param(FakeHost(root=False), "root", "you are not root", "sudo wherry up, or wherry up --fidelity sim", id="no root"),
        pytest.param(FakeHost(without={"nft"}), "nft", "not installed", "apt-get install --no-install-recommends nftables", id="no nft"),
        pytest.param(FakeHost(without={"kubectl"}), "kubectl", "not installed", "https://kubernetes.io/docs/tasks/tools/", id="no kubectl"),
        pytest.param(FakeHost(without={"overlay"}), "overlayfs for images", "Operation not supported", "modprobe overlay", id="no overlay"),
        pytest.param(FakeHost(without={"veth"}), "virtual Ethernet pairs", "Operation not supported", "modprobe veth", id="no veth"),
        pytest.param(FakeHost(without={"bridge"}), "bridges", "Operation not supported", "modprobe bridge", id="no bridge"),
        pytest.param(
            FakeHost(without={"nf_tables"}), "nftables with NAT and maps", "Operation not supported", "modprobe nf_tables", id="no nf_tables"
        ),
        pytest.param(
            FakeHost(files={"/sys/fs/cgroup/cgroup.controllers": "cpu pids"}), "cgroup v2", "without memory", "boot with cgroup_enable=memory",
            id="no memory cgroup",
        ),
        pytest.param(
            FakeHost(without={"/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/pids"}), "cgroup v1", "not mounted: pids",
            "mkdir -p /sys/fs/cgroup/pids && mount -t cgroup -o pids pids /sys/fs/cgroup/pids", id="cgroup v1 without pids",
        ),
        pytest.param(
            FakeHost(holders={6443: "nginx (process 7)"}), "port 6443 for the API", "taken by nginx (process 7)",
            "end that, or wherry up --name one --port PORT", id="API port taken",
        ),
        pytest.param(
            FakeHost(outputs={"nft list chains": CHAINS.format(policy="drop")}), "forwarding through nftables (ip filter FORWARD)", doctor.DROPS,
            "iptables -I FORWARD -s 10.244.0.0/16 -j ACCEPT; iptables -I FORWARD -d 10.244.0.0/16 -j ACCEPT", id="Docker's policy",
        ),
        pytest.param(
            FakeHost(outputs={"iptables-legacy -S FORWARD": "-P FORWARD DROP\n"}), "forwarding through iptables-legacy", doctor.DROPS,
            "iptables-legacy -I FORWARD -s 10.244.0.0/16 -j ACCEPT; iptables-legacy -I FORWARD -d 10.244.0.0/16 -j ACCEPT", id="legacy policy",
        ),
        pytest.param(
            FakeHost(free=(1 << 29, 0.9)), "disk (0.5 GiB free for /data)", "less than 1 GiB",
            "free some space, or wherry up --data-dir DIR on another disk", id="little disk",
        ),
        pytest.param(
            FakeHost(free=(9 << 30, 0.001)), "inodes for /data", "less than 1 % free", "delete small files there, or wherry up --data-dir DIR",
            id="no inodes",
        ),
        pytest.param(
            FakeHost(files={"/proc/sys/fs/inotify/max_user_instances": "16"}), "fs.inotify.max_user_instances", "16 is little for many Pods",
            "sysctl -w fs.inotify.max_user_instances=512", id="few inotify instances",
        ),
    ],
)
def test_one_thing_is_wrong(host: FakeHost, what: str, problem: str, mend: str) -> None:
    assert problems(host, CONFIG) == {what: (problem, mend)}


@pytest.mark.parametrize(
    ("address", "found"),
    [("00000000", "taken on every address by dnsmasq (process 9)"), ("0100007F", "")],
    ids=["on every address", "on its own"],
)
@pytest.mark.parametrize("table", ["tcp", "udp"])
def test_another_dns_server(table: str, address: str, found: str) -> None:
    host = FakeHost(holders={53: "dnsmasq (process 9)"}, files={f"/proc/net/{table}": LISTENS.format(address=address)})
    assert problems(host, CONFIG).get("port 53 for the cluster's DNS", ("", ""))[0] == found


def test_a_running_cluster_has_its_ports_itself() -> None:
    assert problems(FakeHost(holders={6443: "python (process 5)"}), CONFIG, up=True) == {}


def test_a_rule_that_lets_pods_through_is_enough() -> None:
    rules = "chain FORWARD { type filter hook forward priority filter; policy drop; ip saddr 10.244.0.0/16 counter accept }"
    host = FakeHost(outputs={"nft list chains": CHAINS.format(policy="drop"), "nft list chain ip filter FORWARD": rules})
    assert problems(host, CONFIG) == {}


def test_forward_chains_that_drop() -> None:
    assert doctor.dropping(CHAINS.format(policy="drop")) == [("ip", "filter", "FORWARD")]
    assert doctor.dropping(CHAINS.format(policy="accept")) == []
    assert doctor.dropping("") == []


def test_without_root_the_kernel_is_not_tried() -> None:
    assert set(problems(FakeHost(root=False, without={"veth", "overlay"}))) == {"root"}
