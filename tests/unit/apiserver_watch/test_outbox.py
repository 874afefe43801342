"""When the events of a watch are sent: the first of a burst at once, the others in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from wherry.apiserver.endpoints.watch import PACE_SECONDS, Outbox, Watch


class Loop:
    """An event loop whose time moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.soon: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self.later: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[..., object], *args: object) -> None:
        self.soon.append((call, args))

    def call_at(self, when: float, call: Callable[[], object]) -> None:
        self.later.append((when, call))

    def turn(self) -> None:
        """One turn: what was due when it began."""
        soon, self.soon = self.soon, []
        due = [call for when, call in self.later if when <= self.now]
        self.later = [each for each in self.later if each[0] > self.now]
        for call, args in soon:
            call(*args)
        for call in due:
            call()

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self.turn()


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    made = Loop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: made)
    return made


class Watcher:
    """Counts how often it is flushed."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.flushes = 0

    def event(self) -> None:
        self._outbox.add(cast(Watch, self))

    def flush(self) -> None:
        self.flushes += 1


@pytest.fixture
def watchers(loop: Loop) -> list[Watcher]:
    """Two watchers of one outbox."""
    outbox = Outbox()
    return [Watcher(outbox), Watcher(outbox)]


def flushes(watchers: list[Watcher]) -> list[int]:
    return [each.flushes for each in watchers]


def test_after_a_quiet_moment_the_writer_is_answered_first(loop: Loop, watchers: list[Watcher]) -> None:
    watchers[0].event()
    loop.turn()
    watchers[1].event()  # of the same commit, told a turn later
    assert flushes(watchers) == [0, 0]
    loop.turn()
    assert flushes(watchers) == [1, 1]
    assert (loop.soon, loop.later) == ([], [])


def test_what_follows_soon_waits_for_the_pace_and_goes_together(loop: Loop, watchers: list[Watcher]) -> None:
    watchers[0].event()
    loop.turn()
    loop.turn()
    loop.advance(PACE_SECONDS / 4)
    watchers[0].event()
    loop.advance(PACE_SECONDS / 4)
    watchers[1].event()
    loop.turn()
    assert flushes(watchers) == [1, 0]
    loop.advance(PACE_SECONDS)
    assert flushes(watchers) == [2, 1]


def test_a_burst_is_paced_as_long_as_it_lasts_and_then_no_more(loop: Loop, watchers: list[Watcher]) -> None:
    for _ in range(5):
        watchers[0].event()
        loop.turn()
        loop.turn()
        loop.advance(PACE_SECONDS * 0.75)
    assert watchers[0].flushes < 5
    loop.advance(PACE_SECONDS)  # the last piece
    loop.advance(PACE_SECONDS)  # quiet
    before = watchers[0].flushes
    watchers[0].event()
    loop.turn()
    loop.turn()
    assert watchers[0].flushes == before + 1
