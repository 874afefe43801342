"""The newest entries of an endless list, by position: what happened since somebody last looked."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")
KEPT = 8192  # entries; who is further behind starts anew
CUT = 256  # entries forgotten at a time: an entry may be the last to hold a Pod, and thousands let go at once take 100 ms


class Journal(Generic[T]):
    """Appended to for ever, read from any position that is not forgotten yet."""

    def __init__(self) -> None:
        self._entries: list[T] = []
        self._base = 0

    @property
    def end(self) -> int:
        return self._base + len(self._entries)

    def append(self, entry: T) -> None:
        self._entries.append(entry)
        if len(self._entries) >= KEPT + CUT:
            del self._entries[:CUT]
            self._base += CUT

    def since(self, position: int) -> list[T] | None:
        """What came after `position`; None when that is forgotten."""
        return self._entries[position - self._base :] if position >= self._base else None
