"""Hours, weekdays and days by the clocks of zones, judged by Python's calendar and time zones."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from processors import calendar
from processors.rules import program as G
from processors.rules.compile import compile_rules
from processors.rules.program import I64
from tests.unit.processors.world import rules

HOUR, DAY = 3_600_000, 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Sao_Paulo", "America/St_Johns",
    "Asia/Kathmandu", "Asia/Pyongyang", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia",
    "Pacific/Kiritimati",
)  # fmt: skip
"""With half hours and quarters, with midnights and a day that there were not, and with four changes in a year."""


ASKS = "count(browse where hour(event_time) >= 1, 1h) >= 1"
"""A rule that asks for the calendar: without one there is no table of the zone."""


@cache
def packed(zone: str) -> I64:
    return compile_rules(replace(rules(t=ASKS), time_zone=zone)).g


def shown(zone: str, time_ms: int) -> datetime:
    """What the clocks of a zone show, by Python."""
    return (EPOCH + timedelta(milliseconds=time_ms)).astimezone(ZoneInfo(zone))


def shown_ms(zone: str, time_ms: int) -> int:
    return (shown(zone, time_ms).replace(tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)


def changes_ms(zone: str) -> list[int]:
    """The first milliseconds of 1990 to 2040 at which a zone's distance from UTC is another; all are whole minutes."""

    def changed(first: int, last: int, step: int) -> list[tuple[int, int]]:
        pairs = pairwise(range(first, last + 1, step))
        return [(a, b) for a, b in pairs if shown(zone, a).utcoffset() != shown(zone, b).utcoffset()]

    days = changed(631_152_000_000, 2_208_988_800_000, DAY)
    hours = [hour for day in days for hour in changed(*day, HOUR)]
    return [b for hour in hours for _, b in changed(*hour, HOUR // 60)]


def instants(zone: str, rng: random.Random) -> list[int]:
    """Some of the changes of the zone's clocks and the milliseconds about them, and others from 1990 to 2099."""
    changes = changes_ms(zone)
    about = [change + off for change in rng.sample(changes, min(20, len(changes))) for off in (-1, 0, 1)]
    return about + [rng.randrange(631_152_000_000, 4_102_444_800_000) for _ in range(40)]


@pytest.mark.parametrize("zone", ZONES)
def test_clocks_show_what_they_show_in_python(zone: str) -> None:
    g = packed(zone)
    for time_ms in instants(zone, random.Random(zone)):
        judge = shown(zone, time_ms)
        at = np.int64(time_ms)
        assert calendar.local(g, at) == shown_ms(zone, time_ms), judge
        assert (calendar.hour(g, at), calendar.weekday(g, at)) == (judge.hour, judge.isoweekday()), judge


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_begins_when_the_clocks_first_show_it(zone: str) -> None:
    g, rng = packed(zone), random.Random(zone)
    days = {shown_ms(zone, time_ms) // DAY + off for time_ms in instants(zone, rng) for off in (-1, 0, 1)}
    for day in rng.sample(sorted(days), 40):
        # no zone is further from UTC than 15 hours, and a midnight that there is not lies at a quarter of an hour
        near = range(day * DAY - 15 * HOUR, day * DAY + 15 * HOUR, HOUR // 4)
        first = next(time_ms for time_ms in near if shown_ms(zone, time_ms) >= day * DAY)
        assert calendar.first_showing(g, np.int64(day * DAY)) == first, day


def test_days_and_years_are_those_of_the_gregorian_calendar() -> None:
    day = date(1796, 1, 1)
    while day < date(2205, 1, 1):
        number = (day - date(1970, 1, 1)).days
        assert calendar.day_number(day.year, day.month, day.day) == number
        assert calendar.year_of(number) == day.year
        # every day about the ends of years and Februaries, others now and then
        day += timedelta(days=1 if (day.month, day.day) > (12, 29) or day.month < 3 else 23)


@pytest.mark.parametrize("year", [1900, 1999, 2023, 2100])
def test_the_29th_of_a_short_february_is_the_first_of_march(year: int) -> None:
    assert calendar.day_number(year, 2, 29) == calendar.day_number(year, 3, 1)
    assert calendar.day_number(year, 2, 28) + 1 == calendar.day_number(year, 3, 1)


@pytest.mark.parametrize("zone", ZONES)
def test_the_table_of_a_zone_begins_before_every_event_and_rises(zone: str) -> None:
    g = packed(zone)
    times = g[g[G.ZONE_FROM] : g[G.ZONE_FROM] + g[G.ZONE_COUNT]].tolist()
    assert times[0] < 631_152_000_000
    assert times == sorted(set(times))
    assert set(changes_ms(zone)) <= set(times)
