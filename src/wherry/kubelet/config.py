"""What a kubelet is told when it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUNTIME_HANDLERS = ("", "runc", "wherry")  # what a RuntimeClass may name: there is one runtime

Offload = Callable[..., Awaitable[Any]]


async def inline(function: Callable[..., Any], *args: Any) -> Any:
    """Run at once, on the loop: for tests, and where files are few and in memory."""
    return function(*args)


@dataclass(frozen=True, slots=True)
class KubeletConfig:
    """Times are seconds.  `root_dir` holds Pods' volumes, `pod_logs_dir` their logs.

    `offload` runs blocking file work off the loop.
    """

    node_name: str
    root_dir: Path
    pod_logs_dir: Path
    node_ip: str = "127.0.0.1"
    port: int = 10250
    node_labels: dict[str, str] = field(default_factory=dict)
    node_taints: tuple[dict[str, str], ...] = ()
    version: str = "v1.37.0"
    pod_cidr: str = ""  # where the addresses of its Pods come from: the node tells it
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    resolv_conf: Path = Path("/etc/resolv.conf")
    max_pods: int = 110
    cgroup_root: str = ""
    pod_pids_limit: int = 0
    allowed_unsafe_sysctls: tuple[str, ...] = ()
    # How long a Pod's sync waits, at least, before a failed one is tried again (upstream's backOffPeriod).
    retry_period: float = 10.0
    sync_frequency: float = 60.0
    container_log_max_size: int = 10 << 20
    container_log_max_files: int = 5
    max_container_restart_period: float = 300.0
    image_backoff_initial: float = 10.0
    image_backoff_max: float = 300.0
    max_parallel_image_pulls: int = 4
    simulated: bool = False  # no files on the node: host paths and local volumes are taken to be there
    lease_duration: int = 40
    node_status_update_frequency: float = 10.0
    node_status_report_frequency: float = 300.0
    offload: Offload = asyncio.to_thread
