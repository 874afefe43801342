"""One node selector requirement against a node's labels."""

from __future__ import annotations

import pytest

from wherry.api.nodeaffinity import matches_requirement
from wherry.api.types.core_v1 import NodeSelectorRequirement


@pytest.mark.parametrize(("operator", "values", "label", "matches"), [
    ("Gt", ["5"], "6", True), ("Gt", ["5"], "5", False), ("Lt", ["5"], "4", True), ("Lt", ["5"], "-1", True), ("Gt", ["5"], "+6", True),
    ("Gt", ["5"], "1_000", False), ("Gt", ["5"], "six", False), ("Gt", ["5"], "6.0", False), ("Gt", ["five"], "6", False), ("Gt", [], "6", False),
    ("Gt", ["5"], None, False), ("NotIn", ["a"], None, True), ("In", ["a"], None, False), ("DoesNotExist", [], None, True),
    ("Exists", [], "", True), ("In", ["", "a"], "", True),
])
def test_requirements(operator: str, values: list[str], label: str | None, matches: bool) -> None:
    labels = {"k": label} if label is not None else {}
    assert matches_requirement(NodeSelectorRequirement(key="k", operator=operator, values=values), labels) is matches
