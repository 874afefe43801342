"""The cyclic collector's settings, put back after each test."""

import gc
from collections.abc import Iterator

import pytest

from wherry.util import collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
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
