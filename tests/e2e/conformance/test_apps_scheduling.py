"""What upstream's conformance suite wants of scheduling, limits, taints and preemption, on one node."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from cluster_harness import eventually
from workloads import FOREVER, Json, Room, condition, pod, template, workload

pytest_plugins = ("workload_cluster",)
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]


@pytest.fixture
def node(room: Room) -> Iterator[str]:
    """The node's name; what a test has done to it is undone."""
    name = room.get("nodes")["items"][0]["metadata"]["name"]
    yield name
    room.kubectl("label", "node", name, "color-")
    room.kubectl("taint", "node", name, "evict-", check=False)
    room.patch(f"node/{name}", {"status": {"capacity": {"example.com/thing": None}, "allocatable": {"example.com/thing": None}}}, "--subresource=status")


def pending(room: Room, name: str) -> str:
    """Why it is not scheduled."""
    found = eventually(lambda: (each := room.get("pod", name)) and condition(each, "PodScheduled") == ("False", "Unschedulable") and each, "refused")
    return str(next(each["message"] for each in found["status"]["conditions"] if each["type"] == "PodScheduled"))


def things(count: int) -> Json:
    return {"resources": {"requests": {"example.com/thing": count}, "limits": {"example.com/thing": count}}}


def test_selectors_and_affinity(room: Room, node: str) -> None:
    def affinity(*values: str) -> Json:
        expression = {"key": "color", "operator": "In", "values": list(values)}
        return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}}

    room.create(pod("selects", nodeSelector={"color": "blue"}), pod("likes", affinity=affinity("red", "blue")))
    for name in ("selects", "likes"):
        assert "node(s) didn't match Pod's node affinity/selector" in pending(room, name)
    room.kubectl("label", "node", node, "color=blue")
    room.wait("pod/selects", "condition=Ready")
    room.wait("pod/likes", "condition=Ready")


def test_ports_of_the_host(room: Room) -> None:
    def listens(name: str, **port: Any) -> Json:
        return pod(name, container={"ports": [{"containerPort": 80, "hostPort": 21019, **port}]})

    room.create(listens("local", hostIP="127.0.0.1"))
    room.wait("pod/local", "condition=Ready")
    room.create(listens("other", hostIP="127.0.0.2"), listens("datagrams", hostIP="127.0.0.1", protocol="UDP"), listens("all"))
    room.wait("pod/other", "condition=Ready")
    room.wait("pod/datagrams", "condition=Ready")
    assert "node(s) didn't have free ports for the requested pod ports" in pending(room, "all")


def test_a_higher_priority_takes_the_place(room: Room, node: str) -> None:
    low, calm, high = (f"{room.name}-{name}" for name in ("low", "calm", "high"))
    for name, value, policy in ((low, 1, "PreemptLowerPriority"), (calm, 1000, "Never"), (high, 1000, "PreemptLowerPriority")):
        room.kubectl("create", "priorityclass", name, f"--value={value}", f"--preemption-policy={policy}")
    try:
        room.patch(f"node/{node}", {"status": {"capacity": {"example.com/thing": "5"}}}, "--subresource=status")
        eventually(lambda: room.get("node", node)["status"]["allocatable"].get("example.com/thing") == "5", "it may be asked for")
        made = workload("ReplicaSet", "low", template(container=things(2), priorityClassName=low), replicas=2)
        room.create(made)
        room.wait("rs/low", "jsonpath={.status.readyReplicas}=2")
        room.create(pod("calm", container=things(2), priorityClassName=calm))
        assert "Insufficient example.com/thing" in pending(room, "calm")
        room.create(pod("high", container=things(3), priorityClassName=high))
        room.wait("pod/high", "condition=Ready")
        left = [each for each in room.pods("app=low").values() if "nodeName" in each["spec"]]
        assert len(left) <= 1
        refused = room.patch(f"priorityclass/{high}", {"value": 7}, check=False)
        assert "may not be changed in an update" in refused
    finally:
        room.kubectl("delete", "priorityclass", low, calm, high)


def test_limit_ranges_give_bounds_and_defaults(room: Room) -> None:
    limits = {"type": "Container", "min": {"cpu": "50m", "memory": "10Mi"}, "max": {"cpu": "500m", "memory": "50Mi"},
              "default": {"cpu": "100m", "memory": "20Mi"}, "defaultRequest": {"cpu": "60m", "memory": "15Mi"}}
    room.create({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"}, "spec": {"limits": [limits]}})

    def resources(name: str) -> Json:
        return dict(room.get("pod", name)["spec"]["containers"][0]["resources"])

    room.create(pod("none"), pod("half", container={"resources": {"requests": {"cpu": "70m"}, "limits": {"memory": "30Mi"}}}))
    assert resources("none") == {"limits": {"cpu": "100m", "memory": "20Mi"}, "requests": {"cpu": "60m", "memory": "15Mi"}}
    assert resources("half") == {"limits": {"cpu": "100m", "memory": "30Mi"}, "requests": {"cpu": "70m", "memory": "30Mi"}}
    with pytest.raises(AssertionError, match="minimum cpu usage per Container is 50m, but request is 10m"):
        room.create(pod("small", container={"resources": {"requests": {"cpu": "10m"}, "limits": {"cpu": "100m"}}}))
    with pytest.raises(AssertionError, match="maximum memory usage per Container is 50Mi, but limit is 60Mi"):
        room.create(pod("big", container={"resources": {"requests": {"memory": "20Mi"}, "limits": {"memory": "60Mi"}}}))


def test_a_taint_evicts_in_its_time_or_not_at_all(room: Room, node: str) -> None:
    def tolerates(seconds: int | None) -> Json:
        own: Json = {"key": "evict", "operator": "Exists", "effect": "NoExecute"}
        return {"tolerations": [own if seconds is None else own | {"tolerationSeconds": seconds}]}

    room.create(pod("gone"), pod("later", **tolerates(1)), pod("spared", **tolerates(60)), pod("stays", **tolerates(None)))
    for name in ("gone", "later", "spared", "stays"):
        room.wait(f"pod/{name}", "condition=Ready")
    room.kubectl("taint", "node", node, "evict=now:NoExecute")
    eventually(lambda: set(room.pods()) == {"spared", "stays"}, "two have had to go")
    room.kubectl("taint", "node", node, "evict-")
    said = f"Cancelling deletion of Pod {room.name}/spared"
    eventually(lambda: ("TaintManagerEviction", said) in room.events("Pod", "spared"), "it is spared")
    assert ("TaintManagerEviction", f"Marking for deletion Pod {room.name}/gone") in room.events("Pod", "gone")
    assert all(condition(each, "Ready")[0] == "True" for each in room.pods().values())


def test_a_gate_holds_a_pod_back(room: Room) -> None:
    room.create(pod("gated", FOREVER, schedulingGates=[{"name": "example.com/wait"}]))
    eventually(lambda: condition(room.get("pod", "gated"), "PodScheduled") == ("False", "SchedulingGated"), "it waits")
    assert room.kubectl("get", "pod", "gated", "--no-headers").split()[2] == "SchedulingGated"
    room.patch("pod/gated", {"spec": {"schedulingGates": [], "nodeSelector": {"kubernetes.io/os": "linux"}}})
    room.wait("pod/gated", "condition=Ready")
