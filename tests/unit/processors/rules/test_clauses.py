"""The clauses of conditions: where they are cut, what they compare, over which window, and by which number."""

from __future__ import annotations

import pytest

from processors import evidence as E
from processors.rules.clause_tables import evidence_words
from processors.rules.clauses import Clause, clauses_by_level, clauses_of
from processors.rules.compile import compile_rules
from processors.rules.program import LEAVE_CLAUSES, LEVEL_CLAUSES
from tests.unit.processors.world import START_MS, rules

DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000

CUT: dict[str, list[str]] = {
    # condition: its clauses, left to right
    "count(browse, 1h) >= 1": ["count(browse, 1h) >= 1"],
    "count(browse, 1h) >= 1 and count(browse, 1d) < 5": ["count(browse, 1h) >= 1", "count(browse, 1d) < 5"],
    "not (count(browse, 1h) >= 1 or not present(profile.a))": ["count(browse, 1h) >= 1", "present(profile.a)"],
    "count(browse, 1h) > 1 or (count(browse, 1h) > 2 and (count(browse, 1h) > 3 or count(browse, 1h) > 4))": [
        f"count(browse, 1h) > {n}" for n in (1, 2, 3, 4)
    ],
    # what stands in `where` is cut no further
    'count(browse where channel == "a" and not dwell_ms > 1, 1h) >= 1': [
        'count(browse where channel == "a" and not dwell_ms > 1, 1h) >= 1'
    ],
    "browse then no purchase within 1h and count(browse, 1h) > 0": [
        "browse then no purchase within 1h", "count(browse, 1h) > 0",
    ],
}  # fmt: skip


def clauses(when: str) -> list[Clause]:
    return clauses_of(rules(t=when))


@pytest.mark.parametrize("condition", CUT)
def test_a_condition_is_cut_where_logic_joins_it(condition: str) -> None:
    found = clauses(condition)
    assert [clause.text for clause in found] == CUT[condition]
    assert {(clause.tag, clause.part) for clause in found} == {("t", "when")}


SIDES: dict[str, tuple[int, int, object]] = {
    # clause: (sort of its value, sort of what it is compared with, constant)
    "count(browse, 1h) >= 1.5": (E.NUMBER, E.NONE, 1.5),
    "1.5 <= count(browse, 1h)": (E.NUMBER, E.NONE, 1.5),
    "sum(purchase.amount, 1h) > 19.99": (E.NUMBER, E.NONE, 19.99),
    "count(browse, 1h) > count(browse, 1d)": (E.NUMBER, E.NUMBER, None),
    'last(browse.category, 1h) == "a"': (E.NAMED, E.NONE, "a"),
    'last(browse.category, 1h) not in ["a", "b"]': (E.NAMED, E.NONE, ("a", "b")),
    'top(browse.category, 1h) != "a"': (E.HELD, E.NONE, "a"),
    "top(browse.category, 1h) == top(purchase.category, 1d)": (E.HELD, E.HELD, None),
    "last(browse.category, 1h) == profile.a": (E.NAMED, E.HELD, None),
    'profile.a == "x"': (E.HELD, E.NONE, "x"),
    'profile.a starts_with "x"': (E.HELD, E.NONE, "x"),
    "profile.a == profile.b": (E.HELD, E.HELD, None),
    "profile.a >= 3": (E.NUMBER, E.NONE, 3.0),
    "count(browse, 1h) > profile.a": (E.NUMBER, E.NUMBER, None),
    "present(profile.a)": (E.HELD, E.NONE, None),
    "present(top(browse.category, 1h))": (E.HELD, E.NONE, None),
    "present(avg(browse.dwell_ms, 1h))": (E.NUMBER, E.NONE, None),
    "days_since(browse) > 30": (E.NUMBER, E.NONE, 30.0),
    "browse then purchase within 2d": (E.TRUTH, E.NONE, None),
    # how long it has waited is compared with the length, in days
    "browse then no purchase within 36h": (E.WAITS, E.NONE, 1.5),
}


@pytest.mark.parametrize("text", SIDES)
def test_a_clause_says_what_it_compares(text: str) -> None:
    (clause,) = clauses(text)
    assert (clause.value.sort, clause.against.sort, clause.constant) == SIDES[text]
    constants = clause.constant if isinstance(clause.constant, tuple) else (clause.constant,)
    assert clause.constants == tuple(constant for constant in constants if isinstance(constant, str))


def test_tags_that_are_asked_for_have_a_truth_or_a_level() -> None:
    rule_set = rules(
        a="\nmanual: true\nlevels: [x, y]", b='tag("a") and tag("a") == "x" and tag("a") != "y"', c='tag("b")'
    )
    found = [(clause.tag, clause.value.sort, clause.constant) for clause in clauses_of(rule_set)]
    assert found == [("b", E.TRUTH, None), ("b", E.LEVEL, "x"), ("b", E.LEVEL, "y"), ("c", E.TRUTH, None)]


WINDOWS: dict[str, tuple[tuple[int | None, int | None], tuple[int | None, int | None]]] = {
    # clause: its window at START_MS + 90 minutes and a millisecond, then at START_MS + 400 days; from START_MS
    "count(browse, 1h) > 1": ((30 * MINUTE, 90 * MINUTE + 1), (400 * DAY - HOUR, 400 * DAY)),
    "count(browse, 1m) > 1": ((89 * MINUTE, 90 * MINUTE + 1), (400 * DAY - MINUTE, 400 * DAY)),
    # panes of an hour: from the start of the oldest one that may be held
    "count(browse, 2d) > 1": ((HOUR - 2 * DAY, 90 * MINUTE + 1), (398 * DAY, 400 * DAY)),
    "ratio(count(browse, 1h), count(browse, 2d)) > 1": ((HOUR - 2 * DAY, 90 * MINUTE + 1), (398 * DAY, 400 * DAY)),
    "trend(count(browse, 1h)) > 1": ((-30 * MINUTE, 90 * MINUTE + 1), (400 * DAY - 2 * HOUR, 400 * DAY)),
    'top(browse.category, 7d) == "a"': ((HOUR - 7 * DAY, 90 * MINUTE + 1), (393 * DAY, 400 * DAY)),
    "count(browse, ever) > 1": ((None, 90 * MINUTE + 1), (None, 400 * DAY)),
    "count(browse, 1h) > count(browse, ever)": ((None, 90 * MINUTE + 1), (None, 400 * DAY)),
    "days_since(browse) > 1": ((None, None), (None, None)),
    'profile.a == "x"': ((None, None), (None, None)),
}


@pytest.mark.parametrize("text", WINDOWS)
def test_the_window_of_a_clause_is_its_longest(text: str) -> None:
    (clause,) = clauses(text)
    found = [clause.window_at(START_MS + at_ms) for at_ms in (90 * MINUTE + 1, 400 * DAY)]
    relative = [tuple(None if ms is None else ms - START_MS for ms in window) for window in found]
    assert relative == list(WINDOWS[text])


def test_clauses_are_numbered_by_level_and_then_by_leave() -> None:
    rule_set = rules(
        a="count(browse, 1h) > 1 and count(browse, 1h) > 2\nleave: count(browse, 2h) < 1 or count(browse, 3h) < 1",
        b="\ntier: [{level: x, when: 'count(browse, 4h) > 1'}, {level: y, when: 'count(browse, 4h) > 0'}]",
        c="\nscore: ratio(count(browse, 1h), count(browse, 2h))",
        d="\nmanual: true",
    )
    expected = [
        ("a", "when", "count(browse, 1h) > 1"),
        ("a", "when", "count(browse, 1h) > 2"),
        ("b", "tier[0]", "count(browse, 4h) > 1"),
        ("b", "tier[1]", "count(browse, 4h) > 0"),
        ("c", "score", "ratio(count(browse, 1h), count(browse, 2h))"),
        ("a", "leave", "count(browse, 2h) < 1"),
        ("a", "leave", "count(browse, 3h) < 1"),
    ]
    assert [(clause.tag, clause.part, clause.text) for clause in clauses_of(rule_set)] == expected
    # the engine's tables count the same: the levels of a, b, b and c, then the leave of each tag
    g = compile_rules(rule_set).g
    assert g[g[LEVEL_CLAUSES] : g[LEVEL_CLAUSES] + 5].tolist() == [0, 2, 3, 4, 5]
    assert g[g[LEAVE_CLAUSES] : g[LEAVE_CLAUSES] + 5].tolist() == [5, 7, 7, 7, 7]


def test_what_is_before_in_a_group_is_a_clause_of_those_behind() -> None:
    rule_set = rules(a="count(browse, 1h) > 1\nexclusive: g", b="count(browse, 1h) > 2\nexclusive: g")
    assert [(clause.tag, clause.text) for clause in clauses_of(rule_set)] == [
        ("a", "count(browse, 1h) > 1"), ("b", "count(browse, 1h) > 2"), ("b", 'tag("a")'),
    ]  # fmt: skip


def test_there_is_room_for_the_evidence_of_every_tag() -> None:
    """One word says how many items there are; of a set each of the keys that are shown has its own."""
    rule_set = rules(
        a="count(browse, 1h) > 1 and count(browse, 1h) > 2\nleave: count(browse, 2h) < 1",
        b="count(browse, 4h) > 1\nfor_each: browse.category",
        c="\nmanual: true",
    )
    words = evidence_words(list(rule_set.tags), clauses_by_level(list(rule_set.tags)))
    assert words == (1 + 3 * E.ITEM_WORDS) + (1 + E.MOST_KEYS * E.ITEM_WORDS) + 1
