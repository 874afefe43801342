"""Names, addresses, rtnetlink messages and hostPort rules: all that needs no kernel."""

from __future__ import annotations

import struct
import threading
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from wherry.runtime.embedded import hostport, linux, netns, network, rtnl
from wherry.runtime.embedded.address_pool import AddressPool
from wherry.runtime.embedded.config import RuntimeConfig, link_prefix, pod_link
from wherry.runtime.embedded.network import HostSysctls
from wherry.runtime.embedded.records import SandboxRecord
from wherry.runtime.embedded.sandbox import check_sysctls, own_kinds
from wherry.runtime.interface import PortMapping, RuntimeFault, SandboxConfig, SandboxState

CONFIG = RuntimeConfig(
    "default", Path("/var/x"), Path("/run/x"), IPv4Network("10.1.0.0/16"), IPv4Network("10.1.2.0/24"),
    IPv4Network("10.2.0.0/16"), IPv4Address("10.1.2.1"),
)  # fmt: skip


@pytest.mark.parametrize("cluster", ["default", "a", "twelve-chars"])
def test_link_names_fit(cluster: str) -> None:
    name = pod_link(cluster, "f" * 64)
    assert len(name) == 15
    assert name.startswith(link_prefix(cluster) + ".")


def test_two_clusters_have_links_of_their_own() -> None:
    assert link_prefix("one") != link_prefix("two")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"node_cidr": IPv4Network("10.9.0.0/24")}, "not inside the pod range", id="range"),
        pytest.param({"address": IPv4Address("10.1.3.1")}, "not inside the node's range", id="address"),
        pytest.param({"state": Path("/" + "x" * 100)}, "too long", id="state"),
    ],
)
def test_configurations_that_cannot_work(change: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replace(CONFIG, **change)  # type: ignore[arg-type]


def test_addresses_go_round(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, IPv4Network("10.0.0.0/29"), frozenset({IPv4Address("10.0.0.1")}))
    given = [str(pool.allocate(f"s{n}")) for n in range(5)]
    assert given == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
    with pytest.raises(RuntimeFault, match="no addresses available"):
        pool.allocate("more")
    pool.release("s0", IPv4Address("10.0.0.2"))
    pool.release("other", IPv4Address("10.0.0.3"))  # not its own
    pool.release("s3", IPv4Address("10.0.0.5"))
    assert str(pool.allocate("again")) == "10.0.0.2"
    again = AddressPool(tmp_path, IPv4Network("10.0.0.0/29"), frozenset({IPv4Address("10.0.0.1")}))
    assert str(again.allocate("later")) == "10.0.0.5"
    again.release_others({"later"})
    assert {str(again.allocate(f"t{n}")) for n in range(4)} == {"10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.6"}


def test_a_released_address_is_not_the_next(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, IPv4Network("10.0.0.0/28"), frozenset())
    first = pool.allocate("a")
    pool.release("a", first)
    assert pool.allocate("b") != first


def test_addresses_for_threads_at_once(tmp_path: Path) -> None:
    pool = AddressPool(tmp_path, IPv4Network("10.0.0.0/24"), frozenset())
    given: list[IPv4Address] = []
    threads = [threading.Thread(target=lambda: given.extend(pool.allocate("x") for _ in range(20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(given)) == 160


def test_messages_are_whole() -> None:
    message = rtnl.add_route(IPv4Network("10.1.0.0/16"), 7, source=IPv4Address("10.1.2.1"), metric=9)
    family, prefix, _, _, table, _, scope, kind, flags = struct.unpack_from("=BBBBBBBBI", message.body)
    assert (family, prefix, table, scope, kind, flags) == (2, 16, 254, 253, 1, 0)
    assert bytes([10, 1, 0, 0]) in message.body
    gateway = rtnl.add_route(rtnl.EVERYWHERE, 7, gateway=IPv4Address("10.1.2.1"))
    assert struct.unpack_from("=BBBBBBBBI", gateway.body)[6:] == (0, 1, 4)  # the whole world, unicast, on-link
    unreachable = rtnl.add_unreachable(IPv4Network("10.1.0.0/16"))
    assert unreachable.body[7] == 7


@pytest.mark.parametrize(
    ("name", "path"),
    [
        pytest.param("net.ipv4.ip_forward", "net/ipv4/ip_forward", id="dots"),
        pytest.param("net/ipv4/conf/wh0.1/rp_filter", "net/ipv4/conf/wh0.1/rp_filter", id="slashes"),
        pytest.param("net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter", id="a dot in a name"),
    ],
)
def test_sysctl_paths(name: str, path: str) -> None:
    assert netns.sysctl_path(name) == Path("/proc/sys") / path


def test_sysctl_paths_stay_inside() -> None:
    with pytest.raises(OSError, match="no sysctl"):
        netns.sysctl_path("net/../../../etc/passwd")


@pytest.mark.parametrize(
    ("config", "kinds"),
    [
        (SandboxConfig("p", "n", "u"), ("net", "uts", "ipc")),
        (SandboxConfig("p", "n", "u", host_network=True), ("ipc",)),
        (SandboxConfig("p", "n", "u", host_ipc=True), ("net", "uts")),
        (SandboxConfig("p", "n", "u", host_network=True, host_ipc=True), ()),
    ],
)
def test_namespaces_of_the_pod(config: SandboxConfig, kinds: tuple[str, ...]) -> None:
    assert own_kinds(config) == kinds


@pytest.mark.parametrize(
    ("name", "fields", "allowed"),
    [
        ("net.core.somaxconn", {}, True),
        ("net/core/somaxconn", {}, True),
        ("net.core.somaxconn", {"host_network": True}, False),
        ("kernel.shmmax", {}, True),
        ("kernel.shmmax", {"host_ipc": True}, False),
        ("kernel.panic", {}, False),
        ("vm.overcommit_memory", {}, False),
    ],
)
def test_only_the_pod_s_own_sysctls(name: str, fields: dict[str, bool], allowed: bool) -> None:
    config = SandboxConfig("p", "n", "u", sysctls={name: "1"}, **fields)  # type: ignore[arg-type]
    if allowed:
        check_sysctls(config)
    else:
        with pytest.raises(RuntimeFault, match="not in a separate kernel namespace"):
            check_sysctls(config)


def test_host_sysctls_are_given_back_by_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = tmp_path / "forward"
    forward.write_text("0\n")
    monkeypatch.setattr(network.netns, "sysctl_path", lambda name: forward)
    host = HostSysctls(tmp_path / "host")
    host.borrow("one", {"net/ipv4/ip_forward": "1"})
    host.borrow("two", {"net/ipv4/ip_forward": "1"})
    assert forward.read_text() == "1"
    assert host.give_back("one") == []
    assert forward.read_text() == "1"
    assert host.give_back("two") == ["sysctl net.ipv4.ip_forward set back to 0"]
    assert forward.read_text() == "0"
    assert host.give_back("two") == []


def record(name: str, *ports: PortMapping, ip: str = "10.1.2.7", state: SandboxState = SandboxState.READY) -> SandboxRecord:
    return SandboxRecord(name, SandboxConfig(name, "n", name, port_mappings=ports), 0.0, "/g", "b", state, True, ip)


def test_host_port_rules() -> None:
    text = hostport.ruleset(
        "x", [record("a", PortMapping("TCP", 80, 8080), PortMapping("UDP", 53, 53, "127.0.0.1"), PortMapping("TCP", 9, 0))]
    )
    assert "    fib daddr type local tcp dport 8080 dnat to 10.1.2.7:80\n" in text
    assert "    ip daddr 127.0.0.1 udp dport 53 dnat to 10.1.2.7:53\n" in text
    assert text.count("dnat to") == 2
    assert text.startswith("table ip wherry-x-hostport\ndelete table ip wherry-x-hostport\n")


def test_without_host_ports_there_is_no_table() -> None:
    ended = record("a", PortMapping("TCP", 80, 8080), state=SandboxState.NOTREADY)
    assert hostport.ruleset("x", [ended, record("b")]).count("\n") == 2


@pytest.mark.parametrize(
    ("wanted", "clash"),
    [
        (PortMapping("TCP", 1, 8080), True),
        (PortMapping("UDP", 1, 8080), False),
        (PortMapping("TCP", 1, 8081), False),
        (PortMapping("TCP", 1, 8080, "127.0.0.1"), True),
        (PortMapping("TCP", 1, 9090, "127.0.0.2"), False),
        (PortMapping("TCP", 1, 9090, "0.0.0.0"), True),
    ],
)
def test_a_host_port_is_had_once(wanted: PortMapping, clash: bool) -> None:
    there = [record("a", PortMapping("TCP", 80, 8080), PortMapping("TCP", 81, 9090, "127.0.0.1"))]
    ports = hostport.HostPorts(CONFIG)
    if clash:
        with pytest.raises(RuntimeFault, match="is in use by Pod n/a"):
            ports.check(record("b", wanted), there)
    else:
        ports.check(record("b", wanted), there)


def test_mounts_are_found_deepest_first() -> None:
    text = (
        "22 27 0:21 / /proc rw - proc proc rw\n"
        "30 27 0:9 / /run/x rw - tmpfs tmpfs rw\n"
        "31 27 0:9 / /run/x/a\\040b rw - tmpfs tmpfs rw\n"
        "32 27 0:9 / /run/xy rw - tmpfs tmpfs rw\n"
    )
    assert linux.mounts_under(Path("/run/x"), text) == [Path("/run/x/a b"), Path("/run/x")]
