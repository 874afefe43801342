"""A Pod that Services send requests to is left a moment before its SIGTERM."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from kubelet_harness import Node

from wherry.api.types import core_v1
from wherry.kubelet.pod_sync import has_traffic

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def pod(grace: int | None = 30, deleted: bool = True) -> core_v1.Pod:
    meta: dict[str, Any] = {"name": "p", "namespace": "a", "labels": {"app": "web", "x": "y"}}
    if deleted:
        meta |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": grace}
    return msgspec.convert({"metadata": meta}, core_v1.Pod)


def service(selector: dict[str, str], namespace: str = "a") -> core_v1.Service:
    return msgspec.convert({"metadata": {"name": "s", "namespace": namespace}, "spec": {"selector": selector}}, core_v1.Service)


@pytest.mark.parametrize(("of", "status", "services", "expected"), [
    pytest.param(pod(), READY, [service({"app": "web"})], True, id="selected and ready"),
    pytest.param(pod(), {}, [service({"app": "web"})], False, id="not ready"),
    pytest.param(pod(), READY, [service({"app": "db"})], False, id="not selected"),
    pytest.param(pod(), READY, [service({})], False, id="a Service without selector"),
    pytest.param(pod(), READY, [service({"app": "web"}, "b")], False, id="a Service of another namespace"),
    pytest.param(pod(0), READY, [service({"app": "web"})], False, id="by force"),
    pytest.param(pod(deleted=False), READY, [service({"app": "web"})], False, id="not asked to go"),
])
def test_who_is_left_time(of: core_v1.Pod, status: dict[str, Any], services: list[core_v1.Service], expected: bool) -> None:
    assert has_traffic(of, status, services) is expected


async def test_containers_run_until_traffic_has_ended(node: Node) -> None:
    await node.create({"kind": "Service", "metadata": {"name": "s"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
    for name, labels in (("serving", {"app": "web"}), ("other", {"app": "db"})):
        await node.create_pod(name, labels=labels)
        await node.until(lambda name=name: node.condition(name, "Ready") == "True")  # type: ignore[misc]
        await node.delete(name)
    await node.run(0.3)
    assert node.pod("other") is None
    assert node.pod("serving") is not None
    assert node.container("serving")["state"].keys() == {"running"}
    await node.run(0.4)
    assert node.pod("serving") is None
