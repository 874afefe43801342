"""How long a Job waits before it replaces what failed: 10 s, 20 s, 40 s … 10 min after the last failure.  Pure.

A success starts it anew.  The record is a set of failures, so seeing one twice changes nothing; after
a restart it is made again from the Pods that are still there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from wherry.api.types import core_v1
from wherry.controller.podutil import condition, created
from wherry.util.clock import parse_rfc3339

BASE, CAP = 10.0, 600.0  # seconds; upstream's documentation says six minutes, its code ten
KEEP = 8  # failures that are remembered: more make no difference to the delay


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures since the last success: when each was, by uid."""

    failures: dict[str, float] = field(default_factory=dict)
    last_success: float = 0.0

    def observe(self, succeeded: Iterable[core_v1.Pod], failed: Iterable[core_v1.Pod], now: float) -> Backoff:
        """What is said to have been later than now was now: the clock was set back, and nothing waits longer for that."""
        last = min(now, max(map(finished_at, succeeded), default=self.last_success))
        last = max(last, min(now, self.last_success))
        failures = {pod.metadata.uid: finished_at(pod) for pod in failed} | self.failures
        newest = sorted(((uid, min(at, now)) for uid, at in failures.items()), key=lambda item: (item[1], item[0]))
        return Backoff(dict([item for item in newest if item[1] > last][-KEEP:]), last)

    def since(self, pod: core_v1.Pod) -> float:
        """When a failed Pod failed, as this clock goes."""
        return self.failures.get(pod.metadata.uid, finished_at(pod))

    def remaining(self, now: float) -> float:
        """Seconds until a Pod may be made; 0 when it may be now."""
        if not self.failures:
            return 0.0
        return remaining(len(self.failures), max(self.failures.values()), now)


def remaining(failures: int, last: float, now: float) -> float:
    """After so many failures, the last at `last`."""
    delay = min(BASE * 2.0 ** min(failures - 1, 16), CAP)
    return min(max(0.0, last + delay - now), delay)


def finished_at(pod: core_v1.Pod) -> float:
    """When its last container ended; else when it stopped being ready, else when its deletion was asked for."""
    ends = [status.state.terminated.finished_at if status.state.terminated else None for status in pod.status.container_statuses]
    known = [parse_rfc3339(end) for end in ends if end]
    if known and len(known) == len(ends):
        return max(known)
    ready = condition(pod, "Ready")
    if ready is not None and ready.status == "False" and ready.last_transition_time:
        return parse_rfc3339(ready.last_transition_time)
    if pod.metadata.deletion_timestamp:
        return parse_rfc3339(pod.metadata.deletion_timestamp) - (pod.metadata.deletion_grace_period_seconds or 0)
    return created(pod)
