"""Ages as kubectl's columns show them: `5s`, `2m30s`, `3h5m`, `2d4h`, `3y60d`."""

from __future__ import annotations

from wherry.util.clock import parse_rfc3339

UNKNOWN = "<unknown>"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR = 365 * _DAY
# Below the first number of seconds: the unit shown, and the smaller one shown beside it (0: none).
_STEPS = (
    (2 * _MINUTE, 1, 0),
    (10 * _MINUTE, _MINUTE, 1),
    (3 * _HOUR, _MINUTE, 0),
    (8 * _HOUR, _HOUR, _MINUTE),
    (2 * _DAY, _HOUR, 0),
    (8 * _DAY, _DAY, _HOUR),
    (2 * _YEAR, _DAY, 0),
    (8 * _YEAR, _YEAR, _DAY),
)
_UNITS = {1: "s", _MINUTE: "m", _HOUR: "h", _DAY: "d", _YEAR: "y"}


def duration_text(seconds: float) -> str:
    """Upstream's `duration.HumanDuration`: at most two units, coarser the longer it is."""
    whole = int(seconds)  # toward zero, as Go
    if whole < -1:
        return "<invalid>"
    if whole <= 0:
        return "0s"
    for limit, unit, smaller in _STEPS:
        if whole < limit:
            rest = whole % unit // smaller if smaller else 0
            return f"{whole // unit}{_UNITS[unit]}" + (f"{rest}{_UNITS[smaller]}" if rest else "")
    return f"{whole // _YEAR}y"


def age_text(since: str, now: float) -> str:
    """How long ago an RFC 3339 time was, `now` being seconds since the epoch; `<unknown>` without one."""
    if not since:
        return UNKNOWN
    try:
        return duration_text(now - parse_rfc3339(since))
    except ValueError:
        return UNKNOWN


def between_text(start: str, end: str) -> str:
    """How long it was from one RFC 3339 time to another."""
    return duration_text(parse_rfc3339(end) - parse_rfc3339(start))
