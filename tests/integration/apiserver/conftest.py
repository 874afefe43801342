"""An API server of its own for each test: in memory, reached in-process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from api_harness import API
from cryptography.hazmat.primitives.asymmetric import ec

from wherry.api.registry import BUILTIN
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.storage.memory import MemoryStorage
from wherry.util.clock import RealClock


@pytest.fixture
async def api() -> AsyncIterator[API]:
    clock = RealClock()
    async with await MemoryStorage.open(clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        await server.start()
        install(server, Options("10.43.0.0/16", Signer(ec.generate_private_key(ec.SECP256R1()))))
        yield API(server)
        await server.close()
