"""What the tags of a partition should be: the oracle reads its sources in the order that the journal tells.

All events of the partition are read and decoded, since only their values say whose they are and which ids were seen;
but the oracle keeps only those of the customers that the sample wants. Whether an event is a duplicate is decided over
all of the partition's ids, so a sample overlooks none that customers share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from processors.oracle.event import TagValue
from processors.oracle.judge import Judge
from processors.oracle.place import partition_of
from processors.oracle.reading import read_record
from processors.rules.tree import RuleSet
from schemas.errors import EventError, StateError
from schemas.outcomes import Outcome
from schemas.records import JournalRecord
from schemas.registry import WriterSchemas
from streams.kafka_log import KafkaReader
from streams.log import Message, TopicPartition
from streams.partition_records import FROM_THE_BEGINNING, Progress, records_of
from streams.tagger.topics import Topics
from streams.verify.order import Arrived, Source, merged
from streams.verify.published import Point, Published
from streams.verify.sample import Sample
from streams.verify.schemas_seen import SchemasSeen

__all__ = ["Recomputed", "recompute"]


@dataclass(slots=True)
class Recomputed:
    """What came of it."""

    tags: dict[str, dict[str, TagValue]]
    """By customer the tags at the point; customers without tags are left out."""
    events: int
    """How many records were read."""


class _Bench:
    """The oracle at work on one partition."""

    def __init__(
        self, topics: Topics, partition: int, rule_set: RuleSet, schemas: SchemasSeen, sample: Sample, end_ms: int
    ) -> None:
        self.judge = Judge(rule_set, end_ms)
        self.clock = 0
        self.events = 0
        self._topics = topics
        self._partition = partition
        self._schemas = schemas
        self._sample = sample

    def read(self, arrived: Iterator[Arrived]) -> None:
        """Records in the order in which they were applied."""
        for record in arrived:
            self.clock = max(self.clock, record.arrival_ms)
            self.events += 1
            self._read(record.source, record.message.value())

    def _read(self, source: int, value: bytes | None) -> None:
        if value is None:
            return
        try:
            record = read_record(self._topics.source_types[source], value, self.clock, self._schemas)
        except EventError:
            return
        if partition_of(record.customer_id, self._topics.partitions) != self._partition:
            return
        outcome = self.judge.outcome_of(record, self.clock)
        if outcome in (Outcome.LATE, Outcome.APPLIED) and self._sample.wants(record.customer_id):
            self.judge.apply(record, self.clock)


def recompute(
    config: dict[str, Any],
    topics: Topics,
    partition: int,
    rule_set: RuleSet,
    writers: WriterSchemas,
    published: Published,
    sample: Sample,
    dedupe_max_ids: int,
    progress: Progress,
) -> Recomputed:
    """The tags at the point of `published`. `dedupe_max_ids`: where the journal does not tell it.

    Raises KafkaError; StateError TS-S107 if events are gone that the tagger has applied.
    """
    point = published.point
    assert point is not None
    places = topics.sources_of(partition)
    begin = _begin(published)
    check_reach(config, places, begin, point)
    ends = [point.next.get(place.topic, 0) for place in places]
    sources = [
        Source(i, _from(config, p, begin, end, progress)) for i, (p, end) in enumerate(zip(places, ends, strict=True))
    ]
    schemas = SchemasSeen(writers)
    bench = _Bench(topics, partition, rule_set, schemas, sample, point.clock)
    bench.judge.sightings.most = dedupe_max_ids
    records = [entry.record for entry in published.entries]
    if published.cut:
        first = next(r for r in records if r.kind != "claim")
        schemas.begin(None)
        bench.read(merged(sources, _ends(places, first, before=first.kind != "snapshot")))
        bench.clock = max(bench.clock, first.clock_before)
    for record in records:
        if record.kind == "claim" and record.dedupe_max_ids:
            bench.judge.sightings.most = record.dedupe_max_ids
        elif record.kind == "step":
            schemas.begin(record.found_schemas)
            bench.read(merged(sources, _ends(places, record, before=False)))
            bench.clock = max(bench.clock, record.clock_after)
    bench.judge.let_time_pass(point.clock)
    return Recomputed(bench.judge.held(), bench.events)


def _ends(places: Sequence[TopicPartition], record: JournalRecord, *, before: bool) -> list[int]:
    """Up to where each source had been applied, before or behind a step."""
    of = {source.topic: source.first if before else source.next for source in record.sources}
    return [of.get(place.topic, 0) for place in places]


def _begin(published: Published) -> dict[str, int]:
    """By topic the first offset that was ever applied, as far as the journal tells; a snapshot's record tells it."""
    records = [entry.record for entry in published.entries]
    told = [r for r in records if r.kind == "snapshot"]
    if not published.cut:
        told = [r for r in records if r.kind in ("step", "snapshot")]
    begin: dict[str, int] = {}
    for record in told:
        for source in record.sources:
            begin.setdefault(source.topic, source.first)
    return begin


def check_reach(config: dict[str, Any], places: Sequence[TopicPartition], begin: dict[str, int], point: Point) -> None:
    """Raise StateError TS-S107 if a source does not reach back to the first of its events that was applied."""
    gone = []
    for place in places:
        reader = KafkaReader(config, place, FROM_THE_BEGINNING)
        try:
            low, _ = reader.extent()
        finally:
            reader.close()
        first = begin.get(place.topic, 0)
        lost = min(low, point.next.get(place.topic, 0)) - first
        if lost > 0:
            gone.append(f"the first {lost} of {place.topic}")
    if gone:
        raise StateError("TS-S107", f"Partition {places[0].partition}: of what was applied are gone {', '.join(gone)}")


def _from(
    config: dict[str, Any], place: TopicPartition, begin: dict[str, int], end: int, progress: Progress
) -> Iterator[Message]:
    """A source's records from its first one that was applied to `end`."""
    first = begin.get(place.topic, 0)
    if end <= first:
        return iter(())
    return (m for m in records_of(config, place, end, progress) if (m.offset() or 0) >= first)
