"""The node's object: ready at once, its lease renewed, and what others put on it."""

from __future__ import annotations

from kubelet_harness import Node

from wherry.api.types import coordination_v1, core_v1


async def test_what_others_advertise_may_be_asked_for(node: Node) -> None:
    async def advertise(amount: str | None) -> None:
        await node.client.patch(core_v1.Node, "n1", {"status": {"capacity": {"example.com/thing": amount}}}, subresource="status")
        await node.run(20, 1)

    await node.clock.settle(300)
    await advertise("4")
    found = (await node.client.get(core_v1.Node, "n1")).status
    assert (found.capacity["example.com/thing"], found.allocatable["example.com/thing"]) == ("4", "4")
    await advertise(None)
    found = (await node.client.get(core_v1.Node, "n1")).status
    assert "example.com/thing" not in found.capacity | found.allocatable


async def test_the_node_is_ready_at_once_and_keeps_its_lease(node: Node) -> None:
    await node.clock.settle(300)
    found = await node.client.get(core_v1.Node, "n1")
    assert {c.type: (c.status, c.reason) for c in found.status.conditions} == {
        "MemoryPressure": ("False", "KubeletHasSufficientMemory"), "DiskPressure": ("False", "KubeletHasNoDiskPressure"),
        "PIDPressure": ("False", "KubeletHasSufficientPID"), "Ready": ("True", "KubeletReady"),
    }
    assert found.metadata.labels["kubernetes.io/hostname"] == "n1"
    assert found.status.capacity["memory"] == found.status.allocatable["memory"] == "8Gi"
    assert found.status.node_info.container_runtime_version == "fake://1.0"
    assert [(a.type, a.address) for a in found.status.addresses] == [("InternalIP", "192.0.2.2"), ("Hostname", "n1")]
    lease = await node.client.get(coordination_v1.Lease, "n1", "kube-node-lease")
    await node.run(30, 1)
    newer = await node.client.get(coordination_v1.Lease, "n1", "kube-node-lease")
    assert (lease.spec.holder_identity, lease.spec.lease_duration_seconds) == ("n1", 40)
    assert (newer.spec.renew_time or "") > (lease.spec.renew_time or "")
    reasons = {event.reason for event in await node.events(namespace="default")}
    assert {"Starting", "NodeReady", "NodeHasSufficientMemory"} <= reasons


async def test_a_node_tells_its_pods_range_and_keeps_the_one_that_it_had(node: Node) -> None:
    await node.run(1)
    assert (await node.client.get(core_v1.Node, "n1")).spec.pod_cidr == "", "an older version told none"
    for told in ("10.42.1.0/24", "10.42.2.0/24"):
        await node.stop()
        node.start(pod_cidr=told)
        await node.run(1)
        spec = (await node.client.get(core_v1.Node, "n1")).spec
        assert (spec.pod_cidr, spec.pod_cidrs) == ("10.42.1.0/24", ["10.42.1.0/24"])
