"""`wherry why` over an API of plain lists."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.cli.why import explained
from wherry.scheduler.config import SchedulerConfig, parse
from wherry.scheduler.extender import ExtenderSpec, ManagedResource


def node(name: str, cpu: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec, "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}}}


def answers(spec: dict[str, Any], status: dict[str, Any], events: list[Any]) -> Any:
    containers = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": "3"}}}]
    pod = {"metadata": {"name": "p", "namespace": "default", "uid": "u"}, "spec": {"containers": containers, **spec}, "status": status}
    nodes = [node("a", "1"), node("b", "4"), node("c", "4", unschedulable=True)]

    def ask(path: str) -> Any:
        if path == "/api/v1/namespaces/default/pods/p":
            return pod
        if "/events?" in path:
            return {"items": events}
        return {"items": nodes if path == "/api/v1/nodes" else []}

    return ask


def test_every_node_says_what_it_has_against_the_pod() -> None:
    first, second, third = explained(answers({"schedulerName": "default-scheduler"}, {}, []), "default", "p")
    assert first.startswith("a   NodeResourcesFit    Insufficient cpu")
    assert second.split() == ["b", "-", "fits"]
    assert third.split(maxsplit=2) == ["c", "NodeUnschedulable", "node(s) were unschedulable"]


WARNING = {"reason": "Failed", "message": "no image", "lastTimestamp": "2026-01-01T00:00:00Z"}
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


@pytest.mark.parametrize(("spec", "status", "told"), [
    pytest.param({"schedulingGates": [{"name": "x"}, {"name": "y"}]}, {}, ["gated by x, y"], id="gated"),
    pytest.param({"nodeName": "a"}, {"phase": "Pending"}, ["node a, Pending, not ready", "Failed: no image"], id="not-ready"),
    pytest.param({"nodeName": "a"}, READY, ["node a, Running, ready"], id="ready"),
    pytest.param({"schedulerName": "z"}, {}, ["it waits for the scheduler 'z', which is not wherry's"], id="another-scheduler"),
])
def test_a_pod_that_waits_for_no_node(spec: dict[str, Any], status: dict[str, Any], told: list[str]) -> None:
    assert explained(answers(spec, status, [WARNING]), "default", "p") == told


def test_the_plugins_of_the_pods_own_profile_are_asked() -> None:
    careless = parse("""
        apiVersion: kubescheduler.config.k8s.io/v1
        kind: KubeSchedulerConfiguration
        profiles: [{schedulerName: careless, plugins: {filter: {disabled: [{name: NodeUnschedulable}]}}}]
    """)
    told = explained(answers({"schedulerName": "careless"}, {}, []), "default", "p", careless)
    assert [line.split()[-1] for line in told[1:]] == ["fits", "fits"]


def crowded(priority: int, policy: str = "", nominated: str = "") -> Any:
    """Nodes a (too small), b (a Pod of priority 1 and a nominated one), c (cordoned), d (a Pod of priority 9)."""

    def pod(name: str, cpu: str, importance: int, **more: Any) -> dict[str, Any]:
        containers = [{"name": "c", "image": "i", "resources": {"requests": {"cpu": cpu}}}]
        spec = {"containers": containers, "schedulerName": "default-scheduler", "priority": importance, **more.pop("spec", {})}
        return {"metadata": {"name": name, "namespace": "default", "uid": name}, "spec": spec, "status": more}

    own = {"preemptionPolicy": policy} if policy else {}
    waiting = pod("p", "3", priority, spec=own, nominatedNodeName=nominated)
    pods = [waiting, pod("low", "1", 1, spec={"nodeName": "b"}), pod("high", "2", 9, spec={"nodeName": "d"}), pod("next", "1", 1, nominatedNodeName="b")]
    nodes = [node("a", "1"), node("b", "3"), node("c", "4", unschedulable=True), node("d", "4")]
    found = {"/api/v1/pods": pods, "/api/v1/nodes": nodes}
    return lambda path: waiting if path.endswith("/pods/p") else {"items": found.get(path, [])}


def test_it_says_what_preemption_would_take_node_by_node() -> None:
    told = explained(crowded(5), "default", "p")
    assert told[told.index("preemption:") + 1:] == [
        "a   Preemption is not helpful for scheduling",
        "b   is possible without default/low (priority 1)",
        "c   Preemption is not helpful for scheduling",
        "d   No preemption victims found for incoming pod",
    ]


def test_the_best_of_several_nodes_is_named() -> None:
    told = explained(crowded(10, nominated="b"), "default", "p")
    assert "b   is possible without default/low (priority 1)" in told
    assert "d   would be possible without default/high (priority 9)" in told
    assert told[-1] == "nominated for b"


def test_who_may_not_preempt_is_told_so() -> None:
    assert explained(crowded(5, "Never"), "default", "p")[-1] == "preemption: not eligible due to preemptionPolicy=Never."


def test_room_that_is_kept_for_another_is_not_free() -> None:
    told = explained(crowded(1), "default", "p")
    assert next(line for line in told if line.startswith("b ")).startswith("b   NodeResourcesFit    Insufficient cpu")


def test_what_no_look_at_the_nodes_shows_is_told_too() -> None:
    wrong = {"conditions": [{
        "type": "PodScheduled", "status": "False", "reason": "SchedulerError", "message": 'running Bind plugin "DefaultBinder": not now',
    }]}
    config = SchedulerConfig(extenders=(
        ExtenderSpec("http://a"), ExtenderSpec("http://b", managed_resources=[ManagedResource("example.com/gpu")]),
    ))
    told = explained(answers({"schedulerName": "default-scheduler"}, wrong, []), "default", "p", config)
    assert told[-2:] == [
        "extender http://a has a word, too, and is not asked here", 'SchedulerError: running Bind plugin "DefaultBinder": not now',
    ]
