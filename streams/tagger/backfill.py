"""What other rules say, written out: the difference between what is published and what the work's rules say.

Each customer whose tags differ gets changes with origin `backfill` and one run_id, in bounded transactions, each with a
changeover record in the journal; the last one says that it is done. If that is interrupted, the next start finds the
rest of the difference.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Final, NamedTuple

from processors.changes import op_of_values
from processors.partition import ENGINE_VERSION
from schemas.outcomes import Outcome
from schemas.records import Change, Current, JournalRecord, SourceRange, TagValue, Value, change_id
from streams.log import Batch, Log, Stamp, Transaction
from streams.tagger.journal import DONE
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["Different", "Tags", "against_published", "backfill"]

CUSTOMERS_PER_TRANSACTION: Final = 5_000
"""A transaction of some 10,000 changes takes some 100 ms; readers wait no longer than that for what comes behind."""

Tags = dict[str, Value]


class Different(NamedTuple):
    """A customer of whom something else is published than the rules say."""

    customer_id: str
    seq: int
    """Of their last change, 0 if none is known."""
    before: Tags
    """As published."""
    after: Tags


def backfill(
    log: Log, topics: Topics, work: Work, found: Iterable[list[Different]], now_ms: int
) -> Generator[None, None, Stamp]:
    """Write the differences out, as they are found, a piece at a time. `now_ms` is stamped on the changes.

    Yields between bounded pieces; raises Fenced, KafkaError. Returns the stamp of the last record in the journal.
    """
    run_id = f"{work.rule_set.version}-{work.partition}-{work.epoch}-{work.number}"
    customers = 0
    waiting: list[Different] = []
    for piece in found:
        waiting += piece
        if len(waiting) >= CUSTOMERS_PER_TRANSACTION:
            customers += len(waiting)
            _write(log, topics, work, waiting, run_id, now_ms, f"backfill {run_id}: {len(waiting)} customers")
            waiting = []
        yield
    customers += len(waiting)
    return _write(log, topics, work, waiting, run_id, now_ms, f"{DONE} {run_id}: {customers} customers")


def against_published(work: Work, published: dict[str, Current]) -> Iterator[list[Different]]:
    """The customers for whom tags.current says something else than the state, in order of id."""
    tags_now = work.tags_by_customer()
    customer_ids = sorted(tags_now.keys() | published.keys())
    for start in range(0, len(customer_ids), CUSTOMERS_PER_TRANSACTION):
        found = []
        for customer_id in customer_ids[start : start + CUSTOMERS_PER_TRANSACTION]:
            current = published.get(customer_id)
            before = {} if current is None else {t.tag: t.value for t in current.tags}
            after = tags_now.get(customer_id, {})
            if before != after:
                found.append(Different(customer_id, 0 if current is None else current.seq, before, after))
        yield found


def _changes(work: Work, different: Different, run_id: str, now_ms: int) -> list[Change]:
    """The customer's changes, in order of tag; their numbers go on from the partition's."""
    engine = work.engine
    customer_id, prev, before, after = different
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


def _write(log: Log, topics: Topics, work: Work, found: list[Different], run_id: str, now_ms: int, note: str) -> Stamp:
    """One transaction with its changeover record; offsets do not move."""
    changes, current = [], []
    for different in found:
        made = _changes(work, different, run_id, now_ms)
        changes += made
        current.append(_current(work, different.customer_id, different.after, made[-1].seq))
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
        note=note,
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
    (stamp,) = log.transact(transaction)
    return stamp
