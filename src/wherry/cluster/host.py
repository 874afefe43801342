"""What a real cluster makes on its host, and how the host is left as it was found."""

from __future__ import annotations

import subprocess
from ipaddress import IPv4Address, IPv4Network

from wherry.cluster.config import ClusterConfig
from wherry.proxy import nft
from wherry.runtime.embedded.config import RuntimeConfig


def runtime_config(config: ClusterConfig) -> RuntimeConfig:
    """Where the embedded runtime of this cluster keeps its things."""
    return RuntimeConfig(
        cluster=config.name, root=config.data / "runtime", state=config.run / "runtime",
        pod_cidr=IPv4Network(config.pod_range), node_cidr=config.node_range, service_cidr=IPv4Network(config.service_range),
        address=IPv4Address(config.bridge_address),
    )


def clean(config: ClusterConfig) -> None:
    """Stop the cluster's containers and take everything of it off the host.  Again is no error."""
    from wherry.runtime.embedded import linux
    from wherry.runtime.embedded.cleanup import cleanup

    cleanup(config.name, runtime_config(config).state)
    for point in linux.mounts_under(config.data):  # the kubelet's volumes in memory
        linux.unmount(point)
    subprocess.run(["nft", "-f", "-"], input=nft.remove(config.name), text=True, capture_output=True, check=False)
