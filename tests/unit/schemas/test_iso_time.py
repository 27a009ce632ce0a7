"""Times in ISO-8601."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.iso_time import ms_from_iso
from tests.unit.schemas.event_samples import relaxed


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00", 0),
        ("1970-01-01", 0),
        ("1970-01-01 00:00", 0),
        ("1970-01-01t00:00:01z", 1000),
        ("1970-01-01T08:00:00+08:00", 0),
        ("1970-01-01T00:00:00.1234567Z", 123),
        ("1970-01-01T00:00:00,5", 500),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("2024-02-29T12:00:00-05:30", 1_709_227_800_000),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000),
        ("0001-01-01T00:00:00+14:00", -62_135_647_200_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_a_time_is_whole_milliseconds_rounded_down_and_utc_without_a_zone(text: str, ms: int) -> None:
    assert ms_from_iso(text) == ms


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "1700000000000", "20240101", "2024-W01-1", "2024-13-01", "2023-02-29", "2024-01-01T25:00",
     "2024-01-01T12", "2024-01-01T12:00:00+99:00", "2024-01-01x12:00", " 2024-01-01", "2024-01-01T12:00:00Z\n",
     "２０２４-01-01", "2024-01-01T12:00:61Z"],
)  # fmt: skip
def test_what_is_not_the_extended_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ms_from_iso(text)


ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@relaxed
@given(st.datetimes(timezones=ZONES))
def test_it_agrees_with_the_calendar_in_any_zone(moment: datetime) -> None:
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert ms_from_iso(moment.isoformat()) == expected
