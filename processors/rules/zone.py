"""A time zone's distance from UTC, as a table for the engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from processors.rules.program import I64

_FIRST: Final = datetime(1989, 12, 31, tzinfo=UTC)
"""Before the earliest event that can be used."""
_LAST: Final = datetime(2100, 1, 1, tzinfo=UTC)


@cache
def zone_tables(name: str) -> tuple[I64, I64]:
    """(times from which on the distance is another, rising; distances), in ms. The first holds for all time before."""
    zone = ZoneInfo(name)
    times, offsets = [_FIRST], [_offset(zone, _FIRST)]
    day = _FIRST
    while day < _LAST:
        following = day + timedelta(days=1)
        if _offset(zone, following) != offsets[-1]:
            times.append(_change(zone, day, following))
            offsets.append(_offset(zone, times[-1]))
        # two changes within a day: the second is found from the first on
        day = times[-1] if _offset(zone, following) != offsets[-1] else following
    return _milliseconds(times), np.array([round(o.total_seconds() * 1000) for o in offsets], np.int64)


def _offset(zone: ZoneInfo, time: datetime) -> timedelta:
    offset = time.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def _change(zone: ZoneInfo, low: datetime, high: datetime) -> datetime:
    """The first second in (low, high] whose distance is not that of `low`."""
    before = _offset(zone, low)
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _milliseconds(times: list[datetime]) -> I64:
    return np.array([round(t.timestamp() * 1000) for t in times], np.int64)
