"""Completion indexes as a Job's status writes them: `0-2,5`.  Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=256)
def parse(text: str, completions: int) -> frozenset[int]:
    """The indexes below `completions`.  What cannot be read is left out: a status is nobody's to write by hand."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first.isdecimal() and (last.isdecimal() if dash else True):
            found.update(range(int(first), min(int(last or first), completions - 1) + 1))
    return frozenset(found)


def render(indexes: Iterable[int]) -> str:
    """Two in a row are listed, three and more become a range: `0,1,5-7`."""
    parts: list[str] = []
    ordered = sorted(indexes)
    start = 0
    while start < len(ordered):
        end = start
        while end + 1 < len(ordered) and ordered[end + 1] == ordered[end] + 1:
            end += 1
        if end > start + 1:
            parts.append(f"{ordered[start]}-{ordered[end]}")
        else:
            parts += [str(index) for index in ordered[start:end + 1]]
        start = end + 1
    return ",".join(parts)
