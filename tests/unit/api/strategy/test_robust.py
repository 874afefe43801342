"""Whatever a manifest leaves out, a strategy answers with causes, never with an exception."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from .recordings import cases, decoded
from .strategies import STRATEGIES

REQUESTS = {
    name: case for source in ("defaults", "errors") for name, case in cases(source).items()
    if case["request"]["method"] == "POST" and isinstance(case["request"]["body"], dict)
    and case["request"]["path"].rpartition("/")[2] in STRATEGIES and case["response"]["status"] in (201, 422)
}


def without_one(value: Any) -> Iterator[Any]:
    """`value` again and again, each time with one field or item less, or one string or list emptied."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {k: v for k, v in value.items() if k != key}
            for smaller in without_one(inner):
                yield {**value, key: smaller}
    elif isinstance(value, list):
        if value:
            yield []
        for i, inner in enumerate(value):
            for smaller in without_one(inner):
                yield [*value[:i], smaller, *value[i + 1:]]
    elif isinstance(value, str):
        yield ""


def write(strategy: Any, obj: dict[str, Any]) -> None:
    obj.setdefault("metadata", {}).update(namespace="rec", uid="u", creationTimestamp="2026-11-23T20:23:49Z")
    obj["kind"], obj["apiVersion"] = "K", "v1"
    strategy.default(obj)
    strategy.prepare_for_create(obj)
    strategy.default(obj)
    strategy.validate(obj)
    strategy.validate_create(obj)
    strategy.warnings(obj)


QUANTITIES = ("limits", "requests", "hard", "capacity", "max", "default", "defaultRequest")


def good(value: Any, name: str = "") -> bool:
    """No empty quantities, which the decoder refuses."""
    if isinstance(value, dict):
        return all(good(inner, key if key in QUANTITIES else ("=" if name in QUANTITIES else key)) for key, inner in value.items())
    if isinstance(value, list):
        return all(map(good, value))
    return not (name == "=" and value == "")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_manifest_that_lacks_something_is_answered(name: str) -> None:
    case = REQUESTS[name]
    strategy = STRATEGIES[case["request"]["path"].rpartition("/")[2]]
    for body in ({}, {"spec": {}}, *without_one(decoded(case["request"]["body"]))):
        if good(body):
            write(strategy, copy.deepcopy(body))


@pytest.mark.parametrize("name", [name for name in REQUESTS if REQUESTS[name]["response"]["status"] == 201])
def test_an_update_that_lacks_something_is_answered(name: str) -> None:
    case = REQUESTS[name]
    strategy = STRATEGIES[case["request"]["path"].rpartition("/")[2]]
    old = case["response"]["body"]
    for body in without_one({key: value for key, value in old.items() if key not in ("metadata", "status")}):
        new = copy.deepcopy({**old, **body})
        if not good(new):
            continue
        before = copy.deepcopy(old)
        strategy.default(new)
        strategy.default(before)
        strategy.prepare_for_update(new, before)
        strategy.validate(new)
        strategy.validate_update(new, before)
        strategy.validate_status(new, before)
