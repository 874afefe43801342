"""The scheduler's figures, named as upstream's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherry.util.metrics import DOUBLING, Labels, Metrics

if TYPE_CHECKING:
    from wherry.scheduler.queue import SchedulingQueue

# Upstream's names of the queue's parts; a Pod that is being tried is in none of them.
_QUEUES = ("active", "backoff", "unschedulable", "gated")


class SchedulerMetrics:
    """`attempt` is called once a decision."""

    def __init__(self, queue: SchedulingQueue) -> None:
        self.metrics, self._queue = Metrics(), queue
        labels = ("result", "profile")
        self._attempts = self.metrics.counter(
            "scheduler_schedule_attempts_total", "Attempts to schedule Pods: scheduled, unschedulable or error.", labels,
        )
        self._durations = self.metrics.histogram(
            "scheduler_scheduling_attempt_duration_seconds", "How long it took to decide on a Pod.", labels, DOUBLING,
        )
        self.metrics.gauge_of("scheduler_pending_pods", "Pods that wait, by the queue's part.", self._pending, ("queue",))

    def attempt(self, result: str, profile: str, seconds: float) -> None:
        self._attempts.inc(result, profile)
        self._durations.observe(seconds, result, profile)

    def _pending(self) -> dict[Labels, float]:
        counts = self._queue.counts()
        return {(name,): float(counts.get(name, 0)) for name in _QUEUES}
