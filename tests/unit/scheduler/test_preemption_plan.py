"""Preemption: who would have to go, where it hurts least, and the words when nothing helps."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from scheduler_makers import Cluster, affinity, node, pod, spread

from wherry.api.types import core_v1, policy_v1
from wherry.scheduler.preemption import DryRun, hopeless, ineligible, select

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def budget(name: str, labels: dict[str, str], allowed: int, disrupted: dict[str, str] | None = None) -> policy_v1.PodDisruptionBudget:
    raw = {
        "metadata": {"name": name, "namespace": "default"}, "spec": {"selector": {"matchLabels": labels}},
        "status": {"disruptionsAllowed": allowed, "disruptedPods": disrupted or {}},
    }
    return msgspec.convert(raw, policy_v1.PodDisruptionBudget)


def run(cluster: Cluster, wanted: core_v1.Pod, budgets: list[policy_v1.PodDisruptionBudget] | None = None) -> DryRun:
    decision = cluster.decide(wanted)
    assert decision.node == ""
    made = DryRun(wanted, cluster.snapshot, cluster.profile, decision, cluster.nominator, budgets or [])
    for _ in made.steps(random.Random(1)):
        pass
    return made


VICTIMS: dict[str, tuple[list[Any], core_v1.Pod, list[policy_v1.PodDisruptionBudget], tuple[str, set[str]]]] = {
    "the one in the way": ([node("n", cpu="1"), pod("v", on="n", cpu="1", priority=1)], pod(cpu="1", priority=5), [], ("n", {"v"})),
    "as few as will do": (
        [node("n", cpu="3"), *(pod(name, on="n", cpu="1", priority=1) for name in "uvw")], pod(cpu="2", priority=5), [], ("n", {"v", "w"}),
    ),
    "the less important": (
        [node("n", cpu="2"), pod("low", on="n", cpu="1", priority=1), pod("mid", on="n", cpu="1", priority=2)], pod(cpu="1", priority=5), [], ("n", {"low"}),
    ),
    "the younger of equals": (
        [node("n", cpu="2"), pod("old", on="n", cpu="1", priority=1, start=EARLY), pod("new", on="n", cpu="1", priority=1, start=LATE)],
        pod(cpu="1", priority=5), [], ("n", {"new"}),
    ),
    "where the most important victim is least": (
        [node("n", cpu="1"), node("m", cpu="1"), pod("a", on="n", cpu="1", priority=3), pod("b", on="m", cpu="1", priority=2)],
        pod(cpu="1", priority=5), [], ("m", {"b"}),
    ),
    "where fewer must go": (
        [node("n", cpu="2"), node("m", cpu="2"), *(pod(name, on="n", cpu="1", priority=1) for name in "ab"), pod("c", on="m", cpu="2", priority=1)],
        pod(cpu="2", priority=5), [], ("m", {"c"}),
    ),
    "where they started last": (
        [node("n", cpu="1"), node("m", cpu="1"), pod("a", on="n", cpu="1", priority=1, start=EARLY), pod("b", on="m", cpu="1", priority=1, start=LATE)],
        pod(cpu="1", priority=5), [], ("m", {"b"}),
    ),
    "not where a budget breaks": (
        [node("n", cpu="1"), node("m", cpu="1"), pod("a", on="n", cpu="1", priority=1, labels={"app": "a"}), pod("b", on="m", cpu="1", priority=2)],
        pod(cpu="1", priority=5), [budget("keep", {"app": "a"}, 0)], ("m", {"b"}),
    ),
    "unless there is no other": (
        [node("n", cpu="1"), pod("a", on="n", cpu="1", priority=1, labels={"app": "a"})], pod(cpu="1", priority=5), [budget("keep", {"app": "a"}, 0)], ("n", {"a"}),
    ),
    "who is disrupted already breaks nothing": (
        [node("n", cpu="1"), node("m", cpu="1"), pod("a", on="n", cpu="1", priority=1, labels={"app": "a"}), pod("b", on="m", cpu="1", priority=2)],
        pod(cpu="1", priority=5), [budget("keep", {"app": "a"}, 0, {"a": EARLY})], ("n", {"a"}),
    ),
    "a budget's Pod is spared before others": (
        [node("n", cpu="2"), pod("a", on="n", cpu="1", priority=1, labels={"app": "a"}), pod("b", on="n", cpu="1", priority=2)],
        pod(cpu="1", priority=5), [budget("keep", {"app": "a"}, 0)], ("n", {"b"}),
    ),
    "one that keeps it away": (
        [node("n"), pod("a", on="n", priority=1, affinity=affinity("podAntiAffinity", HOST, {"app": "x"})), pod("b", on="n", priority=1)],
        pod(priority=5, labels={"app": "x"}), [], ("n", {"a"}),
    ),
    "one that it keeps away from": (
        [node("n"), pod("a", on="n", priority=1, labels={"app": "y"}), pod("b", on="n", priority=1)],
        pod(priority=5, affinity=affinity("podAntiAffinity", HOST, {"app": "y"})), [], ("n", {"a"}),
    ),
    "one that skews": (
        [node("n", labels={ZONE: "a"}), node("m", labels={ZONE: "b"}, unschedulable=True), pod("a", on="n", priority=1, labels={"app": "x"})],
        pod(priority=5, labels={"app": "x"}, topologySpreadConstraints=[spread(ZONE, {"app": "x"})]), [], ("n", {"a"}),
    ),
}


@pytest.mark.parametrize(("things", "wanted", "budgets", "expected"), VICTIMS.values(), ids=VICTIMS.keys())
def test_who_has_to_go(
    things: list[Any], wanted: core_v1.Pod, budgets: list[policy_v1.PodDisruptionBudget], expected: tuple[str, set[str]]
) -> None:
    found = select(run(Cluster(*things), wanted, budgets).candidates)
    assert (found.node, {victim.metadata.name for victim in found.victims}) == expected


HOPELESS: dict[str, tuple[list[Any], core_v1.Pod, str]] = {
    "nobody is less important": (
        [node("n", cpu="1"), pod(on="n", cpu="1", priority=5)], pod(cpu="1", priority=5),
        "0/1 nodes are available: 1 No preemption victims found for incoming pod.",
    ),
    "the node is too small": ([node("n", cpu="1"), pod(on="n", priority=1)], pod(cpu="2", priority=5), "0/1 nodes are available: 1 Preemption is not helpful for scheduling."),
    "mixed": (
        [node("n", cpu="1"), node("m", unschedulable=True), pod(on="n", cpu="1", priority=5)], pod(cpu="1", priority=5),
        "0/2 nodes are available: 1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling.",
    ),
    "the rest is in the way": (
        [node("n", cpu="2"), pod(on="n", cpu="1", priority=5), pod(on="n", cpu="1", priority=1)], pod(cpu="2", priority=5),
        "0/1 nodes are available: 1 Insufficient cpu.",
    ),
}


@pytest.mark.parametrize(("things", "wanted", "message"), HOPELESS.values(), ids=HOPELESS.keys())
def test_why_preemption_does_not_help(things: list[Any], wanted: core_v1.Pod, message: str) -> None:
    cluster = Cluster(*things)
    made = run(cluster, wanted)
    decision = cluster.decide(wanted)
    assert made.candidates == []
    assert hopeless(decision.diagnosis, decision.total, made.told) == message


def test_a_dry_run_changes_nothing() -> None:
    cluster = Cluster(node("n", cpu="2"), *(pod(on="n", cpu="1", priority=1) for _ in range(2)))
    wanted = pod(cpu="2", priority=5)
    before = cluster.decide(wanted)
    info = cluster.snapshot.nodes["n"]
    pods, requested = dict(info.pods), dict(info.requested)
    run(cluster, wanted)
    assert (dict(info.pods), dict(info.requested)) == (pods, requested)
    assert cluster.decide(wanted).message == before.message


def test_who_may_preempt() -> None:
    leaving = pod("v", on="n", cpu="1", priority=1)
    leaving = msgspec.convert(msgspec.to_builtins(leaving), core_v1.Pod)
    raw = msgspec.to_builtins(leaving)
    raw["metadata"]["deletionTimestamp"] = EARLY
    raw["status"] = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]}
    cluster = Cluster(node("n", cpu="1"), msgspec.convert(raw, core_v1.Pod))
    never = pod(cpu="1", priority=5, preemptionPolicy="Never")
    assert ineligible(never, cluster.snapshot, cluster.decide(never)) == "not eligible due to preemptionPolicy=Never."
    waits = msgspec.structs.replace(pod(cpu="1", priority=5), status=core_v1.PodStatus(nominated_node_name="n"))
    assert ineligible(waits, cluster.snapshot, cluster.decide(waits)) == "not eligible due to a terminating pod on the nominated node."
    fresh = pod(cpu="1", priority=5)
    assert ineligible(fresh, cluster.snapshot, cluster.decide(fresh)) == ""
