"""Two rule sets on the same events: who would have which tag, and what that costs.

The retained events of a partition are applied by each of the two, in the order of their arrival, up to their present
end; then the clock is moved to now. Where sources no longer reach back to the first event, both lack the same: so the
difference is that of the rules, while the counts may be less than what is published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from processors.carry import twins
from processors.partition import UNLIMITED
from schemas.registry import WriterSchemas
from streams.clock import Clock
from streams.kafka_log import KafkaReader
from streams.log import TopicPartition
from streams.tagger.rules import Compiled
from streams.tagger.sources import Source, ready
from streams.tagger.topics import Topics
from streams.tagger.work import Erasures, Work

__all__ = ["Cost", "Difference", "Ends", "compare_partition"]

MOST_SAMPLES: Final = 5
READ_MOST: Final = 10_000
READ_WAIT_S: Final = 0.2
STEP_MOST: Final = 50_000
DEDUPE_MAX_IDS: Final = 4_000_000

Ends = Mapping[TopicPartition, tuple[int, int]]
"""First offset that is there, and the end, of each source."""


@dataclass(slots=True)
class Cost:
    """Of one rule set, over all partitions."""

    events: int = 0
    seconds: float = 0.0
    """From the broker to the state, decoding included."""
    state_bytes: int = 0

    @property
    def ns_per_event(self) -> float:
        return self.seconds * 1e9 / max(1, self.events)


@dataclass(slots=True)
class Difference:
    """By tag: customers who have it before and after, who enter, leave, or have another value; and some of these."""

    customers: int = 0
    """Of whom anything is known."""
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    entered: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)
    """The first of those who enter, leave or change, by id."""
    old: Cost = field(default_factory=Cost)
    new: Cost = field(default_factory=Cost)
    cut: dict[str, int] = field(default_factory=dict)
    """Topics whose first events are gone: how many offsets."""

    def count(self, customer_id: str, before: Mapping[str, object], after: Mapping[str, object]) -> None:
        """One customer's tags by the old rules and by the new."""
        self.customers += 1
        self.before.update(before.keys())
        self.after.update(after.keys())
        for tag in before.keys() | after.keys():
            was, now = before.get(tag), after.get(tag)
            if was == now:
                continue
            (self.entered if was is None else self.left if now is None else self.changed)[tag] += 1
            some = self.samples.setdefault(tag, [])
            if len(some) < MOST_SAMPLES:
                some.append(customer_id)


def compare_partition(
    config: Mapping[str, Any],
    topics: Topics,
    partition: int,
    ends: Ends,
    rules: tuple[Compiled, Compiled],
    schemas: WriterSchemas,
    erasures: Erasures,
    clock: Clock,
    until_ms: int,
    difference: Difference,
    progress: Callable[[int], None],
) -> None:
    """Add what one partition says to `difference`.

    `rules`: the old ones and the new; `config`: for consumers; `until_ms`: where the clock is moved to in the end.

    Holds the two states of the partition in memory meanwhile. Raises KafkaError, StateError.
    """

    def applied(compiled: Compiled, cost: Cost) -> Work:
        positions = {place: ends[place][0] for place in topics.sources_of(partition)}
        work = Work(
            rules=compiled, topics=topics, partition=partition, positions=positions, schemas=schemas,
            dedupe_max_ids=DEDUPE_MAX_IDS, erasures=erasures, as_json=False,
        )  # fmt: skip
        began_s = clock.monotonic_s()
        for records in _apply_all(config, work, ends, until_ms):
            cost.events += records
            progress(records)
        cost.seconds += clock.monotonic_s() - began_s
        cost.state_bytes += work.engine.sizes()["bytes"]
        return work

    old, new = rules
    _count(applied(old, difference.old), applied(new, difference.new), difference)


def _apply_all(config: Mapping[str, Any], work: Work, ends: Ends, until_ms: int) -> Iterator[int]:
    """Apply all records of the partition's sources, then move the clock. Yields how many were applied at a time."""
    readers = [KafkaReader(config, source.place, source.next) for source in work.sources]
    try:
        while not all(s.at_end for s in work.sources) or any(s.held for s in work.sources):
            for source, reader in zip(work.sources, readers, strict=True):
                _read(source, reader, ends[source.place][1])
            taken, _, _ = work.decide(ready(work.sources), STEP_MOST, 0, UNLIMITED)
            yield len(taken.messages)
        work.decide([0] * len(readers), 0, until_ms, UNLIMITED)
    finally:
        for reader in readers:
            reader.close()


def _read(source: Source, reader: KafkaReader, end: int) -> None:
    """More of a source, up to `end`, if little is in hand."""
    if source.held >= READ_MOST or source.at_end:
        return
    messages = reader.read(READ_MOST, READ_WAIT_S)
    wanted = [m for m in messages if (m.offset() or 0) < end]
    if wanted:
        source.add(wanted)
    source.at_end = reader.at_end or len(wanted) < len(messages) or source.fetch_from >= end


def _count(old: Work, new: Work, difference: Difference) -> None:
    rows = new.engine.rows()
    for row, was in zip(rows.tolist(), twins(new.engine, rows, old.engine).tolist(), strict=True):
        difference.count(new.customer_of(row), old.tags_of(was) if was else {}, new.tags_of(row))
    gone = old.engine.rows()
    for row, now in zip(gone.tolist(), twins(old.engine, gone, new.engine).tolist(), strict=True):
        if not now:
            difference.count(old.customer_of(row), old.tags_of(row), {})
