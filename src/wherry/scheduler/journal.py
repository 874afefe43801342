"""The newest entries of an endless list, by position: what happened since somebody last looked."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")
KEPT = 8192  # entries; who is further behind starts anew
FEW = 32  # entries that may stay though nobody asks for them
CUT = 256  # entries forgotten at a time: an entry may be the last to hold a Pod, and thousands let go at once take 100 ms


class Journal(Generic[T]):
    """Appended to for ever, read from any position that is not forgotten yet: the newest `kept` are not, unless `forget` is told so."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._entries: list[T] = []
        self._base = 0

    @property
    def end(self) -> int:
        return self._base + len(self._entries)

    def append(self, entry: T) -> None:
        self._entries.append(entry)
        if len(self._entries) >= self._kept + CUT:
            self._cut(CUT)

    def forget(self, position: int) -> None:
        """Nobody asks for what came before `position` any more; some of it goes."""
        if position - self._base >= FEW:
            self._cut(min(CUT, position - self._base))

    def _cut(self, count: int) -> None:
        del self._entries[:count]
        self._base += count

    def since(self, position: int) -> list[T] | None:
        """What came after `position`; None when that is forgotten."""
        return self._entries[position - self._base :] if position >= self._base else None
