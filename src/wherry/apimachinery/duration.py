"""Durations as Go reads them: `1h30m`, `100ms`, `-1.5s`.  https://pkg.go.dev/time#ParseDuration"""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {
    "ns": Fraction(1, 10**9), "us": Fraction(1, 10**6), "µs": Fraction(1, 10**6), "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000), "s": Fraction(1), "m": Fraction(60), "h": Fraction(3600),
}
_DURATION = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


def parse_duration(text: str) -> Fraction:
    """In seconds.  Raises ValueError, in Go's words."""
    sign, body = (-1, text[1:]) if text[:1] == "-" else (1, text.removeprefix("+"))
    if body == "0":
        return Fraction(0)
    total, position = Fraction(0), 0
    while position < len(body):
        found = _DURATION.match(body, position)
        if found is None or not (found[1] or found[2]):
            break
        number = Fraction(int((found[1] or "") + (found[2] or "")), 10 ** len(found[2] or ""))
        total, position = total + number * _UNITS[found[3]], found.end()
    if position < len(body) or not body:
        missing = "missing unit in" if body.replace(".", "", 1).isdigit() else "invalid"
        shown = f"{missing} duration"
        raise ValueError(f'time: {shown} "{text}"')
    return sign * total
