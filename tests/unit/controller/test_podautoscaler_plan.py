"""What a round of an autoscaler says of a target that does not tell which Pods are its own, and of one that does."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.types import autoscaling_v2, meta_v1
from wherry.controller.podautoscaler.model import Failure, History, Past, Reading, Target
from wherry.controller.podautoscaler.plan import (
    Round,
    Unselective,
    ambiguous,
    begin,
    needs_metrics,
    plan,
    selector_of,
    unselective,
    without_scale,
)


def autoscaler(least: int | None = 1, most: int = 5, desired: int = 4) -> autoscaling_v2.HorizontalPodAutoscaler:
    return autoscaling_v2.HorizontalPodAutoscaler(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=autoscaling_v2.HorizontalPodAutoscalerSpec(
            scale_target_ref=autoscaling_v2.CrossVersionObjectReference(kind="Deployment", name="web"), min_replicas=least, max_replicas=most,
        ),
        status=autoscaling_v2.HorizontalPodAutoscalerStatus(desired_replicas=desired),
    )


def conditions(found: Round) -> dict[str, tuple[str, str, str]]:
    return {each["type"]: (each["status"], each["reason"], each["message"]) for each in found.conditions}


def begun(replicas: int = 3, **more: Any) -> Round:
    return begin(autoscaler(**more), Target(replicas, replicas), History(), 100.0, 7.0)


READ = ("True", "SucceededGetScale", "the HPA controller was able to get the target's current scale")


@pytest.mark.parametrize(
    ("replicas", "least", "desired", "why", "asks"),
    [
        pytest.param(3, 1, 3, "", True, id="within its bounds"),
        pytest.param(1, 1, 1, "", True, id="just the minimum"),
        pytest.param(5, 1, 5, "", True, id="just the maximum"),
        pytest.param(6, 1, 5, "Current number of replicas above Spec.MaxReplicas", False, id="above"),
        pytest.param(1, 2, 2, "Current number of replicas below Spec.MinReplicas", False, id="below"),
        pytest.param(1, None, 1, "", True, id="one by default"),
    ],
)
def test_how_a_round_begins(replicas: int, least: int | None, desired: int, why: str, asks: bool) -> None:
    found = begun(replicas, least=least)
    assert (found.desired, found.rescale, found.why) == (desired, bool(why), why)
    assert conditions(found) == {"AbleToScale": READ}
    assert found.history.recommendations == (Past(replicas, 7.0),), "the first round remembers what it found"
    assert needs_metrics(found.hpa, Target(replicas, replicas)) is asks


def test_what_is_remembered_stays() -> None:
    known = History((Past(9, 1.0),))
    assert begin(autoscaler(), Target(3, 3), known, 100.0, 7.0).history == known


def test_a_target_of_zero_disables_it() -> None:
    found = begun(0)
    words = "scaling is disabled since the replica count of the target is zero"
    assert conditions(found) == {"AbleToScale": READ, "ScalingActive": ("False", "ScalingDisabled", words)}
    assert (found.desired, found.rescale) == (0, False)
    assert not needs_metrics(found.hpa, Target(0, 0))


@pytest.mark.parametrize(
    ("text", "event", "message", "told"),
    [
        pytest.param("", "SelectorRequired", "selector is required", "the HPA target's scale is missing a selector", id="none"),
        pytest.param("a in (", "InvalidSelector", "couldn't convert selector into", "couldn't convert selector into", id="not one"),
    ],
)
def test_a_target_without_a_selector(text: str, event: str, message: str, told: str) -> None:
    found = begun()
    with pytest.raises(Unselective) as refused:
        selector_of(text)
    unselective(found, refused.value)
    status, reason, words = conditions(found)["ScalingActive"]
    assert (status, reason) == ("False", "InvalidSelector")
    assert words.startswith(told)
    assert [(kind, name) for kind, name, _ in found.events] == [("Warning", event), ("Warning", "FailedComputeMetricsReplicas")]
    assert all(text.startswith(message) for _, _, text in found.events)
    assert found.desired == 4, "what was desired before"


def test_two_autoscalers_of_the_same_pods() -> None:
    found = begun()
    ambiguous(found, "app=web", ["default/a", "default/b"])
    message = "pods by selector app=web are controlled by multiple HPAs: [default/a default/b]"
    assert conditions(found)["ScalingActive"] == ("False", "AmbiguousSelector", message)
    assert found.events == [("Warning", "AmbiguousSelector", message), ("Warning", "FailedComputeMetricsReplicas", message)]
    assert found.desired == 4


def test_a_scale_that_cannot_be_read_leaves_the_rest_of_the_status() -> None:
    status, event = without_scale(autoscaler(), "no such thing", 100.0)
    [condition] = status.pop("conditions")
    assert not status
    assert condition == {
        "type": "AbleToScale", "status": "False", "reason": "FailedGetScale", "lastTransitionTime": "1970-01-01T00:01:40Z",
        "message": "the HPA controller was unable to get the target's current scale: no such thing",
    }
    assert event == ("Warning", "FailedGetScale", "no such thing")


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    found = begun()
    found.now = 200.0
    found.set("AbleToScale", True, "Other", "words")
    assert [each["lastTransitionTime"] for each in found.conditions] == ["1970-01-01T00:01:40Z"]
    found.set("AbleToScale", False, "Other", "words")
    assert [each["lastTransitionTime"] for each in found.conditions] == ["1970-01-01T00:03:20Z"]


def test_a_rescale_that_fails_wants_what_it_wanted_before() -> None:
    found = begun(9)
    status = found.not_rescaled("conflict")
    assert (status["currentReplicas"], status["desiredReplicas"]) == (9, 4)
    assert conditions(found)["AbleToScale"] == ("False", "FailedUpdateScale", "the HPA controller was unable to update the target scale: conflict")
    why = "Current number of replicas above Spec.MaxReplicas"
    assert found.events == [("Warning", "FailedRescale", f"New size: 5; reason: {why}; error: conflict")]
    assert "lastScaleTime" not in status


def share(name: str) -> autoscaling_v2.MetricSpec:
    """A metric from outside, ten a Pod."""
    target = autoscaling_v2.MetricTarget(type="AverageValue", average_value="10")
    source = autoscaling_v2.ExternalMetricSource(metric=autoscaling_v2.MetricIdentifier(name=name), target=target)
    return autoscaling_v2.MetricSpec(type="External", external=source)


@pytest.mark.parametrize(
    ("readings", "desired", "why", "reason"),
    [
        pytest.param([40_000, 50_000], 5, "external metric b(nil) above target", "ValidMetricFound", id="the highest of two"),
        pytest.param([50_000, 40_000], 5, "external metric a(nil) above target", "ValidMetricFound", id="in any order"),
        pytest.param([10_000, 10_000], 1, "All metrics below target", "ValidMetricFound", id="all below"),
        pytest.param([Failure("no"), 50_000], 5, "external metric b(nil) above target", "ValidMetricFound", id="one that fails does not hold up"),
        pytest.param([Failure("no"), 30_000], 3, "", "ValidMetricFound", id="nor when nothing changes"),
        pytest.param([Failure("no"), 10_000], 4, "", "FailedGetExternalMetric", id="but nothing shrinks"),
        pytest.param([Failure("no"), Failure("neither")], 4, "", "FailedGetExternalMetric", id="all fail: the first is told"),
    ],
)
def test_several_metrics(readings: list[Reading], desired: int, why: str, reason: str) -> None:
    hpa = autoscaler()
    hpa.spec.metrics[:] = [share("a"), share("b")]
    target = Target(3, 3)
    found = begin(hpa, target, History((Past(1, 0.0),)), 100.0, 7.0)
    plan(found, target, readings, [])
    assert (found.desired, found.why) == (desired, why)
    assert conditions(found)["ScalingActive"][1] == reason
    failed = sum(isinstance(each, Failure) for each in readings)
    if reason != "ValidMetricFound":
        told = f"invalid metrics ({failed} invalid out of 2), first error is: failed to get a external metric value: failed to get a external metric: no"
        assert found.events[-1] == ("Warning", "FailedComputeMetricsReplicas", told)
        assert not found.rescale
    assert [each[1] for each in found.events].count("FailedGetExternalMetric") == failed
    assert [each["type"] for each in found.metrics or ()] == ["" if isinstance(each, Failure) else "External" for each in readings]
