"""From metrics to replica counts: tables after upstream's documentation, and what must never happen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.types import core_v1, meta_v1
from wherry.controller.podautoscaler.calculator import by_average, by_share, by_utilization, by_value, group_pods, requests_of
from wherry.controller.podautoscaler.model import CannotCompute, PodMetric, PodMetrics, Tolerances
from wherry.util.clock import rfc3339

NOW = 1_700_000_000.0
OLD = NOW - 3600


def pod(name: str, cpu: str = "100m", state: str = "ready", started: float = OLD, changed: float = OLD, **resources: Any) -> core_v1.Pod:
    """`state`: ready, unready, pending, failed or going."""
    status = core_v1.PodStatus(
        phase={"pending": "Pending", "failed": "Failed"}.get(state, "Running"), start_time=rfc3339(started),
        conditions=[core_v1.PodCondition(
            type="Ready", status="False" if state in ("unready", "pending") else "True", last_transition_time=rfc3339(changed),
        )],
    )
    requirements = core_v1.ResourceRequirements(requests={"cpu": cpu} if cpu else {})
    whole = core_v1.ResourceRequirements(**resources) if resources else None
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", deletion_timestamp=rfc3339(NOW) if state == "going" else None),
        spec=core_v1.PodSpec(containers=[core_v1.Container(name="c", resources=requirements)], resources=whole), status=status,
    )


def metrics(timestamp: float = NOW - 5, window: float = 10, **values: int) -> PodMetrics:
    return {name: PodMetric(value, timestamp, window) for name, value in values.items()}


TWO = [pod("a"), pod("b")]
FOUR = [pod(name) for name in "abcd"]


@pytest.mark.parametrize(
    ("pods", "measured", "target", "expected"),
    [
        pytest.param(TWO, metrics(a=100, b=100), 50, (4, 100, 100), id="twice what is wanted"),
        pytest.param(FOUR, metrics(a=10, b=10, c=10, d=10), 50, (1, 10, 10), id="a fifth"),
        pytest.param(TWO, metrics(a=54, b=54), 50, (2, 54, 54), id="within the tolerance above"),
        pytest.param(TWO, metrics(a=46, b=46), 50, (2, 46, 46), id="within the tolerance below"),
        pytest.param(TWO, metrics(a=56, b=56), 50, (3, 56, 56), id="just over"),
        pytest.param([*TWO, pod("c")], metrics(a=20, b=20), 50, (3, 20, 20), id="a missing Pod counts in full when others ask for fewer"),
        pytest.param([*TWO, pod("c")], metrics(a=100, b=100), 50, (4, 100, 100), id="and for nothing when others ask for more"),
        pytest.param([*TWO, pod("c")], metrics(a=60, b=60), 50, (3, 60, 60), id="which may mean that nothing is done"),
        pytest.param([*TWO, pod("c", state="pending")], metrics(a=100, b=100), 50, (4, 100, 100), id="a pending Pod counts for nothing"),
        pytest.param([*TWO, pod("c", state="pending")], metrics(a=10, b=10), 50, (1, 10, 10), id="and not at all on the way down"),
        pytest.param([*TWO, pod("c", state="failed")], metrics(a=100, b=100), 50, (4, 100, 100), id="a failed Pod is left out"),
        pytest.param([*TWO, pod("c", state="going")], metrics(a=100, b=100, c=100), 50, (4, 100, 100), id="so is one that goes"),
        pytest.param([*TWO, pod("c")], metrics(a=50, b=50), 50, (3, 50, 50), id="a missing Pod at the target changes nothing"),
        pytest.param([pod("a", "200m"), pod("b", "100m")], metrics(a=100, b=50), 50, (2, 50, 75), id="of different requests"),
    ],
)
def test_by_utilization(pods: list[core_v1.Pod], measured: PodMetrics, target: int, expected: tuple[int, int, int]) -> None:
    current = sum(1 for each in pods if each.status.phase != "Failed" and each.metadata.deletion_timestamp is None)
    assert by_utilization(current, target, pods, measured, "cpu", "", Tolerances(), NOW) == expected


@pytest.mark.parametrize(
    ("of", "at", "counts"),
    [
        pytest.param(pod("a"), NOW - 5, True, id="old and ready"),
        pytest.param(pod("a", started=NOW - 60, changed=NOW - 60), NOW - 5, True, id="young and ready for a window"),
        pytest.param(pod("a", started=NOW - 60, changed=NOW - 8), NOW - 5, False, id="young and ready for less than a window"),
        pytest.param(pod("a", state="unready", started=NOW - 60), NOW - 5, False, id="young and not ready"),
        pytest.param(pod("a", state="unready", started=NOW - 600, changed=NOW - 590), NOW - 5, False, id="never ready"),
        pytest.param(pod("a", state="unready", started=NOW - 600, changed=NOW - 100), NOW - 5, True, id="not ready any more"),
        pytest.param(pod("a", started=NOW - 300, changed=NOW - 8), NOW - 5, True, id="just past its start"),
        pytest.param(pod("a", started=NOW - 299, changed=NOW - 8), NOW - 5, False, id="just before"),
        pytest.param(pod("a", started=NOW - 60, changed=NOW - 15), NOW - 5, True, id="ready for just a window"),
        pytest.param(pod("a", state="unready", started=NOW - 600, changed=NOW - 570), NOW - 5, True, id="was ready within its first half minute"),
    ],
)
def test_cpu_of_a_starting_pod(of: core_v1.Pod, at: float, counts: bool) -> None:
    groups = group_pods([of], metrics(at, a=50), "cpu", NOW)
    assert (list(groups.values), groups.unready) == ((["a"], []) if counts else ([], ["a"]))
    assert list(group_pods([of], metrics(at, a=50), "memory", NOW).values) == ["a"], "memory counts at once"


@pytest.mark.parametrize(
    ("pods", "container", "why"),
    [
        pytest.param([pod("a", "")], "", "missing request for cpu in container c of Pod a", id="no request"),
        pytest.param([pod("a")], "d", "container d not found in Pod a", id="no such container"),
        pytest.param([pod("a", requests={"memory": "1Mi"})], "d", "container d not found in Pod a", id="a container before the whole Pod"),
        pytest.param([pod("a", "", requests={"memory": "1Mi"})], "", "missing pod-level request for cpu in Pod a", id="none of the Pod"),
    ],
)
def test_requests_that_are_missing(pods: list[core_v1.Pod], container: str, why: str) -> None:
    with pytest.raises(CannotCompute, match=f"^{why}$"):
        requests_of(pods, "cpu", container)


def test_cpu_of_a_pod_that_does_not_tell_since_when() -> None:
    bare = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="a"), status=core_v1.PodStatus(phase="Running", start_time=rfc3339(OLD)))
    ready = core_v1.PodCondition(type="Ready", status="True", last_transition_time=rfc3339(OLD))
    unstarted = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="a"), status=core_v1.PodStatus(phase="Running", conditions=[ready]))
    timeless = core_v1.PodCondition(type="Ready", status="True")
    since_ever = core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name="a"), status=core_v1.PodStatus(phase="Running", start_time=rfc3339(OLD), conditions=[timeless]),
    )
    for each in (bare, unstarted, since_ever):
        assert group_pods([each], metrics(a=50), "cpu", NOW).unready == ["a"]
        assert group_pods([each], metrics(a=50), "memory", NOW).values == {"a": 50}


def test_requests() -> None:
    assert requests_of([pod("a", "250m"), pod("b", requests={"cpu": "1"})], "cpu", "") == {"a": 250, "b": 1000}
    sidecar = core_v1.Container(name="s", restart_policy="Always", resources=core_v1.ResourceRequirements(requests={"cpu": "5m"}))
    main = core_v1.Container(name="c", resources=core_v1.ResourceRequirements(requests={"cpu": "10m"}))
    both = core_v1.Pod(metadata=meta_v1.ObjectMeta(name="p"), spec=core_v1.PodSpec(containers=[main], init_containers=[sidecar]))
    assert requests_of([both], "cpu", "") == {"p": 15}
    assert requests_of([both], "cpu", "s") == {"p": 5}


@pytest.mark.parametrize(
    ("pods", "measured", "why"),
    [
        pytest.param([], metrics(a=1), "no pods returned by selector while calculating replica count", id="no Pods"),
        pytest.param([pod("a", state="pending")], metrics(), "did not receive metrics for targeted pods (pods might be unready)", id="all pend"),
        pytest.param([pod("a", "0")], metrics(a=1), "no metrics returned matched known pods", id="requests of nothing"),
    ],
)
def test_what_cannot_be_computed(pods: list[core_v1.Pod], measured: PodMetrics, why: str) -> None:
    with pytest.raises(CannotCompute) as refused:
        by_utilization(1, 50, pods, measured, "cpu", "", Tolerances(), NOW)
    assert str(refused.value) == why


@pytest.mark.parametrize(
    ("pods", "measured", "target", "expected"),
    [
        pytest.param(TWO, metrics(a=2000, b=4000), 1000, (6, 3000), id="up"),
        pytest.param(FOUR, metrics(a=100, b=100, c=100, d=100), 1000, (1, 100), id="down"),
        pytest.param([*TWO, pod("c")], metrics(a=100, b=100), 1000, (2, 100), id="a missing Pod is at the target on the way down"),
        pytest.param([*TWO, pod("c", state="pending")], metrics(a=9000, b=9000), 3000, (6, 9000), id="a pending Pod on the way up"),
        pytest.param([*TWO, pod("c")], metrics(a=1000, b=1000), 1000, (2, 1000), id="a missing Pod counts for nothing at the target"),
        pytest.param([*TWO, pod("c", state="pending")], metrics(a=1000, b=1000), 1000, (3, 1000), id="a pending one does not count"),
    ],
)
def test_by_average(pods: list[core_v1.Pod], measured: PodMetrics, target: int, expected: tuple[int, int]) -> None:
    assert by_average(len(pods), target, pods, measured, "", Tolerances(), NOW) == expected


@pytest.mark.parametrize(
    ("current", "usage", "expected"),
    [(2, 20_000, 4), (2, 10_500, 2), (2, 1, 1), (0, 25_000, 3), (0, 0, 0)],
    ids=["up by ready Pods", "within the tolerance", "down", "from nothing", "nothing to do"],
)
def test_by_value(current: int, usage: int, expected: int) -> None:
    pods = [*TWO, pod("c", state="unready")] if current else []
    assert by_value(current, 10_000, usage, pods, Tolerances()) == expected


@pytest.mark.parametrize(
    ("there", "usage", "expected"),
    [(3, 60_000, (6, 20_000)), (3, 31_000, (3, 10_334)), (0, 25_000, (3, 25_000))],
    ids=["up", "within the tolerance", "no Pods yet"],
)
def test_by_share(there: int, usage: int, expected: tuple[int, int]) -> None:
    assert by_share(there, 10_000, usage, Tolerances()) == expected


def test_tolerances_of_both_ways() -> None:
    narrow = Tolerances(down=0.5, up=0.0)
    assert by_average(2, 100, TWO, metrics(a=60, b=60), "", narrow, NOW) == (2, 60)
    assert by_average(2, 100, TWO, metrics(a=101, b=101), "", narrow, NOW) == (3, 101)


states = st.sampled_from(["ready", "unready", "pending", "failed", "going"])


@given(st.lists(st.tuples(states, st.one_of(st.none(), st.integers(0, 1000))), min_size=1, max_size=10), st.integers(1, 200))
def test_pods_that_tell_nothing_never_turn_the_scale(described: list[tuple[str, int | None]], target: int) -> None:
    """Whatever is missing: the count moves only the way that the measured Pods ask for."""
    pods = [pod(str(i), state=state) for i, (state, _) in enumerate(described)]
    measured = {str(i): PodMetric(value, NOW - 5, 10) for i, (_, value) in enumerate(described) if value is not None}
    current = sum(1 for each in pods if each.status.phase != "Failed" and each.metadata.deletion_timestamp is None)
    try:
        replicas, percent, _ = by_utilization(current, target, pods, measured, "cpu", "", Tolerances(), NOW)
    except CannotCompute:
        return
    if percent > target:
        assert replicas >= min(current, len(group_pods(pods, measured, "cpu", NOW).values))
    elif percent < target:
        assert replicas <= current
