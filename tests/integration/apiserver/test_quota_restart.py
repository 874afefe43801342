"""A quota holds while many write, and when the server goes and comes back in the middle of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from api_harness import API
from cryptography.hazmat.primitives.asymmetric import ec

from wherry.api.registry import BUILTIN
from wherry.apiserver.authentication.jwt import Signer
from wherry.apiserver.install import Options, install
from wherry.apiserver.server import APIServer
from wherry.storage.sqlite.store import SQLiteStorage
from wherry.util.clock import RealClock

MAPS, HARD = "/api/v1/namespaces/n/configmaps", 12
KEY = ec.generate_private_key(ec.SECP256R1())


@asynccontextmanager
async def life(path: Path) -> AsyncIterator[API]:
    """A server over what the last one left on disk."""
    clock = RealClock()
    async with await SQLiteStorage.open(path, clock) as storage:
        server = APIServer(BUILTIN, storage, clock)
        await server.start()
        install(server, Options("10.43.0.0/16", Signer(KEY)))
        try:
            yield API(server)
        finally:
            await server.close()


async def create(api: API, name: str) -> int:
    return (await api.send("POST", MAPS, {"metadata": {"name": name}})).status


async def test_concurrent_writers_and_restarts_never_exceed_a_quota(tmp_path: Path) -> None:
    path = tmp_path / "objects.sqlite"
    made = 0
    for number in range(3):
        async with life(path) as api:
            if number == 0:
                await api.namespace("n")
                quota = {"metadata": {"name": "q"}, "spec": {"hard": {"count/configmaps": str(HARD)}}}
                await api.call("POST", "/api/v1/namespaces/n/resourcequotas", quota)
            writers = [asyncio.create_task(create(api, f"c{number}-{i}")) for i in range(8)]
            answers = await asyncio.gather(*writers)
            made += answers.count(201)
            assert set(answers) <= {201, 403}
            held = (await api.call("GET", MAPS))["items"]
            assert len(held) == made, "every write that was answered is there, and no other"
            assert made == min(HARD, 8 * (number + 1))
    async with life(path) as api:
        assert await create(api, "one-more") == 403
        await api.call("DELETE", f"{MAPS}/c0-0")
        assert sorted(await asyncio.gather(*(create(api, f"again{i}") for i in range(4)))) == [201, 403, 403, 403]
