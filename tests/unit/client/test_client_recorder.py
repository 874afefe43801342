"""Correlation of events: counting, combining, spam.  The combined one is held against the recording."""

from __future__ import annotations

import json

from wherry.api.types import core_v1
from wherry.client.recorder import COMBINED, SPAM_BURST, Correlator, _Noted

REF = core_v1.ObjectReference(kind="Deployment", namespace="life", name="web", uid="u", api_version="apps/v1")


def noted(message: str, at: float = 1000.0) -> _Noted:
    return _Noted(REF, "Normal", "ScalingReplicaSet", message, at)


def test_the_same_event_again_is_a_patch_of_its_count():
    correlator = Correlator("deployment-controller")
    first = correlator.correlate(noted("x"))
    again = correlator.correlate(noted("x", 1005.0))
    assert first is not None
    assert first[1] is None
    assert again is not None
    assert again[1] == {"count": 2, "lastTimestamp": "1970-01-01T00:16:45Z", "message": "x"}
    assert again[0].metadata.name == first[0].metadata.name


def test_names_differ_even_within_one_instant():
    correlator = Correlator("c")
    names = {correlator.correlate(noted(text))[0].metadata.name for text in "abcdefg"}
    assert len(names) == 7


def test_one_object_cannot_flood():
    correlator = Correlator("c")
    told = [correlator.correlate(noted("x")) for _ in range(SPAM_BURST + 5)]
    assert [each is None for each in told] == [False] * SPAM_BURST + [True] * 5


def test_similar_events_are_combined_as_upstream_recorded_it(shared):
    recorded = [
        event["object"] for event in json.loads((shared / "upstream/life/events.json").read_text())
        if event["object"]["reason"] == "ScalingReplicaSet" and event["object"]["involvedObject"]["name"] == "web"
    ]
    assert any(each["message"].startswith(COMBINED) for each in recorded), "the recording has a combined event"
    correlator = Correlator("deployment-controller")
    made = [correlator.correlate(noted(each["message"].removeprefix(COMBINED)))[0] for each in recorded]
    assert [event.message for event in made] == [each["message"] for each in recorded]
    assert [event.reporting_component for event in made] == [each.get("reportingComponent", "") for each in recorded]
