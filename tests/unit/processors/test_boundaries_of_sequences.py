"""How soon one event comes after another, and since when it has not come: to the millisecond, by docs/rules.md."""

from __future__ import annotations

import pytest

from tests.unit.processors.edges import DAY, HOUR, MINUTE, Flips, assert_flips, browse, purchase
from tests.unit.processors.world import Record

WITHIN = {"1m": MINUTE, "1h": HOUR, "25h": 25 * HOUR, "30d": 30 * DAY, "400d": 400 * DAY}


@pytest.mark.parametrize("within", ["1m", "1h", "25h", "30d"])
def test_the_second_event_may_come_as_late_as_the_length_and_no_later(within: str) -> None:
    length = WITHIN[within]
    for off_ms, matched in ((-1, True), (0, True), (1, False)):
        at_ms = 10 + length + off_ms
        expected = [(True, at_ms)] if matched else []
        assert_flips(f"browse then purchase within {within}", [browse(10), purchase(at_ms)], expected)
        # by when it happened, not by when it came
        late = [browse(10), purchase(10 + 2 * length, time_ms=at_ms)]
        expected = [(True, 10 + 2 * length)] if matched else []
        assert_flips(f"browse then purchase within {within}", late, expected)


@pytest.mark.parametrize("within", WITHIN)
def test_what_has_not_come_is_missed_when_the_length_is_over_to_the_millisecond(within: str) -> None:
    over = 10 + WITHIN[within]
    rule = f"browse then no purchase within {within}"
    assert_flips(rule, [browse(10)], [(True, over)])
    if within != "400d":
        assert_flips(rule, [browse(10), purchase(over - 1)], [])
        assert_flips(rule, [browse(10), purchase(over)], [(True, over), (None, over)])
        assert_flips(rule, [browse(10), purchase(over + 1)], [(True, over), (None, over + 1)])


ORDER: dict[str, tuple[str, list[Record], Flips]] = {
    "then: both at one millisecond, the first one applied first": ("then", [browse(9), purchase(9)], [(True, 9)]),
    "then: both at one millisecond, the second one applied first": ("then", [purchase(9), browse(9)], []),
    "then: a millisecond too early": ("then", [browse(9), purchase(9, time_ms=8)], []),
    "then: a later second one undoes it": (
        "then", [browse(0), purchase(HOUR), purchase(HOUR + 1)], [(True, HOUR), (None, HOUR + 1)],
    ),
    "then no: both at one millisecond": ("then no", [browse(9), purchase(9)], []),
    "then no: both at one millisecond, the second one applied first": ("then no", [purchase(9), browse(9)], []),
    "then no: a second one a millisecond before the first": (
        "then no", [purchase(8), browse(9)], [(True, 9 + HOUR)],
    ),
    "then no: a first one that comes an hour late": ("then no", [browse(9 + HOUR, time_ms=9)], [(True, 9 + HOUR)]),
    "then no: a first one that comes a millisecond less late": (
        "then no", [browse(8 + HOUR, time_ms=9)], [(True, 9 + HOUR)],
    ),
    "then no: another first one as the hour is over": (
        "then no", [browse(0), browse(HOUR)], [(True, HOUR), (None, HOUR), (True, 2 * HOUR)],
    ),
    "then no: another first one just before": ("then no", [browse(0), browse(HOUR - 1)], [(True, 2 * HOUR - 1)]),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDER)
def test_the_order_of_two_events_decides_to_the_millisecond(name: str) -> None:
    word, history, expected = ORDER[name]
    assert_flips(f"browse {word} purchase within 1h", history, expected)
