"""Refunds and cancellations that give the time of their order."""

from __future__ import annotations

import pytest

from schemas.codec import event_from_json
from tests.unit.processors.world import START_MS, Record, world

HOUR = 3_600_000
DAY = 24 * HOUR
SPENT = "sum(purchase.amount, 7d) >= 100"
ORDERS = 'count(purchase where kind == "order", 7d) >= 2'


_serial = iter(range(1 << 60))


def purchase(at_ms: int, kind: str, **fields: object) -> Record:
    """A purchase of this kind; `world.event` has the type of the event under that name."""
    named = {"event_id": f"r{next(_serial)}", "customer_id": "c", "event_time": START_MS + at_ms, "kind": kind}
    return Record(event_from_json("purchase", {**named, **fields}), at_ms)


def order(at_ms: int, cents: int) -> Record:
    return purchase(at_ms, "order", amount_cents=cents)


def back(at_ms: int, kind: str, cents: int, ordered_ms: int | None) -> Record:
    given = {} if ordered_ms is None else {"order_time": START_MS + ordered_ms}
    return purchase(at_ms, kind, amount_cents=cents, **given)


def test_a_refund_leaves_the_window_together_with_its_order() -> None:
    w = world(t=SPENT)
    w.step(order(0, 9_000), back(2 * DAY, "refund", -9_000, 0), order(5 * DAY, 10_000), to_ms=20 * DAY)
    assert w.flips() == [("t", True, 5 * DAY), ("t", None, 12 * DAY + HOUR)]


def test_a_refund_without_the_time_of_its_order_counts_when_it_happened() -> None:
    w = world(t=SPENT)
    w.step(order(0, 9_000), back(2 * DAY, "refund", -9_000, None), order(5 * DAY, 15_000), to_ms=20 * DAY)
    # 90 - 90 + 150; then the order of 90 leaves at 7 d and one hour, and the refund, two days later, lets the sum rise
    assert w.flips() == [
        ("t", True, 5 * DAY),
        ("t", None, 7 * DAY + HOUR),
        ("t", True, 9 * DAY + HOUR),
        ("t", None, 12 * DAY + HOUR),
    ]


@pytest.mark.parametrize("cents", [5_000, -5_000])
def test_a_cancellation_takes_its_order_out_whatever_the_sign_of_its_amount(cents: int) -> None:
    w = world(n=ORDERS, t=SPENT)
    w.step(order(0, 5_000), order(DAY, 5_000), back(2 * DAY, "cancel", cents, 0), to_ms=20 * DAY)
    assert w.flips() == [("n", True, DAY), ("t", True, DAY), ("n", None, 2 * DAY), ("t", None, 2 * DAY)]


def test_a_cancellation_is_matched_as_its_order_would_be() -> None:
    w = world(
        big='count(purchase where kind == "order" and amount >= 50, 7d) >= 1',
        cancelled='count(purchase where kind == "cancel", 7d) >= 1',
    )
    w.step(order(0, 5_000), back(DAY, "cancel", -5_000, 0), back(2 * DAY, "cancel", -5_000, None), to_ms=3 * DAY)
    assert w.flips() == [("big", True, 0), ("big", None, DAY), ("cancelled", True, 2 * DAY)]


def test_a_cancellation_of_an_order_that_has_left_changes_nothing() -> None:
    w = world(n='count(purchase where kind == "order", 7d) >= 1')
    w.step(order(0, 5_000), order(9 * DAY, 5_000), back(10 * DAY, "cancel", 5_000, 0), to_ms=11 * DAY)
    assert w.flips() == [("n", True, 0), ("n", None, 7 * DAY + HOUR), ("n", True, 9 * DAY)]


def test_times_and_extremes_do_not_see_a_cancellation() -> None:
    w = world(
        gap="interval(purchase, ever) >= 1",
        largest="max(purchase.amount, 7d) >= 50",
        recent="days_since(purchase) < 2",
    )
    w.step(order(0, 5_000), order(DAY, 1_000), back(DAY + 1, "cancel", 5_000, 0), to_ms=2 * DAY)
    assert w.flips() == [("largest", True, 0), ("recent", True, 0), ("gap", True, DAY)]


def test_an_order_time_after_the_event_is_not_believed() -> None:
    w = world(t="sum(purchase.amount, 7d) < 0")
    w.step(order(0, 100), back(DAY, "refund", -500, 3 * DAY), to_ms=20 * DAY)
    assert w.flips() == [("t", True, DAY), ("t", None, 8 * DAY + HOUR)]
