"""SIGKILL again and again under writes: every acknowledged write is found, and no revision is ever used twice."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from pathlib import Path

import pytest

from wherry.storage.interface import Event
from wherry.storage.sqlite import SQLiteStorage
from wherry.util.clock import RealClock

ROUNDS = 10
SCRIPT = Path(__file__).with_name("storage_writers.py")

Ack = tuple[str, str, str]  # type, key, value


async def write_until_killed(path: Path, seed: int, seconds: float) -> dict[int, Ack]:
    """What the writers were told before the process was killed, by revision."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), str(path), "churn", str(seed), stdout=asyncio.subprocess.PIPE, limit=1 << 20
    )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readline() == b"open\n"
    reading = asyncio.ensure_future(process.stdout.read())
    await asyncio.sleep(seconds)  # the real time of another process
    process.kill()
    await process.wait()
    lines = (await reading).split(b"\n")[:-1]  # the last has no line feed, or is empty
    return {revision: (kind, key, value) for kind, key, revision, value in map(json.loads, lines)}


async def all_events(storage: SQLiteStorage) -> dict[int, Event]:
    events: dict[int, Event] = {}
    watch = storage.watch("/registry/", storage.compacted)
    while not events or max(events) < storage.revision:
        async with asyncio.timeout(30):
            events |= {event.entry.revision: event for event in await anext(watch)}
    return events


@pytest.mark.slow
async def test_every_acknowledged_write_survives_sigkill(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    dice = random.Random(7)
    acknowledged: dict[int, Ack] = {}
    newest = 1
    for seed in range(ROUNDS):
        told = await write_until_killed(path, seed, dice.uniform(0.1, 0.6))
        assert told, "nothing was written before the kill"
        assert min(told) > newest, "a revision was used again"
        acknowledged |= told
        async with await SQLiteStorage.open(path, RealClock()) as storage:
            assert storage.revision >= max(told)
            newest = storage.revision
            events = await all_events(storage)
            found = {r: (e.type, e.entry.key, e.entry.value.decode()) for r, e in events.items() if r in acknowledged}
            assert found == acknowledged
            present = {key: entry for key, entry in replay(events).items() if entry is not None}
            assert {e.key: e.value for e in (await storage.list("/registry/")).entries} == present


def replay(events: dict[int, Event]) -> dict[str, bytes | None]:
    state: dict[str, bytes | None] = {}
    for _, event in sorted(events.items()):
        state[event.entry.key] = event.entry.value if event.type == "PUT" else None
    return state
