"""Reading a snapshot back: the newest whole one that this process can use, or none."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Final

import structlog

from processors.partition import ENGINE_VERSION
from processors.rules.program import I64
from processors.snapshot import FORMAT, Filling
from schemas.errors import StateError
from schemas.records import JournalRecord, Manifest
from streams import metrics
from streams.log import Log, TopicPartition
from streams.sealing import KeyMissing, Keyring, Unreadable
from streams.tagger.journal import Entry
from streams.tagger.patient_reader import PatientReader, Silence
from streams.tagger.snapshots import chunk_key
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["restore"]

_LOG = structlog.get_logger(__name__)

CHUNKS_AT_ONCE: Final = 64


def restore(log: Log, topics: Topics, work: Work, entries: Sequence[Entry]) -> Generator[None, None, Entry | None]:
    """Put the newest usable snapshot's state into `work`, and return its manifest; None if there is none.

    Yields between bounded pieces. What is damaged or of another kind is passed over, with a metric and a warning.
    Raises StateError TS-S109 if it knows erased ids by another key, TS-S110 if it is encrypted under one that we lack.
    """
    journal_begins = log.extent(TopicPartition(topics.journal, work.partition))[0]
    for entry in reversed(entries):
        manifest = entry.record.manifest
        if manifest is None:
            continue
        reason = _unusable(work, entry.record, manifest, journal_begins)
        memory = None
        if reason is None:
            place = TopicPartition(topics.snapshots, work.partition)
            memory = yield from _memory(log, place, entry.record, manifest, work.keyring)
            reason = None if memory is not None else "damaged"
        if memory is not None:
            if not work.engine.can_tell_erased(memory):
                raise StateError("TS-S109", f"Partition {work.partition}, snapshot of step {entry.record.step}")
            _put(work, entry.record, manifest, memory)
            metrics.SNAPSHOTS.labels("restored").inc()
            _LOG.info("snapshot.restored", partition=work.partition, step=entry.record.step)
            return entry
        assert reason is not None
        metrics.SNAPSHOTS.labels(reason).inc()
        _LOG.warning("snapshot.passed_over", partition=work.partition, step=entry.record.step, reason=reason)
    return None


def _unusable(work: Work, record: JournalRecord, manifest: Manifest, journal_begins: int) -> str | None:
    """Why the words would mean something else here, or would not be all, if so."""
    if manifest.journal_next < journal_begins:
        # the steps behind it are gone: the record stands further on, and its chunks are deleted after the journal
        return "journal_cut"
    if (manifest.format, record.engine_version) != (FORMAT, ENGINE_VERSION):
        return "other_format"
    if (record.rule_version, manifest.program) != (work.rule_set.version, work.engine.program_hash):
        return "other_rules"
    return None


def _memory(
    log: Log, place: TopicPartition, record: JournalRecord, manifest: Manifest, keyring: Keyring
) -> Generator[None, None, I64 | None]:
    """Read the chunks. None if not all of them are there as they were written. Raises StateError TS-S110."""
    filling = Filling(manifest.words, manifest.checksums)
    if log.extent(place)[0] > manifest.first:
        return None
    numbers = {chunk_key(place.partition, record.epoch, record.step, n): n for n in range(len(manifest.checksums))}
    reader = PatientReader(log, place, manifest.first)
    position = manifest.first
    try:
        while position < manifest.next:
            for message in reader.read(CHUNKS_AT_ONCE):
                position = (message.offset() or 0) + 1
                key = message.key() or b""
                number = numbers.get(key)
                if number is not None:
                    with suppress(Unreadable):
                        filling.add(number, keyring.open(message.value() or b"", key))
            yield
    except Silence:
        return None
    except KeyMissing as error:
        where = f"Partition {place.partition}, snapshot of step {record.step}, key {error}"
        raise StateError("TS-S110", where) from None
    finally:
        reader.close()
    return filling.memory() if filling.whole else None


def _put(work: Work, record: JournalRecord, manifest: Manifest, memory: I64) -> None:
    """The partition goes on behind the snapshot's step."""
    work.engine.restore(memory)
    work.number = record.step
    ranges = dict(
        zip((s.topic for s in record.sources), zip(record.sources, manifest.arrivals, strict=True), strict=True)
    )
    for source in work.sources:
        known = ranges.get(source.place.topic)
        if known is not None:
            source_range, arrival = known
            source.origin = source_range.first
            source.go_to(source_range.next, arrival)
