"""What becomes of a kubelet's summary in metrics.k8s.io."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from wherry.apiserver.metrics.measure import Summary, go_duration, node_metrics, pod_metrics

NOW = "2026-11-23T20:00:30Z"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "250ms"), (1, "1s"), (10, "10s"), (10.5, "10.5s"), (15.0164, "15.016s"), (60, "1m0s"), (90.5, "1m30.5s"),
     (3600, "1h0m0s"), (3725.001, "1h2m5.001s")],
)
def test_durations_are_written_as_go_does(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def container(name: str, *, time: str = "2026-11-23T20:00:20Z", start: str = "2026-11-23T19:00:00Z", **cpu: Any) -> dict[str, Any]:
    return {
        "name": name, "startTime": start, "cpu": {"time": time, **cpu}, "memory": {"time": time, "workingSetBytes": 1234 << 10},
        "rootfs": {"time": time, "usedBytes": 1},
    }


def summary(*containers: dict[str, Any], **node: Any) -> Summary:
    reference = {"name": "p", "namespace": "ns", "uid": "1"}
    whole = {"nodeName": "n1", "startTime": "2026-11-23T19:00:00Z", **node}
    return msgspec.convert({"node": whole, "pods": [{"podRef": reference, "containers": list(containers)}]}, Summary)


def test_pod() -> None:
    found = summary(container("a", usageNanoCores=4_256_143), container("b", usageNanoCores=250_000_000))
    assert pod_metrics(found.pods[0], {"app": "x"}, NOW) == {
        "metadata": {"name": "p", "namespace": "ns", "creationTimestamp": NOW, "labels": {"app": "x"}},
        "timestamp": "2026-11-23T20:00:20Z", "window": "10s",
        "containers": [
            {"name": "a", "usage": {"cpu": "4256143n", "memory": "1234Ki"}}, {"name": "b", "usage": {"cpu": "250m", "memory": "1234Ki"}},
        ],
    }


def test_the_oldest_measurement_of_a_pod_is_its_time() -> None:
    found = summary(container("a", usageNanoCores=1), container("b", usageNanoCores=1, time="2026-11-23T20:00:15Z"))
    metrics = pod_metrics(found.pods[0], {}, NOW)
    assert metrics is not None
    assert metrics["timestamp"] == "2026-11-23T20:00:15Z"


def test_a_young_container_was_measured_over_its_life() -> None:
    metrics = pod_metrics(summary(container("a", usageNanoCores=1, start="2026-11-23T20:00:17Z")).pods[0], {}, NOW)
    assert metrics is not None
    assert metrics["window"] == "3s"


@pytest.mark.parametrize("containers", [[], [container("a")], [container("a", usageNanoCores=1), container("b")]],
                         ids=["no container", "not measured", "one not measured"])
def test_a_part_does_not_pass_for_the_whole(containers: list[dict[str, Any]]) -> None:
    assert pod_metrics(summary(*containers).pods[0], {}, NOW) is None


def test_node() -> None:
    time = "2026-11-23T20:00:20Z"
    found = summary(cpu={"time": time, "usageNanoCores": 0}, memory={"time": time, "workingSetBytes": 1 << 30})
    assert node_metrics(found, {"kubernetes.io/os": "linux"}, NOW) == {
        "metadata": {"name": "n1", "creationTimestamp": NOW, "labels": {"kubernetes.io/os": "linux"}},
        "timestamp": time, "window": "10s", "usage": {"cpu": "0", "memory": "1Gi"},
    }


def test_a_node_that_was_not_measured_has_none() -> None:
    assert node_metrics(summary(), {}, NOW) is None
