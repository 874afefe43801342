"""What triggered the last change of a Service's endpoints."""

from __future__ import annotations

from wherry.api.types import core_v1, meta_v1
from wherry.controller.triggertime import TriggerTimes

SERVICE = core_v1.Service(metadata=meta_v1.ObjectMeta(name="web", namespace="n", creation_timestamp="2026-11-23T20:00:00Z"))


def pod(name: str, second: int) -> core_v1.Pod:
    ready = core_v1.PodCondition(type="Ready", status="True", last_transition_time=f"2026-11-23T20:00:{second:02}Z")
    return core_v1.Pod(metadata=meta_v1.ObjectMeta(name=name), status=core_v1.PodStatus(conditions=[ready]))


def test_the_earliest_that_is_new() -> None:
    times = TriggerTimes()
    assert times.newest(SERVICE, [core_v1.Pod(metadata=meta_v1.ObjectMeta(name="a"))]) == "2026-11-23T20:00:00Z", "the Service itself"
    assert times.newest(SERVICE, [pod("a", 5), pod("b", 3)]) == "2026-11-23T20:00:03Z"
    assert times.newest(SERVICE, [pod("a", 5), pod("b", 3)]) == ""
    assert times.newest(SERVICE, [pod("a", 5)]) == "", "a Pod that has gone tells no time"
    assert times.newest(SERVICE, [pod("a", 9), pod("c", 7)]) == "2026-11-23T20:00:07Z"


def test_a_service_that_comes_again_is_another() -> None:
    times = TriggerTimes()
    times.newest(SERVICE, [])
    times.forget("n/web")
    assert times.newest(SERVICE, []) == "2026-11-23T20:00:00Z"
