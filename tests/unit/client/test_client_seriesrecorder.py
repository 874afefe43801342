"""Events of the new kind, held against what the recorded scheduler wrote of a Pod that fits nowhere."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec

from wherry.api.types import core_v1
from wherry.apimachinery.errors import not_found
from wherry.client.recorder import Noted
from wherry.client.seriesrecorder import FINISH_SECONDS, SeriesCorrelator, SeriesRecorder
from wherry.util.clock import FakeClock


def failed(version: str, at: float = 1000.0, message: str = "0/1 nodes are available") -> Noted:
    ref = core_v1.ObjectReference(kind="Pod", namespace="life", name="pending-cpu", uid="u", api_version="v1", resource_version=version)
    return Noted(ref, "Warning", "FailedScheduling", message, at, "Scheduling")


def test_a_series_is_written_when_it_begins_and_then_only_counted():
    correlator = SeriesCorrelator("default-scheduler", "default-scheduler-vm")
    event, patch = correlator.correlate(failed("1"))
    assert patch is None
    again, patch = correlator.correlate(failed("1", 1001.5, "0/2 nodes are available"))
    assert again.metadata.name == event.metadata.name
    assert patch == {"series": {"count": 2, "lastObservedTime": "1970-01-01T00:16:41.500000Z"}}
    assert [correlator.correlate(failed("1", 1002.0 + i)) for i in range(3)] == [None] * 3
    assert [each[1]["series"]["count"] for each in correlator.refresh()] == [5]
    assert correlator.refresh() == []


def test_another_version_of_the_object_is_another_event():
    correlator = SeriesCorrelator("c", "c-x")
    first, second = (correlator.correlate(failed(version)) for version in "12")
    assert first[0].metadata.name != second[0].metadata.name
    assert second[1] is None


def test_what_is_silent_is_let_go():
    correlator = SeriesCorrelator("c", "c-x")
    for at in (0.0, 1.0, 2.0):
        correlator.correlate(failed("1", at))
    correlator.correlate(failed("2", 300.0))
    assert [patch["series"]["count"] for _, patch in correlator.finish(FINISH_SECONDS + 3)] == [3]
    assert correlator.correlate(failed("1", 400.0))[1] is None
    assert correlator.correlate(failed("2", 400.0))[1] is not None


def test_it_has_the_members_that_upstreams_has(shared):
    recorded = [
        event["object"] for event in json.loads((shared / "upstream/life/events.json").read_text())
        if event["object"]["involvedObject"]["name"] == "pending-cpu"
    ]
    event, _ = SeriesCorrelator("default-scheduler", "default-scheduler-vm").correlate(failed("733"))
    ours = {name for name, value in msgspec.to_builtins(event).items() if value}
    ignored = {"metadata", "kind", "apiVersion"}
    assert ours - ignored == {name for name, value in recorded[0].items() if value} - ignored
    assert "series" in recorded[-1]


async def test_a_series_that_goes_on_is_written_after_half_an_hour_and_one_that_expired_anew():
    written: list[tuple[str, Any]] = []
    expired = False

    class Server:
        async def post(self, event: core_v1.Event) -> None:
            written.append(("create", event.reason))

        async def patch(self, kind: type, name: str, patch: Any, namespace: str, *, patch_type: str) -> None:
            if expired:
                raise not_found("", "events", name)
            written.append(("patch", patch["series"]["count"]))

    clock = FakeClock()
    recorder = SeriesRecorder(Server(), clock, "c")
    task = asyncio.create_task(recorder.run())
    pod = failed("1").involved
    for _ in range(8):
        for _ in range(2):
            recorder.event(pod, "Warning", "FailedScheduling", "m", action="Scheduling")
        await clock.advance(300)
    assert written == [("create", "FailedScheduling"), ("patch", 2), ("patch", 12)]
    await clock.advance(2 * FINISH_SECONDS)
    assert written[3:] == [("patch", 16)]
    expired = True
    for _ in range(2):
        recorder.event(pod, "Warning", "FailedScheduling", "m", action="Scheduling")
    await clock.advance(1)
    assert written[4:] == [("create", "FailedScheduling")] * 2
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
