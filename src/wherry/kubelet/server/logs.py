"""Containers' logs: files in the CRI's format, read from the place asked for and followed while the container runs.

A line is `<time> <stdout|stderr> <P|F> <text>`; P is a part of a line that goes on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wherry.apimachinery.http import Request
from wherry.kubelet.server.follow import watch_file
from wherry.kubelet.status.conditions import Json
from wherry.util.clock import Clock, parse_rfc3339, wait_until

_BLOCK = 64 * 1024
_LOOK_AGAIN = 1.0  # seconds after which a follower asks whether the container still runs


class LogError(Exception):
    """No log can be given: told with `code`."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class LogOptions:
    """core/v1 PodLogOptions.  `since` is wall seconds; None is "not given"."""

    follow: bool = False
    previous: bool = False
    since: float | None = None
    timestamps: bool = False
    tail: int | None = None
    limit: int | None = None
    streams: tuple[str, ...] = ("stdout", "stderr")


def _flag(request: Request, name: str) -> bool:
    text = request.param(name).lower()
    if text not in ("", "true", "false", "1", "0"):
        raise LogError(422, f"invalid value for {name}: {text}")
    return text in ("true", "1")


def _number(request: Request, name: str, least: int) -> int | None:
    text = request.param(name)
    if not text:
        return None
    if not text.lstrip("-").isdigit() or int(text) < least:
        raise LogError(422, f"invalid {name}: {text}: must be at least {least}")
    return int(text)


def parse_options(request: Request, now: float) -> LogOptions:
    """Read the query.  Raises LogError."""
    since = None
    seconds = _number(request, "sinceSeconds", 1)
    if seconds is not None:
        since = now - seconds
    if request.param("sinceTime"):
        if since is not None:
            raise LogError(422, "at most one of `sinceTime` or `sinceSeconds` may be specified")
        try:
            since = parse_rfc3339(request.param("sinceTime"))
        except ValueError as error:
            raise LogError(422, f"invalid sinceTime: {error}") from error
    wanted = request.param("stream") or "All"
    if wanted not in ("All", "Stdout", "Stderr"):
        raise LogError(422, f'invalid stream: "{wanted}": supported values: "All", "Stderr", "Stdout"')
    tail = _number(request, "tailLines", 0)
    if tail is not None and wanted != "All":
        raise LogError(422, "`tailLines` and specific `stream` are mutually exclusive for now")
    return LogOptions(
        _flag(request, "follow"), _flag(request, "previous"), since, _flag(request, "timestamps"),
        tail, _number(request, "limitBytes", 1), ("stdout", "stderr") if wanted == "All" else (wanted.lower(),),
    )


def container_of_logs(pod: str, container: str, status: Json | None, previous: bool) -> str:
    """The id (with its runtime's prefix) of the run whose log is meant.  Raises LogError in upstream's words."""
    where = f'container "{container}" in pod "{pod}"'
    if status is None:
        raise LogError(400, f"{where} is not available")
    now, last = status.get("state", {}), status.get("lastState", {}).get("terminated", {})
    if previous:
        if not last.get("containerID"):
            raise LogError(400, f'previous terminated container "{container}" in pod "{pod}" not found')
        return str(last["containerID"])
    if "running" in now:
        return str(status["containerID"])
    if "terminated" in now or last:
        found = now.get("terminated", {}).get("containerID") or last.get("containerID")
        if not found:
            raise LogError(400, f"{where} is terminated")
        return str(found)
    reason = now.get("waiting", {}).get("reason", "")
    told = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}.get(reason, reason)
    raise LogError(400, f"{where} is waiting to start: {told}" if told else f"{where} is waiting to start - no logs yet")


def tail_start(file: BinaryIO, lines: int) -> int:
    """The offset at which the last `lines` lines begin."""
    position = file.seek(0, 2)
    if lines == 0:
        return position
    wanted, first = lines, True
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        end = len(block)
        if first and block.endswith(b"\n"):  # the end of the last line is not the end of one before it
            end -= 1
        first = False
        while (found := block.rfind(b"\n", 0, end)) >= 0:
            wanted -= 1
            if wanted == 0:
                return position + found + 1
            end = found
    return 0


class LineFilter:
    """Takes lines of the file and gives what the reader asked for; counts down the byte limit."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self.left = options.limit

    def take(self, lines: list[bytes]) -> bytes:
        return b"".join(self._texts(lines))

    def _texts(self, lines: list[bytes]) -> Iterator[bytes]:
        options = self._options
        for line in lines:
            parts = line.split(b" ", 3)
            if len(parts) < 4 or parts[1].decode("ascii", "replace") not in options.streams:
                continue
            if options.since is not None and _before(parts[0], options.since):
                continue
            text = parts[3] if parts[2].startswith(b"P") else parts[3] + b"\n"
            if options.timestamps:
                text = parts[0] + b" " + text
            if self.left is not None:
                text = text[:self.left]
                self.left -= len(text)
            yield text
            if self.left == 0:
                return


def _before(stamp: bytes, since: float) -> bool:
    try:
        return parse_rfc3339(_microseconds(stamp.decode("ascii"))) < since
    except (ValueError, UnicodeDecodeError):
        return False


def _microseconds(stamp: str) -> str:
    """Nanoseconds cut to what Python reads."""
    head, dot, rest = stamp.partition(".")
    if not dot:
        return stamp
    digits = len(rest) - len(rest.lstrip("0123456789"))
    return f"{head}.{rest[:min(digits, 6)]}{rest[digits:]}"


async def read_log(
    path: Path, options: LogOptions, clock: Clock, *, running: Callable[[], bool], changed: Callable[[], Awaitable[None]],
) -> AsyncIterator[bytes]:
    """The log's text in blocks.  Followed until the container has ended and everything is told.

    `running` tells whether the container runs; `changed` returns when that may be different now.
    """
    lines = LineFilter(options)
    reader = _Reader(path, options.tail)
    watch = watch_file(path, clock) if options.follow else None
    try:
        while lines.left != 0:
            alive = running()  # before the read, so that nothing written before its end is missed
            block = reader.read()
            if block:
                text = lines.take(block)
                if text:
                    yield text
                continue
            if watch is None or (not alive and not reader.replaced()):
                return
            if not reader.reopen_if_replaced():
                await _either(watch.wait, changed, clock)
    finally:
        reader.close()
        if watch is not None:
            watch.close()


class _Reader:
    """Whole lines of a log file, which may be replaced by a new one while it is read."""

    def __init__(self, path: Path, tail: int | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._open()
        if self._file is not None and tail is not None:
            self._file.seek(tail_start(self._file, tail))

    def _open(self) -> None:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            self._file = None  # nothing was said yet

    def read(self) -> list[bytes]:
        if self._file is None:
            self._open()
        data = self._file.read(_BLOCK) if self._file is not None else b""
        if not data:
            return []
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole or [b""]

    def replaced(self) -> bool:
        """The file at the path is another one than the one that is open: the log was rotated."""
        if self._file is None:
            return self._path.exists()
        try:
            return os.fstat(self._file.fileno()).st_ino != self._path.stat().st_ino
        except FileNotFoundError:
            return False

    def reopen_if_replaced(self) -> bool:
        if not self.replaced():
            return False
        self.close()
        self._rest = b""
        self._open()
        return True

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


async def _either(first: Callable[[], Awaitable[None]], second: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Until one of them returns, at most for a second."""
    tasks = [asyncio.ensure_future(first()), asyncio.ensure_future(second())]
    try:
        await wait_until(clock, clock.monotonic() + _LOOK_AGAIN, asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
    except TimeoutError:
        return
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
