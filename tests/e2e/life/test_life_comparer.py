"""The comparer itself: the recording is like itself, and every kind of change to it is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from life_comparer import alike, compare
from life_differences import stale
from life_kubectl import compare_printed
from life_player import Recording, read


@pytest.fixture(scope="module")
def recorded(shared: Path) -> Recording:
    return read(shared / "upstream/life")


def test_the_recording_is_like_itself(recorded: Recording) -> None:
    assert compare(recorded, recorded) == []
    assert compare_printed(recorded, recorded) == []
    assert stale([], recorded, recorded), "what is listed is missed"


def last(recording: Recording, resource: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = [e["object"] for e in recording[resource] if e["object"]["metadata"]["name"].startswith(name)][-1]
    return found


def without_event(recording: Recording) -> None:
    recording["events"] = [e for e in recording["events"] if e["object"]["reason"] != "FailedPostStartHook"]


def another_reason(recording: Recording) -> None:
    last(recording, "pods", "oom")["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] = "Error"


def another_message(recording: Recording) -> None:
    for event in recording["events"]:
        event["object"]["message"] = event["object"]["message"].replace("Scaled up", "Scaled")


def turned_round(recording: Recording) -> None:
    """The Job's Pods are told of in another order than they were made."""
    events = [e["object"] for e in recording["events"] if e["object"]["involvedObject"]["name"] == "jindexed"]
    events[0]["message"], events[1]["message"] = events[1]["message"], events[0]["message"]


def one_pod_less(recording: Recording) -> None:
    recording["pods"] = [e for e in recording["pods"] if not e["object"]["metadata"]["name"].startswith("jfail-mvk6l")]


def another_revision(recording: Recording) -> None:
    last(recording, "deployments", "web")["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "3"


def another_exit_code(recording: Recording) -> None:
    for event in recording["pods"]:
        for status in event["object"]["status"].get("containerStatuses", []):
            if ended := status["state"].get("terminated"):
                ended["exitCode"] += 1


@pytest.mark.parametrize(("change", "resource"), [
    (without_event, "pods"), (another_reason, "pods"), (another_message, "deployments"), (turned_round, "jobs"), (one_pod_less, "pods"),
    (another_revision, "deployments"), (another_exit_code, "pods"),
])
def test_a_change_is_found(recorded: Recording, change: Callable[[Recording], None], resource: str) -> None:
    changed = copy.deepcopy(recorded)
    change(changed)
    assert compare(recorded, changed, (resource,))


def test_what_kubectl_prints_is_compared(recorded: Recording) -> None:
    changed = copy.deepcopy(recorded)
    printed = changed["kubectl"]
    printed["get pods"]["stdout"] = printed["get pods"]["stdout"].replace("OOMKilled", "Error    ")
    printed["exec completes -- ls"]["rc"] = 0
    found = compare_printed(recorded, changed)
    assert [each.name for each in found] == ["get pods", "get pods", "exec completes -- ls"]


def test_only_what_passes_may_be_missing() -> None:
    assert alike([("a", 1.0), ("b", 9.0)], [("b", 9.0)])
    assert not alike([("a", 5.0), ("b", 9.0)], [("b", 9.0)])
    assert not alike([("a", 9.0), ("b", 1.0)], [("a", 9.0)]), "the last value never passes"
    assert alike([("a", 9.0), ("b", 1.0), ("a", 9.0), ("c", 9.0)], [("a", 18.0), ("c", 9.0)]), "what comes back is the same"
    assert not alike([("a", 9.0), ("b", 9.0)], [("b", 9.0), ("a", 9.0)])
    assert not alike([("a", 9.0), ("b", 9.0), ("c", 9.0)], [("a", 9.0), ("b", 9.0)])
    assert alike([("a", 9.0), ("b", 9.0), ("c", 9.0)], [("a", 9.0), ("b", 9.0)], open_end=True)
    assert not alike([("a", 9.0), ("c", 9.0)], [("a", 9.0), ("b", 9.0), ("c", 9.0)], open_end=True)
