"""`days_since`, and when what is made of it changes by itself: to the millisecond, by hand and by looking at each."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from processors.oracle.expression import Name, Scope, Value, is_true
from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS
from processors.oracle.moments import next_turn_ms
from processors.rules.tree import Aggregate, Compare, CompareOp, Expr, Not, Number, Present, Ratio
from schemas.outcomes import Outcome
from tests.oracle.by_hand import (
    compare,
    count,
    event,
    flips,
    flips_of_tags,
    holds,
    is_text,
    number,
    outcomes,
    rules,
    tag,
    taken,
    times_held,
    total,
)

SINCE = taken("days_since", "purchase")
SINCE_BROWSE = taken("days_since", "browse")

OPS: tuple[CompareOp, ...] = ("==", "!=", "<", "<=", ">", ">=")

TURNED: dict[CompareOp, CompareOp] = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
"""What a comparison says with its sides exchanged."""

# ------------------------------------------------------------------------------------------------- by a constant


@pytest.mark.parametrize(
    ("op", "days", "turns_ms"),
    [
        # A day is 86,400,000 ms.
        (">", "1", [86_400_001]),
        (">=", "1", [86_400_000]),
        ("<", "1", [0, 86_400_000]),
        ("<=", "1", [0, 86_400_001]),
        ("==", "1", [86_400_000, 86_400_001]),
        ("!=", "1", [0, 86_400_000, 86_400_001]),
        (">", "0.5", [43_200_001]),
        (">=", "7.25", [626_400_000]),
        (">", "30", [2_592_000_001]),
        # 0.864 ms and 2.16 ms: the next whole millisecond is the first above, and none is equal.
        (">", "0.00000001", [1]),
        (">=", "0.00000001", [1]),
        ("<", "0.000000025", [0, 3]),
        ("<=", "0.000000025", [0, 3]),
        ("==", "0.000000025", []),
        ("!=", "0.000000025", [0]),
        # 0.3333 d is a whole number of milliseconds, though no double holds it.
        ("==", "0.3333", [28_797_120, 28_797_121]),
        (">", "0", [1]),
        (">=", "0", [0]),
        ("==", "0", [0, 1]),
        ("<", "0", []),
        (">", "-1", [0]),
        ("<=", "-1", []),
    ],
)
def test_days_since_crosses_a_constant_at_its_millisecond(op: CompareOp, days: str, turns_ms: list[int]) -> None:
    turned: CompareOp = TURNED.get(op, op)
    assert times_held(compare(SINCE, op, days), [event(0)]) == turns_ms
    assert times_held(Compare(turned, number(days), SINCE), [event(0)]) == turns_ms
    if turns_ms and turns_ms[0] > 0:
        assert flips(rules(tag(compare(SINCE, op, days))), [event(0)], until_ms=turns_ms[0] - 1) == []
        assert flips(rules(tag(compare(SINCE, op, days))), [event(0)], until_ms=turns_ms[0]) == [
            (turns_ms[0], "entered!")
        ]


def test_it_is_missing_before_the_first_and_counted_from_the_newest() -> None:
    quiet = compare(SINCE, ">=", 1)
    assert times_held(compare(SINCE, "!=", 1), [event(0, "browse")]) == []
    assert times_held(Not(Present(SINCE)), [event(0, "browse"), event(5)]) == [0, 5]
    assert times_held(quiet, [event(0), event(50_000_000)]) == [136_400_000]
    # What arrives later but happened before changes nothing; what happened after it does, however late it comes.
    assert times_held(quiet, [event(9), event(10, happened_ms=0)]) == [86_400_009]
    late = [event(0), event(10 * DAY_MS, happened_ms=5 * DAY_MS), event(20 * DAY_MS, happened_ms=20 * DAY_MS)]
    assert times_held(compare(SINCE, ">=", 7), late) == [7 * DAY_MS, 10 * DAY_MS, 12 * DAY_MS, 20 * DAY_MS, 27 * DAY_MS]


def test_an_event_at_the_crossing_comes_after_it() -> None:
    rule_set = rules(tag(compare(SINCE, ">=", 1)))
    assert flips(rule_set, [event(0), event(DAY_MS)], until_ms=DAY_MS) == [(DAY_MS, "entered!"), (DAY_MS, "left")]


def test_it_is_nothing_until_an_event_that_was_ahead_has_happened() -> None:
    ahead = [event(0, happened_ms=300_000)]
    assert times_held(compare(SINCE, "==", 0), ahead) == [0, 300_001]
    assert times_held(compare(SINCE, ">", 0), ahead) == [300_001]
    assert times_held(compare(SINCE, ">=", 1), ahead) == [86_700_000]
    # Further ahead it counts as of arrival.
    assert times_held(compare(SINCE, ">", 0), [event(0, happened_ms=300_001)]) == [1]


def test_it_takes_late_events_and_its_filter() -> None:
    complaints = taken("days_since", "service", where=is_text("kind", "complaint"))
    rule_set = rules(tag(compare(complaints, ">=", 2)), tag(compare(count("service", MINUTE_MS), ">", 9), id="u"))
    events = [event(0, "service"), event(DAY_MS, "service", happened_ms=HOUR_MS, kind="complaint")]
    assert outcomes(rule_set, events) == [Outcome.APPLIED, Outcome.LATE]
    assert flips(rule_set, events) == [(2 * DAY_MS + HOUR_MS, "entered!")]


def test_a_crossing_starts_a_dwell_of_its_own() -> None:
    rule_set = rules(tag(compare(SINCE, ">", 1), dwell_ms=HOUR_MS, expires_ms=DAY_MS))
    entered_ms = DAY_MS + 1 + HOUR_MS
    assert flips(rule_set, [event(0)]) == [(entered_ms, "entered!"), (entered_ms + DAY_MS, "left!")]


# ------------------------------------------------------------------------------------------------- by each other


def test_the_longer_ago_is_greater() -> None:
    longer = Compare(">", SINCE, SINCE_BROWSE)
    assert times_held(longer, [event(0), event(10, "browse"), event(20)]) == [10, 20]
    assert times_held(longer, [event(0)]) == []
    assert times_held(Compare("==", SINCE, SINCE_BROWSE), [event(0), event(0, "browse"), event(1)]) == [0, 1]


def test_two_that_are_ahead_are_equal_until_the_first_has_happened() -> None:
    events = [event(0, happened_ms=100), event(0, "browse", happened_ms=50)]
    assert times_held(Compare("==", SINCE, SINCE_BROWSE), events) == [0, 51]
    assert times_held(Compare("<", SINCE, SINCE_BROWSE), events) == [51]
    assert times_held(Compare("<=", SINCE_BROWSE, SINCE), events) == [0, 51]
    assert times_held(Compare("<", SINCE, SINCE_BROWSE), [events[0], event(0, "browse", happened_ms=100)]) == []


# ------------------------------------------------------------------------------------------------- by other values


def test_longer_ago_than_usual() -> None:
    # Every 10 days, from the second one on; then longer ago than that.
    overdue = Compare(">", SINCE, taken("interval", "purchase"))
    regular = [event(0), event(10 * DAY_MS)]
    assert times_held(overdue, [event(0)]) == []
    assert times_held(overdue, regular) == [20 * DAY_MS + 1]
    assert times_held(Compare(">=", SINCE, taken("interval", "purchase")), regular) == [20 * DAY_MS]
    assert times_held(Compare("<", taken("interval", "purchase"), SINCE), regular) == [20 * DAY_MS + 1]


def test_a_number_beside_it_may_change_with_its_window() -> None:
    # 2 at once, 3 after a minute, 1 of them after two, and none after three, of which even a moment is more.
    few = Compare(">", SINCE, count("browse", MINUTE_MS))
    browses = [event(0, "browse"), event(0, "browse", id="x"), event(60_000, "browse")]
    assert times_held(few, [*browses[:2], event(0), browses[2]]) == [180_000]
    assert times_held(Compare(">", SINCE, count("browse", None)), [event(0), event(0, "browse")]) == [DAY_MS + 1]


def test_beside_an_exact_number_it_is_a_double() -> None:
    # A third of a day is 28,800,000 ms; a sum of 0.333333333 is less than that, by 0.0288 ms.
    third = Compare(">", SINCE, total("service", "sentiment", None))
    assert times_held(third, [event(0), event(0, "service", sentiment=0.333333333)]) == [28_800_000]


def test_beside_a_ratio_that_moves_too() -> None:
    slower = Compare(">", SINCE, Ratio(SINCE_BROWSE, count("browse", None)))
    events = [event(0, "browse"), event(1, "browse", happened_ms=0), event(HOUR_MS)]
    # t - 1 h > t / 2 from 2 h on.
    assert times_held(slower, events) == [2 * HOUR_MS + 1]
    # t > 1 / t, in days: from one day on.
    falls = Compare(">", SINCE_BROWSE, Ratio(count("purchase", None), SINCE))
    assert times_held(falls, [event(0, "browse"), event(0)]) == [DAY_MS + 1]


# -------------------------------------------------------------------------------------------------- in a ratio


def test_a_ratio_to_a_count_crosses_to_the_millisecond() -> None:
    # Two purchases: half of the days.
    half = Ratio(SINCE, count("purchase", None))
    events = [event(0), event(0, id="x")]
    assert times_held(compare(half, ">=", "0.5"), events) == [86_400_000]
    assert times_held(compare(half, ">", "0.5"), events) == [86_400_001]
    assert times_held(compare(half, "==", "0.5"), events) == [86_400_000, 86_400_001]


def test_a_ratio_by_days_since_falls_and_is_missing_at_once() -> None:
    often = Ratio(count("purchase", None), SINCE)
    # 1 / (t / 86,400,000) is 2 at 43,200,000.
    assert times_held(compare(often, ">", 2), [event(0)]) == [1, 43_200_000]
    assert times_held(compare(often, "<=", 2), [event(0)]) == [43_200_000]
    assert times_held(Present(often), [event(0), event(10)]) == [1, 10, 11]


def test_a_ratio_of_two_days_since() -> None:
    # (t - 0) / (t - 100) is 2 at 200, and above it before.
    both = Ratio(SINCE, SINCE_BROWSE)
    events = [event(0), event(100, "browse")]
    assert times_held(compare(both, ">", 2), events) == [101, 200]
    assert times_held(compare(both, "==", 2), events) == [200, 201]
    assert times_held(compare(both, "<", 2), events) == [201]


def test_a_ratio_starts_anew_when_its_window_lets_something_go() -> None:
    # 0.001 d is 86.4 s. With two in the window it would take 172.8 s, but they leave at 120 s.
    slow = compare(Ratio(SINCE, count("purchase", MINUTE_MS)), ">=", "0.001")
    assert times_held(slow, [event(0), event(1)]) == []
    # Newest at 60 s; of three in the window one is left from 120 s on, so it is 60 s and 86.4 s; until it leaves too.
    three = [event(0), event(60_000, happened_ms=0), event(60_000)]
    assert times_held(slow, three) == [146_400, 180_000]


# ---------------------------------------------------------------------------------------- a look has to have a cause


def looks(rule_condition: Expr, *events_at: tuple[int, str], until_ms: int = 10 * DAY_MS) -> list[int]:
    """When the customer is looked at: a tag whose conditions both always hold flips at each look."""
    always = compare(count("service", None), "==", 0)
    rule_set = rules(tag(always, leave=always), tag(rule_condition, id="u"))
    found = flips_of_tags(rule_set, [event(at_ms, type) for at_ms, type in events_at], until_ms)
    return [at_ms for at_ms, name, _ in found if name == "t"]


def test_only_a_comparison_that_changes_is_a_cause() -> None:
    assert looks(compare(SINCE, ">=", 1), (0, "purchase")) == [0, 86_400_000]
    assert looks(compare(SINCE, ">", 1), (0, "purchase")) == [0, 86_400_001]
    assert looks(compare(SINCE, "==", 1), (0, "purchase")) == [0, 86_400_000, 86_400_001]
    assert looks(compare(SINCE, ">=", 0), (0, "purchase")) == [0]
    assert looks(compare(SINCE, "==", "0.000000025"), (0, "purchase")) == [0]
    assert looks(Compare(">", SINCE, SINCE_BROWSE), (0, "purchase"), (7, "browse")) == [0, 7]
    assert looks(compare(Ratio(SINCE, count("purchase", None)), ">", 1), (0, "purchase")) == [0, 86_400_001]


# ----------------------------------------------------------------------------------------- against every millisecond


def scope_at(now_ms: int, newest_ms: dict[str, int], still: dict[str, Value]) -> Scope:
    def scope(name: Name) -> Value:
        assert isinstance(name, Aggregate)
        if name.func == "days_since":
            return Fraction(max(0, now_ms - newest_ms[name.event]), DAY_MS)
        return still[name.func]

    return scope


def drawn_side(rng: random.Random) -> Expr:
    """A number of days that lies within some 100 ms, or a `days_since`."""
    if rng.random() < 0.5:
        return Number(Fraction(rng.randrange(-20, 1200), 10 * DAY_MS))
    return rng.choice((SINCE, SINCE_BROWSE))


def drawn_comparison(rng: random.Random) -> Compare:
    op = rng.choice(OPS)
    if rng.random() < 0.4:
        return Compare(op, rng.choice((SINCE, SINCE_BROWSE)), drawn_side(rng))
    still = rng.choice((total("purchase", "amount", None), taken("avg", "purchase", "amount")))
    if rng.random() < 0.3:
        beside = rng.choice((still, Ratio(SINCE_BROWSE, still), Ratio(still, SINCE_BROWSE)))
        return Compare(op, *rng.choice(((SINCE, beside), (beside, SINCE))))
    left, right = rng.choice(((SINCE, still), (still, SINCE), (SINCE, SINCE_BROWSE), (SINCE_BROWSE, SINCE)))
    bound = Fraction(rng.choice((0, 1, 2, 3, -1))) / rng.choice((1, 2, 3))
    if left is SINCE and right is still:
        bound *= Fraction(rng.randrange(1, 100), DAY_MS)
    if left is still:
        bound *= Fraction(DAY_MS, rng.randrange(1, 100))
    return Compare(op, Ratio(left, right), Number(bound))


def test_the_next_turn_is_the_one_that_looking_at_every_millisecond_finds() -> None:
    rng, found = random.Random(5), 0
    for _ in range(1500):
        comparison = drawn_comparison(rng)
        newest_ms = {"purchase": rng.randrange(60), "browse": rng.randrange(60)}
        still: dict[str, Value] = {
            "sum": rng.choice((Fraction(1), Fraction(3, 7), Fraction(0), Fraction(-2), Fraction(40, DAY_MS))),
            "avg": rng.choice((0.1, 1 / 3, -1.5, 0.0, 30 / DAY_MS, 7 / 2)),
        }
        after_ms, until_ms = rng.randrange(50), rng.randrange(50, 250)

        def scope(now_ms: int, newest_ms: dict[str, int] = newest_ms, still: dict[str, Value] = still) -> Scope:
            return scope_at(now_ms, newest_ms, still)

        truths = [is_true(comparison, scope(ms)) for ms in range(until_ms + 1)]
        expected = next((ms for ms in range(after_ms + 1, until_ms + 1) if truths[ms] != truths[ms - 1]), None)
        got = next_turn_ms(comparison, list(newest_ms.values()), scope, after_ms, until_ms)
        assert got == expected, (comparison, newest_ms, still, after_ms, until_ms)
        found += expected is not None
    assert found > 400


def test_missing_days_since_makes_no_comparison_true() -> None:
    for op in OPS:
        assert not holds(Compare(op, SINCE, SINCE_BROWSE), event(0))
