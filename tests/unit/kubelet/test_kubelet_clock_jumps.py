"""The administrator sets the clock: probes keep their beat and containers that wait wait no longer."""

from __future__ import annotations

import base64
import json
from itertools import pairwise

import pytest
from kubelet_harness import Node

from wherry.api.types import coordination_v1
from wherry.util.clock import parse_rfc3339

HOUR = 3600.0
jumps = pytest.mark.parametrize("jump", [pytest.param(HOUR, id="an hour forwards"), pytest.param(-HOUR, id="an hour backwards")])


@jumps
async def test_probes_keep_their_beat(node: Node, jump: float) -> None:
    probe = {"exec": {"command": ["x"]}, "periodSeconds": 2, "initialDelaySeconds": 4}
    await node.create_pod("p", {"containers": [{"name": "c", "image": "busybox:1.36", "livenessProbe": probe}]})
    await node.run(9, 0.5)
    node.clock.jump(jump)
    await node.run(12, 0.5)
    assert node.kubelet is not None
    (worker,) = node.kubelet.probes._workers.values()
    assert len(worker.started_at) >= 8
    assert [after - before for before, after in pairwise(worker.started_at)] == pytest.approx([2.0] * (len(worker.started_at) - 1))
    assert node.container("p")["restartCount"] == 0


@jumps
async def test_an_initial_delay_is_neither_longer_nor_lost(node: Node, jump: float) -> None:
    probe = {"exec": {"command": ["x"]}, "periodSeconds": 1, "initialDelaySeconds": 10}
    await node.create_pod("p", {"containers": [{"name": "c", "image": "busybox:1.36", "livenessProbe": probe}]})
    await node.run(4, 0.5)
    node.clock.jump(jump)
    await node.run(4, 0.5)
    assert node.kubelet is not None
    (worker,) = node.kubelet.probes._workers.values()
    assert worker.started_at == []
    await node.run(5, 0.5)
    assert len(worker.started_at) >= 2


@jumps
async def test_what_crashes_is_started_again(node: Node, jump: float) -> None:
    await node.create_pod("p", annotations={"wherry.dev/fake-run-seconds": "1", "wherry.dev/fake-exit-code": "1"})
    await node.until(lambda: node.container("p")["state"].get("waiting", {}).get("reason") == "CrashLoopBackOff", 10)
    before = node.container("p")["restartCount"]
    node.clock.jump(jump)
    await node.until(lambda: node.container("p")["restartCount"] > before, 25)


@jumps
async def test_a_deadline_is_neither_earlier_nor_later(node: Node, jump: float) -> None:
    await node.create_pod("p", {"activeDeadlineSeconds": 60})
    await node.run(20, 1)
    node.clock.jump(jump)
    assert node.kubelet is not None
    node.kubelet._kick((node.pod("p") or {})["metadata"]["uid"])  # something has it looked at meanwhile
    await node.run(35, 1)
    assert node.phase("p") == "Running"
    await node.run(10, 1)
    assert node.phase("p") == "Failed"
    assert (node.pod("p") or {})["status"]["reason"] == "DeadlineExceeded"


def claims(node: Node) -> dict[str, float]:
    """What the token in the Pod's volume says of itself."""
    (token,) = (node.root / "pods").glob("*/volumes/kubernetes.io~projected/*/token")
    body = token.read_text().split(".")[1]
    found: dict[str, float] = json.loads(base64.urlsafe_b64decode(body + "=="))
    return found


@jumps
async def test_a_token_is_good_again_within_two_minutes(node: Node, jump: float) -> None:
    await node.create_pod("p")
    await node.run(5, 1)
    assert claims(node)["nbf"] <= node.clock.time() < claims(node)["exp"]
    node.clock.jump(2 * jump)
    assert not claims(node)["nbf"] <= node.clock.time() < claims(node)["exp"]
    await node.run(100, 5)
    assert claims(node)["nbf"] <= node.clock.time() < claims(node)["exp"]


@jumps
async def test_the_lease_is_renewed_in_time(node: Node, jump: float) -> None:
    async def renewed() -> float:
        lease = await node.client.get(coordination_v1.Lease, "n1", "kube-node-lease")
        return parse_rfc3339(lease.spec.renew_time or "")

    await node.run(15, 1)
    node.clock.jump(jump)
    await node.run(11, 1)
    assert 0 <= node.clock.time() - await renewed() <= 11
