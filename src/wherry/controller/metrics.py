"""The controllers' figures: upstream's workqueue_* of every queue, read at a scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wherry.client.workqueue import WorkQueue
from wherry.controller.controller import Controller
from wherry.util.metrics import Distribution, Labels, Metrics


def controller_metrics(controllers: Iterable[Controller]) -> Metrics:
    """A queue is named after its controller; what else one counts is its own to name."""
    all_ = list(controllers)
    metrics, queues = Metrics(), {(each.name,): each.queue for each in all_}
    for each in all_:
        metrics.include(each.figures)
    name = ("name",)

    def figures(of: Callable[[WorkQueue[str]], float]) -> Callable[[], dict[Labels, float]]:
        return lambda: {label: of(queue) for label, queue in queues.items()}

    def spread(of: Callable[[WorkQueue[str]], Distribution]) -> Callable[[], dict[Labels, Distribution]]:
        return lambda: {label: of(queue) for label, queue in queues.items()}

    metrics.gauge_of("workqueue_depth", "Keys that wait for a worker.", figures(len), name)
    metrics.counter_of("workqueue_adds_total", "Keys that were added.", figures(lambda queue: queue.adds), name)
    metrics.counter_of("workqueue_retries_total", "Keys that were added again because they failed.", figures(lambda q: q.retries), name)
    metrics.histogram_of("workqueue_queue_duration_seconds", "How long keys waited.", spread(lambda queue: queue.waited), name)
    metrics.histogram_of("workqueue_work_duration_seconds", "How long keys took.", spread(lambda queue: queue.worked), name)
    metrics.gauge_of(
        "workqueue_unfinished_work_seconds", "How long workers have had the keys they have now, in all.",
        figures(lambda queue: queue.unfinished[0]), name,
    )
    metrics.gauge_of(
        "workqueue_longest_running_processor_seconds", "How long a worker has had the key that it has had longest.",
        figures(lambda queue: queue.unfinished[1]), name,
    )
    return metrics
