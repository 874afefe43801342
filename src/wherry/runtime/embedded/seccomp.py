"""The `RuntimeDefault` seccomp profile and profiles from files.

Docker and containerd publish an allow list of some 350 calls.  This default refuses, with EPERM, the
calls that their documentation lists as blocked and lets the others through: the same answer for every
call that exists today, and no list to renew when C libraries start to use new ones.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wherry.runtime.interface import RuntimeFault

_EPERM, _ENOSYS = 1, 38

# Calls that nothing but the capability on the left opens.
_GATED = {
    "SYS_ADMIN": (
        "bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree "
        "perf_event_open quotactl quotactl_fd setdomainname sethostname setns umount umount2 unshare"
    ),
    "DAC_READ_SEARCH": "open_by_handle_at",
    "SYS_BOOT": "reboot",
    "SYS_MODULE": "delete_module finit_module init_module query_module create_module get_kernel_syms",
    "SYS_PACCT": "acct",
    "SYS_PTRACE": "kcmp process_madvise",
    "SYS_RAWIO": "ioperm iopl",
    "SYS_TIME": "clock_adjtime64 clock_settime clock_settime64 settimeofday stime",
    "SYS_TTY_CONFIG": "vhangup",
    "SYS_NICE": "mbind move_pages set_mempolicy set_mempolicy_home_node migrate_pages",
    "SYSLOG": "syslog",
}

# Calls that no container needs and no capability opens.
_NEVER = (
    "_sysctl add_key io_uring_enter io_uring_register io_uring_setup kexec_file_load kexec_load keyctl nfsservctl pivot_root "
    "request_key swapoff swapon sysfs uselib userfaultfd ustat vm86 vm86old"
)

_NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET."""


def runtime_default(capabilities: Iterable[str]) -> dict[str, Any]:
    """The profile as OCI's `linux.seccomp`, for a container with these `CAP_…`."""
    held = {name.removeprefix("CAP_") for name in capabilities}
    refused = _NEVER.split()
    for capability, calls in _GATED.items():
        if capability not in held:
            refused += calls.split()
    rules: list[dict[str, Any]] = [{"names": sorted(refused), "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM}]
    if "SYS_ADMIN" not in held:
        rules += [_clone_rule(bit) for bit in range(32) if _NEW_NAMESPACES >> bit & 1]
        # Its arguments lie in memory where a filter cannot look: C libraries fall back to clone.
        rules.append({"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS})
    return {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": rules}


def _clone_rule(bit: int) -> dict[str, Any]:
    argument = {"index": 0, "value": 1 << bit, "valueTwo": 1 << bit, "op": "SCMP_CMP_MASKED_EQ"}
    return {"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": _EPERM, "args": [argument]}


def profile(name: str, capabilities: Iterable[str]) -> dict[str, Any] | None:
    """What `Security.seccomp_profile` means; None for Unconfined.  Raises RuntimeFault."""
    if name in ("", "Unconfined"):
        return None
    if name == "RuntimeDefault":
        return runtime_default(capabilities)
    kind, _, path = name.partition("/")
    if kind != "Localhost" or not path:
        raise RuntimeFault(f'unknown seccomp profile "{name}"', "CreateContainerError")
    try:
        loaded: dict[str, Any] = json.loads(Path(path if path.startswith("/") else "/" + path).read_text())
    except (OSError, ValueError) as error:
        raise RuntimeFault(f'failed to load seccomp profile "{path}": {error}', "CreateContainerError") from None
    return loaded
