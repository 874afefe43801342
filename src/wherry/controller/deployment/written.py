"""What a controller has written and its cache has not shown yet.

Sizes are planned from all ReplicaSets together: on a view without its own last write, a Deployment
that changes again at once would get more Pods than its surge allows.  (Statuses may be as old as they like.)
"""

from __future__ import annotations

from typing import Any

from wherry.client.store import Store
from wherry.util.clock import Clock

TIMEOUT = 300.0  # seconds; a relist may skip an object that came and went meanwhile


class Written:
    """By the key of the owner: the revision of each object (by its key) that the owner's controller wrote last."""

    def __init__(self, clock: Clock, store: Store[Any]) -> None:
        self._clock, self._store = clock, store
        self._writes: dict[str, dict[str, tuple[int, float]]] = {}

    def note(self, owner: str, key: str, resource_version: str) -> None:
        self._writes.setdefault(owner, {})[key] = int(resource_version), self._clock.monotonic()

    def forget(self, owner: str, key: str = "") -> None:
        """The object is gone, or (without `key`) the owner is."""
        if not key:
            self._writes.pop(owner, None)
        elif owner in self._writes:
            self._writes[owner].pop(key, None)

    def shown(self, owner: str) -> bool:
        """The cache holds every write, or something newer.  What it does not show yet will wake the owner when it comes."""
        writes, now = self._writes.get(owner, {}), self._clock.monotonic()
        for key, (revision, at) in list(writes.items()):
            found = self._store.get_by_key(key)
            if (found is not None and int(found.metadata.resource_version) >= revision) or now - at > TIMEOUT:
                del writes[key]
        if not writes:
            self._writes.pop(owner, None)
        return not writes
