"""What a real cluster needs and makes on its host, and how the host is left as it was found."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING

from wherry.cluster.config import ClusterConfig, ConfigError

if TYPE_CHECKING:
    from wherry.runtime.embedded.config import RuntimeConfig

PROGRAMS = {"runc": "runc", "conmon": "conmon", "nft": "nftables", "skopeo": "skopeo"}  # and their Debian packages
_LISTEN = "0A"  # in the words of /proc/net/tcp


def runtime_config(config: ClusterConfig) -> RuntimeConfig:
    """Where the embedded runtime of this cluster keeps its things."""
    from wherry.runtime.embedded.config import RuntimeConfig

    return RuntimeConfig(
        cluster=config.name, root=config.data / "runtime", state=config.run / "runtime",
        pod_cidr=IPv4Network(config.pod_range), node_cidr=config.node_range, service_cidr=IPv4Network(config.service_range),
        address=IPv4Address(config.bridge_address),
    )


def check(config: ClusterConfig) -> None:
    """Before anything is made.  Raises ConfigError when this host cannot carry the cluster."""
    if config.fidelity == "real" and os.geteuid() != 0:
        raise ConfigError("real containers need root: run `sudo wherry up`, or take simulated nodes with `wherry up --fidelity sim`")
    missing = [package for name, package in PROGRAMS.items() if not program(name)]
    if config.fidelity == "real" and missing:
        raise ConfigError(f"{', '.join(missing)} not installed: apt-get install {' '.join(missing)} (`wherry doctor` tells all)")
    if not is_free("127.0.0.1", config.port):
        raise ConfigError(port_taken(config.port, "127.0.0.1", config))


def program(name: str) -> str | None:
    """Where it is; system folders are looked at also when they are not on the user's path."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


def is_free(address: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def port_taken(port: int, address: str, config: ClusterConfig) -> str:
    """What to say, and what to do."""
    by = holder(port) or "another program"
    if port == config.port:
        again = f"wherry up --name {config.name} --port" if config.name != "default" else "wherry up --port"
        return f"port {port} is taken by {by}: end that, or choose another with `{again} PORT`"
    return f"port {port} of {address} is taken by {by}: end that, or let it listen on its own addresses only"


def holder(port: int) -> str:
    """The program that listens on a TCP port, as far as we may see it: "NAME (process ID)" or ""."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for fields in _rows(Path("/proc/net") / table):
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(f"socket:[{fields[9]}]")
    for process in Path("/proc").glob("[0-9]*") if inodes else ():
        try:
            if any(os.readlink(file) in inodes for file in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (process {process.name})"
        except OSError:  # it ended, or is someone else's
            continue
    return ""


def _rows(table: Path) -> list[list[str]]:
    try:
        return [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:  # no such protocol, or no Linux
        return []


def clean(config: ClusterConfig) -> None:
    """Stop the cluster's containers and take everything of it off the host.  Again is no error."""
    from wherry.runtime.embedded import linux
    from wherry.runtime.embedded.cleanup import cleanup

    cleanup(config.name, runtime_config(config).state)
    for point in linux.mounts_under(config.data / "kubelet"):  # volumes in memory
        linux.unmount(point)
    from wherry.proxy import nft

    subprocess.run(["nft", "-f", "-"], input=nft.remove(config.name), text=True, capture_output=True, check=False)
