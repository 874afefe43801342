"""What probes last found, by container."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Result(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"
    WARNING = "warning"  # a success worth an event


class Results:
    """One kind of probe's results.  `on_change(container id, pod uid, result)` is called when one changes."""

    def __init__(self, on_change: Callable[[str, str, Result], None]) -> None:
        self._results: dict[str, Result] = {}
        self._on_change = on_change

    def get(self, container_id: str) -> str | None:
        return self._results.get(container_id)

    def set(self, container_id: str, uid: str, result: Result) -> None:
        if self._results.get(container_id) != result:
            self._results[container_id] = result
            self._on_change(container_id, uid, result)

    def remove(self, container_id: str) -> None:
        self._results.pop(container_id, None)
