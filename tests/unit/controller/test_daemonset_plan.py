"""Where DaemonSets run and how they roll, in a world without a server."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.daemonset.nodes import build, fit, node_of
from wherry.controller.daemonset.plan import Layout, plan, status
from wherry.util.clock import rfc3339

NOW = 1_700_000_000.0
replace = msgspec.structs.replace


def daemon_set(rolling: dict[str, Any] | None = None, kind: str = "RollingUpdate", **spec: Any) -> apps_v1.DaemonSet:
    labels = {"a": "d"}
    template = core_v1.PodTemplateSpec(
        metadata=meta_v1.ObjectMeta(labels=labels), spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", image="i")], **spec),
    )
    update = apps_v1.RollingUpdateDaemonSet(**(rolling or {"max_unavailable": 1, "max_surge": 0})) if kind == "RollingUpdate" else None
    return apps_v1.DaemonSet(
        metadata=meta_v1.ObjectMeta(name="d", namespace="default", uid="d-uid"),
        spec=apps_v1.DaemonSetSpec(
            selector=meta_v1.LabelSelector(match_labels=labels), template=template,
            update_strategy=apps_v1.DaemonSetUpdateStrategy(type=kind, rolling_update=update),
        ),
    )


def node(name: str = "n1", labels: dict[str, str] | None = None, *taints: tuple[str, str]) -> core_v1.Node:
    found = [core_v1.Taint(key=key, effect=effect) for key, effect in taints]
    return core_v1.Node(metadata=meta_v1.ObjectMeta(name=name, labels=labels or {}), spec=core_v1.NodeSpec(taints=found))


_uids = itertools.count()


def pod(ds: apps_v1.DaemonSet, on: str, digest: str = "new", phase: str = "Running", ready: bool = True, age: float = 60) -> core_v1.Pod:
    made = build(ds, on, digest)
    at = rfc3339(NOW - age)
    conditions = [core_v1.PodCondition(type="Ready", status="True" if ready else "False", last_transition_time=at)]
    uid = f"u{next(_uids)}"
    meta = replace(made.metadata, uid=uid, name=f"d-{uid}", creation_timestamp=at)
    return replace(made, metadata=meta, status=core_v1.PodStatus(phase=phase, conditions=conditions))


EXISTS = core_v1.Toleration(operator="Exists")


@pytest.mark.parametrize(("ds", "on", "run", "keep"), [
    pytest.param(daemon_set(), node(), True, True, id="plain"),
    pytest.param(daemon_set(node_selector={"disk": "ssd"}), node(), False, False, id="selector does not match"),
    pytest.param(daemon_set(node_selector={"disk": "ssd"}), node(labels={"disk": "ssd"}), True, True, id="selector matches"),
    pytest.param(daemon_set(node_name="n2"), node(), False, False, id="bound elsewhere"),
    pytest.param(daemon_set(), node("n1", None, ("gpu", "NoSchedule")), False, True, id="NoSchedule keeps what runs"),
    pytest.param(daemon_set(), node("n1", None, ("gpu", "NoExecute")), False, False, id="NoExecute"),
    pytest.param(daemon_set(), node("n1", None, ("gpu", "PreferNoSchedule")), True, True, id="PreferNoSchedule"),
    pytest.param(daemon_set(tolerations=[EXISTS]), node("n1", None, ("gpu", "NoExecute")), True, True, id="tolerated"),
    pytest.param(daemon_set(), node("n1", None, ("node.kubernetes.io/not-ready", "NoExecute")), True, True, id="not ready"),
    pytest.param(daemon_set(), node("n1", None, ("node.kubernetes.io/not-ready", "NoSchedule")), False, True, id="not ready yet"),
    pytest.param(daemon_set(), node("n1", None, ("node.kubernetes.io/unschedulable", "NoSchedule")), True, True, id="cordoned"),
    pytest.param(daemon_set(), node("n1", None, ("node.kubernetes.io/network-unavailable", "NoSchedule")), False, True, id="no network"),
    pytest.param(
        daemon_set(host_network=True), node("n1", None, ("node.kubernetes.io/network-unavailable", "NoSchedule")), True, True,
        id="host network",
    ),
])
def test_nodes(ds, on, run, keep):
    found = fit(ds, on)
    assert (found.run, found.keep) == (run, keep)


def test_pod_is_as_upstreams():
    made = msgspec.to_builtins(build(daemon_set(), "n1", "6577c6cf47"))
    terms = made["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}]
    assert made["metadata"]["generateName"] == "d-"
    assert made["metadata"]["labels"] == {"a": "d", "controller-revision-hash": "6577c6cf47"}
    assert made["spec"]["tolerations"] == [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect} for key, effect in (
            ("not-ready", "NoExecute"), ("unreachable", "NoExecute"), ("disk-pressure", "NoSchedule"),
            ("memory-pressure", "NoSchedule"), ("pid-pressure", "NoSchedule"), ("unschedulable", "NoSchedule"),
        )
    ]


def see(ds: apps_v1.DaemonSet, pods: list[core_v1.Pod], nodes: int = 3) -> Layout:
    return Layout.of(ds, "new", pods, [node(f"n{i}") for i in range(nodes)], NOW)


PLAIN, ON_DELETE = daemon_set(), daemon_set(kind="OnDelete")
HALF = daemon_set({"max_unavailable": "50%", "max_surge": 0})
SURGE = daemon_set({"max_unavailable": 0, "max_surge": 1})


@pytest.mark.parametrize(("ds", "pods", "create", "delete"), [
    pytest.param(PLAIN, [], ["n0", "n1", "n2"], [], id="new"),
    pytest.param(PLAIN, [("n0", "new", {}), ("n1", "new", {}), ("n2", "new", {})], [], [], id="done"),
    pytest.param(PLAIN, [("n0", "new", {"age": 5}), ("n0", "new", {"age": 50}), ("n1", "new", {}), ("n2", "new", {})], [], [0],
                 id="of two the older stays"),
    pytest.param(PLAIN, [("n0", "old", {}), ("n1", "old", {}), ("n2", "old", {})], [], [0], id="one at a time"),
    pytest.param(PLAIN, [("n0", "new", {"ready": False}), ("n1", "old", {}), ("n2", "old", {})], [], [], id="waits for the new one"),
    pytest.param(PLAIN, [("n0", "old", {"ready": False}), ("n1", "old", {}), ("n2", "old", {})], [], [0], id="the useless first"),
    pytest.param(HALF, [("n0", "old", {}), ("n1", "old", {}), ("n2", "old", {})], [], [0, 1], id="half, rounded up"),
    pytest.param(ON_DELETE, [("n0", "old", {}), ("n1", "old", {}), ("n2", "old", {})], [], [], id="on delete"),
    pytest.param(SURGE, [("n0", "old", {}), ("n1", "old", {}), ("n2", "old", {})], ["n0"], [], id="surge beside the old"),
    pytest.param(SURGE, [("n0", "old", {}), ("n0", "new", {"ready": False}), ("n1", "old", {}), ("n2", "old", {})], [], [],
                 id="surge waits"),
    pytest.param(SURGE, [("n0", "old", {}), ("n0", "new", {}), ("n1", "old", {}), ("n2", "old", {})], [], [0], id="surge ends"),
    pytest.param(PLAIN, [("n0", "new", {"phase": "Failed"}), ("n1", "new", {}), ("n2", "new", {})], [], [0], id="failed"),
    pytest.param(PLAIN, [("n9", "new", {}), ("n0", "new", {}), ("n1", "new", {}), ("n2", "new", {})], [], [0], id="node is gone"),
])
def test_plan(ds, pods, create, delete):
    made = [pod(ds, on, digest, **more) for on, digest, more in pods]
    found = plan(see(ds, made), {})
    assert found.create == create
    assert found.delete == [made[i] for i in delete]


def gone(each: core_v1.Pod, on: bool = True) -> core_v1.Pod:
    return replace(each, metadata=replace(each.metadata, deletion_timestamp=rfc3339(NOW) if on else None))


def closed(ds: apps_v1.DaemonSet, pods: list[core_v1.Pod]) -> Layout:
    """n0 is closed to new Pods, n1 is open."""
    return Layout.of(ds, "new", pods, [node("n0", None, ("gpu", "NoSchedule")), node("n1")], NOW)


@pytest.mark.parametrize(("ds", "pods", "create", "delete"), [
    pytest.param(PLAIN, [("n0", "old", {}), ("n1", "new", {})], [], [0], id="an old one goes as any other"),
    pytest.param(PLAIN, [("n0", "old", {}), ("n1", "new", {"ready": False})], [], [], id="within the bound"),
    pytest.param(PLAIN, [("n0", "new", {"ready": False}), ("n1", "old", {})], [], [], id="and one that is ill counts"),
    pytest.param(SURGE, [("n0", "old", {}), ("n1", "new", {})], [], [0], id="surge: goes when enough serve"),
    pytest.param(SURGE, [("n0", "old", {}), ("n1", "new", {"ready": False})], [], [], id="surge: stays while it is needed"),
    pytest.param(SURGE, [("n0", "old", {"ready": False}), ("n1", "new", {"ready": False})], [], [0], id="surge: the ill one is no use"),
])
def test_rollout_on_nodes_that_are_closed_to_new_pods(ds, pods, create, delete):
    made = [pod(ds, on, digest, **more) for on, digest, more in pods]
    found = plan(closed(ds, made), {})
    assert (found.create, found.delete) == (create, [made[i] for i in delete])


def test_a_pod_that_has_ended_and_is_held_by_a_finalizer_takes_no_place():
    ended = gone(pod(PLAIN, "n0", phase="Failed"))
    assert plan(see(PLAIN, [ended], 1), {}).create == ["n0"]
    assert plan(see(PLAIN, [gone(pod(PLAIN, "n0"))], 1), {}).create == [], "one that still runs does"
    assert plan(see(SURGE, [gone(pod(SURGE, "n0"))], 1), {}).create == ["n0"], "but not where two may be side by side"


def test_two_for_one_node_the_bound_one_stays():
    bound, waiting = pod(PLAIN, "n0", age=5), pod(PLAIN, "n0", age=50)
    bound = replace(bound, spec=replace(bound.spec, node_name="n0"))
    assert plan(see(PLAIN, [waiting, bound], 1), {}).delete == [waiting]


def test_status_counts_a_serving_pod_that_is_asked_to_go():
    found = status(see(PLAIN, [gone(pod(PLAIN, "n0"))], 1), settled=False)
    assert (found["numberReady"], found["numberAvailable"], found["observedGeneration"]) == (1, 1, 0)


def test_failed_pods_are_not_replaced_in_a_loop():
    found = plan(see(PLAIN, [pod(PLAIN, "n0", phase="Failed")], 1), {"n0": 7.0})
    assert (found.delete, found.requeue_after) == ([], 7.0)


def test_status_counts():
    pods = [pod(PLAIN, "n0"), pod(PLAIN, "n1", "old", ready=False)]
    assert {k: v for k, v in status(see(PLAIN, pods)).items() if v} == {
        "currentNumberScheduled": 2, "desiredNumberScheduled": 3, "numberReady": 1, "numberAvailable": 1, "numberUnavailable": 2,
        "updatedNumberScheduled": 1,
    }


@settings(max_examples=100, deadline=None)
@given(
    nodes=st.integers(1, 6), surge=st.integers(0, 2), unavailable=st.integers(1, 3),
    choices=st.lists(st.tuples(st.sampled_from(["sync", "ready", "gone", "see"]), st.integers(0, 9)), max_size=120),
)
def test_rollout_keeps_its_bounds_on_any_stale_view(nodes, surge, unavailable, choices):
    """What it asked for itself it knows of (expectations); of the kubelet's news any may be late."""
    ds = daemon_set({"max_surge": surge, "max_unavailable": 0 if surge else unavailable})
    bound = 0 if surge else unavailable
    real = {p.metadata.uid: p for p in (pod(ds, f"n{i}", "old") for i in range(nodes))}
    seen = dict(real)

    def is_up(p: core_v1.Pod) -> bool:
        return p.status.conditions[0].status == "True" and p.metadata.deletion_timestamp is None

    def sync() -> None:
        steps = plan(see(ds, list(seen.values()), nodes), {})
        for p in steps.delete:
            if p.metadata.uid in real:
                going = replace(p.metadata, deletion_timestamp=rfc3339(NOW))
                real[p.metadata.uid] = replace(real[p.metadata.uid], metadata=going)
                seen[p.metadata.uid] = replace(p, metadata=going)
        for on in steps.create:
            made = pod(ds, on, "new", ready=False, age=0)
            real[made.metadata.uid] = seen[made.metadata.uid] = made

    def act(what: str, choice: int) -> None:
        names = sorted({*real, *seen})
        uid = names[choice % len(names)]
        if what == "sync":
            sync()
        elif what == "ready" and uid in real:
            on = core_v1.PodCondition(type="Ready", status="True", last_transition_time=rfc3339(NOW - 60))
            real[uid] = replace(real[uid], status=replace(real[uid].status, conditions=[on]))
        elif what == "gone" and uid in real and real[uid].metadata.deletion_timestamp:
            del real[uid]
        elif what == "see":
            if uid in real:
                seen[uid] = real[uid]
            else:
                seen.pop(uid, None)
        served = {node_of(p) for p in real.values() if is_up(p)}
        assert len(served) >= nodes - bound, "never more unavailable than it may"
        assert len([p for p in real.values() if p.metadata.deletion_timestamp is None]) <= nodes + surge

    for what, choice in choices:
        act(what, choice)
    for _ in range(10 * nodes):
        for what in ("ready", "gone", "see"):
            for choice in range(len({*real, *seen})):
                act(what, choice)
        sync()
    assert sorted(node_of(p) for p in real.values()) == [f"n{i}" for i in range(nodes)]
    assert all(p.metadata.labels["controller-revision-hash"] == "new" for p in real.values())
