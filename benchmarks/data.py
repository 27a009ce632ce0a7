"""Events of the benchmark TagBench-1, made in bulk.

Three types (browse 70 %, purchase 20 %, service 10 %), customers drawn with weights 1 / rank^0.6, times spread evenly.
Making a million events one by one takes longer than tagging them, so each event is two pieces: a head (framing,
event_id, customer_id, event_time), which has the same length in all events and is written for thousands of them at
once as a table of bytes, and a tail (the optional fields), one of a few thousand that the product's own codec encoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.canonical import canonical_event, long_bytes
from schemas.framing import single_object_header

__all__ = ["TYPES", "Event", "Generator"]

I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

TYPES: Final = ("browse", "purchase", "service")
SHARES: Final = (0.7, 0.2, 0.1)
SKEW: Final = 0.6
"""Exponent of the customers' weights: with 50,000 of them the first one has 0.5 % of the events, and half of all
customers have two thirds."""
TAILS: Final = 4096
"""Different tails of each type: enough that no branch of the decoder and no sum is learnt by heart."""
CHANNELS: Final = ("web", "app", "mini", "store")
BLOCK: Final = 10_000
"""Events made at once: some 2 MB."""

EVENT_ID_BYTES: Final = 32
CUSTOMER_ID_BYTES: Final = 9
TIME_BYTES: Final = 6
"""Of Avro's encoding of a time from the years 1971 to 2039 in milliseconds."""
EARLIEST_MS: Final = 2**34
LATEST_MS: Final = 2**41 - 1

_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)


class Event(NamedTuple):
    """One event, ready to be written to Kafka."""

    type: int
    """Position in TYPES."""
    key: bytes
    value: bytes
    at_ms: int


class Generator:
    """Makes events of `customers` customers. The same seed makes the same events."""

    def __init__(self, customers: int, seed: int = 7) -> None:
        assert 1 <= customers <= 10**8, "a customer's number has eight digits"
        self._rng = np.random.default_rng(seed)
        weights = np.arange(1, customers + 1, dtype=np.float64) ** -SKEW
        self._up_to = np.cumsum(weights) / weights.sum()
        self._number_of_rank = self._rng.permutation(customers)
        self._tails = [_tails(event_type, self._rng) for event_type in TYPES]
        self._heads = [np.frombuffer(single_object_header(event_type), np.uint8) for event_type in TYPES]

    def spread(self, events: int, first_ms: int, length_ms: int) -> Iterator[list[Event]]:
        """`events` events in order of time, in blocks, at random times of [first_ms, first_ms + length_ms)."""
        times = first_ms + np.sort(self._rng.integers(0, length_ms, events))
        for start in range(0, events, BLOCK):
            yield self.at(times[start : start + BLOCK])

    def at(self, times_ms: I64) -> list[Event]:
        """One event at each of these times."""
        n = len(times_ms)
        types = self._rng.choice(len(TYPES), n, p=SHARES)
        ranks = np.minimum(np.searchsorted(self._up_to, self._rng.random(n)), len(self._up_to) - 1)
        customers = _customer_ids(self._number_of_rank[ranks])
        tails = self._rng.integers(0, TAILS, n).tolist()
        middle = np.hstack([_event_ids(self._rng, n), _with_length(customers), _times(times_ms)])
        heads = np.hstack([np.stack([self._heads[t] for t in types.tolist()]), middle]).tobytes()
        keys = customers.tobytes()
        size = len(heads) // n
        return [
            Event(
                event_type,
                keys[i * CUSTOMER_ID_BYTES : (i + 1) * CUSTOMER_ID_BYTES],
                heads[i * size : (i + 1) * size] + self._tails[event_type][tail],
                at_ms,
            )
            for i, (event_type, tail, at_ms) in enumerate(zip(types.tolist(), tails, times_ms.tolist(), strict=True))
        ]


def _event_ids(rng: np.random.Generator, n: int) -> U8:
    """Random ids of 32 hexadecimal digits, each with its length before it."""
    digits = rng.integers(0, 16, (n, EVENT_ID_BYTES), dtype=np.uint8)
    return _with_length(_HEX[digits])


def _customer_ids(numbers: I64) -> U8:
    """`c` and eight decimal digits."""
    powers = 10 ** np.arange(CUSTOMER_ID_BYTES - 2, -1, -1)
    digits = (numbers[:, None] // powers % 10).astype(np.uint8) + ord("0")
    return np.hstack([np.full((len(numbers), 1), ord("c"), np.uint8), digits])


def _with_length(texts: U8) -> U8:
    """Texts of one length below 64, one a row, as Avro's strings: the length, zigzag, is one byte."""
    return np.hstack([np.full((len(texts), 1), 2 * texts.shape[1], np.uint8), texts])


def _times(times_ms: I64) -> U8:
    """Avro's encoding of times: zigzag, seven bits a byte, the lowest first."""
    assert times_ms.size and times_ms.min() >= EARLIEST_MS and times_ms.max() <= LATEST_MS
    shifts = 7 * np.arange(TIME_BYTES)
    groups = ((times_ms[:, None] << 1) >> shifts & 0x7F).astype(np.uint8)
    groups[:, :-1] |= 0x80
    return groups


def _tails(event_type: str, rng: np.random.Generator) -> list[bytes]:
    """Encoded optional fields."""
    ids = {"event_id": "e", "customer_id": "c", "event_time": 0}
    head = len(single_object_header(event_type)) + 2 + 2 + len(long_bytes(0))
    return [canonical_event(event_type, ids | _fields(event_type, rng))[head:] for _ in range(TAILS)]


def _fields(event_type: str, rng: np.random.Generator) -> dict[str, Any]:
    """Optional fields with TagBench-1's distributions."""
    channel = CHANNELS[rng.integers(len(CHANNELS))]
    category = f"cat{rng.integers(50)}"
    product = f"p{rng.integers(10_000)}"
    if event_type == "browse":
        dwell_ms = int(rng.integers(200, 180_000))
        return {"channel": channel, "product_id": product, "category": category, "dwell_ms": dwell_ms}
    if event_type == "purchase":
        return {
            "channel": channel,
            "order_id": f"o{rng.integers(10**7)}",
            "product_id": product,
            "category": category,
            "amount_cents": int(rng.lognormal(8.5, 1.1)),
            "quantity": int(rng.integers(1, 4)),
        }
    ticket = f"t{rng.integers(10**7)}"
    return {"channel": channel, "ticket_id": ticket, "topic": category, "sentiment": float(rng.uniform(-1, 1))}
