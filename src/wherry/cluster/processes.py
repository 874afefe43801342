"""The processes of a cluster whose components have each their own: on record, seen from outside.

A process is named by its id and its start time, so that a recycled id is never taken for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

import msgspec

from wherry.cluster.config import ClusterConfig, write_private

STOP_SECONDS = 5.0


class Record(msgspec.Struct, frozen=True):
    """One component's process."""

    name: str
    pid: int
    started: str  # in the kernel's ticks
    restarts: int
    port: int = 0  # where it serves its own figures and health; 0: not yet


def _file(config: ClusterConfig) -> Path:
    return config.run / "processes.json"


def write(config: ClusterConfig, records: list[Record]) -> None:
    write_private(_file(config), msgspec.json.encode(records))


def running(config: ClusterConfig) -> list[Record]:
    """Those on record that still run."""
    try:
        records = msgspec.json.decode(_file(config).read_bytes(), type=list[Record])
    except (OSError, msgspec.MsgspecError):
        return []
    return [record for record in records if alive(record)]


def start_time(pid: int) -> str:
    """When the process started; "" when there is none, or nothing but its exit code."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def alive(record: Record) -> bool:
    return bool(record.started) and start_time(record.pid) == record.started


def end_left(config: ClusterConfig) -> None:
    """End what runs without a supervisor: SIGTERM, and SIGKILL if that does not do."""
    left, deadline = running(config), time.monotonic() + STOP_SECONDS
    _signal(left, signal.SIGTERM)
    while left := [record for record in left if alive(record)]:
        if time.monotonic() > deadline:
            _signal(left, signal.SIGKILL)
        time.sleep(0.02)


def _signal(records: list[Record], number: int) -> None:
    for record in records:
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, number)
