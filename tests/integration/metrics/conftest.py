"""An API server whose kubelets are told by the test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from metrics_world import World, world


@pytest.fixture
async def metrics_world() -> AsyncIterator[World]:
    async with world() as made:
        yield made
