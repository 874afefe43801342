"""How fast an autoscaler may go: windows, policies and bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.api.types import autoscaling_v2
from wherry.controller.podautoscaler.behavior import Bounds, longest_period, normalize
from wherry.controller.podautoscaler.model import History, Past

Behavior = autoscaling_v2.HorizontalPodAutoscalerBehavior
NOW = 10_000.0
WIDE = Bounds(1, 100)


def rules(window: int | None = 0, select: str = "Max", *policies: tuple[str, int, int]) -> autoscaling_v2.HPAScalingRules:
    made = [autoscaling_v2.HPAScalingPolicy(type=type_, value=value, period_seconds=period) for type_, value, period in policies]
    return autoscaling_v2.HPAScalingRules(stabilization_window_seconds=window, select_policy=select, policies=made)


def behavior(up: Any = None, down: Any = None) -> Behavior:
    free = ("Percent", 10_000, 15)
    return Behavior(scale_up=up or rules(0, "Max", free), scale_down=down or rules(0, "Max", ("Percent", 100, 15)))


def past(*entries: tuple[int, float]) -> tuple[Past, ...]:
    return tuple(Past(replicas, NOW - ago) for replicas, ago in entries)


@pytest.mark.parametrize(
    ("bounds", "current", "wanted", "recommended", "expected"),
    [
        pytest.param(WIDE, 5, 5, (), (5, "ReadyForNewScale", False, "DesiredWithinRange"), id="as it is"),
        pytest.param(WIDE, 5, 9, (), (9, "ReadyForNewScale", False, "DesiredWithinRange"), id="up"),
        pytest.param(WIDE, 5, 30, (), (10, "ReadyForNewScale", True, "ScaleUpLimit"), id="at most twofold"),
        pytest.param(WIDE, 1, 30, (), (4, "ReadyForNewScale", True, "ScaleUpLimit"), id="or to four"),
        pytest.param(Bounds(1, 7), 5, 30, (), (7, "ReadyForNewScale", True, "TooManyReplicas"), id="not above the maximum"),
        pytest.param(Bounds(3, 7), 5, 1, (), (3, "ReadyForNewScale", True, "TooFewReplicas"), id="not below the minimum"),
        pytest.param(Bounds(1, 9), 5, 9, (), (9, "ReadyForNewScale", False, "DesiredWithinRange"), id="just the maximum"),
        pytest.param(WIDE, 5, 10, (), (10, "ReadyForNewScale", False, "DesiredWithinRange"), id="just twofold"),
        pytest.param(Bounds(1, 10), 5, 11, (), (10, "ReadyForNewScale", True, "TooManyReplicas"), id="the maximum is twofold"),
        pytest.param(Bounds(2, 7), 5, 2, (), (2, "ReadyForNewScale", False, "DesiredWithinRange"), id="just the minimum"),
        pytest.param(WIDE, 5, 2, [(4, 300)], (4, "ScaleDownStabilized", False, "DesiredWithinRange"), id="five minutes are within"),
        pytest.param(WIDE, 5, 2, [(4, 100)], (4, "ScaleDownStabilized", False, "DesiredWithinRange"), id="down to the highest of five minutes"),
        pytest.param(WIDE, 5, 2, [(4, 301)], (2, "ReadyForNewScale", False, "DesiredWithinRange"), id="older ones are forgotten"),
    ],
)
def test_without_behavior(
    bounds: Bounds, current: int, wanted: int, recommended: list[tuple[int, float]], expected: tuple[int, str, bool, str],
) -> None:
    done = normalize(None, bounds, current, wanted, History(past(*recommended)), NOW)
    assert (done.replicas, done.able[0], done.limited, done.limit[0]) == expected


@pytest.mark.parametrize(
    ("how", "current", "wanted", "history", "expected"),
    [
        pytest.param(behavior(up=rules(60, "Max", ("Pods", 50, 15))), 5, 9, History(past((7, 30), (6, 70))), (7, "ScaleUpStabilized"),
                     id="up to the lowest of the window"),
        pytest.param(behavior(down=rules(60, "Max", ("Pods", 50, 15))), 9, 2, History(past((6, 30), (8, 70))), (6, "ScaleDownStabilized"),
                     id="down to the highest of the window"),
        pytest.param(behavior(down=rules(None, "Max", ("Pods", 50, 15))), 9, 2, History(past((6, 299))), (6, "ScaleDownStabilized"),
                     id="five minutes by default"),
        pytest.param(behavior(), 9, 2, History(past((6, 1))), (2, "ReadyForNewScale"), id="at once without a window"),
        pytest.param(behavior(), 5, 9, History(past((7, 0.5))), (9, "ReadyForNewScale"), id="up at once without a window"),
        pytest.param(behavior(up=rules(None, "Max", ("Pods", 50, 15))), 5, 9, History(past((7, 0.5))), (9, "ReadyForNewScale"),
                     id="up without a window by default"),
        pytest.param(behavior(up=rules(60, "Max", ("Pods", 50, 15))), 5, 9, History(past((7, 60))), (9, "ReadyForNewScale"),
                     id="a window's end is outside of it"),
        pytest.param(behavior(down=rules(60, "Max", ("Pods", 50, 15))), 9, 2, History(past((6, 60))), (2, "ReadyForNewScale"),
                     id="downwards too"),
    ],
)
def test_windows(how: Behavior, current: int, wanted: int, history: History, expected: tuple[int, str]) -> None:
    done = normalize(how, WIDE, current, wanted, history, NOW)
    assert (done.replicas, done.able[0]) == expected
    assert done.history.recommendations[-1] == Past(wanted, NOW)


def test_the_longer_window_says_what_is_remembered() -> None:
    how = behavior(up=rules(10, "Max", ("Pods", 50, 15)), down=rules(200, "Max", ("Pods", 50, 15)))
    kept = normalize(how, WIDE, 9, 9, History(past((8, 201), (7, 200), (6, 1))), NOW).history.recommendations
    assert [each.replicas for each in kept] == [7, 6, 9]
    how = behavior(up=rules(200, "Max", ("Pods", 50, 15)), down=rules(10, "Max", ("Pods", 50, 15)))
    assert normalize(how, WIDE, 9, 9, History(past((8, 201), (7, 200), (6, 1))), NOW).history.recommendations == kept
    kept = normalize(None, WIDE, 9, 9, History(past((8, 301), (7, 300), (6, 1))), NOW).history.recommendations
    assert [each.replicas for each in kept] == [7, 6, 9]


@pytest.mark.parametrize(
    ("bounds", "current", "wanted", "expected"),
    [
        pytest.param(Bounds(1, 3), 5, 5, (5, False, "DesiredWithinRange"), id="no change is not limited from above"),
        pytest.param(Bounds(7, 9), 5, 5, (5, False, "DesiredWithinRange"), id="nor from below"),
        pytest.param(WIDE, 5, 9, (9, False, "DesiredWithinRange"), id="just the rate upwards"),
        pytest.param(Bounds(1, 9), 5, 10, (9, True, "TooManyReplicas"), id="the maximum is the rate"),
        pytest.param(Bounds(1, 8), 5, 8, (8, False, "DesiredWithinRange"), id="just the maximum"),
        pytest.param(WIDE, 9, 5, (5, False, "DesiredWithinRange"), id="just the rate downwards"),
        pytest.param(Bounds(5, 100), 9, 1, (5, True, "TooFewReplicas"), id="the minimum is the rate"),
        pytest.param(Bounds(6, 100), 9, 6, (6, False, "DesiredWithinRange"), id="just the minimum"),
    ],
)
def test_where_limits_meet(bounds: Bounds, current: int, wanted: int, expected: tuple[int, bool, str]) -> None:
    four = rules(0, "Max", ("Pods", 4, 15))
    done = normalize(behavior(up=four, down=four), bounds, current, wanted, History(), NOW)
    assert (done.replicas, done.limited, done.limit[0]) == expected


def test_a_percentage_is_of_a_hundred() -> None:
    half, twice = rules(0, "Max", ("Percent", 50, 15)), rules(0, "Max", ("Percent", 100, 15))
    assert normalize(behavior(up=twice), Bounds(1, 9999), 1000, 9999, History(), NOW).replicas == 2000
    assert normalize(behavior(down=half), Bounds(1, 9999), 1000, 1, History(), NOW).replicas == 500


def test_the_longest_period() -> None:
    assert longest_period(rules(0, "Max", ("Pods", 1, 15), ("Pods", 1, 60), ("Percent", 1, 30))) == 60
    assert longest_period(rules(0)) == 0


def test_what_a_behavior_does_not_tell_is_not_done() -> None:
    """Defaults fill in both directions; one that is missing all the same changes nothing."""
    assert normalize(Behavior(), WIDE, 5, 9, History(), NOW).replicas == 5
    assert normalize(Behavior(), WIDE, 5, 2, History(), NOW).replicas == 5


@pytest.mark.parametrize(
    ("up", "history", "expected", "reason"),
    [
        pytest.param(rules(0, "Max", ("Pods", 4, 15)), History(), 14, "ScaleUpLimit", id="so many Pods"),
        pytest.param(rules(0, "Max", ("Percent", 15, 15)), History(), 12, "ScaleUpLimit", id="a percentage, rounded up"),
        pytest.param(rules(0, "Max", ("Pods", 4, 15), ("Percent", 100, 15)), History(), 20, "ScaleUpLimit", id="the most of two"),
        pytest.param(rules(0, "Min", ("Pods", 4, 15), ("Percent", 100, 15)), History(), 14, "ScaleUpLimit", id="the least of two"),
        pytest.param(rules(0, "Disabled", ("Pods", 4, 15)), History(), 10, "ScaleUpLimit", id="never"),
        pytest.param(rules(0, "Max", ("Pods", 4, 60)), History(ups=past((3, 30))), 11, "ScaleUpLimit", id="what was added in the period counts"),
        pytest.param(rules(0, "Max", ("Pods", 4, 60)), History(ups=past((3, 61))), 14, "ScaleUpLimit", id="what was added before does not"),
        pytest.param(rules(0, "Max", ("Pods", 4, 60)), History(ups=past((3, 60))), 14, "ScaleUpLimit", id="a period's end is outside of it"),
        pytest.param(rules(0, "Max", ("Pods", 4, 60)), History(downs=past((2, 30))), 16, "ScaleUpLimit", id="what was removed may come again"),
        pytest.param(rules(0, "Max", ("Pods", 4, 60)), History(ups=past((9, 30))), 10, "ScaleUpLimit", id="never down by the way"),
        pytest.param(rules(0, "Max", ("Pods", 400, 60)), History(), 100, "TooManyReplicas", id="not above the maximum"),
    ],
)
def test_policies_up(up: autoscaling_v2.HPAScalingRules, history: History, expected: int, reason: str) -> None:
    done = normalize(behavior(up=up), WIDE, 10, 1000, history, NOW)
    assert (done.replicas, done.limited, done.limit[0]) == (expected, True, reason)


@pytest.mark.parametrize(
    ("down", "history", "expected", "reason"),
    [
        pytest.param(rules(0, "Max", ("Pods", 4, 15)), History(), 6, "ScaleDownLimit", id="so many Pods"),
        pytest.param(rules(0, "Max", ("Percent", 15, 15)), History(), 8, "ScaleDownLimit", id="a percentage"),
        pytest.param(rules(0, "Max", ("Pods", 4, 15), ("Percent", 10, 15)), History(), 6, "ScaleDownLimit", id="the most of two"),
        pytest.param(rules(0, "Min", ("Pods", 4, 15), ("Percent", 10, 15)), History(), 9, "ScaleDownLimit", id="the least of two"),
        pytest.param(rules(0, "Disabled", ("Pods", 4, 15)), History(), 10, "ScaleDownLimit", id="never"),
        pytest.param(rules(0, "Max", ("Pods", 4, 60)), History(downs=past((3, 30))), 9, "ScaleDownLimit", id="what went in the period counts"),
        pytest.param(rules(0, "Max", ("Percent", 100, 15)), History(), 2, "TooFewReplicas", id="not below the minimum"),
    ],
)
def test_policies_down(down: autoscaling_v2.HPAScalingRules, history: History, expected: int, reason: str) -> None:
    done = normalize(behavior(down=down), Bounds(2, 100), 10, 1, history, NOW)
    assert (done.replicas, done.limited, done.limit[0]) == (expected, True, reason)


entries = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 700)), max_size=5)
policies = st.lists(st.tuples(st.sampled_from(["Pods", "Percent"]), st.integers(1, 300), st.integers(1, 600)), min_size=1, max_size=3)
some_rules = st.builds(
    lambda window, select, given: rules(window, select, *given),
    st.one_of(st.none(), st.integers(0, 600)), st.sampled_from(["Max", "Min", "Disabled"]), policies,
)


@given(
    st.one_of(st.none(), st.builds(lambda up, down: Behavior(scale_up=up, scale_down=down), some_rules, some_rules)),
    st.integers(0, 20), st.integers(0, 40), st.data(), st.integers(0, 200), entries, entries, entries,
)
def test_never_out_of_bounds_and_never_the_wrong_way(
    how: Behavior | None, least: int, more: int, data: st.DataObject, wanted: int, recommended: Any, ups: Any, downs: Any,
) -> None:
    bounds = Bounds(least, max(1, least + more))
    current = data.draw(st.integers(bounds.least, bounds.most))  # other counts are put right before metrics are asked
    history = History(past(*recommended), past(*ups), past(*downs))
    done = normalize(how, bounds, current, wanted, history, NOW)
    assert bounds.least <= done.replicas <= bounds.most
    if how is not None:
        assert done.replicas >= current if wanted >= current else done.replicas <= current
        if how.scale_up is not None and how.scale_up.select_policy == "Disabled":
            assert done.replicas <= current
        if how.scale_down is not None and how.scale_down.select_policy == "Disabled":
            assert done.replicas >= current
