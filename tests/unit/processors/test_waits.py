"""Timers are set where something may change: not late, which test_boundaries_of_… hold, and not for every pane."""

from __future__ import annotations

import pytest

from processors.waits import LOOK_AHEAD
from tests.unit.processors.edges import browse, purchase, world_of
from tests.unit.processors.world import Record

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

PANES = 320


def woken(rule: str, *history: Record) -> tuple[int, list[tuple[str, object, int]]]:
    """How often time alone woke the customer, and what flipped."""
    one = world_of(rule)
    fired = one.step(*history, to_ms=2 * DAY).timers_fired
    return fired, one.flips()


def test_a_sum_over_many_panes_is_looked_at_once_in_so_many() -> None:
    history = [browse(n * MINUTE, dwell_ms=1) for n in range(PANES)]
    for rule in ("count(browse, 12h) >= 1", "sum(browse.dwell_ms, 12h) >= 1"):
        fired, flips = woken(rule, *history)
        assert flips == [("t", True, 0), ("t", None, PANES * MINUTE + 12 * HOUR)]
        # the first look is set by the first event, and from then on each finds the next that may matter
        assert fired <= PANES // LOOK_AHEAD + 2


def test_the_pane_that_matters_is_found_beneath_those_that_do_not() -> None:
    history = [browse(n * MINUTE) for n in range(PANES)]
    fired, flips = woken(f"count(browse, 12h) >= {PANES - LOOK_AHEAD // 2}", *history)
    entered = (PANES - LOOK_AHEAD // 2 - 1) * MINUTE
    assert flips == [("t", True, entered), ("t", None, (LOOK_AHEAD // 2 + 1) * MINUTE + 12 * HOUR)]
    # one that finds the tag left, and one when everything is over
    assert fired <= 3


@pytest.mark.parametrize(
    "rule",
    [
        # what leaves lets a sum rise as well, so each pane is looked at
        "sum(browse.dwell_ms, 12h) >= 500",
        "count(browse, 12h) < count(purchase, 12h)",
        "avg(browse.dwell_ms, 12h) > 2",
    ],
)
def test_where_any_pane_may_matter_none_is_overlooked(rule: str) -> None:
    amounts = [(n * 7 % 5) - 2 for n in range(60)]
    history: list[Record] = []
    for n, amount in enumerate(amounts):
        # a purchase comes a pane behind its browse, so that at the end purchases are more
        history += [browse(n * MINUTE, dwell_ms=400 + 100 * amount), purchase(n * MINUTE + 90_000)][: 1 + n % 2]
    history.sort(key=lambda record: record.at_ms)
    _, all_at_once = woken(rule, *history)
    minute_by_minute = world_of(rule)
    for minute in range(62):
        minute_by_minute.step(*(record for record in history if record.at_ms // MINUTE == minute))
        minute_by_minute.step(to_ms=minute * MINUTE + 30_000)
    for minute in range(62, 14 * 60):
        minute_by_minute.step(to_ms=minute * MINUTE)
    assert minute_by_minute.flips() == all_at_once != []


def test_a_time_since_wakes_the_customer_once_for_each_bound() -> None:
    fired, flips = woken("days_since(browse) > 1 and days_since(browse) < 1.5", browse(0))
    assert flips == [("t", True, DAY + 1), ("t", None, 3 * DAY // 2)]
    assert fired == 2


def test_who_waits_for_nothing_is_not_woken() -> None:
    fired, flips = woken("count(browse, ever) >= 1", *(browse(n) for n in range(9)))
    assert (fired, flips) == (0, [("t", True, 0)])
