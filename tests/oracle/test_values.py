"""Values computed from events: hand-made histories whose results were worked out on paper."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from processors.oracle.expression import quotient
from processors.oracle.judge import DAY_MS, HOUR_MS, MINUTE_MS, Event
from processors.rules.tree import (
    Compare,
    CompareOp,
    Expr,
    FieldRef,
    Func,
    Member,
    Not,
    Present,
    Ratio,
    StartsWith,
    Text,
    Trend,
)
from schemas.outcomes import Outcome
from tests.oracle.by_hand import (
    compare,
    count,
    event,
    flips,
    flips_of_tags,
    holds,
    is_text,
    outcomes,
    rules,
    tag,
    taken,
    times_held,
    total,
)

OPS: tuple[CompareOp, ...] = ("==", "!=", "<", "<=", ">", ">=")


def paid(at_ms: int, cents: int | None, happened_ms: int | None = None, currency: str | None = None) -> Event:
    return event(at_ms, happened_ms=happened_ms, amount_cents=cents, currency=currency)


def is_missing(value: Expr, *events: Event) -> bool:
    """Whether no comparison with it holds, neither to one side nor to the other."""
    return not any(holds(compare(value, op, bound), *events) for op in OPS for bound in (-(10**9), 0, 10**9))


# ------------------------------------------------------------------------------------------ avg, min, max, first, last


@pytest.mark.parametrize(
    ("func", "expected"), [("avg", "20"), ("min", "-10"), ("max", "50"), ("first", "30"), ("last", "-10")]
)
def test_one_number_of_four_purchases(func: Func, expected: str) -> None:
    # In order of happening: 30, 50, 10, -10; the second one arrives last, and one has no amount.
    events = [paid(0, 3000), paid(20, 1000), paid(21, None), paid(30, -1000), paid(40, 5000, happened_ms=10)]
    assert holds(compare(taken(func, "purchase", "amount"), "==", expected), *events)
    assert holds(compare(taken(func, "purchase", "amount_cents"), "==", int(expected) * 100), *events)


@pytest.mark.parametrize("func", ["avg", "min", "max", "first", "last"])
def test_of_nothing_is_missing(func: Func) -> None:
    value = taken(func, "purchase", "quantity", HOUR_MS)
    assert is_missing(value, event(0), event(1, "browse"))
    assert holds(Not(compare(value, ">=", 0)), event(0))
    assert not holds(Present(value), event(0))
    assert holds(Present(value), event(0, quantity=0))


def test_a_mean_follows_its_window() -> None:
    # 10 at 0, 15 from 1 min on, 20 when the first one left at 2 min, nothing from 3 min on.
    mean, events = taken("avg", "purchase", "amount", MINUTE_MS), [paid(0, 1000), paid(MINUTE_MS, 2000)]
    assert times_held(compare(mean, "==", 10), events) == [0, 60_000]
    assert times_held(compare(mean, "==", 15), events) == [60_000, 120_000]
    assert times_held(compare(mean, "==", 20), events) == [120_000, 180_000]
    assert times_held(Present(mean), events) == [0, 180_000]


def test_extremes_follow_their_window() -> None:
    least, greatest = (taken(func, "purchase", "quantity", MINUTE_MS) for func in ("min", "max"))
    events = [event(0, quantity=1), event(60_000, quantity=3), event(60_001, quantity=2)]
    assert times_held(compare(least, "==", 1), events) == [0, 120_000]
    assert times_held(compare(least, "==", 2), events) == [120_000, 180_000]
    assert times_held(compare(greatest, ">=", 2), events) == [60_000, 180_000]


def test_the_first_of_a_window_is_another_when_it_left() -> None:
    first = taken("first", "purchase", "quantity", MINUTE_MS)
    events = [event(0, quantity=1), event(60_000, quantity=3)]
    assert times_held(compare(first, "==", 1), events) == [0, 120_000]
    assert times_held(compare(first, "==", 3), events) == [120_000, 180_000]


def test_of_two_at_one_time_the_earlier_applied_is_first_and_the_later_applied_is_last() -> None:
    events = [event(5, quantity=1), event(6, quantity=2, happened_ms=5), event(7, quantity=3, happened_ms=5)]
    assert holds(compare(taken("first", "purchase", "quantity"), "==", 1), *events)
    assert holds(compare(taken("last", "purchase", "quantity"), "==", 3), *events)


def test_a_late_event_is_not_the_last_but_may_be_the_first() -> None:
    events = [event(5, quantity=1), event(DAY_MS, quantity=2, happened_ms=4)]
    assert holds(compare(taken("last", "purchase", "quantity"), "==", 1), *events)
    assert holds(compare(taken("first", "purchase", "quantity"), "==", 2), *events)


def test_an_event_far_ahead_counts_as_of_arrival() -> None:
    # The first one says 1 h, and is placed at 0, before the second one.
    events = [event(0, quantity=1, happened_ms=HOUR_MS), event(1, quantity=2)]
    assert holds(compare(taken("last", "purchase", "quantity"), "==", 2), *events)
    # 5 min ahead is taken as it is.
    events = [event(0, quantity=1, happened_ms=300_000), event(1, quantity=2)]
    assert holds(compare(taken("last", "purchase", "quantity"), "==", 1), *events)


def test_a_last_text_is_compared_with_texts() -> None:
    last = taken("last", "service", "topic")
    events = [event(0, "service", topic="配送"), event(1, "service"), event(2, "service", topic="delivery")]
    assert holds(Compare("==", last, Text("配送")), *events[:2])
    assert holds(Compare("==", last, Text("delivery")), *events)
    assert holds(Compare("!=", last, Text("配送")), *events)
    assert holds(Member(last, (Text("a"), Text("delivery")), negated=False), *events)
    assert holds(Member(last, (Text("a"), Text("b")), negated=True), *events)


def test_a_missing_text_is_neither_equal_nor_other_nor_in_a_list_nor_out_of_it() -> None:
    last = taken("last", "service", "topic")
    silent = event(0, "service")
    assert not holds(Compare("==", last, Text("x")), silent)
    assert not holds(Compare("!=", last, Text("x")), silent)
    assert not holds(Member(last, (Text("x"),), negated=False), silent)
    assert not holds(Member(last, (Text("x"),), negated=True), silent)
    assert holds(Not(Member(last, (Text("x"),), negated=False)), silent)


def test_a_missing_kind_and_currency_have_their_values() -> None:
    assert holds(Compare("==", taken("last", "purchase", "kind"), Text("order")), event(0))
    assert holds(Compare("==", taken("first", "purchase", "currency"), Text("CNY")), event(0))


@pytest.mark.parametrize("func", ["avg", "min", "max", "first", "last"])
def test_money_of_other_currencies_does_not_count_unless_the_filter_names_one(func: Func) -> None:
    foreign = paid(0, 700, currency="USD")
    for field, expected in (("amount", 7), ("amount_cents", 700)):
        assert is_missing(taken(func, "purchase", field), foreign)
        named = taken(func, "purchase", field, where=is_text("currency", "USD"))
        assert holds(compare(named, "==", expected), foreign)
    assert holds(compare(taken(func, "purchase", "quantity"), "==", 2), event(0, quantity=2, currency="USD"))


def test_reals_are_whole_billionths() -> None:
    events = [event(0, "service", sentiment=0.1), event(1, "service", sentiment=0.2)]
    assert holds(compare(taken("max", "service", "sentiment"), "==", "0.2"), *events)
    assert holds(compare(taken("last", "service", "sentiment"), ">", "0.199999999"), *events)
    assert holds(compare(taken("avg", "service", "sentiment"), "==", "0.15"), *events)


def test_what_stands_for_ever_never_leaves() -> None:
    greatest = taken("max", "purchase", "quantity")
    assert times_held(compare(greatest, ">=", 3), [event(0, quantity=3)]) == [0]


# --------------------------------------------------------------------------------------------------------- interval


def test_an_interval_is_the_mean_gap_in_days() -> None:
    gap = taken("interval", "purchase")
    events = [event(0), event(DAY_MS), event(4 * DAY_MS)]
    assert is_missing(gap, events[0])
    assert holds(compare(gap, "==", 1), *events[:2])
    assert holds(compare(gap, "==", 2), *events)
    # A late one between them is one more gap; a late one before them widens the whole.
    assert holds(compare(gap, "==", Fraction(4, 3)), *events, event(4 * DAY_MS, happened_ms=5))
    assert holds(compare(gap, "==", 3), *events, event(4 * DAY_MS, happened_ms=-5 * DAY_MS))


def test_an_interval_of_events_at_one_time_is_nothing_but_not_missing() -> None:
    gap = taken("interval", "purchase")
    assert holds(compare(gap, "==", 0), event(5), event(6, happened_ms=5))
    assert is_missing(Ratio(count("purchase", None), gap), event(5), event(6, happened_ms=5))


def test_an_interval_is_missing_when_the_window_keeps_one_event() -> None:
    gap = taken("interval", "purchase", None, MINUTE_MS)
    assert times_held(Present(gap), [event(0), event(60_000)]) == [60_000, 120_000]


# ------------------------------------------------------------------------------------------------------------ trend


def test_a_trend_is_this_window_less_the_one_before() -> None:
    # In the window until 2 min, in the one before it until 3 min, then in neither.
    growth = Trend(count("purchase", MINUTE_MS))
    assert times_held(compare(growth, ">", 0), [event(0)]) == [0, 120_000]
    assert times_held(compare(growth, "<", 0), [event(0)]) == [120_000, 180_000]
    assert times_held(compare(growth, "==", 0), [event(0)]) == [180_000]


def test_a_trend_of_money_is_exact() -> None:
    growth = Trend(total("purchase", "amount", MINUTE_MS))
    events = [paid(0, 1999), paid(120_000, 2000)]
    assert times_held(compare(growth, "==", "0.01"), events) == [120_000, 180_000]


def test_the_panes_of_a_trend_are_those_of_its_window() -> None:
    # 13 h is of minutes, so twice that is 26 h of minutes, where a window of 26 h is of hours.
    short = compare(Trend(count("purchase", 13 * HOUR_MS)), "<", 0)
    assert times_held(short, [event(0)]) == [13 * HOUR_MS + MINUTE_MS, 26 * HOUR_MS + MINUTE_MS]
    long = compare(Trend(count("purchase", 26 * HOUR_MS)), "<", 0)
    assert times_held(long, [event(0)]) == [27 * HOUR_MS, 53 * HOUR_MS]


def test_an_event_that_only_the_window_before_holds_is_not_late() -> None:
    rule_set = rules(tag(compare(Trend(count("purchase", MINUTE_MS)), "<", 0)))
    assert outcomes(rule_set, [event(120_000, happened_ms=0)]) == [Outcome.APPLIED]
    assert outcomes(rule_set, [event(179_999, happened_ms=0)]) == [Outcome.APPLIED]
    assert outcomes(rule_set, [event(180_000, happened_ms=0)]) == [Outcome.LATE]
    assert flips(rule_set, [event(130_000, happened_ms=0)]) == [(130_000, "entered"), (180_000, "left!")]


# ------------------------------------------------------------------------------------------------------------ ratio


def test_a_ratio_of_counts() -> None:
    refunds, all_of_them = count("purchase", None, is_text("kind", "refund")), count("purchase", None)
    events = [event(0), event(1, kind="refund"), event(2), event(3)]
    assert holds(compare(Ratio(refunds, all_of_them), "==", "0.25"), *events)
    assert holds(compare(Ratio(refunds, all_of_them), "<", "0.333333334"), *events[:3])
    assert holds(compare(Ratio(refunds, all_of_them), ">", "0.333333333"), *events[:3])


def test_a_ratio_is_missing_where_a_side_is_or_the_second_is_nothing() -> None:
    everything, nothing, missing = count("purchase", None), count("browse", None), taken("avg", "purchase", "quantity")
    for sides in ((everything, nothing), (missing, everything), (everything, missing)):
        assert is_missing(Ratio(*sides), event(0))
    assert holds(compare(Ratio(nothing, everything), "==", 0), event(0))
    assert holds(compare(Ratio(everything, Trend(count("purchase", HOUR_MS))), "==", 1), event(0))


def test_money_is_divided_in_units() -> None:
    spent, events = total("purchase", "amount", None), [paid(0, 1000), paid(1, 2998)]
    assert holds(compare(Ratio(spent, count("purchase", None)), "==", "19.99"), *events)
    assert holds(compare(Ratio(total("purchase", "amount_cents", None), spent), "==", 100), *events)


def test_a_quotient_of_exact_numbers_is_rounded_once_and_one_of_doubles_each_time() -> None:
    # The double next to 1/3, divided by 11, is one place below the double next to 1/33.
    assert quotient(Fraction(1, 3), 11) == 1 / 33 == 0.030303030303030304
    assert quotient(1 / 3, 11) == 0.0303030303030303
    assert quotient(Fraction(1, 10), Fraction(3, 10)) == 1 / 3 != 0.1 / 0.3


def test_a_mean_equals_the_ratio_that_defines_it() -> None:
    events = [paid(0, 1), paid(1, 0), paid(2, 0)]
    mean = taken("avg", "purchase", "amount")
    assert holds(Compare("==", mean, Ratio(total("purchase", "amount", None), count("purchase", None))), *events)
    assert holds(compare(mean, ">", "0.003333333"), *events)


# ------------------------------------------------------------------------------------ comparing values with each other


def test_values_of_one_unit_are_compared_exactly_and_others_as_doubles() -> None:
    # 2^53 + 1 has no double of its own: the one next to it is 2^53.
    big = 2**53 + 1
    events = [event(0, quantity=big, amount_cents=big - 1), event(1, "browse", dwell_ms=big - 1)]
    quantity, dwell = taken("max", "purchase", "quantity"), taken("max", "browse", "dwell_ms")
    assert holds(Compare(">", quantity, dwell), *events)
    assert holds(compare(quantity, ">", big - 1), *events)
    assert holds(Compare(">", Trend(total("purchase", "quantity", DAY_MS)), dwell), *events)
    hundred = [event(0, quantity=big, amount_cents=100 * (big - 1))]
    assert holds(Compare("==", quantity, taken("max", "purchase", "amount")), *hundred)
    assert holds(Compare("==", quantity, taken("avg", "purchase", "amount")), *hundred)


def test_nothing_compares_with_a_missing_side() -> None:
    missing = taken("max", "purchase", "quantity")
    for op in OPS:
        assert not holds(Compare(op, missing, count("purchase", None)), event(0))
        assert not holds(Compare(op, count("purchase", None), missing), event(0))
        assert not holds(Compare(op, missing, missing), event(0))


# ---------------------------------------------------------------------------------------------------------- filters


def test_counts_sums_and_trends_are_always_present() -> None:
    for value in (count("browse", HOUR_MS), total("purchase", "quantity", HOUR_MS), Trend(count("browse", HOUR_MS))):
        assert holds(Present(value), event(0))


def test_present_in_a_filter_asks_for_a_value() -> None:
    def having(name: str) -> Compare:
        return compare(count("purchase", None, Present(FieldRef(name))), ">=", 1)

    values: dict[str, int | str] = {"quantity": 0, "category": "", "order_time": 5}
    for name, value in values.items():
        assert holds(having(name), replace(event(0), fields={name: value}))
        assert not holds(having(name), event(0))
        assert not holds(having(name), replace(event(0), fields={name: None}))
    assert holds(having("amount"), paid(0, 0))
    # A purchase that names neither is an order in the default currency.
    assert holds(having("kind"), event(0))
    assert holds(having("currency"), event(0))


@pytest.mark.parametrize(
    ("prefix", "starts"), [("配", True), ("配送", True), ("配送 ", False), ("送", False), ("", True)]
)
def test_a_text_starts_with_a_text(prefix: str, starts: bool) -> None:
    where = StartsWith(FieldRef("topic"), Text(prefix))
    assert holds(compare(count("service", None, where), ">=", 1), event(0, "service", topic="配送")) is starts
    assert not holds(compare(count("service", None, where), ">=", 1), event(0, "service"))
    assert holds(compare(count("service", None, Not(where)), ">=", 1), event(0, "service"))


# ---------------------------------------------------------------------------------------------- what looks are due to


def test_an_event_that_does_not_count_leaves_nothing_but_in_a_sum() -> None:
    # Where both conditions hold each look flips the tag, so the flips tell when the customer is looked at.
    always = compare(count("browse", None), "==", 0)

    def looks(value: Expr) -> list[int]:
        rule_set = rules(tag(always, leave=always), tag(Compare("==", value, value), id="u"))
        return [at_ms for at_ms, name, _ in flips_of_tags(rule_set, [event(0)]) if name == "t"]

    assert looks(total("purchase", "quantity", MINUTE_MS)) == [0, 120_000]
    assert looks(taken("avg", "purchase", "quantity", MINUTE_MS)) == [0]
