"""Pods end to end: a real API server, the kubelet, the fake runtime."""

from __future__ import annotations

from kubelet_harness import Node


async def test_a_pod_runs_and_goes(node: Node) -> None:
    await node.create_pod("p")
    await node.until(lambda: node.condition("p", "Ready") == "True", 5)
    pod = node.pod("p")
    assert pod is not None
    assert pod["status"]["phase"] == "Running"
    await node.delete("p")
    await node.until(lambda: node.pod("p") is None, 5)
    await node.until(lambda: not node.kubelet.cache.uids(), 5)
