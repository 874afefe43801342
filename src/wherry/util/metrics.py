"""A component's figures in Prometheus' form: cheap where they are counted, made up when someone scrapes.

Counting is a dict and an addition (a histogram: a bisection more); prometheus-client comes in only at a
scrape, with a registry made of collectors over those dicts.  Names and labels are upstream's where upstream
has the figure.  https://kubernetes.io/docs/reference/instrumentation/metrics/
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.core import Metric

SAMPLE_SECONDS = 10.0
"""How often a kubelet measures containers, and so the time over which metrics.k8s.io tells rates."""
FAST = (0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0)
"""Upstream's buckets for the duration of requests."""
DECADES = tuple(10.0**power for power in range(-8, 2))
"""Upstream's buckets of work queues."""
DOUBLING = tuple(0.001 * 2**power for power in range(15))
"""Upstream's buckets of the scheduler."""

Labels = tuple[str, ...]
Reading = float | Mapping[Labels, float]  # one figure, or one for each set of labels


class Counter:
    """Only grows.  Everyone may add to `counts` directly."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts: dict[Labels, float] = {}

    def inc(self, *labels: str, by: float = 1) -> None:
        counts = self.counts
        counts[labels] = counts.get(labels, 0) + by


class Distribution:
    """How values of one set of labels are spread over buckets."""

    __slots__ = ("buckets", "counts", "total")

    def __init__(self, buckets: Sequence[float]) -> None:
        self.buckets = buckets  # upper bounds, inclusive
        self.counts = [0] * (len(buckets) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.buckets, value)] += 1
        self.total += value


class Histogram:
    """A distribution for each set of labels."""

    __slots__ = ("buckets", "parts")

    def __init__(self, buckets: Sequence[float]) -> None:
        self.buckets = buckets
        self.parts: dict[Labels, Distribution] = {}

    def observe(self, value: float, *labels: str) -> None:
        part = self.parts.get(labels)
        if part is None:
            part = self.parts[labels] = Distribution(self.buckets)
        part.observe(value)


class Metrics:
    """One component's registry.  `process` adds the process' own figures: memory, CPU, open files."""

    def __init__(self, *, process: bool = False) -> None:
        self._sources: list[Callable[[], Iterable[Metric]]] = []
        self._process = process

    # What is counted ---------------------------------------------------------------------------

    def counter(self, name: str, help_: str, labels: Labels = ()) -> Counter:
        """`name` ends in `_total`."""
        made = Counter()
        self.counter_of(name, help_, lambda: made.counts, labels)
        return made

    def histogram(self, name: str, help_: str, labels: Labels = (), buckets: Sequence[float] = FAST) -> Histogram:
        made = Histogram(buckets)
        self.histogram_of(name, help_, lambda: made.parts, labels)
        return made

    # What is read at a scrape ------------------------------------------------------------------

    def counter_of(self, name: str, help_: str, read: Callable[[], Reading], labels: Labels = ()) -> None:
        def collect() -> Iterable[Metric]:
            from prometheus_client.core import CounterMetricFamily

            family = CounterMetricFamily(name, help_, labels=labels)
            for values, figure in _rows(read()):
                family.add_metric(values, figure)
            yield family

        self._sources.append(collect)

    def gauge_of(self, name: str, help_: str, read: Callable[[], Reading], labels: Labels = ()) -> None:
        def collect() -> Iterable[Metric]:
            from prometheus_client.core import GaugeMetricFamily

            family = GaugeMetricFamily(name, help_, labels=labels)
            for values, figure in _rows(read()):
                family.add_metric(values, figure)
            yield family

        self._sources.append(collect)

    def histogram_of(self, name: str, help_: str, read: Callable[[], Mapping[Labels, Distribution]], labels: Labels = ()) -> None:
        def collect() -> Iterable[Metric]:
            from prometheus_client.core import HistogramMetricFamily

            family = HistogramMetricFamily(name, help_, labels=labels)
            for values, part in read().items():
                bounds = [*(f"{bound:g}" for bound in part.buckets), "+Inf"]
                family.add_metric(values, list(zip(bounds, accumulate(part.counts), strict=True)), part.total)
            yield family

        self._sources.append(collect)

    def include(self, other: Metrics) -> None:
        """Show another component's figures, too: those that run in one process are scraped together."""
        self._sources.append(other.collect)

    # Showing -----------------------------------------------------------------------------------

    def collect(self) -> Iterable[Metric]:
        for source in self._sources:
            yield from source()

    def expose(self, accept: str = "") -> tuple[bytes, str]:
        """(the text, its content type), in the form that an `Accept` header prefers."""
        from prometheus_client import CollectorRegistry, ProcessCollector
        from prometheus_client.exposition import choose_encoder

        registry = CollectorRegistry()
        if self._process:
            ProcessCollector(registry=registry)
        registry.register(self)
        encode, content_type = choose_encoder(accept)
        return encode(registry), content_type

    def describe(self) -> Iterable[Metric]:
        """Nothing: so that registering does not collect."""
        return ()


def _rows(reading: Reading) -> Iterable[tuple[Labels, float]]:
    return [((), reading)] if isinstance(reading, int | float) else reading.items()


def build_info(metrics: Metrics, version: str) -> None:
    """`kubernetes_build_info`, as every component has it."""
    major, minor = version.lstrip("v").split(".")[:2]
    metrics.gauge_of(
        "kubernetes_build_info", "Which version this is; the value is always 1.", lambda: {(major, minor, version): 1.0},
        ("major", "minor", "git_version"),
    )


class ComponentSLIs:
    """What `/metrics/slis` shows: how each health check of a component went, each time that somebody asked.

    https://kubernetes.io/docs/reference/instrumentation/slis/
    """

    def __init__(self) -> None:
        self.metrics = Metrics()
        self._last: dict[Labels, float] = {}
        self.metrics.gauge_of(
            "kubernetes_healthcheck", "[STABLE] This metric records the result of a single healthcheck.", lambda: self._last,
            ("name", "type"),
        )
        self._total = self.metrics.counter(
            "kubernetes_healthchecks_total", "[STABLE] This metric records the results of all healthcheck.", ("name", "status", "type"),
        )

    def observe(self, name: str, kind: str, holds: bool) -> None:
        """`kind` is the endpoint that was asked: healthz, livez or readyz."""
        self._last[name, kind] = float(holds)
        self._total.inc(name, "success" if holds else "error", kind)
