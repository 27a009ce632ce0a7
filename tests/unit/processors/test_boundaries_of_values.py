"""Edges of values that are more than there or not: an assignment's term, the step of a score, the limit of a set.

What is expected is worked out from docs/rules.md.
"""

from __future__ import annotations

import pytest

from tests.unit.processors.edges import DAY, HOUR, MINUTE, Flips, assert_flips, browse, happens, purchase, said
from tests.unit.processors.world import Record

HELD = "count(purchase, 1h) >= 1"
"""From a purchase until its minute and an hour are over: of one at 0, until LEAVES."""
LEAVES = MINUTE + HOUR

# ---------------------------------------------------------------------------------------------------------- assignments

ASSIGNED: dict[str, tuple[str, list[Record], Flips]] = {
    # name: (rule, history, flips)
    "a term to the millisecond": (
        "\nmanual: true", [said(5, "assign", True, until_ms=1005)], [(True, 5), (None, 1005)],
    ),
    "a term of a millisecond": ("\nmanual: true", [said(5, "assign", True, until_ms=6)], [(True, 5), (None, 6)]),
    "a term that is over as it comes": ("\nmanual: true", [said(5, "assign", True, until_ms=5)], []),
    "one that is over as it comes takes the place of another": (
        "\nmanual: true", [said(5, "assign", True), said(9, "assign", True, until_ms=9)], [(True, 5), (None, 9)],
    ),
    "said again as the term ends": (
        "\nmanual: true", [said(5, "assign", True, until_ms=9), said(9, "assign", True, until_ms=20)],
        [(True, 5), (None, 9), (True, 9), (None, 20)],
    ),
    "said again just before the term ends": (
        "\nmanual: true", [said(5, "assign", True, until_ms=9), said(8, "assign", True, until_ms=20)],
        [(True, 5), (None, 20)],
    ),
    "taken back as the term ends": (
        "\nmanual: true", [said(5, "assign", True, until_ms=9), said(9, "remove")], [(True, 5), (None, 9)],
    ),
    "the rule shows when the mask falls": (
        HELD, [purchase(0), said(5, "assign", None, until_ms=HOUR)],
        [(True, 0), (None, 5), (True, HOUR), (None, LEAVES)],
    ),
    "the mask falls as the condition ends": (
        HELD, [purchase(0), said(5, "assign", None, until_ms=LEAVES)], [(True, 0), (None, 5)],
    ),
    "the mask falls a millisecond before the condition ends": (
        HELD, [purchase(0), said(5, "assign", None, until_ms=LEAVES - 1)],
        [(True, 0), (None, 5), (True, LEAVES - 1), (None, LEAVES)],
    ),
    "the mask outlasts the condition by a millisecond": (
        HELD, [purchase(0), said(5, "assign", True, until_ms=LEAVES + 1)], [(True, 0), (None, LEAVES + 1)],
    ),
    "a dwell goes on beneath": (
        f"{HELD}\ndwell: 10m", [purchase(0), said(5, "assign", True, until_ms=10 * MINUTE)],
        [(True, 5), (None, LEAVES)],
    ),
    "a dwell ends a millisecond after the mask": (
        f"{HELD}\ndwell: 10m", [purchase(0), said(5, "assign", True, until_ms=10 * MINUTE - 1)],
        [(True, 5), (None, 10 * MINUTE - 1), (True, 10 * MINUTE), (None, LEAVES)],
    ),
    "by hand before the model, the model before the rule": (
        f"{HELD}\nmodel: true",
        [purchase(0), said(5, "score", None, until_ms=100), said(6, "assign", True, until_ms=99)],
        [(True, 0), (None, 5), (True, 6), (None, 99), (True, 100), (None, LEAVES)],
    ),
    "both end together": (
        f"{HELD}\nmodel: true",
        [purchase(0), said(5, "score", None, until_ms=99), said(6, "assign", None, until_ms=99)],
        [(True, 0), (None, 5), (True, 99), (None, LEAVES)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ASSIGNED)
def test_an_assignment_ends_at_its_own_millisecond(name: str) -> None:
    rule, history, expected = ASSIGNED[name]
    assert_flips(rule, history, expected, until_ms=None if expected else DAY)


# --------------------------------------------------------------------------------------------------------------- scores


def spent(at_ms: int, cents: int) -> Record:
    return purchase(at_ms, amount_cents=cents)


SCORES: dict[str, tuple[str, list[Record], Flips]] = {
    # name: (score and step, history, flips)
    "up by a cent less than the step, then by the step": (
        "sum(purchase.amount, ever)\nstep: 50", [spent(0, 10_000), spent(1, 4_999), spent(2, 1), spent(3, 4_999)],
        [(100.0, 0), (150.0, 2)],
    ),
    "down by a cent less than the step, then by the step": (
        "sum(purchase.amount, ever)\nstep: 50", [spent(0, 10_000), spent(1, -4_999), spent(2, -1), spent(3, -4_999)],
        [(100.0, 0), (50.0, 2)],
    ),
    "by more than the step, and then by the step from there": (
        "sum(purchase.amount, ever)\nstep: 50", [spent(0, 0), spent(1, 5_001), spent(2, 4_999), spent(3, 1)],
        [(0.0, 0), (50.01, 1), (100.01, 3)],
    ),
    # no double is 0.1 or 0.3, and the difference of the nearest ones is less than a step
    "by a step of tenths": (
        "sum(purchase.amount, ever)\nstep: 0.1", [spent(0, 20), spent(1, 9), spent(2, 1), spent(3, 9), spent(4, 1)],
        [(0.2, 0), (0.3, 2), (0.4, 4)],
    ),
    "back to what was published is no move": (
        "sum(purchase.amount, ever)\nstep: 0.01", [spent(0, 5), spent(1, 0), spent(2, 1), spent(3, -1)],
        [(0.05, 0), (0.06, 2), (0.05, 3)],
    ),
    "by a step as a pane leaves": (
        "sum(purchase.amount, 1h)\nstep: 50", [spent(0, 5_000), spent(MINUTE, 4_999)],
        # at LEAVES it falls from 99.99, of which 50 is published, to 49.99; behind it to nothing
        [(50.0, 0), (0.0, LEAVES + MINUTE)],
    ),
    "missing as the last of a window leaves": (
        "avg(purchase.amount, 1h)\nstep: 1000", [spent(0, 5_000), spent(MINUTE, 9_900)],
        [(50.0, 0), (None, LEAVES + MINUTE)],
    ),
    "without a step whenever it moves": (
        "sum(purchase.amount, 1h)", [spent(0, 100), spent(1, 0), spent(2, 1)],
        [(1.0, 0), (1.01, 2), (0.0, LEAVES)],
    ),
    "another value by the same millisecond's timer and event": (
        "sum(purchase.amount, 1h)\nstep: 1", [spent(0, 100), spent(LEAVES, 300)],
        [(1.0, 0), (0.0, LEAVES), (3.0, LEAVES), (0.0, 2 * LEAVES)],
    ),
    "a ratio by a third": (
        "ratio(count(purchase, ever), count(browse, ever))\nstep: 0.333333333",
        [browse(0), browse(1), browse(2), purchase(3), purchase(4)],
        [(0.0, 0), (1 / 3, 3), (2 / 3, 4)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_published_when_it_has_moved_by_its_step(name: str) -> None:
    score, history, expected = SCORES[name]
    assert_flips(f"\nscore: {score}", history, expected)


@pytest.mark.parametrize(("step", "step_ms"), [("1", DAY), ("0.5", DAY // 2), ("7", 7 * DAY), ("0.3333", 28_797_120)])
def test_days_since_as_a_score_move_at_the_millisecond_of_each_step(step: str, step_ms: int) -> None:
    days = float(step)
    expected = [(0.0, 5), (days, 5 + step_ms), (2 * days, 5 + 2 * step_ms), (3 * days, 5 + 3 * step_ms)]
    rule = f"\nscore: days_since(browse)\nstep: {step}"
    assert_flips(rule, [browse(5)], expected, until_ms=5 + 4 * step_ms - 1)
    # an event just before a step puts it off; one just at it comes after the step
    assert_flips(rule, [browse(5), browse(4 + step_ms)], [(0.0, 5), (days, 4 + 2 * step_ms)], until_ms=3 * step_ms)
    expected = [(0.0, 5), (days, 5 + step_ms), (0.0, 5 + step_ms), (days, 5 + 2 * step_ms)]
    assert_flips(rule, [browse(5), browse(5 + step_ms)], expected, until_ms=3 * step_ms)


# ----------------------------------------------------------------------------------------------------------------- sets


def look_at(at_ms: int, category: str) -> Record:
    return browse(at_ms, category=category)


SETS: dict[str, tuple[str, list[Record], Flips]] = {
    # name: (when and other keys, history, flips)
    "a third key waits until the first has left": (
        "count(browse, 1h) >= 1\nlimit: 2",
        [look_at(0, "a"), look_at(MINUTE, "b"), look_at(2 * MINUTE, "c")],
        [(("a",), 0), (("a", "b"), MINUTE), (("b", "c"), LEAVES), (("c",), LEAVES + MINUTE),
         (None, LEAVES + 2 * MINUTE)],
    ),
    "a smaller key that comes later waits as well": (
        "count(browse, 1h) >= 1\nlimit: 1", [look_at(0, "b"), look_at(1, "a")], [(("b",), 0), (None, LEAVES)],
    ),
    "of those that wait the smaller one enters": (
        "count(browse, 1h) >= 1\nlimit: 1", [look_at(0, "b"), look_at(MINUTE, "c"), look_at(MINUTE + 1, "a")],
        [(("b",), 0), (("a",), LEAVES), (None, LEAVES + MINUTE)],
    ),
    "one that comes as the place falls free": (
        "count(browse, 1h) >= 1\nlimit: 1", [look_at(0, "b"), look_at(LEAVES, "c")],
        [(("b",), 0), (None, LEAVES), (("c",), LEAVES), (None, 2 * LEAVES)],
    ),
    "keys are taken within themselves, to the millisecond": (
        "days_since(browse) >= 1 and days_since(browse) < 2", [look_at(0, "a"), look_at(7, "b")],
        [(("a",), DAY), (("a", "b"), DAY + 7), (("b",), 2 * DAY), (None, 2 * DAY + 7)],
    ),
    "waiting in vain, key by key": (
        "browse then no purchase within 1h",
        [look_at(0, "a"), look_at(0, "b"), purchase(HOUR - 1, category="a"), purchase(HOUR, category="b")],
        [(("b",), HOUR), (None, HOUR)],
    ),
    "a key leaves by its own leave": (
        "count(browse, 1h) >= 1\nleave: count(purchase, 1m) >= 1",
        [look_at(0, "a"), look_at(1, "b"), purchase(2, category="a")],
        # a purchase bars its key until it has left its window, two minutes
        [(("a",), 0), (("a", "b"), 1), (("b",), 2), (("a", "b"), 2 * MINUTE), (None, LEAVES)],
    ),
    "with a leave of its own a key stays until nothing of it is held": (
        "count(browse, 1m) >= 1\nleave: count(browse, 1h) > 5", [look_at(0, "a")], [(("a",), 0), (None, LEAVES)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SETS)
def test_keys_come_and_go_at_their_millisecond(name: str) -> None:
    rule, history, expected = SETS[name]
    first, *more = rule.split("\n")
    assert_flips("\n".join([first, "for_each: browse.category", *more]), history, expected)


@pytest.mark.parametrize("limit", [1, 19, 20, None])
def test_there_are_as_many_keys_as_the_limit_says(limit: int | None) -> None:
    rule = "count(browse, 1h) >= 1\nfor_each: browse.category" + ("" if limit is None else f"\nlimit: {limit}")
    keys = [f"k{n:02}" for n in range(22)]
    history = [look_at(n * MINUTE, key) for n, key in enumerate(keys)]
    most = limit or 20
    expected: list[tuple[object, int]] = [(tuple(keys[: n + 1]), n * MINUTE) for n in range(most)]
    # key n leaves n minutes behind the first; the next that waits takes its place, if there is one
    for n in range(22):
        held = tuple(keys[n + 1 :][:most])
        expected.append((held or None, LEAVES + n * MINUTE))
    assert_flips(rule, history, expected)


def test_events_of_one_millisecond_are_evaluated_one_by_one() -> None:
    rule = "count(browse, 1h) >= 1\nfor_each: browse.category"
    history = [look_at(0, "b"), look_at(0, "a"), happens("browse", 0)]
    assert_flips(rule, history, [(("b",), 0), (("a", "b"), 0), (None, LEAVES)])
