"""Counting, and how it is shown to Prometheus."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wherry.util.metrics import Distribution, Metrics, build_info

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    """Every sample as Prometheus would read it."""
    text = metrics.expose()[0].decode()
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"{key} is there twice"
            found[key] = sample.value
    return found


def test_a_counter() -> None:
    metrics = Metrics()
    counter = metrics.counter("x_total", "Things.", ("kind",))
    counter.inc("a")
    counter.inc("a", by=2)
    counter.inc('b"\n')
    assert samples(metrics) == {("x_total", (("kind", "a"),)): 3, ("x_total", (("kind", 'b"\n'),)): 1}


def test_figures_are_read_when_scraped() -> None:
    metrics, figure = Metrics(), 1.0
    metrics.gauge_of("g", "A gauge.", lambda: figure)
    metrics.counter_of("c_total", "A counter.", lambda: {("x",): figure * 2}, ("l",))
    assert samples(metrics)["g", ()] == 1
    figure = 5.0
    assert samples(metrics) == {("g", ()): 5, ("c_total", (("l", "x"),)): 10}


def test_a_histogram_is_cumulative_and_its_bounds_are_inclusive() -> None:
    metrics = Metrics()
    histogram = metrics.histogram("h", "Spread.", ("l",), (0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value, "x")
    found = samples(metrics)
    assert {dict(labels)["le"]: n for (name, labels), n in found.items() if name == "h_bucket"} == {"0.1": 2, "1": 3, "+Inf": 4}
    assert found["h_count", (("l", "x"),)] == 4
    assert found["h_sum", (("l", "x"),)] == pytest.approx(7.65)


def test_components_are_shown_together() -> None:
    whole, part = Metrics(), Metrics()
    part.counter("x_total", "Things.").inc()
    whole.include(part)
    build_info(whole, "v1.37.0+wherry.0.1.0")
    labels = (("git_version", "v1.37.0+wherry.0.1.0"), ("major", "1"), ("minor", "37"))
    assert samples(whole) == {("x_total", ()): 1, ("kubernetes_build_info", labels): 1}


def test_the_process_is_told_of_when_asked_for() -> None:
    assert not samples(Metrics())
    assert samples(Metrics(process=True))["process_resident_memory_bytes", ()] > 1 << 20


@pytest.mark.parametrize(("value", "bucket"), [(-1, 0), (1, 0), (1.5, 1), (2, 1), (3, 2)])
def test_buckets(value: float, bucket: int) -> None:
    part = Distribution((1.0, 2.0))
    part.observe(value)
    assert part.counts.index(1) == bucket
