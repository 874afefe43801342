"""The journal forgets what is old, a little at a time."""

from __future__ import annotations

from wherry.scheduler.journal import CUT, FEW, KEPT, Journal


def test_what_came_since_a_position_is_told_unless_it_is_forgotten() -> None:
    journal: Journal[int] = Journal()
    for number in range(3 * KEPT):
        assert journal.end == number
        journal.append(number)
    assert journal.since(journal.end) == []
    assert journal.since(journal.end - KEPT) == list(range(2 * KEPT, 3 * KEPT))
    assert journal.since(journal.end - KEPT - CUT) is None
    assert journal.since(0) is None


class Held:
    alive = 0

    def __init__(self) -> None:
        Held.alive += 1

    def __del__(self) -> None:
        Held.alive -= 1


def test_few_entries_are_let_go_at_a_time() -> None:
    journal: Journal[Held] = Journal()
    most = 0
    for _ in range(KEPT + 4 * CUT):
        before = Held.alive
        journal.append(Held())
        most = max(most, before + 1 - Held.alive)
    assert most == CUT


def test_what_nobody_asks_for_is_forgotten() -> None:
    journal: Journal[Held] = Journal()
    for number in range(10 * CUT):
        journal.append(Held())
        journal.forget(max(0, number - 100))
        assert journal.since(max(0, number - 100)) is not None
    assert Held.alive <= 101 + FEW
    journal.forget(journal.end)
    assert Held.alive <= FEW
