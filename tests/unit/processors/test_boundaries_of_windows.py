"""Where windows end: every aggregate, a millisecond before, at and behind the instant at which a pane leaves.

What is expected is worked out from docs/rules.md: events are kept by panes of a minute for windows up to 25 hours and
of an hour for longer ones, and a window of length W holds a pane until W after the pane's end.
"""

from __future__ import annotations

import pytest

from schemas.outcomes import Outcome
from tests.unit.processors.edges import (
    DAY,
    HOUR,
    MINUTE,
    Flips,
    assert_flips,
    assert_flips_of_each,
    browse,
    happens,
    purchase,
    world_of,
)
from tests.unit.processors.world import START_MS, Record, world

WINDOWS: dict[str, tuple[int, int]] = {
    # window: (its length, the length of its panes)
    "1m": (MINUTE, MINUTE),
    "59m": (59 * MINUTE, MINUTE),
    "1h": (HOUR, MINUTE),
    "1d": (DAY, MINUTE),
    "25h": (25 * HOUR, MINUTE),
    "1501m": (25 * HOUR + MINUTE, HOUR),
    "26h": (26 * HOUR, HOUR),
    "7d": (7 * DAY, HOUR),
    "90d": (90 * DAY, HOUR),
    "400d": (400 * DAY, HOUR),
}
"""The shortest and the longest window, and those about the change from panes of a minute to panes of an hour."""

AGGREGATES: dict[str, str] = {
    # condition: does it hold of (the first event, both, the second, none)
    "count(purchase, W) >= 1": "yyyn",
    "count(purchase, W) == 2": "nynn",
    "count(purchase, W) < 1": "nnny",
    "not count(purchase, W) > 1": "ynyy",
    'count(purchase where channel == "web", W) == 1': "yynn",
    'count(purchase where channel == "app", W) >= 1': "nyyn",
    "count(purchase where weekday(event_time) == 1, W) == 2": "nynn",
    "sum(purchase.amount, W) >= 40": "nynn",
    "sum(purchase.amount, W) <= 10": "nnyy",
    "sum(purchase.amount, W) == 0": "nnny",
    "sum(purchase.quantity, W) != 3": "ynyy",
    "avg(purchase.amount, W) >= 20.01": "ynnn",
    "avg(purchase.amount, W) == 20": "nynn",
    "avg(purchase.amount, W) < 20": "nnyn",
    "not present(avg(purchase.amount, W))": "nnny",
    "min(purchase.amount, W) <= 10": "nyyn",
    "min(purchase.amount, W) > 10": "ynnn",
    "max(purchase.amount, W) >= 30": "yynn",
    "max(purchase.amount, W) < 30": "nnyn",
    "not present(max(purchase.quantity, W))": "nnny",
    "distinct(purchase.category, W) >= 2": "nynn",
    "distinct(purchase.category, W) == 1": "ynyn",
    "distinct(purchase.category, W) == 0": "nnny",
    'first(purchase.category, W) == "shoes"': "yynn",
    'first(purchase.category, W) != "shoes"': "nnyn",
    "first(purchase.amount, W) <= 10": "nnyn",
    'last(purchase.category, W) == "bags"': "nyyn",
    'last(purchase.category, W) in ["shoes"]': "ynnn",
    "last(purchase.quantity, W) < 2": "ynnn",
    # of equals the smaller text, then the only one
    'top(purchase.category, W) == "bags"': "nyyn",
    'top(purchase.category by sum(purchase.amount), W) == "bags"': "nnyn",
    'top(purchase.category by sum(purchase.amount), W) == "shoes"': "yynn",
    "not present(top(purchase.category, W))": "nnny",
    "interval(purchase, W) < 1": "nynn",
    "not present(interval(purchase, W))": "ynyy",
    'ratio(count(purchase where channel == "web", W), count(purchase, W)) == 0.5': "nynn",
    'ratio(count(purchase where channel == "web", W), count(purchase, W)) < 0.5': "nnyn",
    "ratio(sum(purchase.amount, W), sum(purchase.quantity, W)) >= 13": "yynn",
    "not present(ratio(count(purchase, ever), count(purchase, W)))": "nnny",
    "count(purchase, W) < count(purchase, ever)": "nnyy",
    "sum(purchase.amount, W) < max(purchase.amount, ever)": "nnyy",
    "count(purchase, ever) == 2": "nyyy",
    "sum(purchase.amount, ever) == 40 and count(purchase, W) == 0": "nnny",
    'first(purchase.category, ever) == "shoes" and count(purchase, W) == 0': "nnny",
}


def flips_of(holds: str, *instants: int) -> Flips:
    """The flips of a tag that holds (y) or not (n) from each of these instants on."""
    found: list[tuple[object, int]] = []
    before = "n"
    for now, at_ms in zip(holds, instants, strict=True):
        if now != before:
            found.append((True if now == "y" else None, at_ms))
        before = now
    return found


def two_events(pane: int) -> list[Record]:
    """A millisecond apart, in two panes."""
    return [
        purchase(pane - 1, amount_cents=3000, category="shoes", quantity=1, channel="web"),
        purchase(pane, amount_cents=1000, category="bags", quantity=2, channel="app"),
    ]


def flips_of_two_events(condition: str, window: str) -> Flips:
    length, pane = WINDOWS[window]
    return flips_of(AGGREGATES[condition], pane - 1, pane, pane + length, 2 * pane + length)


@pytest.mark.parametrize("window", ["1m", "25h", "1501m", "7d"])
@pytest.mark.parametrize("condition", AGGREGATES)
def test_an_aggregate_turns_when_a_pane_leaves(condition: str, window: str) -> None:
    """One tag alone, which no other one's timer wakes."""
    history = two_events(WINDOWS[window][1])
    assert_flips(condition.replace("W", window), history, flips_of_two_events(condition, window))


@pytest.mark.parametrize("window", WINDOWS)
def test_all_aggregates_turn_together_in_windows_of_every_length(window: str) -> None:
    tags = {f"t{place}": condition.replace("W", window) for place, condition in enumerate(AGGREGATES)}
    expected = {("c", f"t{n}"): flips_of_two_events(condition, window) for n, condition in enumerate(AGGREGATES)}
    assert_flips_of_each(tags, two_events(WINDOWS[window][1]), expected)


@pytest.mark.parametrize("window", WINDOWS)
def test_an_event_leaves_with_the_pane_that_it_lies_in(window: str) -> None:
    length, pane = WINDOWS[window]
    start = 5 * pane
    happened = {"before": -1, "at": 0, "behind": 1, "half": pane // 2, "last": pane - 1, "next": pane}
    ends = {"before": 0, "at": pane, "behind": pane, "half": pane, "last": pane, "next": 2 * pane}
    history = [browse(start + off_ms, customer=name) for name, off_ms in happened.items()]
    expected = {
        (name, "t"): [(True, start + off_ms), (None, start + ends[name] + length)] for name, off_ms in happened.items()
    }
    assert_flips_of_each({"t": f"count(browse, {window}) >= 1"}, history, expected)


TRENDS = {
    # condition: does it hold while the event is in the window, while it is in the one before, and then
    "trend(count(browse, W)) > 0": "ynn",
    "trend(count(browse, W)) == -1": "nyn",
    "trend(count(browse, W)) == 0": "nny",
    "trend(sum(browse.dwell_ms, W)) <= -7": "nyn",
    "present(trend(count(browse, W)))": "yyy",
}


@pytest.mark.parametrize("window", ["1m", "25h", "1501m", "7d", "200d"])
def test_a_trend_turns_when_a_pane_moves_to_the_window_before_and_when_it_leaves_that(window: str) -> None:
    length, pane = {**WINDOWS, "200d": (200 * DAY, HOUR)}[window]
    tags = {f"t{place}": condition.replace("W", window) for place, condition in enumerate(TRENDS)}
    expected = {
        ("c", f"t{place}"): flips_of(holds, pane - 1, pane + length, pane + 2 * length)
        for place, holds in enumerate(TRENDS.values())
    }
    assert_flips_of_each(tags, [browse(pane - 1, dwell_ms=7)], expected)
    for (key, flips), rule in zip(expected.items(), tags.values(), strict=True):
        if window != "200d":
            assert_flips_of_each({key[1]: rule}, [browse(pane - 1, dwell_ms=7)], {key: flips})


@pytest.mark.parametrize("window", ["1m", "25h", "1501m", "7d"])
def test_a_sum_rises_when_what_was_paid_back_leaves(window: str) -> None:
    length, pane = WINDOWS[window]
    history = [purchase(pane - 1, kind="refund", amount_cents=-1), purchase(pane, amount_cents=1)]
    expected = [(True, pane + length), (None, 2 * pane + length)]
    assert_flips(f"sum(purchase.amount, {window}) >= 0.01", history, expected)


def test_windows_of_all_lengths_over_the_same_events_end_each_at_its_own_time() -> None:
    one = world(**{f"w{window}": f"count(browse, {window}) >= 1" for window in WINDOWS}, ever="count(browse, ever) > 0")
    one.step(browse(MINUTE - 1), to_ms=500 * DAY)
    assert {tag for tag, after, at_ms in one.flips() if (after, at_ms) == (True, MINUTE - 1)} == {
        "ever", *(f"w{window}" for window in WINDOWS),
    }  # fmt: skip
    left = [(tag, at_ms) for tag, after, at_ms in one.flips() if after is None]
    assert left == [(f"w{window}", pane + length) for window, (length, pane) in WINDOWS.items()]


# ------------------------------------------------------------------------------------------- late, ahead and too old

LATE: dict[str, tuple[tuple[str, ...], int]] = {
    # windows: the first instant at which an event of the first millisecond is too late for all of them
    **{window: ((window,), pane + length) for window, (length, pane) in WINDOWS.items()},
    # of both kinds of panes; the longer window need not be the one that holds the pane longer
    "25h and 1501m": (("25h", "1501m"), 26 * HOUR + MINUTE),
    "1h and 90d": (("1h", "90d"), HOUR + 90 * DAY),
    "1m and 25h": (("1m", "25h"), MINUTE + 25 * HOUR),
}


def counts(windows: tuple[str, ...]) -> str:
    return " or ".join(f"count(browse, {window}) >= 1" for window in windows)


@pytest.mark.parametrize("name", LATE)
def test_an_event_counts_until_the_instant_at_which_its_pane_leaves(name: str) -> None:
    windows, leaves = LATE[name]
    for arrives, outcome in ((leaves - 1, Outcome.APPLIED), (leaves, Outcome.LATE), (leaves + 1, Outcome.LATE)):
        one = world_of(counts(windows))
        one.step(browse(arrives, time_ms=0))
        assert one.happened() == {outcome: 1}
    assert_flips(counts(windows), [browse(leaves - 1, time_ms=0)], [(True, leaves - 1), (None, leaves)])
    assert_flips(counts(windows), [browse(leaves, time_ms=0)], [], until_ms=2 * leaves)


@pytest.mark.parametrize("window", ["1m", "25h", "1501m", "400d"])
def test_what_is_too_late_for_every_window_still_counts_for_what_looks_back_for_ever(window: str) -> None:
    length, pane = WINDOWS[window]
    arrives = pane + length
    for value in ("count(browse, ever) == 1", 'last(browse.category, ever) == "a"', "days_since(browse) >= 0.001"):
        one = world_of(f"{value} or count(browse, {window}) >= 1")
        one.step(browse(arrives, time_ms=0, category="a"))
        assert one.happened() == {Outcome.LATE: 1}
        assert one.flips() == [("t", True, arrives)]


@pytest.mark.parametrize(
    ("ahead_ms", "placed_ms"),
    [
        (0, 0),
        (1, 1),
        (5 * MINUTE - 1, 5 * MINUTE - 1),
        (5 * MINUTE, 5 * MINUTE),
        # further ahead it counts as of arrival
        (5 * MINUTE + 1, 0),
        (DAY, 0),
        # and further than a day it is dead
        (DAY + 1, None),
    ],
)
def test_an_event_ahead_of_its_arrival_is_placed_taken_as_of_now_or_dead(ahead_ms: int, placed_ms: int | None) -> None:
    rule = "count(browse, 1h) >= 1"
    history = [browse(7 * MINUTE, time_ms=7 * MINUTE + ahead_ms)]
    left_at = 0 if placed_ms is None else (7 * MINUTE + placed_ms) // MINUTE * MINUTE + MINUTE + HOUR
    assert_flips(rule, history, [] if placed_ms is None else [(True, 7 * MINUTE), (None, left_at)])
    one = world_of(rule)
    one.step(*history)
    assert one.happened() == {Outcome.DEAD if placed_ms is None else Outcome.APPLIED: 1}


@pytest.mark.parametrize(("off_ms", "outcome"), [(-1, Outcome.DEAD), (0, Outcome.APPLIED), (1, Outcome.APPLIED)])
def test_an_event_of_before_1990_is_dead(off_ms: int, outcome: Outcome) -> None:
    one = world_of("count(browse, ever) >= 1")
    one.step(happens("browse", 0, time_ms=631_152_000_000 - START_MS + off_ms))
    assert one.happened() == {outcome: 1}
    assert len(one.changes) == (outcome == Outcome.APPLIED)


def test_a_late_event_between_two_panes_is_held_as_long_as_its_own() -> None:
    """The panes are made out of order; each leaves in its turn."""
    pane = HOUR
    history: list[Record] = [
        browse(6 * pane), browse(7 * pane, time_ms=2 * pane), browse(8 * pane, time_ms=4 * pane), browse(9 * pane)
    ]  # fmt: skip
    leaves = [3 * pane + 7 * DAY, 5 * pane + 7 * DAY, 7 * pane + 7 * DAY, 10 * pane + 7 * DAY]
    for least, left_at in zip((4, 3, 2, 1), leaves, strict=True):
        entered_at = [6 * pane, 7 * pane, 8 * pane, 9 * pane][least - 1]
        assert_flips(f"count(browse, 7d) >= {least}", history, [(True, entered_at), (None, left_at)])
