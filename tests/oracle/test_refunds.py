"""Refunds and cancellations that say which order they are about: by hand, where they count and what they take back."""

from __future__ import annotations

from processors.oracle.judge import DAY_MS, MINUTE_MS, Event
from processors.rules.tree import Compare, Happening, Ratio, Sequence, Text
from tests.oracle.by_hand import compare, count, event, holds, is_text, taken, times_held, total
from tests.oracle.tables import START_MS

SPENT = total("purchase", "amount", MINUTE_MS)


def order(at_ms: int = 0, cents: int = 1000) -> Event:
    return event(at_ms, amount_cents=cents, quantity=1)


def undone(at_ms: int, kind: str, cents: int, ordered_ms: int | None) -> Event:
    order_time_ms = None if ordered_ms is None else START_MS + ordered_ms
    return event(at_ms, kind=kind, amount_cents=cents, quantity=1, order_time=order_time_ms)


def test_a_refund_leaves_with_its_order() -> None:
    refund = undone(70_000, "refund", -400, 5)
    assert times_held(compare(SPENT, "==", 10), [order(), refund]) == [0, 70_000]
    assert times_held(compare(SPENT, "==", 6), [order(), refund]) == [70_000, 120_000]
    assert times_held(compare(SPENT, "<", 0), [order(), refund]) == []
    assert times_held(compare(count("purchase", MINUTE_MS), "==", 2), [order(), refund]) == [70_000, 120_000]


def test_a_refund_that_names_no_order_counts_when_it_happened() -> None:
    refund = undone(70_000, "refund", -400, None)
    assert times_held(compare(SPENT, "<", 0), [order(), refund]) == [120_000, 180_000]


def test_the_order_of_a_refund_is_not_after_it() -> None:
    refund = undone(70_000, "refund", -400, DAY_MS)
    assert times_held(compare(SPENT, "<", 0), [order(), refund]) == [120_000, 180_000]


def test_an_order_time_of_an_order_changes_nothing() -> None:
    assert times_held(compare(count("purchase", MINUTE_MS), ">=", 1), [undone(70_000, "order", 400, 0)]) == [
        70_000,
        180_000,
    ]


def test_a_cancellation_takes_its_order_back() -> None:
    orders = count("purchase", MINUTE_MS, is_text("kind", "order"))
    cancelled = undone(70_000, "cancel", -1000, 5)
    assert times_held(compare(orders, ">=", 1), [order(), cancelled]) == [0, 70_000]
    assert times_held(compare(SPENT, ">", 0), [order(), cancelled]) == [0, 70_000]
    # Whatever the sign with which it writes the amount.
    assert times_held(compare(SPENT, ">", 0), [order(), undone(70_000, "cancel", 1000, 5)]) == [0, 70_000]
    # With a second order one is left, and its mean is that of the other.
    both = [order(), order(1, 3000), cancelled]
    assert holds(compare(count("purchase", MINUTE_MS), "==", 1), *both)
    assert holds(compare(taken("avg", "purchase", "amount"), "==", 30), *both)
    assert holds(compare(total("purchase", "quantity", None), "==", 1), *both)


def test_a_cancellation_without_an_order_time_is_an_event_like_any_other() -> None:
    cancelled = undone(5, "cancel", -1000, None)
    assert holds(compare(count("purchase", None), "==", 2), order(), cancelled)
    assert holds(compare(count("purchase", None, is_text("kind", "cancel")), "==", 1), order(), cancelled)


def test_a_cancellation_of_an_order_is_not_counted_itself() -> None:
    cancelled = undone(5, "cancel", -1000, 0)
    assert holds(compare(count("purchase", None, is_text("kind", "cancel")), "==", 0), order(), cancelled)


def test_a_mean_of_as_many_orders_as_cancellations_is_missing() -> None:
    cancelled = undone(5, "cancel", -1000, 0)
    mean = taken("avg", "purchase", "amount")
    assert not holds(compare(mean, ">=", -(10**9)), order(), cancelled)
    assert not holds(compare(Ratio(mean, count("browse", None)), ">=", -(10**9)), order(), cancelled)


def test_times_extremes_and_sequences_do_not_see_the_cancellation_of_an_order() -> None:
    cancelled = undone(50, "cancel", -5000, 20)
    before, after = order(10), order(30, 2000)
    events = [before, after, cancelled]
    assert holds(compare(taken("min", "purchase", "amount"), "==", 10), *events)
    assert holds(compare(taken("max", "purchase", "amount"), "==", 20), *events)
    assert holds(compare(taken("last", "purchase", "amount"), "==", 20), *events)
    assert holds(Compare("==", taken("last", "purchase", "kind"), Text("order")), *events)
    assert times_held(compare(taken("days_since", "purchase"), ">=", 1), events) == [DAY_MS + 30]
    anything = Happening("purchase", None)
    assert times_held(Sequence(anything, anything, DAY_MS, negated=True), events) == [DAY_MS + 30]


def test_last_and_days_since_go_by_a_refunds_own_time() -> None:
    refund = undone(50, "refund", -500, 5)
    assert holds(compare(taken("last", "purchase", "amount"), "==", -5), order(10), refund)
    assert times_held(compare(taken("days_since", "purchase"), ">=", 1), [order(10), refund]) == [DAY_MS + 50]
