"""What the embedded runtime is told, and the paths and names that follow from it.

Everything that it makes on the host is named after the cluster here, in one place, so that `down`
finds it again after a crash.
"""

import hashlib
import platform
import secrets
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from wherry.runtime.interface import RuntimeFault

MAX_NETWORK_PREFIX = 8
"""Length of a cluster's link name; its Pods' links are that, a dot and six more (a name has 15 at most)."""


@dataclass(frozen=True, slots=True)
class RuntimeConfig:
    """Where the runtime keeps things, and the addresses it hands out.

    `root` outlives reboots (images, writable layers); `state` may be a tmpfs, and its path must be
    short enough for Unix sockets under it.  `node_cidr` is this node's part of `pod_cidr`, and
    `address` (the node's own, on the bridge) lies in it.
    """

    cluster: str
    root: Path
    state: Path
    pod_cidr: IPv4Network
    node_cidr: IPv4Network
    service_cidr: IPv4Network
    address: IPv4Address
    mtu: int = 0
    """The Pods' links' MTU; 0 takes the smallest of the host's own default routes' links."""
    host: Path = Path("/run/wherry-host")
    """What clusters on this host must agree on: the values that global sysctls had before the first of them."""
    workers: int = 4
    """How many sandboxes and containers are made at once."""
    runtime: str = "runc"
    insecure_registries: tuple[str, ...] = ()
    """Registries spoken to without TLS, as `host:port`; those on loopback always are."""

    def __post_init__(self) -> None:
        if not self.node_cidr.subnet_of(self.pod_cidr):
            raise ValueError(f"node range {self.node_cidr} is not inside the pod range {self.pod_cidr}")
        if self.address not in self.node_cidr:
            raise ValueError(f"address {self.address} is not inside the node's range {self.node_cidr}")
        longest = len(str(self.sockets)) + len("/" + 12 * "c" + "/attach")
        if longest > 107:
            raise ValueError(f"state directory {self.state} is too long: a Unix socket's path has 107 characters at most")

    @property
    def sandboxes(self) -> Path:
        return self.state / "sandboxes"

    @property
    def containers(self) -> Path:
        return self.state / "containers"

    @property
    def exits(self) -> Path:
        return self.state / "exits"

    @property
    def sockets(self) -> Path:
        return self.state / "s"

    @property
    def oci_state(self) -> Path:
        return self.state / "oci"

    @property
    def addresses(self) -> Path:
        return self.state / "addresses"

    @property
    def writable(self) -> Path:
        return self.root / "writable"

    @property
    def images(self) -> Path:
        return self.root / "images"

    @property
    def cgroup(self) -> str:
        return cgroup_name(self.cluster)

    @property
    def bridge(self) -> str:
        return link_prefix(self.cluster)

    @property
    def links(self) -> str:
        """The bridge and all Pods' links, as nftables' `iifname` and `oifname` match them."""
        return self.bridge + "*"


def cgroup_name(cluster: str) -> str:
    """The cluster's cgroup in every hierarchy, as an absolute cgroup path."""
    return f"/wherry-{cluster}"


def link_alias(cluster: str) -> str:
    """The alias on each of the cluster's links: their names are too short to carry its name."""
    return f"wherry-{cluster}"


def link_prefix(cluster: str) -> str:
    """The name of the cluster's bridge, and how the names of its Pods' links begin."""
    return "wh" + hashlib.sha256(cluster.encode()).hexdigest()[: MAX_NETWORK_PREFIX - 2]


def pod_link(cluster: str, sandbox_id: str) -> str:
    """The host's end of a Pod's link."""
    return f"{link_prefix(cluster)}.{sandbox_id[:6]}"


def new_id() -> str:
    """An id for a sandbox or container: 64 hexadecimal digits, as containerd's."""
    return secrets.token_hex(32)


def machine() -> str:
    """This machine's architecture as images name it (GOARCH)."""
    names = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
    found = platform.machine()
    return names.get(found, found)


def fault(message: str, reason: str = "") -> RuntimeFault:
    return RuntimeFault(message, reason)
