"""After the rules have changed: the difference between what is published and what the new rules say, written out.

The state was computed by the new rules from the sources; `tags.current` says what the old ones published. Each customer
whose tags differ gets changes with origin `backfill` and one run_id, in bounded transactions, each with a changeover
record in the journal. If that is interrupted, the next start finds the rest of the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processors.changes import op_of_values
from processors.partition import ENGINE_VERSION
from schemas.outcomes import Outcome
from schemas.records import Change, Current, JournalRecord, SourceRange, TagValue, Value, change_id
from streams.log import Batch, Log, Transaction
from streams.tagger.recovery import Recovered
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["backfill"]

CUSTOMERS_PER_TRANSACTION: Final = 5_000
"""A transaction of some 10,000 changes takes some 100 ms; readers wait no longer than that for what comes behind."""


def backfill(log: Log, topics: Topics, recovered: Recovered, now_ms: int) -> Iterator[None]:
    """Write the difference out. Yields between transactions; raises Fenced, KafkaError."""
    work = recovered.work
    different = _different(work, recovered.published)
    run_id = f"{work.rule_set.version}-{work.partition}-{work.epoch}"
    for start in range(0, len(different), CUSTOMERS_PER_TRANSACTION):
        changes, current = [], []
        for customer_id, before, after in different[start : start + CUSTOMERS_PER_TRANSACTION]:
            made = _changes(work, recovered, customer_id, before, after, run_id, now_ms)
            changes += made
            current.append(_current(work, customer_id, after, made[-1].seq))
        _write(log, topics, work, changes, current, run_id)
        yield
    if recovered.changed and not different:
        _write(log, topics, work, [], [], run_id)


Tags = dict[str, Value]


def _different(work: Work, published: dict[str, Current]) -> list[tuple[str, Tags, Tags]]:
    """(customer, tags published, tags now) of each customer for whom they differ, in order of id."""
    tags_now = work.tags_by_customer()
    found = []
    for customer_id in sorted(tags_now.keys() | published.keys()):
        before = {t.tag: t.value for t in published[customer_id].tags} if customer_id in published else {}
        after = tags_now.get(customer_id, {})
        if before != after:
            found.append((customer_id, before, after))
    return found


def _changes(
    work: Work, recovered: Recovered, customer_id: str, before: Tags, after: Tags, run_id: str, now_ms: int
) -> list[Change]:
    """The customer's changes, in order of tag; their numbers go on from the partition's."""
    engine = work.engine
    prev = recovered.published[customer_id].seq if customer_id in recovered.published else 0
    made = []
    for tag in sorted(before.keys() | after.keys()):
        was, now = before.get(tag), after.get(tag)
        if was == now:
            continue
        engine.set_seq(engine.seq + 1)
        made.append(
            Change(
                id=change_id(work.partition, engine.seq),
                customer_id=customer_id,
                tag=tag,
                op=op_of_values(was, now),
                before=was,
                after=now,
                effective_at=engine.clock,
                emitted_at=now_ms,
                seq=engine.seq,
                prev_seq=prev,
                rule_version=work.rule_set.version,
                epoch=work.epoch,
                origin="backfill",
                run_id=run_id,
                cause=engine.clock,
            )
        )
        prev = engine.seq
    engine.set_customer_seq(customer_id, prev)
    return made


def _current(work: Work, customer_id: str, after: Tags, seq: int) -> Current:
    return Current(
        customer_id=customer_id,
        partition=work.partition,
        epoch=work.epoch,
        seq=seq,
        clock=work.engine.clock,
        rule_version=work.rule_set.version,
        tags=tuple(TagValue(tag, value) for tag, value in sorted(after.items())),
    )


def _write(log: Log, topics: Topics, work: Work, changes: list[Change], current: list[Current], run_id: str) -> None:
    """One transaction with its changeover record; offsets do not move."""
    work.number += 1
    work.digest = 0
    clock = work.engine.clock
    record = JournalRecord(
        kind="changeover",
        epoch=work.epoch,
        step=work.number,
        partition=work.partition,
        sources=tuple(SourceRange(s.place.topic, s.next, s.next) for s in work.sources),
        clock_before=clock,
        clock_after=clock,
        rule_version=work.rule_set.version,
        engine_version=ENGINE_VERSION,
        timers_fired=0,
        outcomes=(0,) * len(Outcome),
        last_seq=work.engine.seq,
        digest=work.digest,
        note=f"backfill {run_id}: {len(changes)} changes of {len(current)} customers",
    )
    encode = work.encode
    transaction = Transaction(
        offsets=work.offsets(),
        batches=[
            Batch(topics.changes, work.partition, [(c.customer_id.encode(), encode(c)) for c in changes]),
            Batch(topics.current, work.partition, [(c.customer_id.encode(), encode(c)) for c in current]),
        ],
        stamped=[work.journal_value(record)],
    )
    log.transact(transaction)
