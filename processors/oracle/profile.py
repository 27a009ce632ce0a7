"""What is known of a customer: attributes, each by the newest event that names it, read as numbers and as birthdays."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import takewhile
from typing import Final
from zoneinfo import ZoneInfo

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

NUMBER: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
MOST_DIGITS: Final = 15

DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})([T ].*)?", re.DOTALL)
YEARS: Final = range(1800, 2201)
"""In which one may be born."""
LAST_YEAR: Final = 2101
"""Nobody asks for an age beyond the year 2100."""


def merged(said: Sequence[tuple[int, dict[str, str | None]]]) -> dict[str, str]:
    """What holds of all that was said, as (time, attributes) in order of application."""
    newest: dict[str, tuple[int, str | None]] = {}
    for time_ms, attributes in said:
        for name, value in attributes.items():
            if name not in newest or time_ms >= newest[name][0]:
                newest[name] = (time_ms, value)
    return {name: value for name, (_, value) in newest.items() if value is not None}


def number_in(text: str) -> float | None:
    """The double nearest to what a text says, if it is a number as a whole. Zero has no sign."""
    is_number = NUMBER.fullmatch(text) and sum(c.isdigit() for c in text) <= MOST_DIGITS
    return float(text) + 0.0 if is_number else None


def birth_in(text: str | None) -> date | None:
    """The day that a text begins with, alone or with a time behind it."""
    found = None if text is None else DATE.fullmatch(text)
    if found is None:
        return None
    try:
        day = date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
    return day if day.year in YEARS else None


@cache
def begins_ms(day: date, zone: str) -> int:
    """When the clocks of a zone first show a day."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone), fold=0)
    return (midnight.astimezone(UTC) - EPOCH) // timedelta(milliseconds=1)


def birthdays_ms(birth: date, zone: str) -> Iterator[int]:
    """When the day of birth begins, and then each birthday, as long as anybody asks."""
    for year in range(birth.year, max(LAST_YEAR, birth.year) + 1):
        is_leap_day = (birth.month, birth.day) == (2, 29)
        exists = not is_leap_day or (year % 4 == 0 and (year % 100 != 0 or year % 400 == 0))
        yield begins_ms(birth.replace(year=year) if exists else date(year, 3, 1), zone)


def age_of(text: str | None, now_ms: int, zone: str) -> int | None:
    """Whole years since the day of birth; missing without one, and before it."""
    birth = birth_in(text)
    if birth is None:
        return None
    begun = sum(1 for _ in takewhile(lambda begin_ms: begin_ms <= now_ms, birthdays_ms(birth, zone)))
    return begun - 1 if begun else None


def next_birthday_ms(text: str | None, now_ms: int, zone: str) -> int | None:
    """The next instant at which an age changes by itself."""
    birth = birth_in(text)
    if birth is None:
        return None
    return next((begin_ms for begin_ms in birthdays_ms(birth, zone) if begin_ms > now_ms), None)
