"""Who is told of commits: caches by prefix, at once, and whoever waits for the revision to move."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import lru_cache

from wherry.storage.interface import Change, OnChanges, StorageClosed

log = logging.getLogger(__name__)


class Hub:
    """Fans each commit out on the loop.  Subscribers are called; waiters are woken."""

    def __init__(self) -> None:
        self._subscribers: dict[str, list[OnChanges]] = {}
        self._turn: asyncio.Future[None] | None = None
        self._closed = False

    def subscribe(self, prefix: str, on_changes: OnChanges) -> Callable[[], None]:
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"the prefix {prefix!r} does not end in /")
        self._subscribers.setdefault(prefix, []).append(on_changes)

        def cancel() -> None:
            callbacks = self._subscribers.get(prefix, [])
            if on_changes in callbacks:
                callbacks.remove(on_changes)
            if not callbacks:
                self._subscribers.pop(prefix, None)

        return cancel

    def publish(self, changes: Sequence[Change]) -> None:
        """Tell of one commit.  A subscriber that raises costs the others, and the writers, nothing."""
        for prefix, part in self._by_prefix(changes).items():
            for on_changes in tuple(self._subscribers[prefix]):
                try:
                    on_changes(part)
                except Exception:
                    log.exception("a subscriber to %s failed", prefix)
        self.signal()

    def signal(self) -> None:
        """Wake everyone in `turn`."""
        if self._turn is not None:
            self._turn.set_result(None)
            self._turn = None

    async def turn(self) -> None:
        """Return after the next commit, failed commit or compaction.  Raises StorageClosed."""
        if self._closed:
            raise StorageClosed
        if self._turn is None:
            self._turn = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._turn)
        if self._closed:
            raise StorageClosed

    def close(self) -> None:
        self._closed = True
        self._subscribers.clear()
        self.signal()

    def _by_prefix(self, changes: Sequence[Change]) -> dict[str, list[Change]]:
        parts: dict[str, list[Change]] = {}
        for change in changes:
            for prefix in _prefixes(change.key):
                if prefix in self._subscribers:
                    parts.setdefault(prefix, []).append(change)
        return parts


def _prefixes(key: str) -> tuple[str, ...]:
    return _prefixes_of_folder(key[: key.rfind("/") + 1])


@lru_cache(maxsize=4096)  # a folder is a resource, or one in a namespace
def _prefixes_of_folder(folder: str) -> tuple[str, ...]:
    """"", and all that ends in a slash."""
    return tuple(folder[:end] for end in range(len(folder) + 1) if not end or folder[end - 1] == "/")
