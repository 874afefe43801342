"""kubectl and the scheduler: gates, spreading, affinity, preemption, and what `wherry why` makes of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from cluster_harness import Cluster, eventually, running

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three simulated nodes: two in zone a, one in zone b."""
    with running("scheduling", tmp_path_factory.mktemp("scheduling"), "--fidelity", "sim", "--nodes", "3") as made:
        for name, zone in zip(nodes(made), "aab", strict=True):
            made.kubectl("label", "node", name, f"{ZONE}={zone}")
        yield made


def nodes(cluster: Cluster) -> list[str]:
    return sorted(node["metadata"]["name"] for node in cluster.get("nodes")["items"])


def pod(name: str, cpu: str = "100m", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "busybox:1.36", "resources": {"requests": {"cpu": cpu}}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
            "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, **spec}}


def replicas(name: str, count: int, **spec: Any) -> dict[str, Any]:
    made = pod(name, labels={"app": name}, **spec)
    template = {"metadata": {"labels": {"app": name}}, "spec": made["spec"]}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": "default"},
            "spec": {"replicas": count, "selector": {"matchLabels": {"app": name}}, "template": template}}


def places(cluster: Cluster, name: str) -> list[str]:
    return [each["spec"].get("nodeName", "") for each in cluster.get("pods", "-l", f"app={name}")["items"]]


def clear(cluster: Cluster, *kinds: str) -> None:
    cluster.kubectl("delete", ",".join(kinds), "--all", "--now", timeout=90)
    eventually(lambda: not cluster.get("pods")["items"], "the Pods are gone")


def test_a_gated_pod_waits_for_its_gates(cluster: Cluster) -> None:
    cluster.apply(pod("gated", schedulingGates=[{"name": "example.com/one"}, {"name": "example.com/two"}]))
    assert cluster.kubectl("get", "pod", "gated", "--no-headers").split()[2] == "SchedulingGated"
    condition = cluster.get("pod", "gated")["status"]["conditions"][0]
    assert (condition["type"], condition["status"], condition["reason"]) == ("PodScheduled", "False", "SchedulingGated")
    assert cluster.wherry("why", "gated").stdout.strip() == "gated by example.com/one, example.com/two"
    cluster.kubectl("patch", "pod", "gated", "--type=json", "-p", '[{"op": "remove", "path": "/spec/schedulingGates/0"}]')
    assert "nodeName" not in cluster.get("pod", "gated")["spec"]
    cluster.kubectl("patch", "pod", "gated", "--type=json", "-p", '[{"op": "remove", "path": "/spec/schedulingGates"}]')
    cluster.kubectl("wait", "--for=condition=PodScheduled", "pod/gated", "--timeout=20s")
    clear(cluster, "pods")


def test_a_pods_address_is_of_its_nodes_range(cluster: Cluster) -> None:
    cluster.apply(*(pod(f"at{number}", nodeName=name) for number, name in enumerate(nodes(cluster))))
    cluster.kubectl("wait", "--for=condition=Ready", "pod", "--all", "--timeout=30s")
    ranges = {node["metadata"]["name"]: ip_network(node["spec"]["podCIDR"]) for node in cluster.get("nodes")["items"]}
    assert len(set(ranges.values())) == 3
    for each in cluster.get("pods")["items"]:
        assert ip_address(each["status"]["podIP"]) in ranges[each["spec"]["nodeName"]]
    clear(cluster, "pods")


def test_pods_spread_over_zones_and_bear_their_zone(cluster: Cluster) -> None:
    even = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "even"}}}
    cluster.apply(replicas("even", 6, topologySpreadConstraints=[even]))
    found = eventually(lambda: all(where := places(cluster, "even")) and len(where) == 6 and where, "six Pods have a node")
    zone_of = dict(zip(nodes(cluster), "aab", strict=True))
    assert Counter(zone_of[name] for name in found) == {"a": 3, "b": 3}
    labels = Counter(each["metadata"]["labels"][ZONE] for each in cluster.get("pods", "-l", "app=even")["items"])
    assert labels == {"a": 3, "b": 3}
    clear(cluster, "replicasets")


def test_pods_that_keep_apart_need_a_node_each(cluster: Cluster) -> None:
    apart = {"labelSelector": {"matchLabels": {"app": "apart"}}, "topologyKey": HOST}
    cluster.apply(replicas("apart", 4, affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]}}))
    eventually(lambda: sorted(places(cluster, "apart")) == ["", *nodes(cluster)], "three are placed, one is not")
    waiting = next(each["metadata"]["name"] for each in cluster.get("pods", "-l", "app=apart")["items"] if not each["spec"].get("nodeName"))
    told = eventually(
        lambda: [e["message"] for e in cluster.get("events", "--field-selector", f"reason=FailedScheduling,involvedObject.name={waiting}")["items"]],
        "it is told why",
    )
    assert told[0] == (
        "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules. no new claims to deallocate, preemption: "
        "0/3 nodes are available: 3 No preemption victims found for incoming pod."
    )
    lines = cluster.wherry("why", waiting).stdout.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [[name, "InterPodAffinity"] for name in nodes(cluster)]
    assert lines[3] == "preemption:"
    cluster.kubectl("delete", "pod", next(each["metadata"]["name"] for each in cluster.get("pods", "-l", "app=apart")["items"]
                                          if each["spec"].get("nodeName")), "--now")
    eventually(lambda: sorted(places(cluster, "apart")) == ["", *nodes(cluster)], "another takes the place that is free")
    clear(cluster, "replicasets")


def test_pods_that_keep_together_begin_somewhere(cluster: Cluster) -> None:
    near = {"labelSelector": {"matchLabels": {"app": "near"}}, "topologyKey": HOST}
    cluster.apply(replicas("near", 4, affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [near]}}))
    found = eventually(lambda: all(where := places(cluster, "near")) and len(where) == 4 and where, "four Pods have a node")
    assert len(set(found)) == 1
    clear(cluster, "replicasets")


def test_the_important_take_the_place_of_others(cluster: Cluster) -> None:
    cores = int(cluster.get("nodes")["items"][0]["status"]["allocatable"]["cpu"])
    large = f"{cores * 600}m"
    for name, value, policy in (("high", 1000, "PreemptLowerPriority"), ("polite", 1000, "Never")):
        cluster.apply({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value, "preemptionPolicy": policy})
    cluster.apply(*(pod(f"low{number}", large) for number in range(3)))
    eventually(lambda: all(each["spec"].get("nodeName") for each in cluster.get("pods")["items"]), "every node is full")
    cluster.apply({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "keep", "namespace": "default"},
                   "spec": {"minAvailable": 1, "selector": {"matchLabels": {"keep": "yes"}}}})
    kept = [f"low{number}" for number in range(3) if cluster.get("pod", f"low{number}")["spec"]["nodeName"] != nodes(cluster)[0]]
    cluster.kubectl("label", "pod", kept[0], "keep=yes")

    cluster.apply(pod("polite", large, priorityClassName="polite"))
    eventually(lambda: "preemptionPolicy=Never." in cluster.kubectl("describe", "pod", "polite"), "it is told that it may not")
    assert cluster.wherry("why", "polite").stdout.splitlines()[-1] == "preemption: not eligible due to preemptionPolicy=Never."
    cluster.kubectl("delete", "pod", "polite", "--now")

    cluster.apply(pod("high", large, priorityClassName="high"))
    cluster.kubectl("wait", "--for=condition=PodScheduled", "pod/high", "--timeout=30s")
    left = {each["metadata"]["name"] for each in cluster.get("pods")["items"]}
    assert len(left) == 3
    assert kept[0] in left, "the budget's Pod stays"
    victim = ({"low0", "low1", "low2"} - left).pop()
    events = cluster.get("events", "--field-selector", f"reason=Preempted,involvedObject.name={victim}")["items"]
    high = cluster.get("pod", "high")
    assert [each["message"] for each in events] == [f"Preempted by pod {high['metadata']['uid']} on node {high['spec']['nodeName']}"]
    assert "nominatedNodeName" not in high["status"], "the binding ends it"
    clear(cluster, "pods", "poddisruptionbudgets")
