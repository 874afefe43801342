"""Back-off by key with upstream's rules (client-go `flowcontrol.Backoff`): what CrashLoopBackOff waits by."""

from __future__ import annotations

from dataclasses import dataclass

from wherry.util.clock import Clock


@dataclass(slots=True)
class _Entry:
    delay: float
    last_update: float
    since: float | None = None  # the failure for which `due` was reckoned
    due: float = 0.0  # monotonic seconds


class Backoff:
    """Delays double from `initial` to `maximum` and are forgotten when nothing failed for twice `maximum`.

    Times are wall seconds, because an event's time comes from a container's status.
    """

    def __init__(self, clock: Clock, initial: float, maximum: float) -> None:
        self._clock, self._initial, self._maximum = clock, initial, maximum
        self._entries: dict[str, _Entry] = {}

    def get(self, key: str) -> float:
        """The delay that stands for `key`; 0 when it never failed."""
        entry = self._entries.get(key)
        return entry.delay if entry else 0.0

    def remaining(self, key: str, since: float) -> float:
        """Seconds still to wait when the last failure was at `since`; 0 when `key` may go on.

        When that is over is reckoned once a failure, so that a clock that is set meanwhile changes nothing.
        """
        entry = self._entries.get(key)
        if entry is None or self._expired(since, entry):
            return 0.0
        now = self._clock.monotonic()
        if entry.since != since:
            left = since + entry.delay - self._clock.time()
            entry.since, entry.due = since, now + min(max(0.0, left), entry.delay)
        return max(0.0, entry.due - now)

    def next(self, key: str, since: float) -> None:
        """Count one more failure, which was at `since`."""
        entry = self._entries.get(key)
        if entry is None or self._expired(since, entry):
            self._entries[key] = _Entry(self._initial, self._clock.time())
        else:
            entry.delay = min(entry.delay * 2, self._maximum)
            entry.last_update = self._clock.time()
            entry.since = None

    def forget(self, prefix: str) -> None:
        """Drop every key that starts with `prefix` (a Pod that is gone)."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]

    def _expired(self, since: float, entry: _Entry) -> bool:
        return since - entry.last_update > self._maximum * 2
