"""Awaiting one thing while another may cut it short, with no task left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def unless(alarm: Awaitable[object], thing: Awaitable[T], error: type[Exception]) -> T:
    """What `thing` gives; but when `alarm` is done first, `thing` is cancelled and `error` raised."""
    task, cut = asyncio.ensure_future(thing), asyncio.ensure_future(alarm)
    try:
        await asyncio.wait({task, cut}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise error
        return task.result()
    finally:
        for each in (task, cut):
            if not each.done():
                each.cancel()
        await asyncio.gather(task, cut, return_exceptions=True)
