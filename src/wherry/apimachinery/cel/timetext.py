"""Timestamps and durations as text: RFC 3339, and Go's "1h30m"."""

from __future__ import annotations

import datetime
import re

from wherry.apimachinery import duration
from wherry.apimachinery.cel.errors import EvaluationError

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def parse_timestamp(text: str) -> datetime.datetime:
    shape = _RFC3339.fullmatch(text)
    try:
        if shape is None:
            raise ValueError
        day, clock, fraction, zone = shape.groups()
        when = datetime.datetime.fromisoformat(f"{day}T{clock}{'+00:00' if zone == 'Z' else zone}")
        return (when + datetime.timedelta(microseconds=int(f"{fraction or '':0<6.6}"))).astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        raise EvaluationError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}"') from None


def from_seconds(seconds: int) -> datetime.datetime:
    try:
        return _EPOCH + datetime.timedelta(seconds=seconds)
    except OverflowError:
        raise EvaluationError("timestamp overflow") from None


def parse_duration(text: str) -> datetime.timedelta:
    """Go's time.ParseDuration."""
    try:
        total = duration.parse_duration(text) * 1_000_000
    except ValueError:
        raise EvaluationError(f'time: invalid duration "{text}"') from None
    if abs(total) >= 2**63 / 1000:
        raise EvaluationError(f'time: invalid duration "{text}"')
    return datetime.timedelta(microseconds=round(total))


def rfc3339(when: datetime.datetime) -> str:
    fraction = f".{when.microsecond:06d}".rstrip("0") if when.microsecond else ""
    return f"{when.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


def seconds(length: datetime.timedelta) -> str:
    """As CEL writes a duration: "5400s"."""
    micros = length // datetime.timedelta(microseconds=1)
    whole, fraction = divmod(abs(micros), 1_000_000)
    tail = f".{fraction:06d}".rstrip("0") if fraction else ""
    return f"{'-' if micros < 0 else ''}{whole}{tail}s"
