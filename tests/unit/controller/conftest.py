"""The world of controller tests, as a fixture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from controller_world import open_world


@pytest.fixture
def world() -> Callable[[], Any]:
    """`async with world() as w:`; a fixture that yields would run in another task than the test."""
    return open_world
