"""How many different values, and which is the most frequent: by hand."""

from __future__ import annotations

import pytest

from processors.oracle.judge import DAY_MS, MINUTE_MS, Event
from processors.rules.tree import Compare, Member, Not, Present, Ratio, Text
from schemas.outcomes import Outcome
from tests.oracle.by_hand import compare, count, event, holds, is_text, outcomes, rules, tag, taken, times_held, top
from tests.oracle.tables import START_MS


def bought(
    at_ms: int,
    category: str | None,
    cents: int | None = 1000,
    kind: str | None = None,
    order_time: int | None = None,
    currency: str | None = None,
) -> Event:
    return event(at_ms, category=category, amount_cents=cents, kind=kind, order_time=order_time, currency=currency)


def undone(at_ms: int, kind: str, category: str, ordered_ms: int, cents: int = -1000) -> Event:
    return bought(at_ms, category, cents, kind=kind, order_time=START_MS + ordered_ms)


# --------------------------------------------------------------------------------------------------------- distinct


def test_equal_values_count_once_and_missing_ones_not_at_all() -> None:
    different = taken("distinct", "purchase", "category")
    events = [bought(0, "shoes"), bought(1, "books"), bought(2, "shoes"), bought(3, None)]
    assert holds(compare(different, "==", 2), *events)
    assert holds(compare(different, "==", 0), bought(0, None))
    assert holds(Present(different), event(0, "browse"))


def test_a_value_is_gone_when_the_last_of_it_left_the_window() -> None:
    different = taken("distinct", "purchase", "category", MINUTE_MS)
    events = [bought(0, "shoes"), bought(1, "books"), bought(60_000, "shoes")]
    assert times_held(compare(different, "==", 2), events) == [1, 120_000]
    assert times_held(compare(different, "==", 1), events) == [0, 1, 120_000, 180_000]


def test_kinds_and_numbers_have_values_too() -> None:
    assert holds(
        compare(taken("distinct", "purchase", "kind"), "==", 2),
        event(0),
        event(1, kind="order"),
        event(2, kind="refund"),
    )
    assert holds(
        compare(taken("distinct", "purchase", "quantity"), "==", 2), event(0, quantity=1), event(1, quantity=0)
    )
    money = taken("distinct", "purchase", "amount_cents")
    foreign = bought(1, "shoes", 5, currency="USD")
    assert holds(compare(money, "==", 1), bought(0, "shoes", 7), foreign)
    named = taken("distinct", "purchase", "amount_cents", where=is_text("currency", "", "!="))
    assert holds(compare(named, "==", 2), bought(0, "shoes", 7), foreign)


def test_a_refund_is_in_its_orders_pane_and_a_cancellation_is_nothing() -> None:
    different = taken("distinct", "purchase", "category", MINUTE_MS)
    refunded = [bought(0, "shoes"), undone(70_000, "refund", "books", 5)]
    assert times_held(compare(different, "==", 2), refunded) == [70_000, 120_000]
    assert times_held(compare(different, "==", 0), refunded) == [120_000]
    cancelled = [bought(0, "shoes"), undone(5, "cancel", "shoes", 0), undone(6, "cancel", "books", 0)]
    assert times_held(compare(different, "==", 1), cancelled) == [0, 120_000]


def test_it_is_a_number_like_a_count() -> None:
    different = taken("distinct", "purchase", "category")
    events = [bought(0, "shoes"), bought(1, "books"), bought(2, "shoes")]
    assert holds(Compare("==", different, count("purchase", None, is_text("category", "shoes"))), *events)
    assert holds(compare(Ratio(count("purchase", None), different), "==", "1.5"), *events)
    assert holds(Compare("<", different, taken("max", "purchase", "amount_cents")), *events)


# -------------------------------------------------------------------------------------------------------------- top


def test_the_most_frequent_value_and_of_equals_the_smaller() -> None:
    most = top("purchase", "category")
    events = [
        bought(0, "shoes"),
        bought(1, "books"),
        bought(2, "shoes"),
        bought(3, None),
        bought(4, None),
        bought(5, None),
    ]
    assert times_held(Compare("==", most, Text("shoes")), events) == [0, 1, 2]
    assert times_held(Compare("==", most, Text("books")), events) == [1, 2]
    assert holds(Member(most, (Text("toys"), Text("shoes")), negated=False), *events)
    assert holds(Member(most, (Text("toys"),), negated=True), *events)
    # By the bytes of their texts: capitals, then small letters, then others; the shorter of two that begin alike.
    for smaller, greater in (("Z", "a"), ("z", "ä"), ("ä", "配"), ("\uffff", "𝄞"), ("", "a"), ("a", "ab")):
        assert holds(Compare("==", most, Text(smaller)), bought(0, greater), bought(1, smaller))


def test_the_greatest_sum_of_those_that_have_both() -> None:
    dearest = top("purchase", "category", by="amount")
    events = [bought(0, "shoes", 100), bought(1, "shoes", 100), bought(2, "books", 150), bought(3, "toys", None)]
    assert holds(Compare("==", dearest, Text("shoes")), *events)
    assert holds(Compare("==", dearest, Text("books")), *events, bought(4, "books", 50))
    assert holds(Compare("==", dearest, Text("shoes")), *events, bought(4, "books", 900, currency="USD"))
    # A sum below zero is a sum; without one there is none.
    assert holds(Compare("==", dearest, Text("shoes")), bought(0, "shoes", -100), bought(1, "toys", None))
    assert not holds(Present(dearest), bought(0, "shoes", None))


def test_it_is_missing_where_nothing_counts() -> None:
    most = top("purchase", "category", window_ms=MINUTE_MS)
    for condition in (
        Compare("==", most, Text("shoes")),
        Compare("!=", most, Text("shoes")),
        Member(most, (Text("shoes"),), negated=True),
        Present(most),
    ):
        assert not holds(condition, bought(0, None))
        assert holds(Not(condition), bought(0, None))
    assert times_held(Present(most), [bought(0, "shoes")]) == [0, 120_000]
    assert times_held(Compare("!=", most, Text("books")), [bought(0, "shoes")]) == [0, 120_000]


def test_it_follows_its_window() -> None:
    most = top("purchase", "category", window_ms=MINUTE_MS)
    events = [bought(0, "shoes"), bought(1, "shoes"), bought(60_000, "books")]
    assert times_held(Compare("==", most, Text("books")), events) == [120_000, 180_000]


@pytest.mark.parametrize("by", [None, "amount"])
def test_a_cancellation_takes_its_order_back(by: str | None) -> None:
    most = top("purchase", "category", by=by, window_ms=MINUTE_MS)
    events = [
        bought(0, "shoes"),
        bought(60_000, "books"),
        bought(60_001, "shoes"),
        undone(60_002, "cancel", "shoes", 0),
    ]
    # Both once, and with the same sum, as before the second shoes.
    assert times_held(Compare("==", most, Text("books")), events) == [60_000, 60_001, 60_002, 180_000]
    # One that was never there is no candidate either.
    assert times_held(Present(most), [undone(5, "cancel", "shoes", 0)]) == []
    # None is left of the only one, though its pane is still there.
    assert times_held(Present(most), [events[0], undone(5, "cancel", "shoes", 0)]) == [0, 5]


def test_a_refund_is_one_more_in_its_orders_pane() -> None:
    most = top("purchase", "category", window_ms=MINUTE_MS)
    events = [bought(60_000, "books"), undone(70_000, "refund", "shoes", 5), undone(70_001, "refund", "shoes", 6)]
    assert times_held(Compare("==", most, Text("shoes")), events) == [70_001, 120_000]
    least = top("purchase", "category", by="amount", window_ms=MINUTE_MS)
    assert times_held(
        Compare("==", least, Text("shoes")), [bought(0, "shoes", 100), undone(5, "refund", "shoes", 0, -500)]
    ) == [0, 120_000]


def test_a_kind_is_its_name() -> None:
    most = top("service", "kind")
    # By position praise is before campaign_open, by name behind it.
    events = [event(0, "service", kind="praise"), event(1, "service", kind="campaign_open")]
    assert holds(Compare("==", most, Text("campaign_open")), *events)
    assert holds(Compare("==", most, Text("enquiry")), event(0, "service"), event(1, "service"), *events)


def test_texts_are_compared_with_each_other() -> None:
    same = Compare("==", top("purchase", "category"), taken("last", "browse", "category"))
    events = [bought(0, "shoes"), event(1, "browse", category="books"), event(2, "browse", category="shoes")]
    assert times_held(same, events) == [2]
    assert times_held(Compare("!=", top("purchase", "category"), top("browse", "category")), events) == [1]


def test_its_window_keeps_events_from_being_late() -> None:
    rule_set = rules(tag(Compare("==", top("purchase", "category", window_ms=DAY_MS), Text("shoes"))))
    times = (DAY_MS + 59_999, DAY_MS + 60_000)
    assert [outcomes(rule_set, [event(at_ms, happened_ms=0)]) for at_ms in times] == [[Outcome.APPLIED], [Outcome.LATE]]
