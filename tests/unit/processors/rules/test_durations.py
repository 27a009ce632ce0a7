"""Lengths and offsets of time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.rules.durations import TIMING_UNITS, WINDOW_UNITS, read_length, read_offset, write_length, write_offset


@pytest.mark.parametrize(
    ("text", "offset_ms"),
    [
        ("0d", 0),
        ("1d2h", 93_600_000),
        ("2d10m", 173_400_000),
        ("90m", 5_400_000),
        ("5m", 300_000),
        ("30s", 30_000),
        ("250ms", 250),
        ("1m1s1ms", 61_001),
    ],
)
def test_an_offset_is_the_sum_of_its_parts(text: str, offset_ms: int) -> None:
    assert read_offset(text) == offset_ms


@pytest.mark.parametrize("text", ["", "5", "d", "1h1d", "1d1d", "-1d", "1.5h", "1w", "1d 2h", "1dx"])
def test_what_is_no_offset_is_none(text: str) -> None:
    assert read_offset(text) is None


@given(st.integers(0, 400 * 86_400_000))
def test_a_written_offset_is_read_as_itself(offset_ms: int) -> None:
    assert read_offset(write_offset(offset_ms)) == offset_ms


@given(st.integers(1, 400 * 1440))
def test_a_written_window_is_read_as_itself(minutes: int) -> None:
    assert read_length(write_length(minutes * 60_000), WINDOW_UNITS) == minutes * 60_000


def test_a_length_is_a_whole_number_of_one_of_its_units() -> None:
    assert read_length("30s", TIMING_UNITS) == 30_000
    assert [read_length(t, WINDOW_UNITS) for t in ("30s", "1.5h", "1d2h", "30", "d", "1w")] == [None] * 6
