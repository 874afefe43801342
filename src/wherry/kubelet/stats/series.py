"""The last two samples of everything that is measured, and the rates between them.  Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wherry.runtime.interface import Usage


@dataclass(frozen=True, slots=True)
class Sample:
    """A measurement.  `at` is monotonic: a rate must not jump with the wall clock."""

    at: float
    usage: Usage
    log_bytes: int | None = None


class Series:
    """By container id, sandbox id or "" for the node."""

    def __init__(self) -> None:
        self._older: dict[str, Sample] = {}
        self._newer: dict[str, Sample] = {}

    def add(self, key: str, sample: Sample) -> None:
        before = self._newer.get(key)
        if before is not None and before.usage.cpu_ns <= sample.usage.cpu_ns:
            self._older[key] = before
        else:  # counting began anew
            self._older.pop(key, None)
        self._newer[key] = sample

    def last(self, key: str) -> Sample | None:
        return self._newer.get(key)

    def nano_cores(self, key: str, started: float | None = None) -> int | None:
        """CPU use between the two samples.

        With one alone it is that since `started` (wall seconds), when the thing had used nothing; None without that.
        """
        newer, older = self._newer.get(key), self._older.get(key)
        if newer is None:
            return None
        if older is not None and newer.at > older.at:
            return int((newer.usage.cpu_ns - older.usage.cpu_ns) / (newer.at - older.at))
        if started is None or newer.usage.time <= started:
            return None
        return int(newer.usage.cpu_ns / (newer.usage.time - started))

    def keep(self, keys: set[str]) -> None:
        """Forget everything else."""
        for table in (self._older, self._newer):
            for key in table.keys() - keys:
                del table[key]
