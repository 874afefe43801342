"""What the live tests of workloads share beyond the World."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec


async def raw(w: Any, path: str) -> dict[str, Any]:
    """An object as the server sends it, fields that structs do not know included."""
    return msgspec.json.decode((await w.client.raw("GET", path)).body)


async def kill_controllers(w: Any) -> None:
    """End them wherever they are, as SIGKILL would."""
    for task in w._tasks:
        task.cancel()
    await asyncio.gather(*w._tasks, return_exceptions=True)
    w._tasks.clear()
    w.manager = None
