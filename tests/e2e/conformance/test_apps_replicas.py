"""ReplicaSets and ReplicationControllers, quotas and budgets, as upstream's conformance suite wants them."""

from __future__ import annotations

import json
import os

import pytest
from cluster_harness import eventually
from workloads import Json, Room, condition, is_ready, owner, pod, template, workload

pytest_plugins = ("workload_cluster",)
pytestmark = [pytest.mark.root, pytest.mark.skipif(os.geteuid() != 0, reason="real containers need root")]
BOTH = pytest.mark.parametrize("kind", ["ReplicaSet", "ReplicationController"])


def replicas(kind: str, name: str, replicas: int = 1) -> Json:
    made = workload(kind, name, replicas=replicas, meta={"labels": {"app": name}})
    if kind == "ReplicationController":
        made["apiVersion"] = "v1"
        made["spec"]["selector"] = {"app": name}
    return made


@BOTH
def test_adopts_what_matches_and_releases_what_does_not(room: Room, kind: str) -> None:
    room.create(pod("first", labels={"app": "web"}))
    room.create(replicas(kind, "web"))
    eventually(lambda: owner(room.get("pod", "first")) == f"{kind}/web", "the Pod is adopted")
    assert list(room.pods()) == ["first"]
    room.kubectl("label", "pod", "first", "app=other", "--overwrite")
    eventually(lambda: owner(room.get("pod", "first")) == "" and len(room.pods("app=web")) == 1, "it is released and replaced")
    [new] = room.pods("app=web")
    room.kubectl("delete", kind, "web", "--cascade=orphan")
    eventually(lambda: owner(room.get("pod", new)) == "", "its Pods are left to themselves")


@BOTH
def test_a_quota_is_a_condition_that_goes(room: Room, kind: str) -> None:
    room.kubectl("create", "quota", "few", "--hard=pods=2")
    eventually(lambda: room.get("quota", "few")["status"].get("hard"), "the quota is counted")
    room.create(replicas(kind, "web", 3))
    eventually(lambda: condition(room.get(kind, "web"), "ReplicaFailure") == ("True", "FailedCreate"), "the third is refused")
    refused = [message for reason, message in room.events(kind, "web") if reason == "FailedCreate"]
    assert "is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2" in refused[0]
    room.kubectl("scale", f"{kind}/web", "--replicas=2")
    eventually(lambda: condition(room.get(kind, "web"), "ReplicaFailure") == ("", ""), "two are allowed")


@BOTH
def test_scale_status_and_collections(room: Room, kind: str) -> None:
    room.create(replicas(kind, "web"), replicas(kind, "other"))
    group = "/api/v1" if kind == "ReplicationController" else "/apis/apps/v1"
    path = f"{group}/namespaces/{room.name}/{kind.lower()}s/web"
    scale = room.raw(f"{path}/scale")
    assert (scale["apiVersion"], scale["spec"]["replicas"]) == ("autoscaling/v1", 1)
    del scale["metadata"]["resourceVersion"]  # the status may be written meanwhile
    room.replace({**scale, "spec": {"replicas": 2}}, "--raw", f"{path}/scale")
    room.wait(f"{kind}/web", "jsonpath={.status.availableReplicas}=2")
    ours = {"type": "Ours", "status": "True", "reason": "Test", "message": "set by a person"}
    room.patch(f"{kind}/web", {"status": {"conditions": [ours]}}, "--subresource=status")
    room.patch(f"{kind}/web", {"spec": {"replicas": 1}})
    room.wait(f"{kind}/web", "jsonpath={.status.replicas}=1")
    assert condition(room.get(kind, "web"), "Ours") == ("True", "Test")
    room.kubectl("delete", kind, "-l", "app in (web, other)")
    eventually(lambda: not room.pods(), "their Pods are gone with them")


def test_the_cheapest_pod_goes_first(room: Room) -> None:
    room.create(replicas("ReplicaSet", "web", 3))
    room.wait("rs/web", "jsonpath={.status.availableReplicas}=3")
    cheap, dear, third = room.pods()
    room.kubectl("annotate", "pod", cheap, "controller.kubernetes.io/pod-deletion-cost=-5")
    room.kubectl("annotate", "pod", dear, "controller.kubernetes.io/pod-deletion-cost=5")
    room.kubectl("scale", "rs/web", "--replicas=1")
    eventually(lambda: list(room.pods()) == [dear], "the dearest has stayed")
    assert third != dear


def budget(name: str, **spec: object) -> Json:
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, **spec}}


def evict(room: Room, name: str) -> str:
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": room.name}}
    path = f"/api/v1/namespaces/{room.name}/pods/{name}/eviction"
    return room.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body), check=False)


def test_an_eviction_waits_for_its_budget(room: Room) -> None:
    room.create(budget("keep", minAvailable=1), replicas("ReplicaSet", "web"))
    room.wait("rs/web", "jsonpath={.status.availableReplicas}=1")
    eventually(lambda: room.get("pdb", "keep")["status"]["currentHealthy"] == 1, "one is healthy")
    [name] = room.pods()
    told = evict(room, name)
    assert "Cannot evict pod as it would violate the pod's disruption budget." in told
    room.patch("pdb/keep", {"spec": {"minAvailable": 0}})
    eventually(lambda: room.get("pdb", "keep")["status"]["disruptionsAllowed"] == 1, "one may go")
    assert '"status":"Success"' in evict(room, name)
    eventually(lambda: name not in room.pods() and all(map(is_ready, room.pods().values())), "it has gone, another has come")
    row = room.kubectl("get", "pdb", "keep", "--no-headers").split()
    assert row[:4] == ["keep", "0", "N/A", "1"]


def test_an_unhealthy_pod_may_always_go_where_the_policy_says_so(room: Room) -> None:
    never = template(container={"readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 1}})
    made = replicas("ReplicaSet", "web", 1)
    made["spec"]["template"]["spec"] = never["spec"]
    room.create(budget("keep", minAvailable=1), made)
    room.wait("rs/web", "jsonpath={.status.replicas}=1")
    [name] = eventually(lambda: room.pods(), "it has a Pod")
    room.wait(f"pod/{name}", "jsonpath={.status.phase}=Running")
    assert "Cannot evict pod" in evict(room, name)
    room.patch("pdb/keep", {"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}})
    eventually(lambda: '"status":"Success"' in evict(room, name), "it may go")
    room.patch("pdb/keep", {"status": {"currentHealthy": 7}}, "--subresource=status")


def test_a_percentage_is_of_what_the_owners_want(room: Room) -> None:
    room.create(budget("some", maxUnavailable="50%"), replicas("ReplicaSet", "web", 3))
    room.wait("rs/web", "jsonpath={.status.availableReplicas}=3")

    def counts() -> tuple[int, int, int]:
        status = room.get("pdb", "some")["status"]
        return status["expectedPods"], status["desiredHealthy"], status["disruptionsAllowed"]

    eventually(lambda: counts() == (3, 1, 2), "half of three, rounded up, may go")
    assert condition(room.get("pdb", "some"), "DisruptionAllowed") == ("True", "SufficientPods")
