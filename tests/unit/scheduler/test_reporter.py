"""What is told of a Pod without a node: a note of bounded length, and only what has changed of its status."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from scheduler_makers import pod

from wherry.api.types import core_v1
from wherry.apimachinery.errors import StatusError
from wherry.scheduler.preemption import Candidate
from wherry.scheduler.preemptor import Outcome
from wherry.scheduler.reporter import Reporter
from wherry.util.clock import FakeClock


class Told:
    """A client and a recorder in one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.notes, self.patches, self.error = list[str](), list[dict[str, Any]](), error

    def event(self, about: Any, kind: str, reason: str, message: str, **more: Any) -> None:
        self.notes.append(message)

    async def patch(self, kind: Any, name: str, body: dict[str, Any], namespace: str, **more: Any) -> None:
        self.patches.append(body["status"])
        if self.error is not None:
            raise self.error


def reporter(told: Told) -> Reporter:
    given: Any = told
    return Reporter(given, FakeClock(), {"default-scheduler": given})


async def test_a_long_note_is_cut_and_the_condition_is_not() -> None:
    told = Told()
    await reporter(told).failed(pod(), "x" * 2000)
    assert told.notes == ["x" * 1020 + " ..."]
    assert len(told.patches[0]["conditions"][0]["message"]) == 2000


@pytest.mark.parametrize(("told_before", "nominated", "outcome", "changed"), [
    pytest.param(("Unschedulable", "no"), "", Outcome(), None, id="nothing"),
    pytest.param(("Unschedulable", "other"), "", Outcome(), {"conditions"}, id="another message"),
    pytest.param(("SchedulerError", "no"), "", Outcome(), {"conditions"}, id="another reason"),
    pytest.param(("Unschedulable", "no"), "", Outcome(Candidate("n", (), 0)), {"nominatedNodeName"}, id="room is made"),
    pytest.param(("Unschedulable", "no"), "n", Outcome(denominate=True), {"nominatedNodeName"}, id="no room after all"),
    pytest.param(("Unschedulable", "no"), "", Outcome(denominate=True), None, id="nor was there"),
])
async def test_only_what_has_changed_is_written(
    told_before: tuple[str, str], nominated: str, outcome: Outcome, changed: set[str] | None,
) -> None:
    reason, message = told_before
    condition = core_v1.PodCondition(type="PodScheduled", status="False", reason=reason, message=message, last_transition_time="then")
    status = core_v1.PodStatus(conditions=[condition], nominated_node_name=nominated)
    told = Told()
    await reporter(told).failed(msgspec.structs.replace(pod(), status=status), "no", outcome=outcome)
    assert [set(each) for each in told.patches] == ([changed] if changed else [])
    if changed == {"conditions"}:
        assert told.patches[0]["conditions"][0]["lastTransitionTime"] == "then", "it was False before"


@pytest.mark.parametrize("error", [StatusError(404, "NotFound", "gone"), StatusError(500, "InternalError", "no"), OSError("no")])
async def test_a_status_that_cannot_be_written_is_no_end(error: Exception) -> None:
    told = Told(error)
    await reporter(told).failed(pod(), "no")
    assert told.notes == ["no"]
