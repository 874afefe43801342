"""The work queue, its rate limiter, and expectations: client-go's promises."""

from __future__ import annotations

import asyncio

import pytest

from wherry.client.expectations import TIMEOUT, Expectations
from wherry.client.workqueue import QueueShutDown, RateLimiter, WorkQueue
from wherry.util.clock import FakeClock


async def test_a_key_added_twice_is_one():
    queue = WorkQueue(FakeClock())
    for key in ("a", "a", "b"):
        queue.add(key)
    assert [await queue.get(), await queue.get(), len(queue)] == ["a", "b", 0]


async def test_a_key_added_while_a_worker_has_it_comes_back_after_done():
    queue = WorkQueue(FakeClock())
    queue.add("a")
    await queue.get()
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.get() == "a"


async def test_shut_down_wakes_those_who_wait():
    queue = WorkQueue(FakeClock())
    waiting = asyncio.ensure_future(queue.get())
    await asyncio.sleep(0)
    queue.shut_down()
    with pytest.raises(QueueShutDown):
        await waiting


async def test_a_delayed_key_comes_at_its_earliest_time_and_once():
    clock = FakeClock()
    queue = WorkQueue(clock)
    task = asyncio.ensure_future(queue.run())
    queue.add_after("a", 10)
    queue.add_after("a", 5)
    await clock.advance(4.9)
    assert len(queue) == 0
    await clock.advance(0.2)
    assert len(queue) == 1
    queue.done(await queue.get())
    await clock.advance(20)
    assert len(queue) == 0
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_failures_wait_twice_as_long_each_time_and_forget_starts_anew():
    limiter = RateLimiter(FakeClock())
    assert [limiter.when("a") for _ in range(4)] == [0.005, 0.01, 0.02, 0.04]
    assert limiter.failures("a") == 4
    limiter.forget("a")
    assert limiter.when("a") == 0.005


def test_no_key_waits_longer_than_the_cap():
    limiter = RateLimiter(FakeClock(), qps=1e9)
    assert [limiter.when("a") for _ in range(40)][-1] == 1000.0


def test_many_keys_at_once_share_the_bucket():
    limiter = RateLimiter(FakeClock(), qps=10, burst=2)
    assert [round(limiter.when(key), 3) for key in "abcd"] == [0.005, 0.005, 0.1, 0.2]


def test_expectations_hold_until_all_is_seen_and_count_a_deletion_once():
    expectations = Expectations(FakeClock())
    expectations.expect("k", creations=1, deletions={"u1", "u2"})
    expectations.deletion_observed("k", "u1")
    expectations.deletion_observed("k", "u1")
    expectations.creation_observed("k")
    assert not expectations.satisfied("k")
    expectations.deletion_observed("k", "u2")
    assert expectations.satisfied("k")


async def test_expectations_expire():
    clock = FakeClock()
    expectations = Expectations(clock)
    expectations.expect("k", creations=1)
    await clock.advance(TIMEOUT + 1)
    assert expectations.satisfied("k")
