"""The memory store under the shared suite and the model."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from storage_model import StorageMachine
from storage_suite import StorageSuite

from wherry.storage.interface import Storage
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def storage(clock: FakeClock) -> AsyncIterator[MemoryStorage]:
    async with await MemoryStorage.open(clock) as storage:
        yield storage


class TestMemoryStorage(StorageSuite):
    pass


class MemoryMachine(StorageMachine):
    async def open(self) -> Storage:
        return await MemoryStorage.open(FakeClock())


TestMemoryModel = MemoryMachine.TestCase
