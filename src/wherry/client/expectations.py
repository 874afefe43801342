"""Creations and deletions that a controller has asked for and its informers have not shown yet.

Until they have (or five minutes have passed, in case one never comes) the cache is stale, and a
controller that counted on it would create or delete too much.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wherry.util.clock import Clock

TIMEOUT = 300.0  # seconds; upstream's ExpectationsTimeout


@dataclass(slots=True)
class _Expected:
    since: float
    creations: int = 0
    deletions: set[str] = field(default_factory=set)  # uids, so that one deletion seen twice counts once


class Expectations:
    """By the key of the controlling object."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expected: dict[str, _Expected] = {}

    def expect(self, key: str, creations: int = 0, deletions: set[str] | None = None) -> None:
        """Replace what was expected for `key`.  To be called before the requests are sent."""
        self._expected[key] = _Expected(self._clock.monotonic(), creations, set(deletions or ()))

    def creation_observed(self, key: str, count: int = 1) -> None:
        """An object has been seen, or its creation has failed."""
        expected = self._expected.get(key)
        if expected is not None:
            expected.creations -= count

    def deletion_observed(self, key: str, uid: str) -> None:
        """An object's deletion has been seen (also its deletionTimestamp), or the request failed."""
        expected = self._expected.get(key)
        if expected is not None:
            expected.deletions.discard(uid)

    def satisfied(self, key: str) -> bool:
        """The cache may be trusted for `key`."""
        expected = self._expected.get(key)
        if expected is None or (expected.creations <= 0 and not expected.deletions):
            return True
        return self._clock.monotonic() - expected.since > TIMEOUT

    def forget(self, key: str) -> None:
        self._expected.pop(key, None)
