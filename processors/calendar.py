"""The calendar of the rules' zone: hours, weekdays, and when a day begins. All times are in ms.

`g` has the zone as a table of times from which on its distance from UTC is another (rules/zone.py).
"""

from __future__ import annotations

from processors import layout as L
from processors.jit import jit
from processors.rules import program as G
from processors.rules.program import look


@jit
def _part_of_zone(g, time):  # type: ignore[no-untyped-def]
    """Place in the zone's table of the distance at a time."""
    low = 0
    high = g[G.ZONE_COUNT]
    while high - low > 1:
        middle = (low + high) >> 1
        if look(g, G.ZONE_FROM, middle) <= time:
            low = middle
        else:
            high = middle
    return low


@jit
def local(g, time):  # type: ignore[no-untyped-def]
    """A time as the clocks of the rules' zone show it."""
    return time + look(g, G.ZONE_OFFSET, _part_of_zone(g, time))


@jit
def hour(g, time):  # type: ignore[no-untyped-def]
    """From 0 to 23."""
    return local(g, time) // L.HOUR_MS % 24


@jit
def weekday(g, time):  # type: ignore[no-untyped-def]
    """From 1, Monday, to 7."""
    return (local(g, time) // L.DAY_MS + 3) % 7 + 1  # the epoch was a Thursday


@jit
def first_showing(g, shown):  # type: ignore[no-untyped-def]
    """The first time at which the clocks show `shown` or later; where they leap over it, the time of the leap."""
    # no zone is further than a day from UTC
    part = _part_of_zone(g, shown - L.DAY_MS)
    while True:
        time = shown - look(g, G.ZONE_OFFSET, part)
        if part > 0:
            time = max(time, look(g, G.ZONE_FROM, part))
        part += 1
        if part == g[G.ZONE_COUNT] or time < look(g, G.ZONE_FROM, part):
            return time


@jit
def day_number(year, month, day):  # type: ignore[no-untyped-def]
    """Days since 1970-01-01 of a date in the Gregorian calendar; the 29th of a short February is 1 March."""
    # years begin with March, so that the leap day is the last (H. Hinnant, chrono-compatible date algorithms)
    y = year - (1 if month <= 2 else 0)
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return y * 365 + y // 4 - y // 100 + y // 400 + of_year - 719_468


@jit
def year_of(days):  # type: ignore[no-untyped-def]
    """The year in which a day lies, given in days since 1970-01-01."""
    year = 1970 + days * 400 // 146_097
    while day_number(year + 1, 1, 1) <= days:
        year += 1
    while day_number(year, 1, 1) > days:
        year -= 1
    return year
