"""Correlation of events: counting, combining, spam.  The combined one is held against the recording."""

from __future__ import annotations

import asyncio
import json

from wherry.api.types import core_v1
from wherry.client.recorder import COMBINED, QUEUE, RETRY_SECONDS, SPAM_BURST, Correlator, EventRecorder, Noted
from wherry.util.clock import FakeClock

REF = core_v1.ObjectReference(kind="Deployment", namespace="life", name="web", uid="u", api_version="apps/v1")


def noted(message: str, at: float = 1000.0) -> Noted:
    return Noted(REF, "Normal", "ScalingReplicaSet", message, at)


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


def test_a_flood_of_warnings_leaves_room_for_what_is_normal():
    """In the recording, `http-probe` has 25 warnings and 20 normal events."""
    correlator = Correlator("kubelet")
    warnings = [correlator.correlate(Noted(REF, "Warning", "Unhealthy", "x", 1000.0)) for _ in range(SPAM_BURST + 1)]
    assert warnings[-1] is None
    assert correlator.correlate(noted("Container started")) is not None


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


class Server:
    """Takes events when it is let to; keeps the order in which they came."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.refuse: set[str] = set()
        self.waiting = 0
        self.came: list[tuple[str, str]] = []

    async def post(self, event: core_v1.Event) -> None:
        self.waiting += 1
        await self.open.wait()
        self.waiting -= 1
        if event.involved_object.name in self.refuse:
            raise ConnectionResetError
        self.came.append((event.involved_object.name, event.message))


def ref(name: str) -> core_v1.ObjectReference:
    return core_v1.ObjectReference(kind="Pod", namespace="default", name=name, uid=name, api_version="v1")


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


async def test_one_event_is_written_at_a_time_and_each_in_order():
    server = Server()
    recorder = EventRecorder(server, FakeClock(), "c")
    told = [(f"p{number}", text) for text in "abc" for number in range(4)]
    for name, text in told:
        recorder.normal(ref(name), "Said", text)
    running = asyncio.create_task(recorder.run())
    await settle()
    assert server.waiting == 1
    server.open.set()
    await settle()
    assert recorder.idle
    assert server.came == told
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_event_that_cannot_be_written_yet_does_not_hold_up_the_others():
    server, clock = Server(), FakeClock()
    server.open.set()
    server.refuse.add("p0")
    recorder = EventRecorder(server, clock, "c")
    recorder.normal(ref("p0"), "Said", "late")
    recorder.normal(ref("p1"), "Said", "now")
    recorder.normal(ref("p0"), "Said", "later")
    running = asyncio.create_task(recorder.run())
    await settle()
    assert server.came == [("p1", "now")]
    assert not recorder.idle
    server.refuse.clear()
    await clock.advance(RETRY_SECONDS)
    await settle()
    assert server.came == [("p1", "now"), ("p0", "late"), ("p0", "later")]
    assert recorder.idle
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_too_many_events_are_dropped_with_a_word_in_the_log(caplog):
    recorder = EventRecorder(Server(), FakeClock(), "c")
    for number in range(QUEUE + 1):
        recorder.normal(ref(f"p{number}"), "Said", "x")
    assert f"dropped Said of p{QUEUE}: x" in caplog.text
