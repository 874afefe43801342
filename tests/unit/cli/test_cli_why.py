"""`wherry why` over an API of plain lists."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.cli.why import explained
from wherry.scheduler.config import parse


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
