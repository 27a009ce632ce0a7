"""Events made in bulk are what the product's codec would have made of them."""

from __future__ import annotations

from io import BytesIO

import fastavro

from benchmarks.data import BLOCK, TYPES, Event, Generator
from schemas.canonical import canonical_event
from schemas.framing import SINGLE_OBJECT_HEADER_BYTES
from schemas.registry import SCHEMAS

FIRST_MS = 1_760_000_000_000
DAY_MS = 86_400_000


def some(events: int, customers: int = 1_000) -> list[Event]:
    return [e for block in Generator(customers).spread(events, FIRST_MS, DAY_MS) for e in block]


def test_each_event_is_canonical_and_has_its_key_and_time() -> None:
    for event in some(500):
        name = TYPES[event.type]
        body = BytesIO(event.value[SINGLE_OBJECT_HEADER_BYTES:])
        values = fastavro.schemaless_reader(body, SCHEMAS[name].parsed)
        assert body.read() == b""
        assert values["customer_id"].encode() == event.key
        assert canonical_event(name, values | {"event_time": event.at_ms}) == event.value


def test_times_rise_and_ids_differ_across_blocks() -> None:
    events = some(BLOCK + 500)
    times = [e.at_ms for e in events]
    assert times == sorted(times) and times[0] >= FIRST_MS and times[-1] < FIRST_MS + DAY_MS
    assert len({e.value for e in events}) == len(events)


def test_types_and_customers_are_distributed_as_described() -> None:
    events = some(20_000)
    shares = [sum(e.type == t for e in events) / len(events) for t in range(len(TYPES))]
    assert all(abs(share - wanted) < 0.02 for share, wanted in zip(shares, (0.7, 0.2, 0.1), strict=True))
    counts = sorted((sum(1 for e in events if e.key == key) for key in {e.key for e in events}), reverse=True)
    # Weights 1 / rank^0.6 of 1,000 customers: the first one has 2.6 % of all events.
    assert 0.02 < counts[0] / len(events) < 0.032


def test_the_same_seed_makes_the_same_events() -> None:
    assert some(100) == some(100)
