"""What is exact to the millisecond: `days_since`, dwell, cooldown and terms.

What is expected is worked out from docs/rules.md. A timer that is due at the very millisecond of an event comes before
it, as an evaluation of its own.
"""

from __future__ import annotations

import pytest

from tests.unit.processors.edges import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Flips,
    assert_flips,
    browse,
    purchase,
)
from tests.unit.processors.world import Record

HELD = "count(purchase, 1h) >= 1"
"""From a purchase until its minute and an hour are over: of one at 0, until LEAVES."""
LEAVES = MINUTE + HOUR

# ---------------------------------------------------------------------------------------------------------- days_since

SINCE: dict[str, list[int]] = {
    # condition: when it begins and ends to hold, in turn, after a browse at 0 (a day is 86,400,000 ms)
    "days_since(browse) > 1": [86_400_001],
    "days_since(browse) >= 1": [86_400_000],
    "days_since(browse) < 1": [0, 86_400_000],
    "days_since(browse) <= 1": [0, 86_400_001],
    "days_since(browse) == 1": [86_400_000, 86_400_001],
    "days_since(browse) != 1": [0, 86_400_000, 86_400_001],
    "not days_since(browse) > 1": [0, 86_400_001],
    "1 < days_since(browse)": [86_400_001],
    "days_since(browse) > 30": [2_592_000_001],
    "days_since(browse) >= 30": [2_592_000_000],
    "days_since(browse) > 0.5": [43_200_001],
    "days_since(browse) > 0": [1],
    "days_since(browse) >= 0": [0],
    "days_since(browse) == 0": [0, 1],
    "days_since(browse) < 0": [],
    # 0.864 ms and 2.16 ms: the next whole millisecond is the first above, and none is equal
    "days_since(browse) > 0.00000001": [1],
    "days_since(browse) <= 0.000000025": [0, 3],
    "days_since(browse) == 0.000000025": [],
    "days_since(browse) > 1 and days_since(browse) <= 2": [86_400_001, 172_800_001],
    "present(days_since(browse))": [0],
    "days_since(purchase) > 0": [],
    "not days_since(purchase) > 0": [0],
    # beside other values: one browse ever is a day; a half of the days is 1 at two days
    "days_since(browse) > count(browse, ever)": [86_400_001],
    "days_since(browse) >= count(browse, ever)": [86_400_000],
    "ratio(days_since(browse), count(browse, ever)) > 2": [172_800_001],
    # 1 / days is 2 at half a day, and missing at once
    "ratio(count(browse, ever), days_since(browse)) >= 2": [1, 43_200_001],
    "ratio(count(browse, ever), days_since(browse)) > 2": [1, 43_200_000],
}


def turns(*instants: int) -> Flips:
    """In and out in turn."""
    return [(None if place % 2 else True, at_ms) for place, at_ms in enumerate(instants)]


@pytest.mark.parametrize("condition", SINCE)
def test_a_time_since_crosses_its_bound_at_the_millisecond(condition: str) -> None:
    assert_flips(condition, [browse(0)], turns(*SINCE[condition]))


SINCE_HISTORIES: dict[str, tuple[str, list[Record], list[int]]] = {
    # name: (condition, history, when it begins and ends to hold)
    "an event at the crossing comes after it": (">= 1", [browse(0), browse(DAY)], [DAY, DAY, 2 * DAY]),
    "an event just before the crossing": (">= 1", [browse(0), browse(DAY - 1)], [2 * DAY - 1]),
    "an event just behind the crossing": (">= 1", [browse(0), browse(DAY + 1)], [DAY, DAY + 1, 2 * DAY + 1]),
    "a late event that happened after": (">= 1", [browse(0), browse(DAY, time_ms=1)], [DAY, DAY, DAY + 1]),
    "a late event that happened at the same time": (">= 1", [browse(0), browse(DAY, time_ms=0)], [DAY]),
    "a late event that happened before": (">= 1", [browse(5), browse(6, time_ms=0)], [DAY + 5]),
    "an event that is itself a day old": (">= 1", [browse(DAY, time_ms=0)], [DAY]),
    "an event that is a millisecond less old": (">= 1", [browse(DAY, time_ms=1)], [DAY + 1]),
    "an event ahead is no time ago until it has happened": ("> 0", [browse(0, time_ms=MINUTE)], [MINUTE + 1]),
    "an event too far ahead is as of arrival": ("> 0", [browse(0, time_ms=5 * MINUTE + 1)], [1]),
}


@pytest.mark.parametrize("name", SINCE_HISTORIES)
def test_a_time_since_goes_by_when_the_newest_happened(name: str) -> None:
    bound, history, instants = SINCE_HISTORIES[name]
    assert_flips(f"days_since(browse) {bound}", history, turns(*instants))


@pytest.mark.parametrize(("op", "instants"), [(">", [2 * DAY + 1]), (">=", [2 * DAY]), ("<", [DAY, 2 * DAY])])
def test_a_time_since_is_compared_with_the_usual_gap(op: str, instants: list[int]) -> None:
    assert_flips(f"days_since(browse) {op} interval(browse, ever)", [browse(0), browse(DAY)], turns(*instants))


# ---------------------------------------------------------------------------------------------- dwell, cooldown, terms

TIMED: dict[str, tuple[str, list[Record], Flips]] = {
    # name: (keys beside HELD, history, flips)
    "dwell of seconds": ("dwell: 30s", [purchase(7)], [(True, 30 * SECOND + 7), (None, LEAVES)]),
    "dwell is over a minute before": ("dwell: 60m", [purchase(0)], [(True, HOUR), (None, LEAVES)]),
    # at the end of the dwell the condition has to hold still
    "dwell is over as the condition ends": ("dwell: 61m", [purchase(0)], []),
    "dwell is over a millisecond before the condition ends": (
        "dwell: 1m", [purchase(LEAVES - MINUTE - 1, time_ms=0)], [(True, LEAVES - 1), (None, LEAVES)],
    ),
    "dwell is over as the condition of a late event ends": (
        "dwell: 1m", [purchase(LEAVES - MINUTE, time_ms=0)], [],
    ),
    "dwell counts from the first of two": (
        "dwell: 10m", [purchase(0), purchase(10 * MINUTE - 1)], [(True, 10 * MINUTE), (None, 10 * MINUTE + HOUR)],
    ),
    "dwell goes on when the next comes as the first leaves": (
        # that instant is an evaluation of its own, at which the condition does not hold
        "dwell: 90m", [purchase(0), purchase(LEAVES)], [],
    ),
    "dwell goes on when the next comes just before the first leaves": (
        "dwell: 90m", [purchase(0), purchase(LEAVES - 1)], [(True, 90 * MINUTE), (None, LEAVES + HOUR)],
    ),
    "cooldown, an event just before its end": (
        "cooldown: 2h", [purchase(0), purchase(LEAVES + 2 * HOUR - 1)],
        [(True, 0), (None, LEAVES), (True, LEAVES + 2 * HOUR), (None, 4 * HOUR + MINUTE)],
    ),
    "cooldown, an event at its end": (
        "cooldown: 2h", [purchase(0), purchase(LEAVES + 2 * HOUR)],
        [(True, 0), (None, LEAVES), (True, LEAVES + 2 * HOUR), (None, 4 * HOUR + 2 * MINUTE)],
    ),
    "cooldown, an event behind its end": (
        "cooldown: 2h", [purchase(0), purchase(LEAVES + 2 * HOUR + 1)],
        [(True, 0), (None, LEAVES), (True, LEAVES + 2 * HOUR + 1), (None, 4 * HOUR + 2 * MINUTE)],
    ),
    "cooldown ends before the condition": (
        "cooldown: 59m", [purchase(0), purchase(LEAVES)],
        [(True, 0), (None, LEAVES), (True, 2 * HOUR), (None, 2 * LEAVES)],
    ),
    "cooldown ends as the condition does": (
        # it holds from LEAVES until 2 h 2 m, which is 61 m later
        "cooldown: 61m", [purchase(0), purchase(LEAVES)], [(True, 0), (None, LEAVES)],
    ),
    "dwell and cooldown end together": (
        "cooldown: 2h\ndwell: 30m", [purchase(0), purchase(LEAVES + 90 * MINUTE)],
        [(True, 30 * MINUTE), (None, LEAVES), (True, LEAVES + 2 * HOUR), (None, LEAVES + 151 * MINUTE)],
    ),
    "dwell ends a millisecond after the cooldown": (
        "cooldown: 2h\ndwell: 30m", [purchase(0), purchase(LEAVES + 90 * MINUTE + 1)],
        [(True, 30 * MINUTE), (None, LEAVES), (True, LEAVES + 2 * HOUR + 1), (None, LEAVES + 151 * MINUTE)],
    ),
    "term to the millisecond": ("expires: 10m", [purchase(7)], [(True, 7), (None, 10 * MINUTE + 7)]),
    "term counts from the entry behind a dwell": (
        "expires: 10m\ndwell: 5m", [purchase(7)], [(True, 5 * MINUTE + 7), (None, 15 * MINUTE + 7)],
    ),
    "an event as the term ends does not bring it back": (
        "expires: 10m", [purchase(0), purchase(10 * MINUTE)], [(True, 0), (None, 10 * MINUTE)],
    ),
    "an event just before the term ends does not extend it": (
        "expires: 10m", [purchase(0), purchase(10 * MINUTE - 1)], [(True, 0), (None, 10 * MINUTE)],
    ),
    "it comes back with an event as the condition has just ended": (
        "expires: 10m", [purchase(0), purchase(LEAVES)],
        [(True, 0), (None, 10 * MINUTE), (True, LEAVES), (None, LEAVES + 10 * MINUTE)],
    ),
    "it stays away with an event just before the condition ends": (
        "expires: 10m", [purchase(0), purchase(LEAVES - 1)], [(True, 0), (None, 10 * MINUTE)],
    ),
    "own leave, at the millisecond of its pane": (
        "leave: count(purchase, 2h) == 0", [purchase(0)], [(True, 0), (None, 2 * HOUR + MINUTE)],
    ),
    "own leave by a time since": (
        "leave: days_since(purchase) > 0.5", [purchase(3)], [(True, 3), (None, DAY // 2 + 4)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TIMED)
def test_timing_is_exact(name: str) -> None:
    keys, history, expected = TIMED[name]
    assert_flips(f"{HELD}\n{keys}", history, expected)


@pytest.mark.parametrize("length", ["1s", "59s", "1m", "90m", "30h", "40d"])
def test_a_dwell_a_cooldown_and_a_term_of_every_unit(length: str) -> None:
    length_ms = int(length[:-1]) * {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}[length[-1]]
    bought = "count(purchase, ever) >= 1"
    assert_flips(f"{bought}\ndwell: {length}", [purchase(13)], [(True, 13 + length_ms)])
    # left at two minutes; the next event comes a millisecond before the cooldown is over
    free = 2 * MINUTE + length_ms
    leaves = 4 * MINUTE if length[-1] == "s" else free + MINUTE
    flips = [(True, 0), (None, 2 * MINUTE), (True, free), (None, leaves)]
    assert_flips(f"count(browse, 1m) >= 1\ncooldown: {length}", [browse(0), browse(free - 1)], flips)
    if length[-1] != "s":
        assert_flips(f"{bought}\nexpires: {length}", [purchase(13)], [(True, 13), (None, 13 + length_ms)])
