"""What the status of a PodDisruptionBudget may say, whoever writes it."""

from __future__ import annotations

from typing import Any

import pytest

from wherry.api.strategy.pdb import POD_DISRUPTION_BUDGET

GOOD = {"type": "DisruptionAllowed", "status": "True", "reason": "SufficientPods", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}


@pytest.mark.parametrize(("conditions", "expected"), [
    pytest.param([GOOD], [], id="the controller's"),
    pytest.param([GOOD, GOOD], [("[1].type", 'Duplicate value: "DisruptionAllowed"')], id="twice"),
    pytest.param([{**GOOD, "type": "a b"}], [("[0].type", 'Invalid value: "a b": name part must consist of')], id="its name"),
    pytest.param([{**GOOD, "status": ""}], [("[0].status", 'Unsupported value: "": supported values: "False", "True", "Unknown"')], id="status"),
    pytest.param([{**GOOD, "reason": ""}], [("[0].reason", "Required value: must be set")], id="no reason"),
    pytest.param([{**GOOD, "reason": "No pods"}],
                 [("[0].reason", 'Invalid value: "No pods": a condition reason must start')], id="odd reason"),
    pytest.param([{**GOOD, "lastTransitionTime": None}], [("[0].lastTransitionTime", "Required value: must be set")], id="no time"),
    pytest.param([{**GOOD, "observedGeneration": -1}],
                 [("[0].observedGeneration", "Invalid value: -1: must be greater than or equal to zero")], id="generation"),
    pytest.param([{**GOOD, "message": "x" * 32769}], [("[0].message", "Too long: may not be more than 32768 bytes")], id="message"),
])
def test_conditions(conditions: list[dict[str, Any]], expected: list[tuple[str, str]]) -> None:
    found = POD_DISRUPTION_BUDGET.validate_status({"status": {"conditions": conditions}}, {})
    assert [cause.field for cause in found] == [f"status.conditions{place}" for place, _ in expected]
    assert all(cause.message.startswith(words) for cause, (_, words) in zip(found, expected, strict=True))
