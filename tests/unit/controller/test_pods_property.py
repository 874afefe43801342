"""Whatever is lost, late, repeated or killed, ReplicaSets, DaemonSets and StatefulSets keep their promises and arrive."""

from __future__ import annotations

from typing import Any

import msgspec
from controller_objects import pod_template, replica_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lagging_world import LaggingWorld

from wherry.api.types import apps_v1, core_v1, meta_v1
from wherry.controller.daemonset.controller import DaemonSetController
from wherry.controller.daemonset.nodes import node_of
from wherry.controller.podutil import is_active, is_ready
from wherry.controller.replicaset.controller import ReplicaSetController
from wherry.controller.statefulset.controller import StatefulSetController

replace = msgspec.structs.replace
KEY = "default/web"
FAULT = st.one_of(
    st.tuples(st.just("sync"), st.integers(0, 9)), st.tuples(st.just("sync"), st.integers(0, 9)),
    st.tuples(st.just("killed"), st.integers(1, 6)), st.tuples(st.just("restart"), st.just(0)),
    st.tuples(st.just("deliver"), st.integers(1, 4)), st.tuples(st.just("deliver"), st.integers(1, 4)),
    st.tuples(st.just("repeat"), st.integers(0, 9)), st.tuples(st.just("lose"), st.just(0)),
    st.tuples(st.just("ready"), st.integers(0, 9)), st.tuples(st.just("end"), st.integers(0, 9)),
    st.tuples(st.just("evict"), st.integers(0, 9)), st.tuples(st.just("gone"), st.integers(0, 9)),
    st.tuples(st.just("change"), st.integers(0, 5)),
)
FAULTS = st.lists(FAULT, min_size=15, max_size=60)
runs = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def befall(w: LaggingWorld, what: str, choice: int) -> list[core_v1.Pod]:
    """Gives the Pods that the controller has deleted."""
    pods = w.pods()
    chosen = pods[choice % len(pods)] if pods else None
    match what:
        case "sync":
            return w.sync(KEY)
        case "killed":
            return w.sync(KEY, writes=choice)
        case "restart":
            w.restart()
        case "deliver":
            for informer in w.informers.values():
                informer.deliver(choice)
        case "repeat":
            w.informers[core_v1.Pod].repeat(choice)
        case "lose":
            w.lose_events()
        case "ready" if chosen is not None and is_active(chosen):
            w.set_pod(chosen)
        case "end" if chosen is not None and is_active(chosen):
            w.set_pod(chosen, "Failed", ready=False)
        case "evict" if chosen is not None:
            w.ask_to_go(chosen)
        case "gone" if chosen is not None and chosen.metadata.deletion_timestamp is not None:
            w.drop(chosen)
    return []


@runs
@given(replicas=st.integers(0, 5), steps=FAULTS)
def test_a_replica_set_has_never_more_than_asked_for_and_arrives(replicas: int, steps: list[tuple[str, int]]) -> None:
    w = LaggingWorld(ReplicaSetController, replica_set(replicas=replicas))
    sizes = {replicas}
    for what, choice in steps:
        if what == "change":
            rs = w.live[apps_v1.ReplicaSet][KEY]
            w.put(replace(rs, spec=replace(rs.spec, replicas=choice), metadata=replace(rs.metadata, generation=choice)))
            sizes.add(choice)
            continue
        before = {pod.metadata.uid for pod in w.active()}
        lost = [pod for pod in w.informers[core_v1.Pod].store if is_active(pod) and pod.metadata.uid not in before]
        deleted = befall(w, what, choice)
        assert len(w.active()) <= max(sizes), "it counts what it has made, though the cache does not show it"
        if deleted:
            assert len(w.active()) + len(lost) >= min(sizes), "it takes away what is too much, and no more"
            assert len({pod.metadata.uid for pod in deleted}) == len(deleted)
    w.settle(KEY)
    rs = w.live[apps_v1.ReplicaSet][KEY]
    assert len(w.active()) == rs.spec.replicas
    assert (rs.status.replicas or 0, rs.status.available_replicas or 0) == (rs.spec.replicas, rs.spec.replicas)


def daemon_set(rolling: dict[str, Any]) -> apps_v1.DaemonSet:
    labels = {"a": "web"}
    return apps_v1.DaemonSet(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=apps_v1.DaemonSetSpec(
            selector=meta_v1.LabelSelector(match_labels=labels), template=pod_template(labels),
            update_strategy=apps_v1.DaemonSetUpdateStrategy(type="RollingUpdate", rolling_update=apps_v1.RollingUpdateDaemonSet(**rolling)),
        ),
    )


def serves(w: LaggingWorld, node: str) -> bool:
    return any(is_active(pod) and is_ready(pod) for pod in w.pods() if node_of(pod) == node)


@runs
@given(nodes=st.integers(1, 4), surge=st.integers(0, 1), most=st.integers(1, 2), steps=FAULTS)
def test_a_daemon_set_has_one_pod_a_node_and_rolls_within_its_bounds(nodes: int, surge: int, most: int, steps: list[tuple[str, int]]) -> None:
    rolling = {"max_surge": 1, "max_unavailable": 0} if surge else {"max_surge": 0, "max_unavailable": most}
    names = [f"n{number}" for number in range(nodes)]
    w = LaggingWorld(
        DaemonSetController, daemon_set(rolling), *(core_v1.Node(metadata=meta_v1.ObjectMeta(name=name)) for name in names),
    )
    w.settle(KEY)
    taken: set[str] = set()  # nodes that serve no more because the controller has deleted their Pod
    for what, choice in steps:
        if what == "change":
            ds = w.live[apps_v1.DaemonSet][KEY]
            template = pod_template({"a": "web"}, f"busybox:{choice}")
            w.put(replace(ds, spec=replace(ds.spec, template=template)))
            continue
        served = {name for name in names if serves(w, name)}
        deleted = befall(w, what, choice)
        for name in names:
            assert sum(node_of(pod) == name for pod in w.active()) <= 1 + surge
        taken |= {node_of(pod) for pod in deleted if node_of(pod) in served and not serves(w, node_of(pod))}
        taken = {name for name in taken if not serves(w, name)}
        assert len(taken) <= (0 if surge else most), "it takes no more from service than it may"
    w.settle(KEY)
    ds = w.live[apps_v1.DaemonSet][KEY]
    assert sorted(map(node_of, w.pods())) == names
    assert {pod.spec.containers[0].image for pod in w.pods()} == {ds.spec.template.spec.containers[0].image}
    assert ds.status.updated_number_scheduled == ds.status.number_available == nodes


def stateful_set(parallel: bool, most: int) -> apps_v1.StatefulSet:
    labels = {"a": "web"}
    rolling = apps_v1.RollingUpdateStatefulSetStrategy(partition=0, max_unavailable=most)
    return apps_v1.StatefulSet(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=apps_v1.StatefulSetSpec(
            replicas=3, service_name="web", selector=meta_v1.LabelSelector(match_labels=labels), template=pod_template(labels),
            pod_management_policy="Parallel" if parallel else "OrderedReady",
            update_strategy=apps_v1.StatefulSetUpdateStrategy(type="RollingUpdate", rolling_update=rolling),
        ),
    )


@runs
@given(parallel=st.booleans(), most=st.integers(1, 2), steps=FAULTS)
def test_a_stateful_set_takes_no_more_from_service_than_it_may_and_arrives(parallel: bool, most: int, steps: list[tuple[str, int]]) -> None:
    names = ["web-0", "web-1", "web-2"]
    w = LaggingWorld(StatefulSetController, stateful_set(parallel, most))
    w.settle(KEY)

    def serving() -> set[str]:
        return {pod.metadata.name for pod in w.pods() if is_active(pod) and is_ready(pod)}

    taken: set[str] = set()  # those that serve no more because the controller has deleted them
    for what, choice in steps:
        if what == "change":
            ss = w.live[apps_v1.StatefulSet][KEY]
            w.put(replace(ss, spec=replace(ss.spec, template=pod_template({"a": "web"}, f"busybox:{choice}"))))
            continue
        served = serving()
        deleted = befall(w, what, choice)
        assert {pod.metadata.name for pod in w.pods()} <= set(names)
        taken |= {pod.metadata.name for pod in deleted} & served
        taken -= serving()
        assert len(taken) <= most
    w.settle(KEY)
    ss = w.live[apps_v1.StatefulSet][KEY]
    assert sorted(pod.metadata.name for pod in w.pods()) == names
    assert {pod.spec.containers[0].image for pod in w.pods()} == {ss.spec.template.spec.containers[0].image}
    assert (ss.status.updated_replicas, ss.status.available_replicas) == (3, 3)
    assert ss.status.current_revision == ss.status.update_revision
