"""What the demo counts, and what it says about it."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console

from schemas.records import Change
from streams.demo.tally import NEWEST, RECENT_MS, Tally
from streams.demo.view import Label, View, figures

T_MS = 1_750_000_000_000


def change(**given: Any) -> Change:
    fields: dict[str, Any] = {
        "id": "0-1", "customer_id": "anna", "tag": "active", "op": "entered", "before": None, "after": True,
        "effective_at": T_MS, "emitted_at": T_MS, "seq": 1, "prev_seq": 0, "rule_version": "0", "epoch": 1,
        "origin": "live",
    }  # fmt: skip
    return Change(**fields | given)


def test_changes_are_counted_by_op_and_customers_by_tag() -> None:
    tally = Tally(T_MS, T_MS)
    left = change(op="left", before=True, after=None)
    tally.add_changes(T_MS, [change(), change(), left, change(op="changed", tag="tier", before="a", after="b")])
    assert dict(tally.ops) == {"entered": 2, "left": 1, "changed": 1}
    assert tally.tags["active"] == 1
    assert tally.tags["tier"] == 0


def test_the_newest_change_comes_first_and_their_number_is_bounded() -> None:
    tally = Tally(T_MS, T_MS)
    tally.add_changes(T_MS, [change(seq=number) for number in range(100)])
    assert [each.seq for each in tally.newest] == list(range(99, 99 - NEWEST, -1))


def test_only_changes_by_live_events_have_a_delay() -> None:
    tally = Tally(T_MS, T_MS)
    tally.add_changes(T_MS + 50, [change(effective_at=T_MS - 1), change(origin="timer"), change(origin="backfill")])
    assert tally.to_change.delay() is None
    tally.add_changes(T_MS + 50, [change(effective_at=T_MS + 10), change(effective_at=T_MS + 30)])
    delay = tally.to_change.delay()
    assert delay is not None
    assert delay.median_ms == 30


def test_rate_and_delay_are_those_of_the_last_seconds() -> None:
    tally = Tally(T_MS, T_MS)
    tally.add_sent(T_MS + 1_000, 500)
    tally.to_redis.add(T_MS + 1_000, 9_000)
    assert tally.rate(T_MS + 2_000) == 250
    later_ms = T_MS + 1_000 + RECENT_MS
    for after_ms in (1, 2, 3):
        tally.add_sent(later_ms + after_ms, 100)
        tally.to_redis.add(later_ms + after_ms, 20)
    assert tally.rate(later_ms + 3) == 30
    assert str(tally.to_redis.delay()) == "20 ms (p99 20)"


def test_without_a_terminal_a_line_is_written_every_two_seconds() -> None:
    console = Console(file=io.StringIO(), force_terminal=False)
    tally = Tally(T_MS, T_MS)
    tally.add_changes(T_MS, [change()] * 3)
    with View(console, {}) as view:
        for after_ms in range(0, 5_000, 100):
            view.show(T_MS + after_ms, tally)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 3
    assert all("tags entered 3" in line for line in lines)


def test_the_picture_shows_names_values_and_how_many_have_the_tag() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160)
    labels = {"value_tier": Label("价值等级 Value tier", "#d4a017")}
    tally = Tally(T_MS, T_MS)
    tally.add_changes(T_MS, [change(tag="value_tier", after="gold"), change(tag="no_longer_defined")])
    console.print(View(console, labels).picture(T_MS, tally))
    assert isinstance(console.file, io.StringIO)
    shown = console.file.getvalue()
    for text in ("价值等级 Value tier", "gold", "anna", "no_longer_defined"):
        assert text in shown


def test_figures_say_nothing_about_delays_that_are_not_known() -> None:
    assert "arrival to change - · to Redis -" in figures(T_MS, Tally(T_MS, T_MS)).plain


def test_while_the_history_is_taken_in_no_change_has_a_delay() -> None:
    tally = Tally(T_MS)
    tally.add_changes(T_MS + 50, [change(effective_at=T_MS + 10), change(effective_at=T_MS + 30)])
    assert tally.to_change.delay() is None
    assert figures(T_MS + 3_000, tally).plain == "   3 s · taking in the history · tags entered 2 · changed 0 · left 0"
