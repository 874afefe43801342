"""The recordings of upstream's API, read once a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

Cases = list[dict[str, Any]]


@pytest.fixture(scope="session")
def recorded(shared: Path) -> Callable[[str], Cases]:
    """`recorded("patches")`: requests and what a real server answered, in the order sent.  Not to be changed."""

    @cache
    def read(file: str) -> Cases:
        cases: Cases = json.loads((shared / "upstream" / "api" / f"{file}.json").read_text())
        return cases

    return read
