"""Taking a partition: claim it, then have its state again, so that it is that of a run without the crash.

1. The group's committed offsets, once they are stable.
2. A *claim* in the journal, in a transaction with those same offsets; its offset is the epoch. With it goes `@clock`.
3. The journal up to the own claim. Reading "to the end" would be no barrier: a record of the previous owner may lie in
   a transaction that is still open, and the claim waits behind it. Records of an older epoch behind a claim are a
   zombie's and are ignored.
4. The rules with which the journal ends; if nobody knows them any more, those in force.
5. The newest whole snapshot (restore.py), then each step behind it again, from the very same offsets, output off,
   digests compared (fold.py). Without a snapshot that can be used: from the events alone (from_events.py).
6. If other rules were in force since, or the state is not the one that was: the difference to what is published
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
from streams.tagger.from_events import begin_with_events, check_reach
from streams.tagger.journal import Entry, in_order_of_steps, is_published, read_journal
from streams.tagger.published import read_current
from streams.tagger.restore import restore
from streams.tagger.rules import Compiled
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["Recovered", "claim", "recover"]

_LOG = structlog.get_logger(__name__)


@dataclass(slots=True)
class Recovered:
    """A partition as it was taken."""

    work: Work
    stamp: Stamp
    """Of the last own record in the journal: of the claim, whose offset is the epoch, or behind it."""
    published: dict[str, Current] = field(default_factory=dict)
    """What tags.current says of each customer; read only if the state may say otherwise."""
    changed: bool = False
    """Whether what is published is not, or not all, by the work's rules."""
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
        erasure_term_ms=work.erasures.term_ms,
    )

    def clock_record(stamps: Sequence[Stamp]) -> list[Outgoing]:
        work.epoch = stamps[0].offset
        return [Outgoing(topics.current, partition, CLOCK_KEY.encode(), work.clock_value())]

    claimed = Transaction(offsets=offsets, stamped=[work.journal_value(record)], then=clock_record)
    (stamp,) = log.transact(claimed)
    return Recovered(work, stamp)


def recover(
    log: Log,
    topics: Topics,
    recovered: Recovered,
    *,
    rules_of: Callable[[str], Compiled | None],
    kept: Work | None = None,
    accept_loss: bool = False,
) -> Iterator[None]:
    """Steps 3 to 6. Raises StateError if the state cannot be had.

    `rules_of`: the rules of a version, if they are still known.

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
    work = _under_the_rules_of(entries, recovered, rules_of)
    base = yield from restore(log, topics, work, entries)
    if base is not None:
        recovered.manifests = [e.record.manifest for e in manifests if e.offset <= base.offset if e.record.manifest]
        as_it_was = not check_reach(log, work, committed, accept_loss)
    else:
        as_it_was = yield from begin_with_events(log, work, entries, committed, accept_loss)
    # what stands behind the state's own step; also of a backfill, whose records stand between a claim and a first step
    behind = [e for e in entries if e.record.step > work.number or e.record.kind == "claim"]
    yield from fold(log, work, behind, compare=as_it_was)
    steps = [e for e in behind if e.record.kind in ("step", "changeover")]
    recovered.records = sum(sum(e.record.outcomes) for e in steps)
    last = (steps or manifests)[-1].record
    recovered.changed = not is_published(entries, work.rule_set.version)
    versions = {(e.record.rule_version, e.record.engine_version) for e in steps}
    versions |= {(work.rule_set.version, ENGINE_VERSION), (last.rule_version, last.engine_version)}
    other = len(versions) > 1 or any(e.record.kind == "changeover" for e in steps)
    if not as_it_was or other or recovered.changed:
        work.engine.set_seq(last.last_seq)
        recovered.published = yield from read_current(log, topics, work)
        # the fold numbered its own changes, which were never published
        work.engine.state.m[work.engine.rows() + L.ROW_SEQ] = 0
        for customer_id, current in recovered.published.items():
            work.engine.set_customer_seq(customer_id, current.seq)


def _under_the_rules_of(
    entries: Sequence[Entry], recovered: Recovered, rules_of: Callable[[str], Compiled | None]
) -> Work:
    """The partition's work, under the rules that its journal ends with if they are known: what other ones say is made
    beside it, once it runs (changeover.py)."""
    version = in_order_of_steps(entries)[-1].rule_version
    if version != recovered.work.rule_set.version:
        rules = rules_of(version)
        if rules is not None:
            recovered.work = recovered.work.under(rules)
    return recovered.work


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


def _first_start(log: Log, topics: Topics, work: Work) -> Iterator[None]:
    """No journal: nothing may be published either. Raises StateError TS-S101."""
    published = yield from read_current(log, topics, work)
    if published:
        raise StateError("TS-S101", f"Partition {work.partition}: tags of {len(published)} customers are published")
