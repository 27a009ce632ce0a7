"""The live stream's shop: what it sends is valid, plausible, and the same for the same seed."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from schemas.codec import event_from_json
from schemas.events import EVENT_TYPES, FIELDS, KINDS
from streams.demo.generator import LiveEvent, Shop, manners_of

OPENS_MS = 1_750_000_000_000
MINUTE_MS = 60_000
CUSTOMERS = [f"cdnow-{number}" for number in range(1, 2_001)]


def shop(*, seed: int = 1, events_per_s: float = 100.0) -> Shop:
    return Shop(seed=seed, customers=CUSTOMERS, events_per_s=events_per_s, opens_ms=OPENS_MS)


def stream(shop: Shop, *, minutes: int, tick_ms: int = 500) -> list[LiveEvent]:
    ticks = range(0, minutes * MINUTE_MS + 1, tick_ms)
    return [event for after_ms in ticks for event in shop.events_until(OPENS_MS + after_ms)]


@pytest.fixture(scope="module")
def ten_minutes() -> list[LiveEvent]:
    return stream(shop(), minutes=10)


def test_every_event_is_one_that_the_codec_takes(ten_minutes: list[LiveEvent]) -> None:
    for live in ten_minutes:
        event_from_json(live.type, live.event)


def test_no_event_has_a_field_that_its_type_does_not_have(ten_minutes: list[LiveEvent]) -> None:
    for live in ten_minutes:
        known = {field.name for field in FIELDS[live.type]} | {"event_id", "customer_id", "event_time"}
        known |= {"attributes"} if live.type == "profile" else set()
        assert set(live.event) <= known


def test_all_four_types_come_and_mostly_browse(ten_minutes: list[LiveEvent]) -> None:
    counts = Counter(live.type for live in ten_minutes)
    assert set(counts) == set(EVENT_TYPES)
    assert counts["browse"] > 0.8 * len(ten_minutes)
    assert counts["purchase"] > 0.01 * len(ten_minutes)


def test_the_kinds_that_the_starter_rules_look_for_all_come(ten_minutes: list[LiveEvent]) -> None:
    kinds = {(live.type, live.event["kind"]) for live in ten_minutes if "kind" in live.event}
    assert all(kind in KINDS[event_type] for event_type, kind in kinds)
    wanted = {"complaint", "resolved", "survey", "campaign_sent", "campaign_click"}
    assert {("purchase", "order"), ("purchase", "refund"), *(("service", kind) for kind in wanted)} <= kinds


def test_event_ids_are_unique_and_times_rise(ten_minutes: list[LiveEvent]) -> None:
    assert len({live.event["event_id"] for live in ten_minutes}) == len(ten_minutes)
    times = [live.event["event_time"] for live in ten_minutes]
    assert times == sorted(times)
    assert times[0] >= OPENS_MS
    assert times[-1] < OPENS_MS + 10 * MINUTE_MS


def test_the_same_seed_gives_the_same_stream_however_often_one_asks() -> None:
    assert stream(shop(), minutes=2, tick_ms=100) == stream(shop(), minutes=2, tick_ms=30_000)


def test_another_seed_gives_another_stream() -> None:
    assert stream(shop(seed=1), minutes=1) != stream(shop(seed=2), minutes=1)


def test_two_runs_share_no_event_id() -> None:
    later = Shop(seed=1, customers=CUSTOMERS, events_per_s=100, opens_ms=OPENS_MS + 1)
    ids = {live.event["event_id"] for live in later.events_until(OPENS_MS + MINUTE_MS)}
    assert ids.isdisjoint(live.event["event_id"] for live in stream(shop(), minutes=1))


@pytest.mark.parametrize("events_per_s", [50.0, 250.0])
def test_the_rate_is_the_one_asked_for_from_the_first_minute_on(events_per_s: float) -> None:
    made = stream(shop(events_per_s=events_per_s), minutes=10)
    assert len(made) / (10 * 60) == pytest.approx(events_per_s, rel=0.1)
    first_minute = sum(live.event["event_time"] < OPENS_MS + MINUTE_MS for live in made)
    assert first_minute / 60 == pytest.approx(events_per_s, rel=0.35)


def test_asking_again_for_the_same_time_gives_nothing_more() -> None:
    one = shop()
    assert one.events_until(OPENS_MS + MINUTE_MS)
    assert one.events_until(OPENS_MS + MINUTE_MS) == []
    assert one.events_until(OPENS_MS) == []


def test_most_customers_stay_silent_and_some_come_often(ten_minutes: list[LiveEvent]) -> None:
    visitors = Counter(live.event["customer_id"] for live in ten_minutes)
    assert 0.1 * len(CUSTOMERS) < len(visitors.keys() & set(CUSTOMERS)) < len(CUSTOMERS)
    assert any(customer.startswith("guest-") for customer in visitors)


def test_programs_read_faster_than_people_and_never_buy(ten_minutes: list[LiveEvent]) -> None:
    by_customer: defaultdict[str, list[LiveEvent]] = defaultdict(list)
    for live in ten_minutes:
        by_customer[live.event["customer_id"]].append(live)
    bots = {customer: events for customer, events in by_customer.items() if customer.startswith("bot-")}
    assert bots
    for events in bots.values():
        assert {live.type for live in events} == {"browse"}
    assert max(_most_in_a_minute(events) for events in bots.values()) >= 40


def test_only_coupon_hunters_use_coupons_and_whales_pay_more() -> None:
    made = stream(shop(events_per_s=500), minutes=10)
    orders = [live.event for live in made if live.type == "purchase" and live.event["kind"] == "order"]
    for order in orders:
        assert ("coupon_id" in order) == manners_of(order["customer_id"]).hunts_coupons
        assert order["amount_cents"] > 0
    whales = [order["amount_cents"] for order in orders if manners_of(order["customer_id"]).is_whale]
    others = [order["amount_cents"] for order in orders if not manners_of(order["customer_id"]).is_whale]
    assert sum(whales) / len(whales) > 5 * sum(others) / len(others)


def test_a_refund_gives_back_what_the_order_cost() -> None:
    paid: dict[str, int] = {}
    refunds = 0
    for live in stream(shop(events_per_s=250), minutes=10):
        if live.type != "purchase":
            continue
        order_id = live.event["order_id"]
        if live.event["kind"] == "order":
            paid[order_id] = live.event["amount_cents"]
        elif order_id in paid:
            assert live.event["amount_cents"] == -paid[order_id]
            refunds += 1
    assert refunds


def test_customers_are_the_same_at_every_visit() -> None:
    assert manners_of("cdnow-7") == manners_of("cdnow-7")
    assert len({manners_of(customer) for customer in CUSTOMERS}) > 20


@pytest.mark.parametrize("events_per_s", [0.0, -1.0, 20_001.0])
def test_a_rate_that_cannot_be_kept_is_refused(events_per_s: float) -> None:
    with pytest.raises(ValueError, match="events_per_s"):
        shop(events_per_s=events_per_s)


def _most_in_a_minute(events: list[LiveEvent]) -> int:
    return max(Counter(live.event["event_time"] // MINUTE_MS for live in events).values())
