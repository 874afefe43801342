"""Every refusal by validation that was recorded: the same fields, reasons and words."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from .recordings import cases, decoded
from .strategies import STRATEGIES

# Refused by somebody else than a strategy.
ELSEWHERE = {
    "bad-name", "no-name", "bad-label", "bad-annotation", "finalizer-bad", "owner-bad",  # ObjectMeta
    "service-nodeport-range", "service-nodeport-taken", "service-ip-out",  # allocation
}
RECORDED = {
    name: case for name, case in {**cases("errors"), **cases("defaults")}.items()
    if case["request"]["method"] == "POST" and case["response"]["status"] == 422
    and case["request"]["path"].rpartition("/")[2] in STRATEGIES and name not in ELSEWHERE
    and isinstance(case["request"]["body"], dict)
}


def causes_of(case: dict[str, Any]) -> list[dict[str, str]]:
    strategy = STRATEGIES[case["request"]["path"].rpartition("/")[2]]
    obj = decoded(case["request"]["body"])
    obj["metadata"] |= {"namespace": "rec", "uid": "u"}
    strategy.default(obj)
    strategy.prepare_for_create(obj)
    return [cause.to_json() for cause in (*strategy.validate(obj), *strategy.validate_create(obj))]


@pytest.mark.parametrize("name", RECORDED)
def test_a_bad_object_is_refused_as_recorded(name: str) -> None:
    case = copy.deepcopy(RECORDED[name])
    assert causes_of(case) == case["response"]["body"]["details"]["causes"]


WARNED = {
    name: case for name, case in cases("defaults").items()
    if "Warning" in case["response"]["headers"] and case["request"]["path"].rpartition("/")[2] in STRATEGIES
    and "is deprecated in" not in case["response"]["headers"]["Warning"]  # of the version, not of the object
}


@pytest.mark.parametrize("name", WARNED)
def test_an_object_is_warned_of_as_recorded(name: str) -> None:
    case = copy.deepcopy(WARNED[name])
    strategy = STRATEGIES[case["request"]["path"].rpartition("/")[2]]
    texts = [f'299 - "{text}"' for text in strategy.warnings(case["response"]["body"])]
    assert ", ".join(texts) == case["response"]["headers"]["Warning"]
