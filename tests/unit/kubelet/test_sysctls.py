"""Which sysctls the node lets a Pod set."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wherry.api.types import core_v1
from wherry.kubelet.sysctls import forbidden_sysctl


@pytest.mark.parametrize(
    ("name", "fields", "allowed", "told"),
    [
        ("kernel.shm_rmid_forced", {}, (), ""),
        ("net/ipv4/tcp_rmem", {}, (), ""),
        ("kernel.msgmax", {}, (), 'forbidden sysctl: "kernel.msgmax" not allowlisted'),
        ("kernel.msgmax", {}, ("kernel.msg*",), ""),
        ("kernel.msgmax", {"hostIPC": True}, ("kernel.msg*",), 'forbidden sysctl: "kernel.msgmax" not allowed with host ipc enabled'),
        ("net.ipv4.tcp_syncookies", {"hostNetwork": True}, (), 'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host net enabled'),
        ("net.core.somaxconn", {}, ("net.ipv4.*",), 'forbidden sysctl: "net.core.somaxconn" not allowlisted'),
    ],
)
def test_what_a_node_refuses(name: str, fields: dict[str, Any], allowed: tuple[str, ...], told: str) -> None:
    spec = {"containers": [], "securityContext": {"sysctls": [{"name": name, "value": "1"}]}, **fields}
    pod = msgspec.convert({"metadata": {"name": "p"}, "spec": spec}, core_v1.Pod)
    assert forbidden_sysctl(pod, allowed) == told
