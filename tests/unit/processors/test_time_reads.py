"""What time alone moves is found on its millisecond, also where something left long ago that nobody had to look at."""

from __future__ import annotations

import pytest

from processors.layout import DAY_MS
from processors.replay import TagReplay
from processors.rules.load import load_rules

START_MS = 1_704_067_200_000
"""Monday, 1 January 2024."""


def changes(rules: str, events: list[tuple[str, int]], days: int) -> list[tuple[str, float]]:
    """(op, days since the start) of each change of the tag t after these events of a customer."""
    rule_set = load_rules({"t.yaml": rules}, time_zone="UTC", default_currency="CNY")
    given = [(kind, START_MS + at_ms, {}) for kind, at_ms in events]
    found = TagReplay()(rule_set, "t", given, START_MS + days * DAY_MS)
    return [(op, (at - START_MS) / DAY_MS) for op, at, _ in found]


def tag(name: str, rule: str) -> str:
    return f"- {{tag: {name}, name: T, class: static, category: base, {rule}}}\n"


LAZY = tag("lazy", "when: 'count(browse, 1d) > 0', leave: 'interval(purchase, 30m) > count(purchase, 400d)'")
"""Its windows share a series with the time since the last purchase, and nobody waits for what leaves them."""


@pytest.mark.parametrize("lazy", ["", LAZY])
def test_a_score_moves_on_time_beside_a_pane_that_left_unseen(lazy: str) -> None:
    rules = tag("t", "score: days_since(purchase), step: 100") + lazy
    assert changes(rules, [("purchase", 0)], 250) == [("entered", 0), ("changed", 100), ("changed", 200)]


@pytest.mark.parametrize("lazy", ["", LAZY])
@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ("days_since(purchase) >= interval(purchase, ever)", [("entered", 4)]),
        ("days_since(purchase) > interval(purchase, ever)", [("entered", 4 + 1 / DAY_MS)]),
        ("interval(purchase, ever) == days_since(purchase)", [("entered", 4), ("left", 4 + 1 / DAY_MS)]),
        ("days_since(purchase) < days_since(browse)", [("entered", 2)]),
        ("present(days_since(browse)) and days_since(browse) == days_since(purchase)", []),
    ],
)
def test_time_since_something_beside_another_value(lazy: str, when: str, expected: list[tuple[str, float]]) -> None:
    events = [("purchase", 0), ("browse", DAY_MS), ("purchase", 2 * DAY_MS)]
    assert changes(tag("t", f"when: '{when}'") + lazy, events, 9) == expected
