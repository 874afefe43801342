"""What the whole node uses: from the kernel's files."""

from __future__ import annotations

import os
from pathlib import Path

from wherry.kubelet.machine import memory_info
from wherry.runtime.interface import Usage

_TICK_NS = 1_000_000_000 // (os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100)


def cpu_ns(stat: str) -> int:
    """Busy nanoseconds since boot, of /proc/stat's first line."""
    fields = [int(word) for word in stat.partition("\n")[0].split()[1:]]
    idle = fields[3] + (fields[4] if len(fields) > 4 else 0)
    return (sum(fields[:8]) - idle) * _TICK_NS


def network(text: str, interface: str) -> tuple[int, int, int, int]:
    """(rx bytes, tx bytes, rx errors, tx errors) of one interface in /proc/net/dev."""
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        if colon and name.strip() == interface:
            fields = [int(word) for word in rest.split()]
            return fields[0], fields[8], fields[2], fields[10]
    return 0, 0, 0, 0


def default_interface(routes: str) -> str:
    """The interface of the default route in /proc/net/route."""
    for line in routes.splitlines()[1:]:
        words = line.split()
        if len(words) > 7 and words[1] == "00000000" and words[7] == "00000000":
            return words[0]
    return ""


def read_usage(now: float, proc: Path = Path("/proc")) -> tuple[Usage, str]:
    """(the node's use, the name of its network interface).  Blocking, but quick."""
    memory = memory_info((proc / "meminfo").read_text())
    used = memory.get("MemTotal", 0) - memory.get("MemFree", 0)
    interface = default_interface((proc / "net" / "route").read_text())
    rx, tx, rx_errors, tx_errors = network((proc / "net" / "dev").read_text(), interface)
    return Usage(
        now, cpu_ns=cpu_ns((proc / "stat").read_text()), memory_usage=used,
        memory_working_set=memory.get("MemTotal", 0) - memory.get("MemAvailable", 0), memory_rss=memory.get("AnonPages", 0),
        rx_bytes=rx, tx_bytes=tx, rx_errors=rx_errors, tx_errors=tx_errors,
    ), interface
