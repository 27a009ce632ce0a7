"""From records of one partition of `tags.current` to calls of the script that writes them to Redis. Pure.

Of a customer with several records in a batch only the newest is written. The chunks of a batch are in the order of the
customers' last records, and each moves Redis' position behind the last record it took in. So at any position x that
Redis may stand at, or be put back to, it holds of each customer the newest version before x, or the log holds a newer
one at x or later: reading on from x makes it right.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.errors import EventError
from schemas.outcomes import Dead
from schemas.records import CLOCK_KEY
from streams.projector.decode import CurrentTags, read_current
from streams.redis_layout import EPOCH, PART, SEQ

__all__ = ["MAX_CHUNK_CUSTOMERS", "MAX_CHUNK_TAGS", "Batch", "Chunk", "PartitionClock", "Record", "build_batch"]

Record = tuple[int, bytes | None, bytes | None]
"""Offset, key, value. A value of None is a tombstone: the customer was erased."""

MAX_CHUNK_CUSTOMERS: Final = 300
"""Customers in one call. The cost of a call (some 50 us) hardly counts from here on, and Redis, which answers nobody
else while a script runs, is back after a millisecond or two."""

MAX_CHUNK_TAGS: Final = 5_000
"""Tags in one call, the last customer's in full: keeps the pause short where customers have thousands of tags."""

_CLOCK_KEY: Final = CLOCK_KEY.encode()


class PartitionClock(NamedTuple):
    """What `@clock` says. Of two, the greater is the newer."""

    epoch: int
    clock_ms: int


@dataclass(slots=True)
class Chunk:
    """One call of the script. `customers` and `hashes` have the same length; a customer may stand there twice, first
    erased, then with new tags."""

    next_offset: int
    """Where Redis stands after it."""
    customers: list[bytes] = field(default_factory=list)
    """Ids in UTF-8."""
    hashes: list[list[str]] = field(default_factory=list)
    """Field, value, field, value, …, beginning with `_epoch` and `_seq`; empty: the customer's hash is removed."""
    clock: PartitionClock | None = None
    """What the partition's clock is after it; None: as it was."""


@dataclass(slots=True)
class Batch:
    """What a run of records comes to."""

    chunks: list[Chunk]
    """To be applied in this order; none if there were no records."""
    clocks_ms: list[int]
    """The clock of each customer's newest record, for measuring the delay."""
    unreadable: list[tuple[int, EventError]]
    """Offsets of records that were passed over, and why."""


class _Customer(NamedTuple):
    last_offset: int
    erased: bool
    newest: CurrentTags | None


def build_batch(partition: int, records: Sequence[Record]) -> Batch:
    """`records` are consecutive ones of the partition, offsets rising."""
    customers: dict[bytes, _Customer] = {}  # in the order of their last records
    clock: PartitionClock | None = None
    unreadable: list[tuple[int, EventError]] = []
    for offset, key, value in records:
        try:
            if key is None:
                raise EventError(Dead.EMPTY_ID, "a record without a key")
            if value is None:
                if key != _CLOCK_KEY:
                    customers.pop(key, None)
                    customers[key] = _Customer(offset, True, None)
                continue
            tags = read_current(value)
        except EventError as error:
            unreadable.append((offset, error))
            continue
        if key == _CLOCK_KEY and tags.clock_ms == 0:
            # the claim's: whoever has just taken the partition does not know yet how far it has come
            continue
        if key == _CLOCK_KEY:
            told = PartitionClock(tags.epoch, tags.clock_ms)
            clock = told if clock is None else max(clock, told)
            continue
        had = customers.pop(key, None)
        if had is None:
            customers[key] = _Customer(offset, False, tags)
        else:
            customers[key] = _Customer(offset, had.erased, _newer(had.newest, tags))
    chunks = list(_chunks(partition, customers.items()))
    if records:
        if not chunks:
            chunks.append(Chunk(0))
        chunks[-1].next_offset = records[-1][0] + 1
        # The clock says that all changes up to it are there, so it comes with the last of them.
        chunks[-1].clock = clock
    clocks_ms = [customer.newest.clock_ms for customer in customers.values() if customer.newest is not None]
    return Batch(chunks, clocks_ms, unreadable)


def _newer(had: CurrentTags | None, tags: CurrentTags) -> CurrentTags:
    """Not simply the later one in the log: an owner that was fenced too late may have written behind its successor."""
    return tags if had is None or (tags.epoch, tags.seq) > (had.epoch, had.seq) else had


def _chunks(partition: int, customers: Iterable[tuple[bytes, _Customer]]) -> Iterable[Chunk]:
    chunk = Chunk(0)
    tags = 0
    part = str(partition)
    for customer_id, (last_offset, erased, newest) in customers:
        if erased:
            chunk.customers.append(customer_id)
            chunk.hashes.append([])
        if newest is not None:
            chunk.customers.append(customer_id)
            chunk.hashes.append([EPOCH, str(newest.epoch), SEQ, str(newest.seq), PART, part, *newest.fields])
            tags += len(newest.fields) // 2
        chunk.next_offset = last_offset + 1
        if len(chunk.customers) >= MAX_CHUNK_CUSTOMERS or tags >= MAX_CHUNK_TAGS:
            yield chunk
            chunk = Chunk(0)
            tags = 0
    if chunk.customers:
        yield chunk
