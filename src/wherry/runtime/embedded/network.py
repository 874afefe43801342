"""The Pods' network on this node: one link a Pod, straight to the host's IP stack.

A Pod has an address of its own with a 32-bit mask, a default route to the node's address, and a
veth whose other end is a link of the host with a route to just that Pod.  So everything that a Pod
sends, to its neighbours too, passes the host's routing and nftables.  (Ports of a bridge would see
Services work or fail with `bridge-nf-call-iptables`: where it is 1, traffic that is DNATed to a Pod
on the same bridge is bridged past the routing, and isolated ports drop it.  Tried.)

The cluster's bridge has no ports: it holds the node's address and the Service range's route, so
that connections from the host reach NAT, and packets that nothing answers end there.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from wherry.runtime.embedded import netns, rtnl
from wherry.runtime.embedded.config import RuntimeConfig, link_alias, pod_link

HARDWARE = bytes.fromhex("eeeeeeeeeeee")
"""The host's end of every Pod's link: links of two ends need no difference."""

BEHIND = 4096
"""The metric of routes that matter only when the better one is gone."""

POD_SYSCTLS = {
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.ip_unprivileged_port_start": "0",  # as containerd 2: ports below 1024 need no privilege in a Pod
    "net.ipv4.ping_group_range": "0 2147483647",
}


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """A Pod's traffic as the Pod sees it."""

    rx_bytes: int = 0
    tx_bytes: int = 0
    rx_errors: int = 0
    tx_errors: int = 0


def pod_hardware(address: IPv4Address) -> bytes:
    """A link address that follows from the IP address, locally administered."""
    return b"\x0a\x58" + address.packed


class Network:
    """The host's side.  All methods block; they run in worker threads."""

    def __init__(self, config: RuntimeConfig) -> None:
        self._config = config
        self._mtu = config.mtu

    def setup(self) -> None:
        """Make the bridge and the guard routes, and let the host forward.  Again is no error."""
        config = self._config
        with rtnl.Netlink() as netlink:
            self._mtu = config.mtu or _smallest_mtu(netlink)
            netlink.apply(
                [
                    rtnl.add_unreachable(config.pod_cidr),
                    rtnl.add_unreachable(config.service_cidr, BEHIND),
                    rtnl.add_bridge(config.bridge, b"\x0a\x58" + config.address.packed),
                    rtnl.set_link(config.bridge, alias=link_alias(config.cluster)),
                ]
            )
            index = netlink.index(config.bridge)
            netlink.apply(
                [
                    rtnl.add_address(index, config.address),
                    rtnl.add_route(config.service_cidr, index, source=config.address),
                ]
            )
        netns.write_sysctls({f"net/ipv4/conf/{config.bridge}/route_localnet": "1"})
        HostSysctls(config.host).borrow(config.cluster, {"net/ipv4/ip_forward": "1"})

    def attach(self, sandbox_id: str, address: IPv4Address, make: Callable[[Callable[[], None]], None]) -> None:
        """Give a sandbox its link, with `address` at its end.

        `make` makes the sandbox's namespaces and runs what it is given in them.
        """
        config, link = self._config, pod_link(self._config.cluster, sandbox_id)
        host = rtnl.Netlink()

        def inside() -> None:
            with open("/proc/thread-self/ns/net") as namespace:
                hardware = pod_hardware(address)
                host.apply([rtnl.add_veth(link, HARDWARE, "eth0", hardware, namespace.fileno(), self._mtu)])
            with rtnl.Netlink() as pod:
                index = pod.index("eth0")
                pod.apply([rtnl.set_link("lo"), rtnl.add_address(index, address), rtnl.set_link("eth0")])
                pod.apply(
                    [
                        rtnl.add_neighbour(index, config.address, HARDWARE),
                        rtnl.add_route(rtnl.EVERYWHERE, index, gateway=config.address),
                    ]
                )
            netns.write_sysctls(POD_SYSCTLS)

        with host:
            make(inside)
            index = host.index(link)
            host.apply(
                [
                    rtnl.set_link(link, alias=link_alias(config.cluster)),
                    rtnl.add_neighbour(index, address, pod_hardware(address)),
                    rtnl.add_route(rtnl.host_network(address), index, source=config.address),
                ]
            )
        # A NodePort on 127.0.0.1 sends from there to a Pod; the proxy drops what Pods send to 127/8.
        netns.write_sysctls({f"net/ipv4/conf/{link}/route_localnet": "1"})

    def detach(self, sandbox_id: str) -> None:
        """Take a sandbox's link away, and its routes with it.  Again is no error."""
        with rtnl.Netlink() as netlink:
            netlink.apply([rtnl.delete_link(pod_link(self._config.cluster, sandbox_id))])

    def counters(self, sandbox_id: str) -> LinkCounters:
        """Traffic since the sandbox was made; the host's end counts the other way around."""
        directory = Path("/sys/class/net") / pod_link(self._config.cluster, sandbox_id) / "statistics"
        names = ("tx_bytes", "rx_bytes", "tx_errors", "rx_errors")
        try:
            return LinkCounters(*(int((directory / name).read_text()) for name in names))
        except OSError:
            return LinkCounters()

    def teardown(self) -> list[str]:
        """Take everything away that `setup` and `attach` made; what was found."""
        return teardown(self._config)


def teardown(config: RuntimeConfig) -> list[str]:
    """The cluster's links (found by their alias and name), guard routes and borrowed sysctls; what was found."""
    found = []
    with rtnl.Netlink() as netlink:
        for link in netlink.links():
            if link.alias == link_alias(config.cluster) or link.name.startswith(config.bridge):
                netlink.apply([rtnl.delete_link(link.name)])
                found.append(f"link {link.name}")
        routes = {route.destination for route in netlink.routes() if route.unreachable}
        for destination, metric in ((config.pod_cidr, 0), (config.service_cidr, BEHIND)):
            if destination in routes:
                netlink.apply([rtnl.delete_unreachable(destination, metric)])
                found.append(f"unreachable route {destination}")
    found += HostSysctls(config.host).give_back(config.cluster)
    return found


class HostSysctls:
    """Sysctls of the whole host, set by the first cluster that needs them and given back by the last.

    `directory` holds a file for each cluster that borrows, and `before` with the values found.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def borrow(self, cluster: str, values: dict[str, str]) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        before = self._before()
        for name, value in values.items():
            path = netns.sysctl_path(name)
            current = path.read_text().strip()
            if current != value:
                before.setdefault(name, current)
                self._save(before)
                path.write_text(value)
        (self._directory / f"user-{cluster}").touch()

    def give_back(self, cluster: str) -> list[str]:
        """What was set back."""
        with contextlib.suppress(FileNotFoundError):
            (self._directory / f"user-{cluster}").unlink()
        if not self._directory.is_dir() or any(name.startswith("user-") for name in os.listdir(self._directory)):
            return []
        found = []
        for name, value in self._before().items():
            netns.sysctl_path(name).write_text(value)
            found.append(f"sysctl {name.replace('/', '.')} set back to {value}")
        shutil.rmtree(self._directory, ignore_errors=True)
        return found

    def _before(self) -> dict[str, str]:
        try:
            values: dict[str, str] = json.loads((self._directory / "before").read_text())
            return values
        except (OSError, ValueError):
            return {}

    def _save(self, before: dict[str, str]) -> None:
        new = self._directory / "before.new"
        new.write_text(json.dumps(before))
        os.replace(new, self._directory / "before")


def _smallest_mtu(netlink: rtnl.Netlink) -> int:
    """Of the links that lead outside; 1500 where none does."""
    outside = {route.index for route in netlink.routes() if route.destination == rtnl.EVERYWHERE}
    return min((link.mtu for link in netlink.links() if link.index in outside), default=1500)
