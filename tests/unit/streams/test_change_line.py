"""The line that `tagstream tail` shows for a change."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records import Change
from streams.change_line import change_line, shown_delay, shown_value


def change(**given: Any) -> Change:
    defaults: dict[str, Any] = {
        "id": "0-7",
        "customer_id": "anna",
        "tag": "vip",
        "op": "entered",
        "before": None,
        "after": True,
        "effective_at": 1_700_000_000_123,
        "emitted_at": 1_700_000_000_158,
        "seq": 7,
        "prev_seq": 0,
        "rule_version": "v",
        "epoch": 1,
        "origin": "live",
        "cause": "e-1",
    }
    return Change(**defaults | given)


def test_a_line_says_when_who_what_why_and_how_late() -> None:
    line = change_line(change()).plain
    assert line.split() == ["2023-11-14", "22:13:20.123", "anna", "entered", "vip", "by", "e-1", "35", "ms"]


def test_values_before_and_after_are_shown_where_there_is_more_than_in_or_out() -> None:
    assert "silver → gold" in change_line(change(op="changed", before="silver", after="gold")).plain
    assert "gold → –" in change_line(change(op="left", before="gold", after=None)).plain
    assert "→" not in change_line(change(op="left", before=True, after=None)).plain


def test_a_change_by_time_says_so() -> None:
    assert "by time" in change_line(change(cause=5, origin="timer")).plain
    assert "by backfill" in change_line(change(cause=None, origin="backfill")).plain


def test_each_op_has_a_colour_of_its_own() -> None:
    colours = {str(span.style) for op in ("entered", "changed", "left") for span in change_line(change(op=op)).spans}
    assert {"green", "yellow", "red"} <= colours


def test_markup_in_an_id_is_shown_as_it_is() -> None:
    assert "[bold]x[/bold]" in change_line(change(customer_id="[bold]x[/bold]")).plain


def test_long_sets_are_cut() -> None:
    assert shown_value(tuple("abcdefgh")) == "{a, b, c, d, e, … 8 in all}"
    assert shown_value(("a", "b")) == "{a, b}"


@pytest.mark.parametrize(
    ("delay_ms", "text"),
    [(0, "0 ms"), (-5, "-5 ms"), (999, "999 ms"), (1_500, "1.5 s"), (90_000, "1.5 min"), (9_000_000, "2.5 h")],
)
def test_delays_are_shown_in_the_unit_that_suits(delay_ms: int, text: str) -> None:
    assert shown_delay(delay_ms) == text


def test_a_time_out_of_the_calendar_is_shown_as_a_number() -> None:
    assert "9999999999999999 ms" in change_line(change(effective_at=9_999_999_999_999_999)).plain
