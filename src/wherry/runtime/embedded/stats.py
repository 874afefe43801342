"""Resource use of containers and sandboxes: cgroups, the writable layer, the Pod's link.  Blocks."""

from dataclasses import replace
from pathlib import Path

from wherry.runtime.embedded import overlay
from wherry.runtime.embedded.cgroups import Cgroups
from wherry.runtime.embedded.network import LinkCounters
from wherry.runtime.interface import Usage


def container(cgroups: Cgroups, cgroup: str, writable: Path, now: float) -> Usage:
    """A container that does not run has used what it wrote."""
    return replace(_usage(cgroups, cgroup, now), writable_layer_bytes=overlay.written_bytes(writable))


def sandbox(cgroups: Cgroups, cgroup: str, link: LinkCounters, now: float) -> Usage:
    return replace(
        _usage(cgroups, cgroup, now),
        rx_bytes=link.rx_bytes,
        tx_bytes=link.tx_bytes,
        rx_errors=link.rx_errors,
        tx_errors=link.tx_errors,
    )


def _usage(cgroups: Cgroups, cgroup: str, now: float) -> Usage:
    try:
        return cgroups.usage(cgroup, now)
    except (OSError, ValueError):
        return Usage(time=now)
