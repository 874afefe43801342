"""The scheduler's figures, named as upstream's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wherry.util.metrics import DOUBLING, Labels, Metrics

if TYPE_CHECKING:
    from wherry.scheduler.queue import SchedulingQueue

_WAITS = tuple(0.01 * 2**power for power in range(20))
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
        self._tries = self.metrics.histogram(
            "scheduler_pod_scheduling_attempts", "Attempts until a Pod was scheduled.", (), (1, 2, 4, 8, 16),
        )
        self._waits = self.metrics.histogram(
            "scheduler_pod_scheduling_sli_duration_seconds", "How long a Pod took from its first attempt on.", ("attempts",), _WAITS,
        )
        self._preemptions = self.metrics.counter("scheduler_preemption_attempts_total", "Attempts to make room for a Pod.")
        self._victims = self.metrics.histogram(
            "scheduler_preemption_victims", "Pods that had to go for one.", (), (1, 2, 4, 8, 16, 32, 64),
        )
        self.metrics.gauge_of(
            "scheduler_unschedulable_pods", "Pods that a plugin has refused.",
            lambda: {labels: float(count) for labels, count in self._queue.refusals().items()}, ("plugin", "profile"),
        )
        self.metrics.gauge_of("scheduler_pending_pods", "Pods that wait, by the queue's part.", self._pending, ("queue",))

    def attempt(self, result: str, profile: str, seconds: float) -> None:
        self._attempts.inc(result, profile)
        self._durations.observe(seconds, result, profile)

    def bound(self, attempts: int, seconds: float) -> None:
        self._tries.observe(attempts)
        self._waits.observe(seconds, str(attempts) if attempts <= 15 else "16+")

    def preempted(self, victims: int) -> None:
        """Room was looked for; 0: there is none to be made."""
        self._preemptions.inc()
        if victims:
            self._victims.observe(victims)

    def _pending(self) -> dict[Labels, float]:
        counts = self._queue.counts()
        return {(name,): float(counts.get(name, 0)) for name in _QUEUES}
