"""Events in the newer API: what a new one must have, and that only its series goes on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api_harness import API

NEW, OLD = "/apis/events.k8s.io/v1/namespaces/default/events", "/api/v1/namespaces/default/events"
MERGE = "application/merge-patch+json"
EVENT: dict[str, Any] = {
    "metadata": {"name": "e"}, "eventTime": "2026-11-28T10:00:00.000001Z", "reportingController": "example.com/c", "reportingInstance": "i",
    "action": "Do", "reason": "R", "note": "n", "type": "Normal", "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
}
SERIES = {"count": 2, "lastObservedTime": "2026-11-28T10:01:00.000001Z"}


@pytest.fixture
async def api(api: API) -> API:
    await api.namespace("default")
    return api


async def refusal(api: API, method: str, path: str, body: Any, **headers: str) -> str:
    response = await api.send(method, path, body, **headers)
    assert response.status == 422, response.body
    return str(json.loads(response.body)["message"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"eventTime": None}, "eventTime: Required value"),
        ({"type": "Odd"}, 'type: Invalid value: "": has invalid value: Odd'),
        ({"deprecatedCount": 2}, 'count: Invalid value: "": needs to be unset'),
        ({"deprecatedSource": {"component": "c"}}, 'source: Invalid value: "": needs to be unset'),
        ({"reportingController": ""}, "reportingController: Required value"),
        ({"series": {**SERIES, "count": 1}}, 'series.count: Invalid value: "": should be at least 2'),
    ],
)
async def test_what_a_new_event_must_have(api: API, change: dict[str, Any], words: str) -> None:
    assert words in await refusal(api, "POST", NEW, {**EVENT, **change})


async def test_only_the_series_goes_on(api: API) -> None:
    await api.call("POST", NEW, EVENT)
    assert "message: Invalid value" in await refusal(api, "PATCH", f"{NEW}/e", {"note": "other"}, content_type=MERGE)
    patched = await api.call("PATCH", f"{NEW}/e", {"series": SERIES}, content_type=MERGE)
    assert patched["series"] == SERIES
    old = await api.call("PATCH", f"{OLD}/e", {"message": "other"}, content_type=MERGE)
    assert (old["message"], old["series"]) == ("other", SERIES), "the older API lets everything change"


async def test_the_older_api_takes_old_events(api: API) -> None:
    made = await api.call("POST", OLD, {"metadata": {"name": "o"}, "involvedObject": {"kind": "Node", "name": "x"}, "count": 3, "type": "Odd"})
    assert made["count"] == 3
