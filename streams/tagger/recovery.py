"""Taking a partition: claim it, then have its state again, so that it is that of a run without the crash.

1. The group's committed offsets, once they are stable.
2. A *claim* in the journal, in a transaction with those same offsets; its offset is the epoch. With it goes `@clock`.
3. The journal up to the own claim. Reading "to the end" would be no barrier: a record of the previous owner may lie in
   a transaction that is still open, and the claim waits behind it. Records of an older epoch behind a claim are a
   zombie's and are ignored.
4. The newest whole snapshot (restore.py), then each step behind it again, from the very same offsets, output off,
   digests compared (fold.py). Without a snapshot that can be used, and with a journal that was cut behind one: the
   events themselves first (rebuild.py).
5. If other rules were in force, or ever changed, or the state was rebuilt: the difference to what is published
   (backfill.py).

Everything here is a generator that yields between bounded pieces of work, so that other partitions go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from processors import layout as L
from processors.partition import ENGINE_VERSION
from schemas.errors import StateError
from schemas.outcomes import Outcome
from schemas.records import CLAIM_EPOCH, CLOCK_KEY, Current, JournalRecord, Manifest, SourceRange
from streams.log import Log, Outgoing, Stamp, TopicPartition, Transaction
from streams.tagger.fold import fold
from streams.tagger.journal import read_journal
from streams.tagger.published import read_current
from streams.tagger.rebuild import rebuild
from streams.tagger.restore import restore
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["Recovered", "claim", "recover"]

_LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class Recovered:
    """A partition as it was taken."""

    work: Work
    stamp: Stamp
    """Of the claim: the broker's time, and the epoch."""
    published: dict[str, Current] = field(default_factory=dict)
    """What tags.current says of each customer; read only if the state may say otherwise."""
    changed: bool = False
    """Whether the rules in force now are not those of the journal's last record."""
    manifests: list[Manifest] = field(default_factory=list)
    """The newest snapshots that are whole, older first."""
    records: int = 0
    """Applied behind the newest of them."""


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
        dedupe_max_ids=work.dedupe_max_ids,
    )

    def clock_record(stamps: Sequence[Stamp]) -> list[Outgoing]:
        work.epoch = stamps[0].offset
        return [Outgoing(topics.current, partition, CLOCK_KEY.encode(), work.clock_value())]

    claimed = Transaction(offsets=offsets, stamped=[work.journal_value(record)], then=clock_record)
    (stamp,) = log.transact(claimed)
    return Recovered(work, stamp)


def recover(
    log: Log, topics: Topics, recovered: Recovered, *, kept: Work | None = None, accept_loss: bool = False
) -> Iterator[None]:
    """Steps 3 to 5. Raises StateError if the state cannot be had.

    `kept`: the partition as this process had it before a rebalance, which is taken up if nobody has stepped it since.
    `accept_loss`: go on though events are gone from which the state would have to be made.
    """
    work = recovered.work
    committed = work.offsets()
    journal = TopicPartition(topics.journal, work.partition)
    entries = yield from read_journal(log, journal, work.epoch)
    steps = [e for e in entries if e.record.kind in ("step", "changeover")]
    manifests = [e for e in entries if e.record.manifest is not None]
    if not steps and not manifests:
        yield from _first_start(log, topics, work)
        return
    if kept is not None and steps and _is_as_it_was(kept, committed, steps[-1].record):
        _take_up(recovered, kept)
        return
    base = yield from restore(log, topics, work, entries)
    rebuilt = base is None and log.extent(journal)[0] > 0
    if base is not None:
        recovered.manifests = [e.record.manifest for e in manifests if e.offset <= base.offset if e.record.manifest]
        lost = _check_reach(log, work, committed, accept_loss)
    else:
        # a manifest is of an earlier moment than its place in the journal: without steps, only the newest is where the
        # journal ends
        first = (steps or manifests[-1:])[0].record
        _go_to_the_beginning(work, (manifests or steps)[0].record, first, rebuilt)
        lost = _check_reach(log, work, committed, accept_loss)
        if rebuilt:
            _LOG.warning("journal.cut_and_no_snapshot", partition=work.partition, from_step=first.step)
            until = {s.topic: s.first if first.manifest is None else s.next for s in first.sources}
            yield from rebuild(log, work, until, first.clock_before)
        work.number = first.step - (first.manifest is None)
    # what stands behind the state's own step; also of a backfill, whose records stand between a claim and a first step
    entries = [e for e in entries if e.record.step > work.number or e.record.kind == "claim"]
    as_it_was = not rebuilt and not lost
    yield from fold(log, work, entries, compare=as_it_was)
    steps = [e for e in entries if e.record.kind in ("step", "changeover")]
    recovered.records = sum(sum(e.record.outcomes) for e in steps)
    last = (steps or manifests)[-1].record
    versions = {(e.record.rule_version, e.record.engine_version) for e in steps}
    versions |= {(work.rule_set.version, ENGINE_VERSION), (last.rule_version, last.engine_version)}
    if not as_it_was or len(versions) > 1 or any(e.record.kind == "changeover" for e in steps):
        work.engine.set_seq(last.last_seq)
        recovered.published = yield from read_current(log, topics, work)
        recovered.changed = last.rule_version != work.rule_set.version
        # the fold numbered its own changes, which were never published
        work.engine.state.m[work.engine.rows() + L.ROW_SEQ] = 0
        for customer_id, current in recovered.published.items():
            work.engine.set_customer_seq(customer_id, current.seq)


def _is_as_it_was(kept: Work, committed: dict[TopicPartition, int], last: JournalRecord) -> bool:
    """Whether the journal's last step is the last one of this state."""
    ours = (kept.epoch, kept.number, kept.digest, kept.rule_set.version)
    return ours == (last.epoch, last.step, last.digest, last.rule_version) and kept.offsets() == committed


def _take_up(recovered: Recovered, kept: Work) -> None:
    """Go on with this state, under the new claim."""
    kept.epoch = recovered.work.epoch
    for source in kept.sources:
        source.go_to(source.next, source.applied_arrival)
    recovered.work = kept


def _go_to_the_beginning(work: Work, origin: JournalRecord, first: JournalRecord, rebuilt: bool) -> None:
    """Without a snapshot: where the journal's first step begins, or, if the journal is cut, the partition's state."""
    for source in work.sources:
        source.origin = _first_of(origin, source.place.topic, source.next)
        source.next = source.origin if rebuilt else _first_of(first, source.place.topic, source.next)


def _first_of(record: JournalRecord, topic: str, otherwise: int) -> int:
    """Offset of a topic from which a record applies it."""
    return next((s.first for s in record.sources if s.topic == topic), otherwise)


def _check_reach(log: Log, work: Work, committed: dict[TopicPartition, int], accept_loss: bool) -> bool:
    """Whether events are gone that must be applied again: go on behind them, or raise StateError TS-S104."""
    gone = []
    for source in work.sources:
        low, place = log.extent(source.place)[0], source.place
        if source.next < low and source.next < committed[place]:
            gone.append(f"{place.topic}[{place.partition}] lacks offsets {source.next} to {low - 1}")
            source.go_to(low, source.applied_arrival)
            source.lost_before = low
    if gone and not accept_loss:
        raise StateError("TS-S104", "; ".join(gone))
    for what in gone:
        _LOG.error("sources.events_lost", partition=work.partition, lost=what)
    return bool(gone)


def _first_start(log: Log, topics: Topics, work: Work) -> Iterator[None]:
    """No journal: nothing may be published either. Raises StateError TS-S101."""
    published = yield from read_current(log, topics, work)
    if published:
        raise StateError("TS-S101", f"Partition {work.partition}: tags of {len(published)} customers are published")
