"""What a function is, and the standard ones: operators, conversions, strings, time.

https://github.com/google/cel-spec/blob/master/doc/langdef.md#standard-definitions
A name may have several overloads; the checker leaves those that may fit, and the values choose between them.
"""

from __future__ import annotations

import datetime
import math
import zoneinfo
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wherry.apimachinery.cel import regex, timetext
from wherry.apimachinery.cel.errors import EvaluationError
from wherry.apimachinery.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    A,
    B,
    Type,
    list_of,
    map_of,
    optional_of,
)
from wherry.apimachinery.cel.values import NONE, Optional, TypeValue, Uint, checked_int, checked_uint, equal, type_of


@dataclass(frozen=True, slots=True)
class Overload:
    """`member`: called as `params[0].name(params[1:])`."""

    name: str
    params: tuple[Type, ...]
    result: Type
    call: Callable[..., Any]
    member: bool = False
    traverses: bool = False  # its cost grows with the size of what it is given


Functions = Mapping[str, tuple[Overload, ...]]


def functions(*groups: Iterable[Overload]) -> dict[str, tuple[Overload, ...]]:
    found: dict[str, list[Overload]] = {}
    for group in groups:
        for each in group:
            found.setdefault(each.name, []).append(each)
    return {name: tuple(each) for name, each in found.items()}


def member(name: str, params: tuple[Type, ...], result: Type, call: Callable[..., Any], traverses: bool = False) -> Overload:
    return Overload(name, params, result, call, True, traverses)


# --- arithmetic --------------------------------------------------------------------------------


def _int(call: Callable[[int, int], int]) -> Callable[[int, int], int]:
    return lambda a, b: checked_int(call(a, b))


def _uint(call: Callable[[int, int], int]) -> Callable[[int, int], Uint]:
    return lambda a, b: checked_uint(call(int(a), int(b)))


def _truncated(a: int, b: int) -> int:
    if b == 0:
        raise EvaluationError("division by zero")
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def _remainder(a: int, b: int) -> int:
    if b == 0:
        raise EvaluationError("modulus by zero")
    return a - b * _truncated(a, b)


def _float_division(a: float, b: float) -> float:
    if b:
        return a / b
    return math.nan if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)


def _time(call: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def checked(a: Any, b: Any) -> Any:
        try:
            return call(a, b)
        except OverflowError:
            raise EvaluationError("timestamp overflow") from None
    return checked


ARITHMETIC = (
    Overload("_+_", (INT, INT), INT, _int(lambda a, b: a + b)), Overload("_+_", (UINT, UINT), UINT, _uint(lambda a, b: a + b)),
    Overload("_+_", (DOUBLE, DOUBLE), DOUBLE, lambda a, b: a + b),
    Overload("_+_", (STRING, STRING), STRING, lambda a, b: a + b, traverses=True),
    Overload("_+_", (BYTES, BYTES), BYTES, lambda a, b: a + b, traverses=True),
    Overload("_+_", (list_of(A), list_of(A)), list_of(A), lambda a, b: [*a, *b], traverses=True),
    Overload("_+_", (TIMESTAMP, DURATION), TIMESTAMP, _time(lambda a, b: a + b)),
    Overload("_+_", (DURATION, TIMESTAMP), TIMESTAMP, _time(lambda a, b: a + b)),
    Overload("_+_", (DURATION, DURATION), DURATION, _time(lambda a, b: a + b)),
    Overload("_-_", (INT, INT), INT, _int(lambda a, b: a - b)), Overload("_-_", (UINT, UINT), UINT, _uint(lambda a, b: a - b)),
    Overload("_-_", (DOUBLE, DOUBLE), DOUBLE, lambda a, b: a - b),
    Overload("_-_", (TIMESTAMP, TIMESTAMP), DURATION, _time(lambda a, b: a - b)),
    Overload("_-_", (TIMESTAMP, DURATION), TIMESTAMP, _time(lambda a, b: a - b)),
    Overload("_-_", (DURATION, DURATION), DURATION, _time(lambda a, b: a - b)),
    Overload("_*_", (INT, INT), INT, _int(lambda a, b: a * b)), Overload("_*_", (UINT, UINT), UINT, _uint(lambda a, b: a * b)),
    Overload("_*_", (DOUBLE, DOUBLE), DOUBLE, lambda a, b: a * b),
    Overload("_/_", (INT, INT), INT, _int(_truncated)), Overload("_/_", (UINT, UINT), UINT, _uint(_truncated)),
    Overload("_/_", (DOUBLE, DOUBLE), DOUBLE, _float_division),
    Overload("_%_", (INT, INT), INT, _int(_remainder)), Overload("_%_", (UINT, UINT), UINT, _uint(_remainder)),
    Overload("-_", (INT,), INT, lambda a: checked_int(-a)), Overload("-_", (DOUBLE,), DOUBLE, lambda a: -a),
    Overload("!_", (BOOL,), BOOL, lambda a: not a),
)

# --- comparison --------------------------------------------------------------------------------

_ORDERED = [(each, each) for each in (BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION)]
_ORDERED += [(a, b) for a in (INT, UINT, DOUBLE) for b in (INT, UINT, DOUBLE) if a != b]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "_<_": lambda a, b: a < b, "_<=_": lambda a, b: a <= b, "_>_": lambda a, b: a > b, "_>=_": lambda a, b: a >= b,
}
COMPARISON = (
    *(Overload(name, pair, BOOL, call) for name, call in _COMPARE.items() for pair in _ORDERED),
    Overload("_==_", (A, A), BOOL, equal, traverses=True), Overload("_!=_", (A, A), BOOL, lambda a, b: not equal(a, b), traverses=True),
    Overload("@in", (A, list_of(A)), BOOL, lambda a, b: any(equal(a, each) for each in b), traverses=True),
    Overload("@in", (A, map_of(A, B)), BOOL, lambda a, b: _as_key(a) in b),
)


def _as_key(key: Any) -> Any:
    if isinstance(key, float) and key.is_integer():
        return int(key)
    return key if isinstance(key, (str, int)) else None


def index(container: Any, key: Any) -> Any:
    """`container[key]`."""
    if isinstance(container, Mapping):
        try:
            return container[_as_key(key)]
        except KeyError:
            raise EvaluationError(f"no such key: {key}") from None
    place = _as_key(key)
    if not isinstance(place, int) or isinstance(place, bool):
        raise EvaluationError(f"unsupported index type '{type_of(key)}' in list")
    if not 0 <= place < len(container):
        raise EvaluationError(f"index out of bounds: {place}")
    return container[place]


def find(container: Any, key: Any) -> Optional:
    """`container[?key]`, `container.?key`; of what may not be there, too."""
    if isinstance(container, Optional):
        return find(container.value, key) if container.there else NONE
    if isinstance(container, Mapping):
        return Optional(True, container[key]) if _as_key(key) in container else NONE
    if isinstance(container, (list, tuple)) and isinstance(key, int):
        return Optional(True, container[key]) if 0 <= key < len(container) else NONE
    raise EvaluationError("no such overload")


def _value(wrapped: Optional) -> Any:
    if not wrapped.there:
        raise EvaluationError("optional.none() dereference")
    return wrapped.value


def _of_non_zero(value: Any) -> Optional:
    return Optional(True, value) if value not in (None, False, 0, "", b"", [], {}) else NONE


OPTIONAL = (
    *(Overload(name, (container, key), optional_of(B), find) for name in ("_[?_]", "_?._")
      for container, key in ((map_of(A, B), A), (optional_of(map_of(A, B)), A), (DYN, DYN))),
    Overload("_[?_]", (list_of(B), INT), optional_of(B), find), Overload("_[?_]", (optional_of(list_of(B)), INT), optional_of(B), find),
    Overload("optional.of", (A,), optional_of(A), lambda value: Optional(True, value)),
    Overload("optional.none", (), optional_of(A), lambda: NONE),
    Overload("optional.ofNonZeroValue", (A,), optional_of(A), _of_non_zero),
    member("hasValue", (optional_of(A),), BOOL, lambda a: a.there), member("value", (optional_of(A),), A, _value),
    member("orValue", (optional_of(A), A), A, lambda a, other: a.value if a.there else other),
    member("or", (optional_of(A), optional_of(A)), optional_of(A), lambda a, other: a if a.there else other),
)
INDEX = (
    Overload("_[_]", (list_of(A), INT), A, index), Overload("_[_]", (map_of(A, B), A), B, index),
    Overload("_[_]", (optional_of(map_of(A, B)), A), optional_of(B), find),
    Overload("_[_]", (optional_of(list_of(A)), INT), optional_of(A), find),
)

# --- conversion --------------------------------------------------------------------------------


def _to_int(value: Any) -> int:
    if isinstance(value, float) and not -(2.0**63) < value < 2.0**63:  # NaN too
        raise EvaluationError("integer overflow")
    if isinstance(value, datetime.datetime):
        return int(value.timestamp() // 1)
    try:
        return checked_int(int(value))
    except ValueError:
        raise EvaluationError(f'strconv.ParseInt: parsing "{value}": invalid syntax') from None


def _to_uint(value: Any) -> Uint:
    if isinstance(value, float) and not 0 <= value < 2.0**64:
        raise EvaluationError("unsigned integer overflow")
    try:
        return checked_uint(int(value))
    except ValueError:
        raise EvaluationError(f'strconv.ParseUint: parsing "{value}": invalid syntax') from None


def _to_double(value: Any) -> float:
    try:
        return float(value)
    except ValueError:
        raise EvaluationError(f'strconv.ParseFloat: parsing "{value}": invalid syntax') from None


def _to_string(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e21 else repr(value).replace("inf", "Inf").replace("nan", "NaN")
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise EvaluationError("invalid UTF-8 in bytes, cannot convert to string") from None
    if isinstance(value, datetime.datetime):
        return timetext.rfc3339(value)
    if isinstance(value, datetime.timedelta):
        return timetext.seconds(value)
    return str(value)


def _to_bool(value: str) -> bool:
    if value in ("true", "True", "TRUE", "t", "1"):
        return True
    if value in ("false", "False", "FALSE", "f", "0"):
        return False
    raise EvaluationError(f'strconv.ParseBool: parsing "{value}": invalid syntax')


def _same(value: Any) -> Any:
    return value


def _type(value: Any) -> TypeValue:
    return TypeValue(type_of(value).name)


CONVERSION = (
    *(Overload("int", (each,), INT, _to_int) for each in (INT, UINT, DOUBLE, STRING, TIMESTAMP)),
    *(Overload("uint", (each,), UINT, _to_uint) for each in (INT, UINT, DOUBLE, STRING)),
    *(Overload("double", (each,), DOUBLE, _to_double) for each in (INT, UINT, DOUBLE, STRING)),
    *(Overload("string", (each,), STRING, _to_string) for each in (BOOL, INT, UINT, DOUBLE, STRING, BYTES, TIMESTAMP, DURATION)),
    Overload("bytes", (STRING,), BYTES, lambda text: text.encode()), Overload("bytes", (BYTES,), BYTES, _same),
    Overload("bool", (BOOL,), BOOL, _same), Overload("bool", (STRING,), BOOL, _to_bool),
    Overload("dyn", (A,), DYN, _same), Overload("type", (A,), TYPE, _type),
    Overload("timestamp", (STRING,), TIMESTAMP, timetext.parse_timestamp), Overload("timestamp", (TIMESTAMP,), TIMESTAMP, _same),
    Overload("timestamp", (INT,), TIMESTAMP, timetext.from_seconds),
    Overload("duration", (STRING,), DURATION, timetext.parse_duration), Overload("duration", (DURATION,), DURATION, _same),
)

# --- strings, sizes ----------------------------------------------------------------------------

_SIZED = (STRING, BYTES, list_of(A), map_of(A, B))
STRINGS = (
    *(Overload("size", (each,), INT, len) for each in _SIZED), *(member("size", (each,), INT, len) for each in _SIZED),
    member("contains", (STRING, STRING), BOOL, lambda text, part: part in text, True),
    member("startsWith", (STRING, STRING), BOOL, lambda text, part: text.startswith(part), True),
    member("endsWith", (STRING, STRING), BOOL, lambda text, part: text.endswith(part), True),
    member("matches", (STRING, STRING), BOOL, regex.matches, True),
    Overload("matches", (STRING, STRING), BOOL, regex.matches, traverses=True),
)

# --- time --------------------------------------------------------------------------------------


def _zone(when: datetime.datetime, zone: str | None) -> datetime.datetime:
    if not zone:
        return when
    if ":" in zone:
        hours, _, minutes = zone.lstrip("+-").partition(":")
        try:
            offset = datetime.timedelta(hours=int(hours), minutes=int(minutes))
            return when.astimezone(datetime.timezone(-offset if zone[0] == "-" else offset))
        except ValueError:
            raise EvaluationError(f"unknown time zone {zone}") from None
    try:
        return when.astimezone(zoneinfo.ZoneInfo(zone))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise EvaluationError(f"unknown time zone {zone}") from None


def _field(read: Callable[[datetime.datetime], int]) -> Callable[..., int]:
    return lambda when, zone=None: read(_zone(when, zone))


_FIELDS: dict[str, Callable[[datetime.datetime], int]] = {
    "getFullYear": lambda t: t.year, "getMonth": lambda t: t.month - 1, "getDayOfMonth": lambda t: t.day - 1,
    "getDate": lambda t: t.day, "getDayOfWeek": lambda t: t.isoweekday() % 7, "getDayOfYear": lambda t: t.timetuple().tm_yday - 1,
    "getHours": lambda t: t.hour, "getMinutes": lambda t: t.minute, "getSeconds": lambda t: t.second,
    "getMilliseconds": lambda t: t.microsecond // 1000,
}
_LENGTHS = {"getHours": 3_600_000_000, "getMinutes": 60_000_000, "getSeconds": 1_000_000, "getMilliseconds": 1000}


def _whole(unit: int) -> Callable[[datetime.timedelta], int]:
    return lambda length: _truncated(length // datetime.timedelta(microseconds=1), unit)


TIME = (
    *(member(name, (TIMESTAMP,), INT, _field(read)) for name, read in _FIELDS.items()),
    *(member(name, (TIMESTAMP, STRING), INT, _field(read)) for name, read in _FIELDS.items()),
    *(member(name, (DURATION,), INT, _whole(unit)) for name, unit in _LENGTHS.items()),
)
STANDARD = functions(ARITHMETIC, COMPARISON, INDEX, OPTIONAL, CONVERSION, STRINGS, TIME)
