"""Linux capabilities by name, and which of them a container gets.  Pure but for `available`."""

from collections.abc import Iterable
from pathlib import Path

from wherry.runtime.interface import RuntimeFault, Security

# In the kernel's order: bit 0 first (linux/capability.h).
ALL = tuple(
    """CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
    SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
    MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE""".split()  # noqa: SIM905  one word a number
)

# What containerd and Docker give by default.
DEFAULT = frozenset(
    """CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
    AUDIT_WRITE""".split()  # noqa: SIM905
)


def available() -> frozenset[str]:
    """What this process may hand on: the effective set."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            bits = int(line.split()[1], 16)
            return frozenset(name for bit, name in enumerate(ALL) if bits >> bit & 1)
    return frozenset()


def _plain(names: Iterable[str]) -> set[str]:
    return {name.upper().removeprefix("CAP_") for name in names}


def effective(security: Security, held: frozenset[str]) -> list[str]:
    """The container's capabilities as `CAP_…`, in the kernel's order.

    Privileged gets all that this process holds.  Raises RuntimeFault for a name that no kernel knows.
    """
    add, drop = _plain(security.add_capabilities), _plain(security.drop_capabilities)
    for name in sorted((add | drop) - {"ALL"} - set(ALL)):
        raise RuntimeFault(f'unknown capability "CAP_{name}"', "CreateContainerError")
    if security.privileged:
        chosen = set(held)
    else:
        # As containerd: ALL first, then names; what is both added and dropped is dropped.
        chosen = set(held) if "ALL" in add else set(DEFAULT)
        if "ALL" in drop:
            chosen = set()
        chosen = (chosen | add) - drop
    return [f"CAP_{name}" for name in ALL if name in chosen]
