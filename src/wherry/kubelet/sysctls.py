"""Which sysctls a Pod may set: those that are its own alone and cannot hurt the node, and what the node allows beside them.

https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/
"""

from __future__ import annotations

from collections.abc import Iterable

from wherry.api.types import core_v1

_SAFE = frozenset((
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ip_local_reserved_ports", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
))
_OF_IPC = ("kernel.shm", "kernel.msg", "fs.mqueue.")


def pod_sysctls(pod: core_v1.Pod) -> dict[str, str]:
    """With dots between their parts, however the Pod spells them."""
    context = pod.spec.security_context
    return {each.name.replace("/", "."): each.value for each in context.sysctls} if context else {}


def forbidden_sysctl(pod: core_v1.Pod, allowed: Iterable[str]) -> str:
    """Why the node refuses the Pod, in upstream's words; "" when it does not.  `allowed` are names and prefixes (`net.*`)."""
    patterns = tuple(allowed)
    for name in pod_sysctls(pod):
        if name not in _SAFE and not any(name == p or (p.endswith("*") and name.startswith(p[:-1])) for p in patterns):
            return f'forbidden sysctl: "{name}" not allowlisted'
        if pod.spec.host_network and name.startswith("net."):
            return f'forbidden sysctl: "{name}" not allowed with host net enabled'
        if pod.spec.host_ipc and (name == "kernel.sem" or name.startswith(_OF_IPC)):
            return f'forbidden sysctl: "{name}" not allowed with host ipc enabled'
    return ""
