"""What can be wrong with an expression: when it is compiled, and when it is run."""

from __future__ import annotations

from collections.abc import Iterable


class EvaluationError(Exception):
    """An expression has no value for what it was given: a missing key, an overflow, no overload for these types."""


class CostExceeded(EvaluationError):
    """It did more than it may; unlike other errors it is not absorbed by `||` or `&&`."""


class CompileError(Exception):
    """Everything that is wrong with an expression, each fault with its place, as cel-go shows it."""

    def __init__(self, source: str, faults: Iterable[tuple[int, str]]) -> None:
        self.faults = sorted(faults)
        super().__init__("\n".join(_shown(source, offset, words) for offset, words in self.faults))


def _shown(source: str, offset: int, words: str) -> str:
    before = source[:offset]
    line, column = before.count("\n"), offset - (before.rfind("\n") + 1)
    text = (source.splitlines() or [""])[line] if line < max(1, len(source.splitlines())) else ""
    return f"ERROR: <input>:{line + 1}:{column + 1}: {words}\n | {text}\n | {'.' * column}^"
