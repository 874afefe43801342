"""The embedded runtime passes the suite that every runtime passes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from realpods import FOREVER

sys.path.insert(0, str(Path(__file__).parents[2] / "unit"))
from runtime_suite import Change, RuntimeSuite, Wait

from wherry.runtime.embedded.runtime import EmbeddedRuntime


def _change(*command: str) -> Change:
    return lambda config: replace(config, command=command)


class TestEmbeddedRuntime(RuntimeSuite):
    @pytest.fixture
    def image(self) -> str:
        return "busybox:1.36"

    @pytest.fixture
    def forever(self) -> Change:
        return _change(*FOREVER)

    @pytest.fixture
    def fails(self) -> Change:
        return _change("sh", "-c", "exit 3")

    @pytest.fixture
    def quick(self) -> Change:
        return _change("echo", "hello")

    @pytest.fixture
    def wait(self, runtime: EmbeddedRuntime) -> Wait:
        async def wait(true: Callable[[], Awaitable[bool]]) -> None:
            events = runtime.events()
            async with asyncio.timeout(20):
                while not await true():
                    await anext(events)

        return wait
