"""The cyclic collector's settings, put back after each test."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from wherry.util import collector
from wherry.util.clock import FakeClock


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.callbacks[:] = [each for each in gc.callbacks if each is not collector._put_aside]
    gc.unfreeze()


def test_a_relaxed_collector_still_works() -> None:
    collector.relax()
    assert gc.isenabled()
    assert gc.get_threshold()[0] == collector.YOUNG > 700


def test_what_is_alive_when_all_stands_is_not_looked_at_again() -> None:
    alive = [{"a": [1]}]
    collector.settle()
    assert gc.get_freeze_count() > 0
    assert not any(each is alive for each in gc.get_objects())


def test_what_is_found_alive_later_is_put_aside_too() -> None:
    collector.settle()
    before = gc.get_freeze_count()
    alive = [[each] for each in range(1000)]
    gc.collect(0)
    assert gc.get_freeze_count() >= before + len(alive)


def test_a_look_is_at_no_more_than_what_is_new() -> None:
    collector.relax()
    collector.settle()
    alive: list[list[int]] = []
    most = 0
    for number in range(4 * collector.YOUNG):
        alive.append([number])
        most = max(most, sum(gc.get_count()[:1])) if number % 100 else max(most, len(gc.get_objects()))
    assert most <= collector.YOUNG + 1000


class Knot:
    """A cycle that only the collector can undo."""

    def __init__(self) -> None:
        self.itself = self


async def test_cycles_among_what_is_aside_go_once_much_is() -> None:
    collector.settle()
    clock = FakeClock()
    running = asyncio.create_task(collector.run(clock))
    await asyncio.sleep(0)
    knot = Knot()
    known = weakref.ref(knot)
    gc.collect()  # alive, so it is put aside
    del knot
    gc.collect()
    assert known() is not None
    alive = [[each] for each in range(2 * gc.get_freeze_count())]
    gc.collect()
    await clock.advance(collector.PERIOD)
    assert known() is None
    assert alive
    running.cancel()
