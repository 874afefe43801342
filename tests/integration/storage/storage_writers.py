"""A process that writes to a store and tells each acknowledgement on its standard output; to be killed or traced.

`storage_writers.py FILE churn SEED`: eight writers for ever.  `storage_writers.py FILE marked COUNT`: four writers,
each value with a mark of its own, and then the end.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import random
import sys
from pathlib import Path

from wherry.storage.sqlite import SQLiteStorage
from wherry.util.clock import RealClock


def tell(text: str) -> None:
    os.write(1, text.encode() + b"\n")


async def churn(storage: SQLiteStorage, seed: int) -> None:
    async def writer(number: int) -> None:
        dice = random.Random(seed * 100 + number)
        prefix = f"/registry/configmaps/w{number}/"
        known = {entry.key: entry.revision for entry in (await storage.list(prefix)).entries}
        for count in itertools.count():
            key = f"{prefix}{dice.randrange(20)}"
            value = f"{seed}-{number}-{count}-".encode() + b"x" * dice.choice([10, 500, 20_000])
            kind = "DELETE" if key in known and dice.random() < 0.2 else "PUT"
            if kind == "DELETE":
                entry = await storage.delete(key, known.pop(key))
            elif key in known:
                entry = await storage.update(key, value, known[key])
            else:
                entry = await storage.create(key, value)
            if kind == "PUT":
                known[key] = entry.revision
            tell(json.dumps([kind, key, entry.revision, entry.value.decode()]))

    async with asyncio.TaskGroup() as group:
        for number in range(8):
            group.create_task(writer(number))


async def marked(storage: SQLiteStorage, count: int) -> None:
    numbers = iter(range(count))

    async def writer() -> None:
        for number in numbers:
            await storage.create(f"/registry/configmaps/default/{number}", b"mark-%06d-" % number + b"x" * 500)
            tell(f"ack mark-{number:06}-")

    async with asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(writer())


async def main(path: str, mode: str, number: str) -> None:
    async with await SQLiteStorage.open(Path(path), RealClock()) as storage:
        tell("open")
        await {"churn": churn, "marked": marked}[mode](storage, int(number))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
