"""Scalars that marshal themselves: times, base64 and numbers, read and written out as upstream does.

`decode` calls these for the values of such fields; each gives the stored form or raises ValueError in
upstream's (Go's) words.
"""

from __future__ import annotations

import binascii
import re
from datetime import UTC, datetime, timedelta, timezone

TIME = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ", re.ASCII)
MICRO_TIME = re.compile(TIME.pattern[:-1] + r"\.\d{6}Z", re.ASCII)
ZERO_TIMES = ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z")

_PARTS = (
    ("2006", r"\d{4}"), ("-", "-"), ("01", r"\d\d"), ("-", "-"), ("02", r"\d\d"), ("T", "T"), ("15", r"\d\d?"), (":", ":"),
    ("04", r"\d\d"), (":", ":"), ("05", r"\d\d"),
)
_FRACTION = re.compile(r"[.,]\d+", re.ASCII)
_MICROS = re.compile(r"\.\d{6}", re.ASCII)
_ZONE = re.compile(r"Z|[-+]\d\d:\d\d", re.ASCII)
_COMPILED = tuple((word, re.compile(pattern, re.ASCII)) for word, pattern in _PARTS)
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


def time(text: str) -> str | None:
    """RFC 3339 in UTC and whole seconds; None for the zero time.  Raises ValueError."""
    if TIME.fullmatch(text):
        return None if text in ZERO_TIMES else text
    moment = _parse(text, "2006-01-02T15:04:05Z07:00")
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def micro_time(text: str) -> str | None:
    """RFC 3339 in UTC with six digits of a second; None for the zero time.  Raises ValueError."""
    if MICRO_TIME.fullmatch(text):
        return None if text in ZERO_TIMES else text
    moment = _parse(text, "2006-01-02T15:04:05.000000Z07:00")
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _parse(text: str, layout: str) -> datetime | None:
    """As Go's time.Parse: says which part of the layout the rest of the text does not fit."""
    failed = f'parsing time {_quote(text)} as "{layout}": cannot parse '
    parts, at = _COMPILED, 0
    found: list[str] = []
    for word, pattern in parts:
        match = pattern.match(text, at)
        if match is None:
            raise ValueError(f'{failed}{_quote(text[at:])} as "{word}"')
        found.append(match[0])
        at = match.end()
    micro = ".000000" in layout
    fraction = (_MICROS if micro else _FRACTION).match(text, at)
    if micro and fraction is None:
        raise ValueError(f'{failed}{_quote(text[at:])} as ".000000"')
    at = fraction.end() if fraction else at
    zone = _ZONE.match(text, at)
    if zone is None:
        raise ValueError(f'{failed}{_quote(text[at:])} as "Z07:00"')
    if zone.end() != len(text):
        raise ValueError(f"parsing time {_quote(text)}: extra text: {_quote(text[zone.end():])}")
    return _moment(text, found, fraction[0][1:] if fraction else "", zone[0])


def _moment(text: str, found: list[str], fraction: str, zone: str) -> datetime | None:
    year, month, day, hour, minute, second = (int(found[i]) for i in (0, 2, 4, 6, 8, 10))
    ranges = (("month", 1 <= month <= 12), ("day", 1 <= day <= 31), ("hour", hour < 24), ("minute", minute < 60))
    for name, fits in (*ranges, ("second", second < 60)):
        if not fits:
            raise ValueError(f"parsing time {_quote(text)}: {name} out of range")
    offset = timedelta() if zone == "Z" else timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
    try:
        at = datetime(year, month, day, hour, minute, second, int(fraction.ljust(6, "0")[:6]) if fraction else 0, UTC)
        moment = at.replace(tzinfo=timezone(-offset if zone.startswith("-") else offset)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"parsing time {_quote(text)}: day out of range") from None
    return None if moment == datetime.min.replace(tzinfo=UTC) else moment


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def base64_text(text: str) -> str:
    """Standard base64, padded and without line ends.  Raises ValueError."""
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raw = _base64_slow(text)
    written = binascii.b2a_base64(raw, newline=False).decode("ascii")
    return text if written == text else written


def _base64_slow(text: str) -> bytes:
    """Line ends are allowed anywhere; anything else that is wrong is told by its place."""
    bare = text.replace("\r", "").replace("\n", "")
    try:
        return binascii.a2b_base64(bare, strict_mode=True)
    except ValueError:
        raise ValueError(f"illegal base64 data at input byte {_misfit(text)}") from None


def _misfit(text: str) -> int:
    """Where Go's decoder stops: at the byte that does not belong, or at the end of what lacks padding."""
    count = padding = 0
    offset = 0
    for char in text:
        size = len(char.encode("utf-8", "replace"))
        if char in "\r\n":
            offset += size
            continue
        if char == "=" and count % 4 >= 2 and padding < 4 - count % 4:
            padding += 1
        elif padding or char not in _BASE64:
            return offset
        else:
            count += 1
        offset += size
    return offset - (count % 4 + padding if padding == 0 else 0) if count % 4 else offset


def unmarshal_type(value: object) -> str:
    """What Go's decoder calls a JSON value: "string", "number", "bool", "array", "object"."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "number"
    return "array" if isinstance(value, list) else "object"
