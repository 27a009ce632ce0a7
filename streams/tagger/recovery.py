"""Taking a partition: claim it, then fold its journal, so that its state is that of a run without the crash.

1. The group's committed offsets, once they are stable.
2. A *claim* in the journal, in a transaction with those same offsets; its offset is the epoch. With it goes `@clock`.
3. The journal up to the own claim. Reading "to the end" would be no barrier: a record of the previous owner may lie in
   a transaction that is still open, and the claim waits behind it. Records of an older epoch behind a claim are a
   zombie's and are ignored.
4. Each step again, from the very same offsets, output off, digests compared.
5. If other rules were in force, or ever changed: the difference to what is published (backfill.py).

Everything here is a generator that yields between bounded pieces of work, so that other partitions go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from processors import layout as L
from processors.partition import ENGINE_VERSION, UNLIMITED
from schemas.errors import StateError
from schemas.outcomes import Outcome
from schemas.records import CLAIM_EPOCH, CLOCK_KEY, Current, JournalRecord, SourceRange
from streams import metrics
from streams.log import Log, Message, Outgoing, Reader, Stamp, TopicPartition, Transaction
from streams.tagger.journal import Epochs, journal_record
from streams.tagger.sources import Source
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["Recovered", "read_current", "recover"]

_LOG = structlog.get_logger(__name__)

READ_MOST: Final = 10_000
READ_WAIT_S: Final = 0.05
SILENT_READS: Final = 1_200
"""Empty reads in a row, a minute, after which what should be there is taken as gone."""


@dataclass(slots=True)
class Recovered:
    """A partition as it was taken."""

    work: Work
    stamp: Stamp
    """Of the claim: the broker's time, and the epoch."""
    published: dict[str, Current] = field(default_factory=dict)
    """What tags.current says of each customer; read only if the rules have changed at some time."""
    changed: bool = False
    """Whether the rules in force now are not those of the journal's last record."""


def claim(log: Log, topics: Topics, partition: int, make: Callable[[dict[TopicPartition, int]], Work]) -> Recovered:
    """Steps 1 and 2. `make` builds the partition's work at the given positions. Raises Fenced, KafkaError."""
    places = topics.sources_of(partition)
    committed = log.committed(places)
    offsets = {}
    for place in places:
        known = committed[place]
        offsets[place] = log.extent(place)[0] if known is None else known
    work = make(offsets)
    record = JournalRecord(
        kind="claim",
        epoch=CLAIM_EPOCH,
        step=0,
        partition=partition,
        sources=tuple(SourceRange(p.topic, o, o) for p, o in offsets.items()),
        clock_before=0,
        clock_after=0,
        rule_version=work.rule_set.version,
        engine_version=ENGINE_VERSION,
        timers_fired=0,
        outcomes=(0,) * len(Outcome),
        last_seq=0,
        digest=0,
    )

    def clock_record(stamps: Sequence[Stamp]) -> list[Outgoing]:
        work.epoch = stamps[0].offset
        return [Outgoing(topics.current, partition, CLOCK_KEY.encode(), work.clock_value())]

    claimed = Transaction(offsets=offsets, stamped=[work.journal_value(record)], then=clock_record)
    (stamp,) = log.transact(claimed)
    return Recovered(work, stamp)


def recover(log: Log, topics: Topics, recovered: Recovered) -> Iterator[None]:
    """Steps 3 to 5. Raises StateError if the state cannot be had."""
    work = recovered.work
    committed = work.offsets()
    records = yield from _journal(log, topics, work)
    if not records:
        yield from _first_start(log, topics, work)
        return
    start = {s.place.topic: _start_of(records, s.place.topic) for s in work.sources}
    for source in work.sources:
        source.next = start[source.place.topic]
        if source.next < log.extent(source.place)[0] and source.next < committed[source.place]:
            raise StateError("TS-S104", f"{source.place.topic}[{source.place.partition}] begins after {source.next}")
    yield from _fold(log, work, records)
    work.number = records[-1].step
    versions = {(r.rule_version, r.engine_version) for r in records} | {(work.rule_set.version, ENGINE_VERSION)}
    if len(versions) > 1 or any(r.kind == "changeover" for r in records):
        work.engine.set_seq(records[-1].last_seq)
        recovered.published = yield from read_current(log, topics, work)
        recovered.changed = records[-1].rule_version != work.rule_set.version
        # the fold numbered its own changes, which were never published
        work.engine.state.m[work.engine.rows() + L.ROW_SEQ] = 0
        for customer_id, current in recovered.published.items():
            work.engine.set_customer_seq(customer_id, current.seq)


def _start_of(records: list[JournalRecord], topic: str) -> int:
    """Offset from which the journal applied a topic."""
    return next(s.first for r in records for s in r.sources if s.topic == topic)


def _journal(log: Log, topics: Topics, work: Work) -> Generator[None, None, list[JournalRecord]]:
    """Steps and changeovers that count, up to the own claim."""
    place = TopicPartition(topics.journal, work.partition)
    low, _ = log.extent(place)
    records: list[JournalRecord] = []
    epochs = Epochs()
    for messages in _until(log.reader(place, low), work.epoch):
        for message in messages:
            record = journal_record(place, message)
            if epochs.counts(message.offset() or 0, record):
                records.append(record)
            elif record.kind != "claim":
                _LOG.warning("journal.older_epoch_ignored", partition=work.partition, offset=message.offset())
        yield
    return records


def _until(reader: Reader, last: int) -> Iterator[list[Message]]:
    """Messages up to the one at offset `last`, inclusive, in pieces. Raises StateError if it never comes."""
    silent = 0
    try:
        while True:
            messages = reader.read(READ_MOST, READ_WAIT_S)
            silent = 0 if messages else silent + 1
            if silent > SILENT_READS:
                raise StateError("TS-S103", f"The record at offset {last} does not come")
            kept = [m for m in messages if (m.offset() or 0) <= last]
            yield kept
            if messages and (messages[-1].offset() or 0) >= last:
                return
    finally:
        reader.close()


def _first_start(log: Log, topics: Topics, work: Work) -> Iterator[None]:
    """No journal: nothing may be published either. Raises StateError TS-S101."""
    published = yield from read_current(log, topics, work)
    if published:
        raise StateError("TS-S101", f"Partition {work.partition}: tags of {len(published)} customers are published")


def read_current(log: Log, topics: Topics, work: Work) -> Generator[None, None, dict[str, Current]]:
    """What tags.current says of each customer, up to the own `@clock`. Returns a dict by customer_id."""
    place = TopicPartition(topics.current, work.partition)
    low, _ = log.extent(place)
    published: dict[str, Current] = {}
    reader = log.reader(place, low)
    silent = 0
    try:
        while silent <= SILENT_READS:
            messages = reader.read(READ_MOST, READ_WAIT_S)
            silent = 0 if messages else silent + 1
            for message in messages:
                value = message.value()
                if value is None:
                    published.pop((message.key() or b"").decode(), None)
                    continue
                current = Current.from_value(value)
                if not current.is_clock:
                    published[current.customer_id] = current
                elif current.epoch == work.epoch:
                    return published
            yield
    finally:
        reader.close()
    raise StateError("TS-S103", f"{place.topic}[{place.partition}] lacks the own @clock")


def _fold(log: Log, work: Work, records: list[JournalRecord]) -> Iterator[None]:
    """Apply each step of the journal again."""
    readers = [log.reader(s.place, s.next) for s in work.sources]
    try:
        for record in records:
            if record.kind == "changeover":
                continue
            counts = []
            for source, reader, wanted in zip(work.sources, readers, _ranges(work, record), strict=True):
                counts.append((yield from _have(source, reader, wanted)))
            same_rules = record.rule_version == work.rule_set.version
            # other rules had other timers: theirs do not say how many of ours fire
            budget = record.timers_fired if same_rules else UNLIMITED
            _, _, output = work.decide(counts, sum(counts), record.clock_after, budget, record.found_schemas)
            if same_rules and record.engine_version == ENGINE_VERSION:
                _compare(work, record, output.digest, output.outcomes)
            elif same_rules and output.digest != record.digest:
                metrics.DIGEST_MISMATCHES.labels("other").inc()
                _LOG.warning("journal.digest_of_other_engine_differs", partition=work.partition, step=record.step)
            yield
    finally:
        for reader in readers:
            reader.close()


def _ranges(work: Work, record: JournalRecord) -> list[SourceRange]:
    """The record's ranges in the order of the sources; a topic that it does not know yet was not read."""
    by_topic = {s.topic: s for s in record.sources}
    return [by_topic.get(s.place.topic, SourceRange(s.place.topic, s.next, s.next)) for s in work.sources]


def _have(source: Source, reader: Reader, wanted: SourceRange) -> Generator[None, None, int]:
    """Read until every record of the range is in hand. Returns how many there are."""
    silent = 0
    while wanted.next > wanted.first and source.fetch_from < wanted.next:
        messages = reader.read(READ_MOST, READ_WAIT_S)
        if messages:
            source.add(messages)
        silent = 0 if messages else silent + 1
        if silent > SILENT_READS:
            raise StateError("TS-S104", f"{source.place.topic}[{source.place.partition}] ends before {wanted.next}")
        yield
    if wanted.next <= wanted.first:
        return 0
    if source.messages and (source.messages[0].offset() or 0) != wanted.first:
        raise StateError("TS-S104", f"{source.place.topic}[{source.place.partition}] lacks offset {wanted.first}")
    return source.before(wanted.next)


def _compare(work: Work, record: JournalRecord, digest: int, outcomes: tuple[int, ...]) -> None:
    """Raise StateError TS-S102 if the same engine made something else of the same step."""
    if digest == record.digest and outcomes == record.outcomes:
        return
    raise StateError(
        "TS-S102",
        f"Partition {work.partition}, step {record.step}: digest {digest} for {record.digest}, "
        f"outcomes {outcomes} for {record.outcomes}",
    )
