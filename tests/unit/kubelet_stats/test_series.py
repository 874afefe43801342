"""Rates from two samples."""

from __future__ import annotations

import pytest

from wherry.kubelet.stats.series import Sample, Series
from wherry.runtime.interface import Usage

S = 1_000_000_000


def series(*samples: tuple[float, int]) -> Series:
    """Samples as (monotonic seconds, CPU nanoseconds); wall time is a thousand seconds ahead."""
    made = Series()
    for at, cpu in samples:
        made.add("k", Sample(at, Usage(at + 1000, cpu_ns=cpu)))
    return made


@pytest.mark.parametrize(
    ("samples", "started", "rate"),
    [
        ((), None, None),
        (((10, 5 * S),), None, None),
        (((10, 5 * S),), 1000.0, S // 2),
        (((10, 5 * S),), 1010.0, None),
        (((10, 5 * S), (20, 6 * S)), 1000.0, S // 10),
        (((10, 5 * S), (20, 6 * S), (30, 16 * S)), 1000.0, S),
        (((10, 5 * S), (20, 1 * S)), None, None),
        (((10, 5 * S), (20, 1 * S)), 1019.0, S),
        (((10, 5 * S), (10, 5 * S)), None, None),
    ],
    ids=["nothing", "one of unknown age", "one since its start", "one at its start", "two", "the last two", "reset",
         "reset, with a start", "no time between"],
)
def test_rate(samples: tuple[tuple[float, int], ...], started: float | None, rate: int | None) -> None:
    assert series(*samples).nano_cores("k", started) == rate


def test_what_is_gone_is_forgotten() -> None:
    made = series((10, 1), (20, 2))
    made.keep({"other"})
    assert made.last("k") is None
    assert made.nano_cores("k", 0.0) is None


def test_a_jump_of_the_wall_clock_is_no_jump_of_the_rate() -> None:
    made = Series()
    made.add("k", Sample(10, Usage(1000, cpu_ns=0)))
    made.add("k", Sample(20, Usage(500_000, cpu_ns=10 * S)))
    assert made.nano_cores("k") == S
