"""Cron schedules: what they mean, and upstream's words for what they cannot mean."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wherry.apimachinery.cron import has_time_zone, parse

START = datetime(2026, 11, 23, 20, 23, 49, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("* * * * *", "2026-11-23T20:24:00"),
        ("*/5 * * * *", "2026-11-23T20:25:00"),
        ("3-59/15 * * * *", "2026-11-23T20:33:00"),
        ("0 9 * * MON-FRI", "2026-11-24T09:00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00:00"),
        ("30 8 1 jan *", "2027-01-01T08:30:00"),
        ("0 0 13 * 5", "2026-11-27T00:00:00"),
        ("0 0 */2 * 1", "2026-11-25T00:00:00"),
        ("5/20 * * * *", "2026-11-23T20:25:00"),
        ("0,30 1,13 * * ?", "2026-11-24T01:00:00"),
        ("@hourly", "2026-11-23T21:00:00"),
        ("@daily", "2026-11-24T00:00:00"),
        ("@weekly", "2026-11-29T00:00:00"),
        ("@monthly", "2026-12-01T00:00:00"),
        ("@yearly", "2027-01-01T00:00:00"),
        ("@every 1h30m", "2026-11-23T21:53:49"),
        ("@every 500ms", "2026-11-23T20:23:50"),
    ],
)
def test_next_time(schedule: str, expected: str) -> None:
    found = parse(schedule).next_after(START)
    assert found is not None
    assert found.isoformat() == f"{expected}+00:00"


def test_a_day_that_never_comes() -> None:
    assert parse("0 0 30 2 *").next_after(START) is None


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        ("", "empty spec string"),
        ("bad", "expected exactly 5 fields, found 1: [bad]"),
        ("* * * * * *", "expected exactly 5 fields, found 6: [* * * * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("*/1/2 * * * *", "too many slashes: */1/2"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@never", "unrecognized descriptor: @never"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'),
    ],
)
def test_refused(schedule: str, words: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse(schedule)
    assert str(raised.value) == words


def test_a_zone_that_leaves_an_hour_out() -> None:
    zone = ZoneInfo("Europe/Berlin")
    found = parse("30 2 * * *").next_after(datetime(2026, 3, 28, 3, 0, tzinfo=zone))
    assert found == datetime(2026, 3, 30, 2, 30, tzinfo=zone)


@pytest.mark.parametrize(("schedule", "after", "expected"), [
    pytest.param("30 2 * * *", "2026-10-25T00:00:00+02:00", "2026-10-25T02:30:00+02:00", id="first"),
    pytest.param("30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00", id="again"),
    pytest.param("30 2 * * *", "2026-10-25T02:30:00+01:00", "2026-10-26T02:30:00+01:00", id="the next day"),
    pytest.param("15 2 * * *", "2026-10-25T02:45:00+02:00", "2026-10-25T02:15:00+01:00", id="earlier on the dial"),
    pytest.param("0 * * * *", "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", id="every hour"),
    pytest.param("*/20 * * * *", "2026-10-25T02:40:00+02:00", "2026-10-25T02:00:00+01:00", id="no hour without"),
])
def test_a_zone_that_repeats_an_hour_runs_it_twice(schedule: str, after: str, expected: str) -> None:
    """As upstream's: a job of every hour must not miss one."""
    found = parse(schedule).next_after(datetime.fromisoformat(after).astimezone(ZoneInfo("Europe/Berlin")))
    assert found is not None
    assert found.isoformat() == expected


def test_midnight_that_does_not_come() -> None:
    when = datetime.fromisoformat("2018-11-03T12:00:00-03:00").astimezone(ZoneInfo("America/Sao_Paulo"))
    found = parse("0 0 * * *").next_after(when)
    assert found is not None
    assert found.isoformat() == "2018-11-05T00:00:00-02:00"


@pytest.mark.parametrize(("schedule", "expected"), [("TZ=UTC * * * * *", True), ("CRON_TZ=UTC * * * * *", True), ("* * * * *", False)])
def test_a_zone_in_the_schedule_is_seen(schedule: str, expected: bool) -> None:
    assert has_time_zone(schedule) is expected


@given(
    st.integers(0, 59), st.integers(0, 23), st.integers(1, 28), st.integers(1, 12),
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1)),
)
def test_next_is_later_and_fits(minute: int, hour: int, day: int, month: int, when: datetime) -> None:
    found = parse(f"{minute} {hour} {day} {month} *").next_after(when)
    assert found is not None
    assert found > when
    assert (found.minute, found.hour, found.day, found.month) == (minute, hour, day, month)
    assert (found - when).days <= 366
