"""Birthdays, hours and weekdays by the clocks of a zone: at midnight, on leap days, and when clocks are changed.

What is expected stands in calendars and in the history of time zones.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.unit.processors.edges import DAY, HOUR, Flips, assert_flips, browse, happens, world_of
from tests.unit.processors.world import START_MS, Record


def at(utc: str) -> int:
    """Milliseconds from START_MS to an ISO time in UTC."""
    return round(datetime.fromisoformat(utc).replace(tzinfo=UTC).timestamp() * 1000) - START_MS


def told(at_ms: int, birthday: str | None) -> Record:
    return happens("profile", at_ms, attributes={"birthday": birthday})


BIRTHDAYS: dict[str, tuple[str, str, int, str]] = {
    # name: (birthday, zone, an age, when that begins)
    "any day": ("2000-01-02", "UTC", 24, "2024-01-02T00:00"),
    "new year": ("2000-01-01", "UTC", 25, "2025-01-01T00:00"),
    "the last day of a year": ("1999-12-31", "UTC", 25, "2024-12-31T00:00"),
    "with a time behind it": ("2000-01-02T23:59:59", "UTC", 24, "2024-01-02T00:00"),
    "east of UTC": ("2000-01-02", "Asia/Kathmandu", 24, "2024-01-01T18:15"),
    "west of UTC": ("2000-01-02", "America/New_York", 24, "2024-01-02T05:00"),
    "in summer time": ("2000-07-02", "America/New_York", 24, "2024-07-02T04:00"),
    "leap day in a leap year": ("2000-02-29", "UTC", 24, "2024-02-29T00:00"),
    "leap day in the year behind one": ("2000-02-29", "UTC", 25, "2025-03-01T00:00"),
    "leap day in the year before one": ("2000-02-29", "UTC", 27, "2027-03-01T00:00"),
    "leap day west of UTC": ("2000-02-29", "America/New_York", 25, "2025-03-01T05:00"),
    "leap day in 2000, a leap year": ("1960-02-29", "UTC", 40, "2000-02-29T00:00"),
    "leap day in 2100, which is none": ("2000-02-29", "UTC", 100, "2100-03-01T00:00"),
    "the day behind a leap day": ("2000-03-01", "UTC", 24, "2024-03-01T00:00"),
    "the day before a leap day": ("2000-02-28", "UTC", 24, "2024-02-28T00:00"),
    # clocks are put on in the night behind midnight, and back: the days begin as those before them
    "the day on which clocks are put on": ("2000-03-31", "Europe/Berlin", 24, "2024-03-30T23:00"),
    "the day behind": ("2000-04-01", "Europe/Berlin", 24, "2024-03-31T22:00"),
    "the day on which clocks are put back": ("2000-10-27", "Europe/Berlin", 24, "2024-10-26T22:00"),
    "the day behind that": ("2000-10-28", "Europe/Berlin", 24, "2024-10-27T23:00"),
    # in Havana and Sao Paulo it is midnight that there is not, or twice
    "midnight that there is not": ("2000-03-10", "America/Havana", 24, "2024-03-10T05:00"),
    "midnight that there was not": ("2000-11-04", "America/Sao_Paulo", 18, "2018-11-04T03:00"),
    "midnight that there is twice": ("2000-11-03", "America/Havana", 24, "2024-11-03T04:00"),
    "clocks put back to the day before": ("2000-02-18", "America/Sao_Paulo", 18, "2018-02-18T03:00"),
    "clocks put on by half an hour": ("2000-10-07", "Australia/Lord_Howe", 24, "2024-10-06T13:00"),
    # Samoa went from 29 to 31 December 2011; the 30th began, if ever, when the 31st did
    "a day that was left out": ("2000-12-30", "Pacific/Apia", 11, "2011-12-30T10:00"),
    "the day behind one that was left out": ("2000-12-31", "Pacific/Apia", 11, "2011-12-30T10:00"),
    "the earliest date": ("1800-01-01", "UTC", 225, "2025-01-01T00:00"),
}


@pytest.mark.parametrize("name", BIRTHDAYS)
def test_an_age_begins_with_the_birthday(name: str) -> None:
    birthday, zone, age, begins = BIRTHDAYS[name]
    day_before = at(begins) - DAY
    history = [told(day_before, birthday)]
    cases: dict[str, Flips] = {
        f"age(profile.birthday) >= {age}": [(True, at(begins))],
        f"age(profile.birthday) < {age}": [(True, day_before), (None, at(begins))],
        f"age(profile.birthday) == {age}": [(True, at(begins))],
        f"\nscore: age(profile.birthday)\nstep: {age}": [(float(age - 1), day_before)],
        "\nscore: age(profile.birthday)": [(float(age - 1), day_before), (float(age), at(begins))],
    }
    for rule, expected in cases.items():
        assert_flips(rule, history, expected, zone=zone, until_ms=at(begins) + 2 * DAY)


PROFILES: dict[str, tuple[str, list[Record], Flips]] = {
    # name: (condition, history, flips); the start is 1 January 2024
    "a birthday comes before the event of its millisecond": (
        ">= 24", [told(0, "2000-01-02"), told(DAY, None)], [(True, DAY), (None, DAY)],
    ),
    "told just before the birthday": (">= 24", [told(DAY - 1, "2000-01-02")], [(True, DAY)]),
    "told as the birthday begins": (">= 24", [told(DAY, "2000-01-02")], [(True, DAY)]),
    "told otherwise just before the birthday": (
        ">= 24", [told(0, "2000-01-02"), told(DAY - 1, "2000-01-03")], [(True, 2 * DAY)],
    ),
    "told otherwise by an event that is older": (
        ">= 24", [told(5, "2000-01-02"), happens("profile", 6, time_ms=4, attributes={"birthday": "2000-01-03"})],
        [(True, DAY)],
    ),
    "told otherwise by an event of the same time": (
        ">= 24", [told(5, "2000-01-02"), happens("profile", 6, time_ms=5, attributes={"birthday": "2000-01-03"})],
        [(True, 2 * DAY)],
    ),
    "who is not born has no age": (">= 0", [told(0, "2024-01-02")], [(True, DAY)]),
    "of what is no date there is no age": (">= 0", [told(0, "2001-02-29")], []),
    "nor of what goes on otherwise": (">= 0", [told(0, "2001-02-28x")], []),
}  # fmt: skip


@pytest.mark.parametrize("name", PROFILES)
def test_an_age_is_of_what_is_known(name: str) -> None:
    bound, history, expected = PROFILES[name]
    assert_flips(f"age(profile.birthday) {bound}", history, expected)


HOURS: list[tuple[str, str, int, int]] = [
    # (zone, time in UTC, hour, weekday from 1 for Monday)
    ("UTC", "2024-01-01T00:00:00.000", 0, 1),
    ("UTC", "2024-01-01T00:59:59.999", 0, 1),
    ("UTC", "2024-01-01T01:00:00.000", 1, 1),
    ("UTC", "2024-01-07T23:59:59.999", 23, 7),
    ("UTC", "2024-01-08T00:00:00.000", 0, 1),
    ("UTC", "2024-02-29T00:00:00.000", 0, 4),
    ("UTC", "2024-03-01T00:00:00.000", 0, 5),
    ("UTC", "1990-01-01T00:00:00.000", 0, 1),
    ("Europe/Berlin", "2024-03-30T22:59:59.999", 23, 6),
    ("Europe/Berlin", "2024-03-30T23:00:00.000", 0, 7),
    # from 1:59:59.999 to 3:00
    ("Europe/Berlin", "2024-03-31T00:59:59.999", 1, 7),
    ("Europe/Berlin", "2024-03-31T01:00:00.000", 3, 7),
    ("Europe/Berlin", "2024-03-31T22:00:00.000", 0, 1),
    # from 2:59:59.999 to 2:00
    ("Europe/Berlin", "2024-10-27T00:00:00.000", 2, 7),
    ("Europe/Berlin", "2024-10-27T00:59:59.999", 2, 7),
    ("Europe/Berlin", "2024-10-27T01:00:00.000", 2, 7),
    ("Europe/Berlin", "2024-10-27T02:00:00.000", 3, 7),
    ("America/New_York", "2024-03-10T06:59:59.999", 1, 7),
    ("America/New_York", "2024-03-10T07:00:00.000", 3, 7),
    ("America/New_York", "2024-11-03T06:00:00.000", 1, 7),
    # Sunday begins at 1:00
    ("America/Havana", "2024-03-10T04:59:59.999", 23, 6),
    ("America/Havana", "2024-03-10T05:00:00.000", 1, 7),
    # from 23:59:59.999 of Saturday to its 23:00
    ("America/Sao_Paulo", "2018-02-18T01:59:59.999", 23, 6),
    ("America/Sao_Paulo", "2018-02-18T02:00:00.000", 23, 6),
    ("America/Sao_Paulo", "2018-02-18T03:00:00.000", 0, 7),
    ("Australia/Lord_Howe", "2024-10-05T15:29:59.999", 1, 7),
    ("Australia/Lord_Howe", "2024-10-05T15:30:00.000", 2, 7),
    ("Asia/Kathmandu", "2024-01-07T18:14:59.999", 23, 7),
    ("Asia/Kathmandu", "2024-01-07T18:15:00.000", 0, 1),
    # from Thursday to Saturday
    ("Pacific/Apia", "2011-12-30T09:59:59.999", 23, 4),
    ("Pacific/Apia", "2011-12-30T10:00:00.000", 0, 6),
]


@pytest.mark.parametrize(("zone", "utc", "hour", "weekday"), HOURS)
def test_an_event_has_the_hour_and_the_weekday_of_the_zone(zone: str, utc: str, hour: int, weekday: int) -> None:
    is_it = f"hour(event_time) == {hour} and weekday(event_time) == {weekday}"
    for filtered, counted in ((is_it, 1), (f"not ({is_it})", 0), (f"hour(browse) > {hour - 1}", 1)):
        one = world_of(f"count(browse where {filtered}, ever) == 1", zone)
        one.step(browse(at(utc)))
        assert len(one.changes) == counted, filtered


def test_an_hour_is_that_of_the_event_and_not_of_its_arrival() -> None:
    rule = "count(browse where hour(event_time) == 22, 1d) >= 1"
    pane_end = 23 * HOUR
    assert_flips(rule, [browse(23 * HOUR, time_ms=23 * HOUR - 1)], [(True, 23 * HOUR), (None, pane_end + DAY)])
    assert_flips(rule, [browse(23 * HOUR + 1, time_ms=23 * HOUR)], [], until_ms=2 * DAY)
    # too far ahead it is as of arrival
    assert_flips(rule, [browse(23 * HOUR - 1, time_ms=24 * HOUR)], [(True, 23 * HOUR - 1), (None, pane_end + DAY)])
