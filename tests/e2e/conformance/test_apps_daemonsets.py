"""DaemonSets and ControllerRevisions as upstream's conformance suite wants them, on one node."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from cluster_harness import eventually
from workloads import FOREVER, Json, Room, image_of, is_ready, owner, set_env, template, workload

pytest_plugins = ("workload_cluster",)
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
TOLERATED = (
    ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"),
    ("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule"), ("unschedulable", "NoSchedule"),
)


@pytest.fixture
def node(room: Room) -> Iterator[str]:
    """The node's name; labels and taints that a test has put on it are taken off."""
    name = room.get("nodes")["items"][0]["metadata"]["name"]
    yield name
    room.kubectl("label", "node", name, "color-")
    room.kubectl("taint", "node", name, "dedicated-", check=False)


def status(room: Room) -> dict[str, int]:
    found = room.get("ds", "agent")["status"]
    return {key: found.get(key, 0) for key in ("desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberMisscheduled")}


def one(room: Room) -> Json:
    """The Pod, once there is exactly one and it is ready."""
    return dict(eventually(lambda: (found := list(room.pods().values())) and len(found) == 1 and is_ready(found[0]) and found[0], "one ready Pod"))


def test_runs_on_the_node_and_comes_back(room: Room, node: str) -> None:
    room.create(workload("DaemonSet", "agent"))
    made = one(room)
    assert (made["spec"]["nodeName"], owner(made)) == (node, "DaemonSet/agent")
    keys = {(each["key"], each["effect"]) for each in made["spec"]["tolerations"] if each["operator"] == "Exists"}
    assert {(f"node.kubernetes.io/{key}", effect) for key, effect in TOLERATED} <= keys
    room.kubectl("delete", "pod", made["metadata"]["name"])
    again = one(room)
    assert again["metadata"]["uid"] != made["metadata"]["uid"]
    room.patch(f"pod/{again['metadata']['name']}", {"status": {"phase": "Failed"}}, "--subresource=status")
    eventually(lambda: one(room)["metadata"]["uid"] != again["metadata"]["uid"], "a failed one is replaced")
    assert "FailedDaemonPod" in [reason for reason, _ in room.events("DaemonSet", "agent")]
    ours = {"type": "Ours", "status": "True", "reason": "Test"}
    room.patch("ds/agent", {"status": {"conditions": [ours]}}, "--subresource=status")
    room.patch("ds/agent", {"spec": {"minReadySeconds": 1}})
    eventually(lambda: room.get("ds", "agent")["status"]["observedGeneration"] == 2, "the controller has written since")
    assert room.get("ds", "agent")["status"]["conditions"][0]["type"] == "Ours"


def test_follows_the_labels_and_taints_of_nodes(room: Room, node: str) -> None:
    room.create(workload("DaemonSet", "agent", template(nodeSelector={"color": "blue"}), updateStrategy={"type": "RollingUpdate"}))
    eventually(lambda: room.get("ds", "agent")["status"].get("observedGeneration") == 1, "it is seen")
    assert not room.pods()
    room.kubectl("label", "node", node, "color=blue")
    one(room)
    room.kubectl("label", "node", node, "color=green", "--overwrite")
    eventually(lambda: not room.pods(), "it has left")
    room.patch("ds/agent", {"spec": {"template": {"spec": {"nodeSelector": {"color": "green"}}}}})
    one(room)
    room.kubectl("taint", "node", node, "dedicated=x:NoSchedule")
    eventually(lambda: status(room)["numberMisscheduled"] == 1, "it is not wanted there, and may stay")
    assert status(room)["desiredNumberScheduled"] == 0
    room.patch("ds/agent", {"spec": {"template": {"spec": {"tolerations": [{"key": "dedicated", "operator": "Exists"}]}}}})
    eventually(lambda: status(room) == {
        "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "numberReady": 1, "numberMisscheduled": 0}, "it is tolerated")


def test_rolls_surges_and_rolls_back_without_needless_restarts(room: Room) -> None:
    room.create(workload("DaemonSet", "agent", updateStrategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}))
    room.rolled_out("ds/agent")
    first = one(room)["metadata"]["uid"]
    broken = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "registry.invalid/none:1", "imagePullPolicy": "Never"}]}}}}
    room.patch("ds/agent", broken, type_="strategic")
    eventually(lambda: len(room.pods()) == 2, "a new Pod beside the old")
    assert [is_ready(each) for each in room.pods().values() if each["metadata"]["uid"] == first] == [True]
    room.kubectl("rollout", "undo", "ds/agent")
    assert one(room)["metadata"]["uid"] == first, "the one that was left has not been restarted"
    room.patch("ds/agent", set_env("3"), type_="strategic")
    room.rolled_out("ds/agent")
    eventually(lambda: one(room)["metadata"]["uid"] != first, "the old one is gone when the new one serves")
    room.patch("ds/agent", {"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}})
    kept = one(room)["metadata"]
    room.patch("ds/agent", {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "busybox"}]}}}}, type_="strategic")
    eventually(lambda: room.get("ds", "agent")["status"].get("updatedNumberScheduled", 0) == 0, "it is told as not updated")
    assert one(room)["metadata"]["uid"] == kept["uid"]
    room.patch("ds/agent", set_env("4"), type_="strategic")
    room.kubectl("delete", "pod", kept["name"], "--wait=false")
    eventually(lambda: [image_of(each) for each in room.pods().values()] == ["busybox"], "whoever deletes the Pod gets the new one")


def test_controller_revisions_have_a_life(room: Room) -> None:
    room.create(workload("DaemonSet", "agent", template(FOREVER)))
    one(room)
    [first] = room.items("controllerrevisions", "app=agent")
    assert (first["revision"], owner(first)) == (1, "DaemonSet/agent")
    assert first["data"]["spec"]["template"]["$patch"] == "replace"
    name = first["metadata"]["name"]
    assert name == f"agent-{first['metadata']['labels']['controller-revision-hash']}"
    room.kubectl("label", "controllerrevision", name, "seen=yes")
    second = {**first, "metadata": {"name": "by-hand", "labels": first["metadata"]["labels"],
                                    "ownerReferences": first["metadata"]["ownerReferences"]}, "revision": 2}
    room.create(second)
    assert len(room.items("controllerrevisions", "app=agent")) == 2
    room.kubectl("delete", "controllerrevision", "by-hand")
    refused = room.patch(f"controllerrevision/{name}", {"data": {"spec": {"more": 1}}}, check=False)
    assert "data: Invalid value" in refused
    assert "field is immutable" in refused
    room.patch("ds/agent", {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 0}}}})
    eventually(lambda: len(room.items("controllerrevisions", "app=agent")) == 2, "another revision")
    room.rolled_out("ds/agent")
    told = room.kubectl("rollout", "history", "ds/agent")
    assert [line.split()[0] for line in told.splitlines()[2:] if line] == ["1", "2"]
    room.kubectl("delete", "controllerrevision", "-l", "seen=yes")
    assert [each["revision"] for each in room.items("controllerrevisions", "app=agent")] == [2]
