"""The helpers that scheduler, kubelet and controllers share, on typed Pods."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wherry.api import pod as pods
from wherry.api.types.core_v1 import Pod


def pod(spec: dict[str, Any] | None = None, **status: Any) -> Pod:
    return msgspec.convert({"metadata": {"name": "p"}, "spec": spec or {}, "status": status}, Pod)


def container(requests: dict[str, str] | None = None, limits: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": requests or {}, "limits": limits or {}}, **more}


BOTH = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"containers": [container()]}, "BestEffort"),
        ({"containers": [container(BOTH, BOTH)]}, "Guaranteed"),
        ({"containers": [container({"cpu": "1"}, {"cpu": "1"})]}, "Burstable"),
        ({"containers": [container(BOTH, BOTH), container()]}, "Burstable"),
        ({"containers": [container({"cpu": "1000m", "memory": "1024Mi"}, BOTH)]}, "Guaranteed"),
        ({"containers": [container(limits={"a.b/c": "1"})]}, "BestEffort"),
        ({"containers": [container()], "resources": {"requests": BOTH, "limits": BOTH}}, "Guaranteed"),
    ],
    ids=["none", "both", "cpu-alone", "one-of-two", "other-notation", "device", "pod-level"],
)
def test_quality_of_service(spec: dict[str, Any], expected: str) -> None:
    assert pods.qos_class(pod(spec)) == expected


def test_the_status_tells_the_class_when_it_has_one() -> None:
    assert pods.qos_class(pod({"containers": [container()]}, qosClass="Guaranteed")) == "Guaranteed"


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        ({"containers": [container({"cpu": "1"}), container({"cpu": "500m"})]}, "1500m"),
        ({"containers": [container({"cpu": "1"})], "initContainers": [container({"cpu": "3"})]}, "3"),
        ({"containers": [container({"cpu": "1"})], "initContainers": [container({"cpu": "2"}, restartPolicy="Always")]}, "3"),
        ({"containers": [container({"cpu": "1"})],
          "initContainers": [container({"cpu": "2"}, restartPolicy="Always"), container({"cpu": "4"})]}, "6"),
        ({"containers": [container({"cpu": "1"})],
          "initContainers": [container({"cpu": "4"}), container({"cpu": "2"}, restartPolicy="Always")]},
         "4"),
        ({"containers": [container({"cpu": "1"})], "overhead": {"cpu": "250m"}}, "1250m"),
        ({"containers": [container({"cpu": "1"})], "resources": {"requests": {"cpu": "2"}}}, "2"),
    ],
    ids=["sum", "init-peak", "sidecar", "init-beside-sidecar", "init-before-sidecar", "overhead", "pod-level"],
)
def test_effective_requests(spec: dict[str, Any], cpu: str) -> None:
    assert str(pods.effective_requests(pod(spec))["cpu"]) == cpu


def running(asks: str, has: str | None = None, promised: str = "", **status: Any) -> Pod:
    told = [] if has is None else [{"name": "c", "resources": {"requests": {"cpu": has}}, "allocatedResources": {"cpu": promised or has}}]
    return pod({"containers": [container({"cpu": asks})]}, containerStatuses=told, **status)


INFEASIBLE = [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]
DEFERRED = [{"type": "PodResizePending", "status": "True", "reason": "Deferred"}]


@pytest.mark.parametrize(
    ("made", "cpu"),
    [
        (running("1"), "1"),
        (running("1", has="2"), "2"),
        (running("3", has="2"), "3"),
        (running("1", has="1", promised="4"), "4"),
        (running("3", has="2", conditions=DEFERRED), "3"),
        (running("3", has="2", conditions=INFEASIBLE), "2"),
        (pod({"containers": [container({"cpu": "1"})], "resources": {"requests": {"cpu": "1"}}}, resources={"requests": {"cpu": "2"}}), "2"),
        (pod({"containers": [container({"cpu": "1"})], "initContainers": [container({"cpu": "1"}, restartPolicy="Always") | {"name": "s"}]},
             initContainerStatuses=[{"name": "s", "resources": {"requests": {"cpu": "2"}}}]), "3"),
    ],
    ids=["nothing-told", "shrinks", "grows", "promised", "deferred", "infeasible", "pod-level", "sidecar"],
)
def test_what_a_pod_holds_in_the_midst_of_a_resize(made: Pod, cpu: str) -> None:
    assert str(pods.effective_requests(made, held=True)["cpu"]) == cpu


def limited(asks: str, has: str | None, **status: Any) -> Pod:
    told = [] if has is None else [{"name": "c", "resources": {"limits": {"cpu": has}}}]
    return pod({"containers": [container(limits={"cpu": asks})]}, containerStatuses=told, **status)


@pytest.mark.parametrize(
    ("made", "cpu"),
    [
        (limited("1", None), "1"), (limited("1", "2"), "2"), (limited("3", "2"), "3"),
        (limited("3", "2", conditions=DEFERRED), "3"), (limited("3", "2", conditions=INFEASIBLE), "2"),
        (pod({"containers": [container(limits={"cpu": "1"})], "resources": {"limits": {"cpu": "1"}}}, resources={"limits": {"cpu": "2"}}), "2"),
    ],
    ids=["nothing-told", "shrinks", "grows", "deferred", "infeasible", "pod-level"],
)
def test_what_a_pod_may_use_in_the_midst_of_a_resize(made: Pod, cpu: str) -> None:
    assert str(pods.effective_limits(made, held=True)["cpu"]) == cpu


def test_overhead_limits_only_what_is_limited() -> None:
    made = pod({"containers": [container(limits={"cpu": "1"})], "overhead": {"cpu": "1", "memory": "1Gi"}})
    assert {name: str(amount) for name, amount in pods.effective_limits(made).items()} == {"cpu": "2"}


@pytest.mark.parametrize(
    ("conditions", "ready"),
    [([], False), ([{"type": "Ready", "status": "True"}], True), ([{"type": "Ready", "status": "False"}], False),
     ([{"type": "Initialized", "status": "True"}], False)],
    ids=["none", "ready", "not-ready", "another"],
)
def test_readiness(conditions: list[dict[str, str]], ready: bool) -> None:
    assert pods.is_ready(pod(conditions=conditions)) is ready


@pytest.mark.parametrize(("phase", "ended"), [("Pending", False), ("Running", False), ("Succeeded", True), ("Failed", True)])
def test_an_ended_pod_is_terminal_and_not_active(phase: str, ended: bool) -> None:
    made = pod(phase=phase)
    assert (pods.is_terminal(made), pods.is_active(made)) == (ended, not ended)


def test_restarts_count_sidecars_but_not_init_containers() -> None:
    made = pod(
        {"initContainers": [{"name": "s", "restartPolicy": "Always"}, {"name": "i"}], "containers": [{"name": "c"}]},
        containerStatuses=[{"name": "c", "restartCount": 1}],
        initContainerStatuses=[{"name": "s", "restartCount": 2}, {"name": "i", "restartCount": 4}],
    )
    assert pods.restarts(made) == 3


def test_host_ports_of_regular_containers_and_sidecars() -> None:
    port = {"containerPort": 80, "hostPort": 8080}
    made = pod({"containers": [{"name": "c", "ports": [port]}], "initContainers": [{"name": "i", "ports": [port]}]})
    assert pods.host_ports(made) == [("0.0.0.0", "TCP", 8080)]
