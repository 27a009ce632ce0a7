"""What the tags of a partition should be: the oracle reads its sources in the order that the journal tells.

All events of the partition are read and decoded, since only their values say whose they are and which ids were seen;
but the oracle keeps only those of the customers that the sample wants. Whether an event is a duplicate is decided over
all of the partition's ids, so a sample overlooks none that customers share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from processors.oracle.event import Record, TagValue
from processors.oracle.judge import Judge, OracleChange, is_out_of_time
from processors.oracle.place import partition_of
from processors.oracle.reading import read_record
from processors.rules.tree import RuleSet
from schemas.errors import EventError, StateError
from schemas.outcomes import Outcome
from schemas.records import JournalRecord
from schemas.registry import WriterSchemas
from streams.log import Message, TopicPartition
from streams.order_of_application import Arrived, Source, merged
from streams.partition_records import Tail
from streams.tagger.topics import Topics
from streams.verify.point import Point, first_told
from streams.verify.published import Published
from streams.verify.sample import Sample
from streams.verify.schemas_seen import SchemasSeen

__all__ = ["Clocks", "OnProgress", "Recomputed", "Recomputing"]

Outcomes = Counter[Outcome]

Clocks = Mapping[str, Mapping[str, int]]
"""By customer and id of a record the partition's clock (ms) at which it was applied."""

_Held = tuple[int, bool, int, Record]
"""The clock at which a record was applied, whether it came late, its place in the order of arrival, the record. What
came late stands behind what made the clock so."""

OnProgress = Callable[[int, int], None]
"""Told how many records were judged, and of how many."""
TELL_EVERY: Final = 500
"""Records: the oracle judges some thousands a second."""


@dataclass(slots=True)
class Recomputed:
    """What came of it."""

    tags: Mapping[str, Mapping[str, TagValue]]
    """By customer the tags at the point; customers without tags are left out."""
    changes: Mapping[str, Sequence[OracleChange]]
    """By customer, in order."""
    before_the_cut: frozenset[str]
    """Customers of whom records were applied before the first step that the journal still tells of: they were taken in
    the order of arrival, of which a record that came late to its topic's end makes another one than it was."""
    too_many: frozenset[str]
    """Customers with more records than are computed of one: nothing is said of them."""
    outcomes: Outcomes
    """Of the records in the steps that the journal tells of."""
    events: int
    """How many records were read."""


class _Bench:
    """The oracle at work on one partition."""

    def __init__(
        self,
        topics: Topics,
        partition: int,
        judge: Judge,
        schemas: SchemasSeen,
        sample: Sample,
        most_of_one: int | None,
        clocks: Clocks,
        on_progress: Callable[[int], None],
    ) -> None:
        self.judge = judge
        self.clock = 0
        self.events = 0
        self.outcomes: Outcomes = Counter()
        self.too_many: set[str] = set()
        self._topics = topics
        self._partition = partition
        self.schemas = schemas
        self._sample = sample
        self._most_of_one = most_of_one
        self._clocks = clocks
        self._on_progress = on_progress
        self._held: list[_Held] = []
        self._records: Counter[str] = Counter()
        sample.on_forget(self._forget)

    def read_before_the_cut(self, arrived: Iterator[Arrived]) -> None:
        """Records in the order of arrival; those that are known to have been applied later are."""
        self.read(arrived, hold=True)
        for clock, _, _, record in sorted(self._held, key=lambda held: held[:3]):
            self.judge.apply(record, clock)
        self._held.clear()

    def read(self, arrived: Iterator[Arrived], *, hold: bool = False) -> None:
        """Records in the order in which they were applied; `hold`: which is to be seen later."""
        for record in arrived:
            self.clock = max(self.clock, record.arrival_ms)
            self.events += 1
            if self.events % TELL_EVERY == 0:
                self._on_progress(self.events)
            self.outcomes[self._read(record.source, record.message.value(), hold)] += 1

    def _forget(self, customer_id: str) -> None:
        """The sample does not want the customer any more."""
        self.judge.customers.pop(customer_id, None)
        self._records.pop(customer_id, None)
        self.too_many.discard(customer_id)

    def _read(self, source: int, value: bytes | None, hold: bool) -> Outcome:
        if value is None:
            return Outcome.SKIPPED
        try:
            record = read_record(self._topics.source_types[source], value, self.clock, self.schemas)
        except EventError:
            return Outcome.DEAD
        if partition_of(record.customer_id, self._topics.partitions) != self._partition:
            is_dead = source == self._topics.moved_source or is_out_of_time(record.event_time_ms, self.clock)
            return Outcome.DEAD if is_dead else Outcome.REKEYED
        outcome = self.judge.outcome_of(record, self.clock)
        if outcome in (Outcome.LATE, Outcome.APPLIED) and self._has_room(record.customer_id):
            clock = self._clocks.get(record.customer_id, {}).get(record.event_id, 0) if hold else 0
            if hold and self._clocks:
                self._held.append((max(clock, self.clock), clock > self.clock, len(self._held), record))
            else:
                self.judge.apply(record, self.clock)
        return outcome

    def computes(self, customer_id: str) -> bool:
        """Whether all that was wanted of the customer was computed."""
        return self._sample.wants(customer_id) and customer_id not in self.too_many

    def _has_room(self, customer_id: str) -> bool:
        """Whether the customer is to be computed, with one more record."""
        if not self._sample.wants(customer_id):
            return False
        self._records[customer_id] += 1
        if self._most_of_one is not None and self._records[customer_id] > self._most_of_one:
            self.too_many.add(customer_id)
            self.judge.customers.pop(customer_id, None)
            return False
        return True


@dataclass(frozen=True, slots=True)
class Recomputing:
    """What the oracle works with, whichever partition it is."""

    config: dict[str, Any]
    """For consumers."""
    topics: Topics
    rule_set: RuleSet
    writers: WriterSchemas
    dedupe_max_ids: int
    """Of event ids, where the journal does not tell how many the tagger remembers."""
    erasure_term_ms: int
    """Of erasures, where the journal does not tell how long the tagger remembers them."""
    most_of_one: int | None
    """Records of one customer; None: no bound."""

    def run(
        self, partition: int, published: Published, sample: Sample, clocks: Clocks, on_progress: OnProgress
    ) -> Recomputed:
        """The tags at the point of `published`. `clocks`: of records before the journal's cut, where they are known.

        Raises KafkaError; StateError TS-S106 if the rules are others, TS-S107 if events are gone that were applied.
        """
        point = published.point
        if point.rule_version != self.rule_set.version:
            theirs, ours = point.rule_version, self.rule_set.version
            raise StateError(
                "TS-S106", f"Partition {partition}: what is published is by rules {theirs}, in force are {ours}"
            )
        begin = _begin(published)
        places = self.topics.sources_of(partition)
        tails = [Tail(self.config, place, lambda records: None) for place in places]
        try:
            _check_reach(tails, begin, point)
            sources = [Source(place, _applied(tail, begin, point)) for place, tail in enumerate(tails)]
            judge = Judge(self.rule_set, point.clock, asks_why=False)
            judge.sightings.most = self.dedupe_max_ids
            judge.erasures.term_ms = self.erasure_term_ms
            total = sum(max(0, point.next.get(p.topic, 0) - begin.get(p.topic, 0)) for p in places)
            bench = _Bench(
                *(self.topics, partition, judge, SchemasSeen(self.writers), sample, self.most_of_one, clocks),
                lambda done: on_progress(done, total),
            )
            recomputed = _apply(bench, places, sources, published)
            # also of what was deleted while it was read
            _check_reach(tails, begin, point)
            return recomputed
        finally:
            for tail in tails:
                tail.close()


def _apply(
    bench: _Bench, places: Sequence[TopicPartition], sources: Sequence[Source], published: Published
) -> Recomputed:
    """All that is in the journal up to the point."""
    judge = bench.judge
    records = [entry.record for entry in published.entries]
    if published.journal_is_cut:
        first = first_told(records)
        bench.read_before_the_cut(merged(sources, _ends(places, first, before=first.kind != "snapshot")))
        bench.clock = max(bench.clock, first.clock_before)
    before_the_cut = frozenset(judge.customers.keys() | judge.erasures.customers())
    bench.outcomes.clear()
    for record in records:
        if record.kind == "claim":
            judge.sightings.most = record.dedupe_max_ids or judge.sightings.most
            judge.erasures.term_ms = record.erasure_term_ms or judge.erasures.term_ms
        elif record.kind == "step":
            bench.schemas.begin(record.found_schemas)
            bench.read(merged(sources, _ends(places, record, before=False)))
            bench.clock = max(bench.clock, record.clock_after)
    judge.let_time_pass(published.point.clock)
    changes: dict[str, list[OracleChange]] = defaultdict(list)
    for change in judge.result.changes:
        if bench.computes(change.customer_id):
            changes[change.customer_id].append(change)
    return Recomputed(judge.held(), changes, before_the_cut, frozenset(bench.too_many), bench.outcomes, bench.events)


def _ends(places: Sequence[TopicPartition], record: JournalRecord, *, before: bool) -> list[int]:
    """Up to where each source had been applied, before or behind a step."""
    of = {source.topic: source.first if before else source.next for source in record.sources}
    return [of.get(place.topic, 0) for place in places]


def _begin(published: Published) -> dict[str, int]:
    """By topic the first offset that was ever applied, as far as the journal tells; a snapshot's record tells it."""
    records = [entry.record for entry in published.entries]
    told = [r for r in records if r.kind == "snapshot"]
    if not published.journal_is_cut:
        told = [r for r in records if r.kind in ("step", "snapshot")]
    begin: dict[str, int] = {}
    for record in told:
        for source in record.sources:
            begin.setdefault(source.topic, source.first)
    return begin


def _applied(tail: Tail, begin: dict[str, int], point: Point) -> Iterator[Message]:
    """A source's records from its first one that was applied to the last one by the point."""
    first, end = begin.get(tail.place.topic, 0), point.next.get(tail.place.topic, 0)
    if first < end:
        yield from (message for message in tail.before(end) if (message.offset() or 0) >= first)


def _check_reach(tails: Sequence[Tail], begin: dict[str, int], point: Point) -> None:
    """Raise StateError TS-S107 if a source does not reach back to the first of its events that was applied."""
    gone = []
    for tail in tails:
        topic = tail.place.topic
        lost = min(tail.oldest(), point.next.get(topic, 0)) - begin.get(topic, 0)
        if lost > 0:
            gone.append(f"the first {lost} of {topic}")
    if gone:
        partition = tails[0].place.partition
        raise StateError("TS-S107", f"Partition {partition}: of what was applied are gone {', '.join(gone)}")
