"""One decision: which node, or in which words not."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from scheduler_makers import Cluster, affinity, namespace, node, pod, spread

from wherry.api.types import apps_v1, core_v1

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
A, B = {ZONE: "a"}, {ZONE: "b"}


REFUSED: dict[str, tuple[list[Any], core_v1.Pod, str]] = {
    "no nodes": ([], pod(), "no nodes available to schedule pods"),
    "too little cpu": ([node("n", cpu="1")], pod(cpu="2"), "0/1 nodes are available: 1 Insufficient cpu."),
    "two resources short": (
        [node("n", cpu="1", memory="1Gi")], pod(cpu="2", memory="2Gi"), "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.",
    ),
    "used up": ([node("n", cpu="1"), pod(on="n", cpu="600m")], pod(cpu="500m"), "0/1 nodes are available: 1 Insufficient cpu."),
    "too many pods": ([node("n", pods="1"), pod(on="n")], pod(), "0/1 nodes are available: 1 Too many pods."),
    "extended resource": ([node("n")], pod(overhead={"example.com/gpu": "1"}), "0/1 nodes are available: 1 Insufficient example.com/gpu."),
    "selector": (
        [node("n"), node("m")], pod(nodeSelector={"disk": "ssd"}), "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.",
    ),
    "taint": (
        [node("n", taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])], pod(), "0/1 nodes are available: 1 node(s) had untolerated taint(s).",
    ),
    "cordoned": ([node("n", unschedulable=True)], pod(), "0/1 nodes are available: 1 node(s) were unschedulable."),
    "port taken": (
        [node("n"), pod(on="n", ports=[{"containerPort": 80, "hostPort": 80}])], pod(ports=[{"containerPort": 80, "hostPort": 80}]),
        "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports.",
    ),
    "anti-affinity": (
        [node("n"), pod(on="n", labels={"app": "a"})], pod(affinity=affinity("podAntiAffinity", HOST, {"app": "a"})),
        "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
    ),
    "another's anti-affinity": (
        [node("n"), pod(on="n", affinity=affinity("podAntiAffinity", HOST, {"app": "a"}))], pod(labels={"app": "a"}),
        "0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.",
    ),
    "affinity": (
        [node("n")], pod(affinity=affinity("podAffinity", HOST, {"app": "a"})), "0/1 nodes are available: 1 node(s) didn't match pod affinity rules.",
    ),
    "spread label missing": (
        [node("n")], pod(labels={"app": "a"}, topologySpreadConstraints=[spread(ZONE, {"app": "a"})]),
        "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints (missing required label).",
    ),
    "claimed devices": (
        [node("n")], pod(resourceClaims=[{"name": "gpu", "resourceClaimName": "mine"}]), '0/1 nodes are available: resourceclaim "mine" not found.',
    ),
    "reasons are sorted": (
        [node("n", cpu="1"), node("m", unschedulable=True), node("o", cpu="1")], pod(cpu="2"),
        "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu.",
    ),
    "named node is not there": (
        [node("n"), node("m", cpu="1")],
        pod(cpu="2", affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["m"]}]}]}}}),
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity].",
    ),
}


@pytest.mark.parametrize(("things", "wanted", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_is_told_in_upstreams_words(things: list[Any], wanted: core_v1.Pod, message: str) -> None:
    decision = Cluster(*things).decide(wanted)
    assert decision.node == ""
    assert decision.message == message


CHOSEN: dict[str, tuple[list[Any], core_v1.Pod, str]] = {
    "least allocated": ([node("n"), node("m"), pod(on="n", cpu="1")], pod(cpu="1"), "m"),
    "tolerated": (
        [node("n", taints=[{"key": "k", "effect": "NoSchedule"}])], pod(tolerations=[{"key": "k", "operator": "Exists"}]), "n",
    ),
    "avoid PreferNoSchedule": ([node("n", taints=[{"key": "k", "effect": "PreferNoSchedule"}]), node("m"), pod(on="m", cpu="1")], pod(), "m"),
    "preferred node": (
        [node("n"), node("m", labels={"disk": "ssd"}), pod(on="m", cpu="1")],
        pod(affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 1, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}}]}}), "m",
    ),
    "near a friend": (
        [node("n", labels=A), node("m", labels=B), pod(on="m", cpu="1", labels={"app": "a"})], pod(affinity=affinity("podAffinity", ZONE, {"app": "a"})), "m",
    ),
    "the first of a group": ([node("n")], pod(labels={"app": "a"}, affinity=affinity("podAffinity", HOST, {"app": "a"})), "n"),
    "prefers a friend": (
        [node("n"), node("m"), pod(on="m", labels={"app": "a"})], pod(affinity=affinity("podAffinity", HOST, {"app": "a"}, weight=100)), "m",
    ),
    "prefers to be alone": (
        [node("n"), node("m"), pod(on="m", labels={"app": "a"}), pod(on="n", cpu="1")],
        pod(affinity=affinity("podAntiAffinity", HOST, {"app": "a"}, weight=100)), "n",
    ),
    "another prefers to be near": (
        [node("n"), node("m"), pod(on="m", affinity=affinity("podAffinity", HOST, {"app": "a"}, weight=100))], pod(labels={"app": "a"}), "m",
    ),
    "another requires to be near": (
        [node("n"), node("m"), pod(on="m", affinity=affinity("podAffinity", HOST, {"app": "a"}))], pod(labels={"app": "a"}), "m",
    ),
    "the emptier zone": (
        [node("n", labels=A), node("m", labels=B), pod(on="n", labels={"app": "a"}), pod(on="m", cpu="1")],
        pod(labels={"app": "a"}, topologySpreadConstraints=[spread(ZONE, {"app": "a"})]), "m",
    ),
    "the emptier zone if it can": (
        [node("n", labels=A), node("m", labels=B), pod(on="n", labels={"app": "a"}), pod(on="m", cpu="1")],
        pod(labels={"app": "a"}, topologySpreadConstraints=[spread(ZONE, {"app": "a"}, when="ScheduleAnyway")]), "m",
    ),
}


@pytest.mark.parametrize(("things", "wanted", "chosen"), CHOSEN.values(), ids=CHOSEN.keys())
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_best_node_is_chosen(things: list[Any], wanted: core_v1.Pod, chosen: str, seed: int) -> None:
    assert Cluster(*things, seed=seed).decide(wanted).node == chosen


NAMESPACES: dict[str, tuple[dict[str, Any], bool]] = {
    "own namespace alone": ({}, False),
    "named": ({"namespaces": ["other"]}, True),
    "selected": ({"namespaceSelector": {"matchLabels": {"team": "x"}}}, True),
    "not selected": ({"namespaceSelector": {"matchLabels": {"team": "y"}}}, False),
    "empty selector is all": ({"namespaceSelector": {}}, True),
    "named beside an unmatched selector": ({"namespaces": ["other"], "namespaceSelector": {"matchLabels": {"team": "y"}}}, True),
    "matchLabelKeys differ": ({"namespaces": ["other"], "matchLabelKeys": ["version"]}, False),
    "mismatchLabelKeys differ": ({"namespaces": ["other"], "mismatchLabelKeys": ["version"]}, True),
}


@pytest.mark.parametrize(("term", "seen"), NAMESPACES.values(), ids=NAMESPACES.keys())
@pytest.mark.parametrize("whose", ["incoming", "existing"])
def test_which_namespaces_and_labels_a_term_is_about(term: dict[str, Any], seen: bool, whose: str) -> None:
    wish = affinity("podAntiAffinity", HOST, {"app": "a"}, **term)
    one, other = {"app": "a", "version": "1"}, {"app": "a", "version": "2"}
    cluster = Cluster(node("n"))
    cluster.put(namespace("default"), namespace("other", team="x"))
    if whose == "incoming":
        cluster.put(pod(on="n", namespace="other", labels=other))
        wanted = pod(labels=one, affinity=wish)
    else:
        cluster.put(pod(on="n", labels=one, affinity=wish))
        wanted = pod(namespace="other", labels=other)
    assert bool(cluster.decide(wanted).node) is not seen


def test_a_namespace_that_gets_its_label_later_counts_from_then_on() -> None:
    cluster = Cluster(node("n"), pod(on="n", namespace="other", labels={"app": "a"}))
    cluster.put(namespace("other"))
    wanted = pod(affinity=affinity("podAntiAffinity", HOST, {"app": "a"}, namespaceSelector={"matchLabels": {"team": "x"}}))
    assert cluster.decide(wanted).node == "n"
    cluster.put(namespace("other", team="x"))
    assert cluster.decide(wanted).node == ""


SPREADS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "too few domains count as an empty one": ({"minDomains": 3}, {}, ""),
    "enough domains": ({"minDomains": 2}, {}, "ab"),
    "nodes that the selector leaves out do not count": ({}, {"nodeSelector": {"pool": "x"}}, "a"),
    "unless the policy ignores it": ({"nodeAffinityPolicy": "Ignore"}, {"nodeSelector": {"pool": "x"}}, ""),
    "tainted nodes count": ({}, {"only": "a"}, ""),
    "tainted nodes do not count when honoured": ({"nodeTaintsPolicy": "Honor"}, {"only": "a"}, "a"),
    "only Pods of this revision": ({"matchLabelKeys": ["revision"]}, {"revision": "2", "nodeSelector": {"pool": "x"}}, "a"),
}


@pytest.mark.parametrize(("constraint", "how", "zones"), SPREADS.values(), ids=SPREADS.keys())
def test_what_a_spread_constraint_counts(constraint: dict[str, Any], how: dict[str, Any], zones: str) -> None:
    """Zone a (pool x) has one Pod, zone b one or, with a taint or as the other pool, none."""
    how = dict(how)
    labels = {"app": "a", "revision": how.pop("revision", "1")}
    tainted = how.pop("only", "")
    taints = [{"key": "k", "effect": "NoSchedule"}] if tainted else []
    cluster = Cluster(node("a", labels={**A, "pool": "x"}), node("b", labels=B, taints=taints), pod(on="a", labels={"app": "a", "revision": "1"}))
    if not how and not tainted:
        cluster.put(pod(on="b", labels={"app": "a", "revision": "1"}))
    decision = cluster.decide(pod(labels=labels, topologySpreadConstraints=[spread(ZONE, {"app": "a"}, **constraint)], **how))
    assert decision.node in zones if zones else decision.node == ""
    assert bool(decision.node) is bool(zones), decision.message


def test_replicas_of_one_owner_spread_by_themselves() -> None:
    """The system's default constraints."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "u", "controller": True}
    cluster = Cluster(node("n"), node("m"))
    cluster.put(msgspec.convert({"metadata": {"name": "web", "namespace": "default"}, "spec": {"selector": {"matchLabels": {"app": "web"}}}}, apps_v1.ReplicaSet))
    cluster.put(pod(on="m", cpu="50m"))  # n is the better node but for its replicas
    for _ in range(4):
        cluster.put(pod(on="n", labels={"app": "web"}))
    assert cluster.decide(pod(labels={"app": "web"}, owner=owner)).node == "m"


def test_a_nominated_pod_is_counted_for_those_of_no_higher_priority() -> None:
    cluster = Cluster(node("n", cpu="2"))
    cluster.nominator.put(pod("important", cpu="1500m", priority=10), "n")
    assert cluster.decide(pod(cpu="1", priority=5)).node == ""
    assert cluster.decide(pod(cpu="1", priority=10)).node == ""
    assert cluster.decide(pod(cpu="1", priority=11)).node == "n"


def test_a_nominated_pod_takes_its_node_though_another_is_better() -> None:
    cluster = Cluster(node("n"), node("m"), pod(on="n", cpu="1"))
    waiting = pod(cpu="1", priority=5)
    cluster.nominator.put(waiting, "n")
    assert cluster.decide(waiting).node == "n"


def test_equal_pods_that_are_refused_share_one_diagnosis_until_something_changes() -> None:
    cluster = Cluster(node("n", cpu="1"))
    first, second = cluster.decide(pod(cpu="2")), cluster.decide(pod(cpu="2"))
    assert first is second
    cluster.put(node("m", cpu="4"))
    assert cluster.decide(pod(cpu="2")).node == "m"


def test_a_decision_changes_nothing() -> None:
    """The same question twice, of a cluster and of a fresh one, has the same answer."""
    things = [node(f"n{i}", labels={ZONE: f"z{i % 3}"}) for i in range(9)] + [pod(on=f"n{i}", cpu="1", labels={"app": "a"}) for i in range(4)]
    wanted = pod(cpu="1", labels={"app": "a"}, topologySpreadConstraints=[spread(ZONE, {"app": "a"})])
    cluster = Cluster(*things)
    pods = {name: dict(info.pods) for name, info in cluster.snapshot.nodes.items()}
    answers = {cluster.decide(wanted).message for _ in range(3)} | {Cluster(*things).decide(wanted).message}
    assert len(answers) == 1
    assert {name: dict(info.pods) for name, info in cluster.snapshot.nodes.items()} == pods


RESTARTS = "RestartAllContainersOnContainerExits"
USERS = "UserNamespacesHostNetworkSupport"


@pytest.mark.parametrize(
    ("spec", "features", "fits"),
    [
        ({}, [], True), ({"hostNetwork": True}, [], True), ({"hostUsers": False}, [], True),
        ({"hostNetwork": True, "hostUsers": False}, [], False), ({"hostNetwork": True, "hostUsers": False}, [USERS], True),
        ({"rules": True}, [USERS], False), ({"rules": True}, [USERS, RESTARTS], True),
    ],
)
def test_a_pod_goes_where_the_node_declares_what_it_needs(spec: dict[str, Any], features: list[str], fits: bool) -> None:
    rules = spec.pop("rules", False) if (spec := dict(spec)) else False
    raw = msgspec.to_builtins(node("n"))
    raw["status"]["declaredFeatures"] = features
    wanted = pod(**spec)
    if rules:
        wanted.spec.containers[0].restart_policy_rules.append(core_v1.ContainerRestartRule(action="RestartAllContainers"))
    cluster = Cluster(msgspec.convert(raw, core_v1.Node))
    decision = cluster.decide(wanted)
    assert bool(decision.node) is fits
    assert fits or decision.message == "0/1 nodes are available: 1 node(s) didn't match Pod's required features."
