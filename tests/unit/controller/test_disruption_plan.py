"""PodDisruptionBudgets: what may be evicted, by tables and by a promise that holds in every state."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.types import core_v1, meta_v1, policy_v1
from wherry.controller.disruption.plan import expectation, failed, healthy, needs_scale, plan, stale_in
from wherry.controller.podcontrol import with_status
from wherry.util.clock import rfc3339

NOW = 1_700_000_000.0
Budget = policy_v1.PodDisruptionBudget


def budget(status: dict[str, Any] | None = None, **spec: Any) -> Budget:
    selector = meta_v1.LabelSelector(match_labels={"a": "web"})
    return Budget(
        metadata=meta_v1.ObjectMeta(name="pdb", namespace="default", generation=2),
        spec=policy_v1.PodDisruptionBudgetSpec(selector=selector, **spec), status=policy_v1.PodDisruptionBudgetStatus(**(status or {})),
    )


def pod(name: str, ready: bool = True, going: bool = False, phase: str = "Running", **target: Any) -> core_v1.Pod:
    conditions = [core_v1.PodCondition(type="Ready", status="True" if ready else "False")]
    if target:
        conditions.append(core_v1.PodCondition(type="DisruptionTarget", **target))
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", deletion_timestamp=rfc3339(NOW) if going else None),
        status=core_v1.PodStatus(phase=phase, conditions=conditions),
    )


@pytest.mark.parametrize(
    ("spec", "pods", "scale", "expected"),
    [
        pytest.param({"min_available": 2}, 5, 0, (5, 2), id="a number counts the Pods"),
        pytest.param({"min_available": "50%"}, 3, 5, (5, 3), id="a percentage is of the scale, rounded up"),
        pytest.param({"min_available": "100%"}, 3, 3, (3, 3), id="all"),
        pytest.param({"max_unavailable": 1}, 2, 3, (3, 2), id="one may be gone of what is wanted"),
        pytest.param({"max_unavailable": "30%"}, 5, 5, (5, 3), id="a percentage that may be gone is rounded up too"),
        pytest.param({"max_unavailable": 9}, 5, 5, (5, 0), id="never less than none"),
        pytest.param({"max_unavailable": 0}, 5, 5, (5, 5), id="none may be gone"),
        pytest.param({}, 5, 5, (0, 0), id="neither"),
    ],
)
def test_expectation(spec: dict[str, Any], pods: int, scale: int, expected: tuple[int, int]) -> None:
    assert expectation(budget(**spec), pods, scale) == expected


def test_a_percentage_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a percentage"):
        expectation(budget(min_available="many"), 1, 1)


@pytest.mark.parametrize(
    ("spec", "needed"),
    [({"min_available": 1}, False), ({"min_available": "1%"}, True), ({"max_unavailable": 0}, True), ({"max_unavailable": "1%"}, True)],
    ids=["a number of Pods", "a part of the Pods", "a number that may be gone", "a part that may be gone"],
)
def test_when_the_scale_is_needed(spec: dict[str, Any], needed: bool) -> None:
    assert needs_scale(budget(**spec)) is needed


@pytest.mark.parametrize(
    ("pods", "status", "allowed", "current", "reason"),
    [
        pytest.param([pod("a"), pod("b"), pod("c")], {}, 1, 3, "SufficientPods", id="one to spare"),
        pytest.param([pod("a"), pod("b")], {}, 0, 2, "InsufficientPods", id="just enough"),
        pytest.param([pod("a"), pod("b"), pod("c", ready=False)], {}, 0, 2, "InsufficientPods", id="an unready Pod does not count"),
        pytest.param([pod("a"), pod("b"), pod("c", going=True)], {}, 0, 2, "InsufficientPods", id="nor one that goes"),
        pytest.param([], {}, 0, 0, "InsufficientPods", id="no Pods allow nothing"),
        pytest.param(
            [pod("a"), pod("b"), pod("c")], {"disrupted_pods": {"c": rfc3339(NOW - 10)}}, 0, 2, "InsufficientPods",
            id="nor one that is being evicted",
        ),
        pytest.param(
            [pod("a"), pod("b"), pod("c")], {"disrupted_pods": {"c": rfc3339(NOW - 121)}}, 1, 3, "SufficientPods",
            id="an eviction that came to nothing is forgotten",
        ),
    ],
)
def test_status(pods: list[core_v1.Pod], status: dict[str, Any], allowed: int, current: int, reason: str) -> None:
    told = plan(budget(status, min_available=2), pods, 0, False, NOW).status
    assert (told["disruptionsAllowed"], told["currentHealthy"], told["observedGeneration"]) == (allowed, current, 2)
    [condition] = told["conditions"]
    assert (condition["type"], condition["reason"], condition["status"]) == ("DisruptionAllowed", reason, "True" if allowed else "False")


def test_evictions_under_way_are_kept_until_their_time_is_over() -> None:
    noted = {"here": rfc3339(NOW - 20), "late": rfc3339(NOW - 130), "gone": rfc3339(NOW - 1), "going": rfc3339(NOW - 1)}
    steps = plan(budget({"disrupted_pods": noted}, min_available=1), [pod("here"), pod("late"), pod("going", going=True)], 0, False, NOW)
    assert steps.status["disruptedPods"] == {"here": noted["here"]}
    assert steps.recheck == 100
    [event] = steps.events
    assert (event.reason, event.about.metadata.name) == ("NotDeleted", "late")
    assert event.message == "Pod was expected by PDB default/pdb to be deleted but it wasn't"


@pytest.mark.parametrize(
    ("pods", "unmanaged", "reasons"),
    [([], False, ["NoPods"]), ([pod("a")], True, ["UnmanagedPods"]), ([pod("a")], False, [])],
    ids=["no Pods", "Pods of nobody", "nothing to say"],
)
def test_events(pods: list[core_v1.Pod], unmanaged: bool, reasons: list[str]) -> None:
    events = plan(budget(max_unavailable=1), pods, 1, unmanaged, NOW).events
    assert [event.reason for event in events] == reasons
    if unmanaged:
        assert "(selector: &LabelSelector{MatchLabels:map[string]string{a: web,},MatchExpressions:[]LabelSelectorRequirement{},})" in events[0].message


def test_a_failure_allows_nothing_and_keeps_the_counts() -> None:
    pdb = budget({"current_healthy": 3, "disruptions_allowed": 2, "observed_generation": 1})
    told = with_status(pdb.status, failed(pdb, 'found no controllers for pod "x"', NOW))
    assert (told.disruptions_allowed, told.current_healthy, told.observed_generation) == (0, 3, 1)
    [condition] = told.conditions
    assert (condition.status, condition.reason, condition.message) == ("False", "SyncFailed", 'found no controllers for pod "x"')


def test_the_condition_keeps_its_time_while_its_status_stays() -> None:
    pods = [pod("a"), pod("b"), pod("c")]
    pdb = budget(min_available=2)
    first = with_status(pdb.status, plan(pdb, pods, 0, False, NOW).status)
    seen = Budget(metadata=pdb.metadata, spec=pdb.spec, status=first)
    assert with_status(first, plan(seen, pods, 0, False, NOW + 60).status) == first, "nothing has changed: nothing to write"
    later = with_status(first, plan(seen, pods[:2], 0, False, NOW + 60).status)
    assert later.conditions[0].last_transition_time == rfc3339(NOW + 60)


@pytest.mark.parametrize(
    ("of", "wait"),
    [
        pytest.param(pod("a"), None, id="no condition"),
        pytest.param(pod("a", status="False", last_transition_time=rfc3339(NOW)), None, id="taken back already"),
        pytest.param(pod("a", status="True", last_transition_time=rfc3339(NOW - 20)), 100, id="young"),
        pytest.param(pod("a", status="True", last_transition_time=rfc3339(NOW - 500)), 0, id="stale"),
        pytest.param(pod("a", going=True, status="True", last_transition_time=rfc3339(NOW)), None, id="it goes"),
        pytest.param(pod("a", phase="Failed", status="True", last_transition_time=rfc3339(NOW)), None, id="ended"),
        pytest.param(
            pod("a", status="True", reason="TerminationByKubelet", last_transition_time=rfc3339(NOW - 500)), None, id="the kubelet's",
        ),
    ],
)
def test_stale_conditions(of: core_v1.Pod, wait: float | None) -> None:
    assert stale_in(of, NOW) == wait


states = st.lists(st.tuples(st.booleans(), st.booleans(), st.one_of(st.none(), st.integers(0, 240))), max_size=12)
bounds = st.one_of(
    st.fixed_dictionaries({"min_available": st.one_of(st.integers(0, 12), st.integers(0, 100).map("{}%".format))}),
    st.fixed_dictionaries({"max_unavailable": st.one_of(st.integers(0, 12), st.integers(0, 100).map("{}%".format))}),
)


@given(states, bounds, st.integers(0, 12))
def test_evicting_all_that_is_allowed_never_leaves_fewer_healthy_than_desired(
    state: list[tuple[bool, bool, int | None]], spec: dict[str, Any], scale: int,
) -> None:
    pods = [pod(str(i), ready, going) for i, (ready, going, _) in enumerate(state)]
    noted = {str(i): rfc3339(NOW - age) for i, (_, _, age) in enumerate(state) if age is not None}
    told = plan(budget({"disrupted_pods": noted}, **spec), pods, scale, False, NOW).status
    allowed, desired = told["disruptionsAllowed"], told["desiredHealthy"]
    assert allowed >= 0
    free = [each for each in pods if healthy([each], told["disruptedPods"], NOW)]
    assert allowed <= len(free)
    if allowed:
        evicted = {each.metadata.name for each in free[:allowed]}
        left = [each for each in pods if each.metadata.name not in evicted]
        assert healthy(left, told["disruptedPods"], NOW) >= desired
