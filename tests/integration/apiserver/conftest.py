"""An API server of its own for each test: in memory, reached in-process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from api_harness import API, serve

from wherry.util.clock import RealClock


@pytest.fixture
async def api() -> AsyncIterator[API]:
    async with serve(RealClock()) as api:
        yield api
