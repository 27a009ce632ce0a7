"""Applying again what the journal says was applied: the very same offsets in the very same steps, output off."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence

import structlog

from processors.partition import ENGINE_VERSION, UNLIMITED
from schemas.errors import StateError
from schemas.records import JournalRecord, SourceRange
from streams import metrics
from streams.log import Log
from streams.tagger.journal import Entry
from streams.tagger.patient_reader import PatientReader, Silence
from streams.tagger.sources import Source
from streams.tagger.work import Work

__all__ = ["Fold", "fold"]

_LOG = structlog.get_logger(__name__)


class Fold:
    """Follows a journal, step by step. To be closed."""

    def __init__(self, log: Log, work: Work, compare: bool) -> None:
        """`compare`: whether digests must be those of the journal, for its rules and engine are ours."""
        self._work = work
        self._compare = compare
        self._readers = [PatientReader(log, s.place, s.next) for s in work.sources]
        self._last: JournalRecord | None = None

    def apply(self, record: JournalRecord) -> Iterator[None]:
        """Do again what one record says was done. Yields between bounded pieces. Raises StateError."""
        work = self._work
        if record == self._last and record.kind == "step":
            # the log's own exactly-once has failed (decision 2): it was applied once, and is once
            _LOG.error("journal.step_is_there_twice", partition=work.partition, step=record.step)
            return
        self._last = record
        if record.kind == "claim" and record.dedupe_max_ids:
            work.engine.remember_ids(record.dedupe_max_ids)
        if record.kind == "claim" and record.erasure_term_ms:
            work.engine.remember_erasures(record.erasure_term_ms)
        if record.kind in ("step", "changeover"):
            _check_number(work, record)
        if record.kind == "step":
            yield from _step(work, self._readers, record, self._compare)
        elif record.kind == "changeover":
            work.number = record.step

    def close(self) -> None:
        for reader in self._readers:
            reader.close()


def fold(log: Log, work: Work, entries: Sequence[Entry], compare: bool) -> Iterator[None]:
    """Apply each step among these entries again, as `Fold` does."""
    follower = Fold(log, work, compare)
    try:
        for entry in entries:
            yield from follower.apply(entry.record)
    finally:
        follower.close()


def _check_number(work: Work, record: JournalRecord) -> None:
    """Raise StateError TS-S105 if a step is missing before this one."""
    if record.step != work.number + 1:
        raise StateError("TS-S105", f"Partition {work.partition}: step {record.step} follows {work.number}")


def _step(work: Work, readers: list[PatientReader], record: JournalRecord, compare: bool) -> Iterator[None]:
    counts = []
    for source, reader, wanted in zip(work.sources, readers, _ranges(work, record), strict=True):
        counts.append((yield from _have(source, reader, wanted)))
    same_rules = record.rule_version == work.rule_set.version
    # other rules had other timers: theirs do not say how many of ours fire
    budget = record.timers_fired if same_rules and compare else UNLIMITED
    _, _, output = work.decide(counts, sum(counts), record.clock_after, budget, record.found_schemas)
    if same_rules and compare:
        _compare(work, record, output.digest, output.outcomes)
    yield


def _ranges(work: Work, record: JournalRecord) -> list[SourceRange]:
    """The record's ranges in the order of the sources; a topic that it does not know yet was not read."""
    by_topic = {s.topic: s for s in record.sources}
    return [by_topic.get(s.place.topic, SourceRange(s.place.topic, s.next, s.next)) for s in work.sources]


def _have(source: Source, reader: PatientReader, wanted: SourceRange) -> Generator[None, None, int]:
    """Read until every record of the range is in hand, but for those that are known to be lost. Returns how many."""
    if wanted.next <= source.next:
        return 0
    try:
        while source.fetch_from < wanted.next:
            messages = reader.read()
            if messages:
                source.add(messages)
            yield
    except Silence:
        where = f"{source.place.topic}[{source.place.partition}]"
        raise StateError("TS-S104", f"{where} ends before {wanted.next}") from None
    known_lost = wanted.first < source.lost_before
    if source.messages and not known_lost and (source.messages[0].offset() or 0) != wanted.first:
        raise StateError("TS-S104", f"{source.place.topic}[{source.place.partition}] lacks offset {wanted.first}")
    return source.before(wanted.next)


def _compare(work: Work, record: JournalRecord, digest: int, outcomes: tuple[int, ...]) -> None:
    """Raise StateError TS-S102 if the same engine made something else of the same step."""
    if digest == record.digest and outcomes == record.outcomes:
        return
    if record.engine_version != ENGINE_VERSION:
        metrics.DIGEST_MISMATCHES.labels("other").inc()
        _LOG.warning("journal.digest_of_other_engine_differs", partition=work.partition, step=record.step)
        return
    raise StateError(
        "TS-S102",
        f"Partition {work.partition}, step {record.step}: digest {digest} for {record.digest}, "
        f"outcomes {outcomes} for {record.outcomes}",
    )
