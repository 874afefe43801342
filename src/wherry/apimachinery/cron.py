"""Cron schedules, as CronJobs write them: five fields, names, ranges, steps, and the macros.

Parsed as upstream's parser (robfig/cron's standard one) does and refused in its words.  `next_after` walks
forward day by day; it never looks further than five years, so that 30 February ends too.
https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#schedule-syntax
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wherry.apimachinery.duration import parse_duration

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_YEARS_AHEAD = 5


@dataclass(frozen=True, slots=True)
class _Field:
    low: int
    high: int
    names: dict[str, int]


_MINUTE = _Field(0, 59, {})
_HOUR = _Field(0, 23, {})
_DAY = _Field(1, 31, {})
_MONTH = _Field(1, 12, {name: i for i, name in enumerate(_MONTHS, 1)})
_WEEKDAY = _Field(0, 6, {name: i for i, name in enumerate(_DAYS)})
_FIELDS = (_MINUTE, _HOUR, _DAY, _MONTH, _WEEKDAY)

_MACROS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a CronJob runs.  Either `every` is set, or the five sets are."""

    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()  # 0 is Sunday
    any_day: bool = False  # the day of the month was `*`
    any_weekday: bool = False
    every: int = 0  # seconds

    def _day_matches(self, date: date) -> bool:
        day, weekday = date.day in self.days, date.isoweekday() % 7 in self.weekdays
        # cron's old rule: two restricted fields are alternatives, an open one leaves it to the other.
        return (day and weekday) if self.any_day or self.any_weekday else (day or weekday)

    def next_after(self, when: datetime) -> datetime | None:
        """The first time after `when`, in its time zone; None when there is none in five years.

        With a zone that changes its clock, a time that is left out is skipped, and one that comes twice runs twice.
        """
        if self.every:
            return when.replace(microsecond=0) + timedelta(seconds=self.every)
        day = when.date()
        last = day.year + _YEARS_AHEAD
        while day.year <= last:
            if day.month not in self.months:
                day = _first_of_next_month(day)
                continue
            found = self._first_on(day, when) if self._day_matches(day) else None
            if found is not None:
                return found
            day += timedelta(days=1)
        return None

    def _first_on(self, day: date, when: datetime) -> datetime | None:
        zone = when.tzinfo
        start = datetime.combine(day, time(), zone)
        if zone is None or start.utcoffset() == (start + timedelta(days=1)).utcoffset():
            past = (when.hour, when.minute) if when.date() == day else (-1, -1)
            hours = sorted(hour for hour in self.hours if hour >= past[0])
            found = next(((hour, minute) for hour in hours for minute in sorted(self.minutes) if (hour, minute) > past), None)
            return start.replace(hour=found[0], minute=found[1]) if found is not None else None
        walls = (start.replace(hour=hour, minute=minute, fold=fold) for hour in self.hours for minute in self.minutes for fold in (0, 1))
        later = [wall for wall in walls if _exists(wall) and wall.timestamp() > when.timestamp()]
        return min(later, key=datetime.timestamp, default=None)


def _first_of_next_month(when: date) -> date:
    return (when.replace(day=1) + timedelta(days=32)).replace(day=1)


def _exists(when: datetime) -> bool:
    """Whether a wall time happens in its zone (spring leaves some out)."""
    zone = when.tzinfo
    back = datetime.fromtimestamp(when.timestamp(), zone)
    return back.replace(tzinfo=None, fold=0) == when.replace(tzinfo=None, fold=0)


@lru_cache(maxsize=1024)
def parse(text: str) -> Schedule:
    """Read a schedule.  Raises ValueError in upstream's words; `TZ=` is the caller's to refuse."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith("@"):
        return _macro(text)
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]")
    sets, stars = [], []
    for one, field in zip(fields, _FIELDS, strict=True):
        values, star = _field(one, field)
        sets.append(values)
        stars.append(star)
    minutes, hours, days, months, weekdays = sets
    return Schedule(minutes, hours, days, months, weekdays, stars[2], stars[4])


def check(text: str) -> None:
    """Raises ValueError for what upstream's parser refuses; that one takes a zone before the fields."""
    found = re.match(r"(?:CRON_)?TZ=([^ ]*)( ?)", text)
    if found is None:
        parse(text)
        return
    zone, space = found.groups()
    if not space:
        raise ValueError(f"provided bad location {zone}: no schedule behind it")
    if not knows_zone(zone):
        raise ValueError(f"provided bad location {zone}: unknown time zone {zone}")
    parse(text[found.end():].strip())


def has_time_zone(text: str) -> bool:
    """Whether a schedule names its zone itself, which CronJobs do in `timeZone`."""
    return "TZ" in text


def knows_zone(name: str) -> bool:
    """Whether there is such a zone (the empty one and Local are)."""
    if name in ("", "Local"):
        return True
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _macro(text: str) -> Schedule:
    if text in _MACROS:
        return parse(_MACROS[text])
    if not text.startswith("@every "):
        raise ValueError(f"unrecognized descriptor: {text}")
    duration = text.removeprefix("@every ")
    try:
        seconds = parse_duration(duration)
    except ValueError as error:
        raise ValueError(f"failed to parse duration {text}: {error}") from None
    return Schedule(every=max(1, int(seconds)))


def _field(text: str, field: _Field) -> tuple[frozenset[int], bool]:
    values: set[int] = set()
    star = False
    for part in text.split(","):
        if not part:
            continue  # as upstream's FieldsFunc, which knows no empty fields
        found, open_ended = _range(part, field)
        values |= found
        star = star or open_ended
    return frozenset(values), star


def _range(text: str, field: _Field) -> tuple[set[int], bool]:
    span, *steps = text.split("/")
    ends = span.split("-")
    star = False
    if ends[0] in ("*", "?"):
        low, high, star = field.low, field.high, True
    else:
        low = _number(ends[0], field)
        if len(ends) > 2:
            raise ValueError(f"too many hyphens: {text}")
        high = _number(ends[1], field) if len(ends) == 2 else low
    step = 1
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {text}")
    if steps:
        step = _integer(steps[0])
        if len(ends) == 1 and not star:
            high = field.high  # "N/step" means "N-max/step"
        if step > 1:
            star = False
    if low < field.low:
        raise ValueError(f"beginning of range ({low}) below minimum ({field.low}): {text}")
    if high > field.high:
        raise ValueError(f"end of range ({high}) above maximum ({field.high}): {text}")
    if low > high:
        raise ValueError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {text}")
    return set(range(low, high + 1, step)), star


def _number(text: str, field: _Field) -> int:
    named = field.names.get(text.lower())
    return named if named is not None else _integer(text)


def _integer(text: str) -> int:
    if re.fullmatch(r"[-+]?[0-9]{1,18}", text, re.ASCII) is None:
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    number = int(text)
    if number < 0:
        raise ValueError(f"negative number ({number}) not allowed: {text}")
    return number
