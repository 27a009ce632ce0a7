"""A partition's journal as it is read back: which of its records count, and where each of them stands.

Those count that are of the epoch of the last claim before them. The journal may have been cut behind an old snapshot,
so its first records may stand behind a claim that is gone.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Final, NamedTuple

import structlog

from schemas.errors import EventError, StateError
from schemas.records import CLAIM_EPOCH, JournalRecord
from streams.log import Log, Message, TopicPartition
from streams.tagger.patient_reader import PatientReader, Silence

__all__ = ["BESIDE", "DONE", "Entry", "counted", "in_order_of_steps", "is_published", "journal_record", "read_journal"]

_LOG = structlog.get_logger(__name__)


DONE: Final = "done"
"""With this begins the note of the last record of a changeover: from there on all that is published is by its rules."""
BESIDE: Final = "beside"
"""Note of a snapshot whose rules are not yet those by which all is published."""


class Entry(NamedTuple):
    """One record of the journal."""

    offset: int
    record: JournalRecord


def journal_record(place: TopicPartition, message: Message) -> JournalRecord:
    """Raises StateError TS-S103 if the message is none."""
    try:
        return JournalRecord.from_value(message.value() or b"")
    except EventError as error:
        raise StateError("TS-S103", f"{place.topic}[{place.partition}] at {message.offset()}: {error}") from error


def counted(entries: Iterable[Entry]) -> list[Entry]:
    """Those of the epoch of the last claim before them, claims included. What a zombie wrote does not count.

    Before the first claim that is left, the newest epoch is the owner's.
    """
    entries = list(entries)
    first_claim = next((i for i, e in enumerate(entries) if e.record.kind == "claim"), len(entries))
    epoch = max((e.record.epoch for e in entries[:first_claim]), default=CLAIM_EPOCH)
    kept = []
    for entry in entries:
        if entry.record.kind == "claim":
            epoch = entry.offset
        elif entry.record.epoch != epoch:
            continue
        kept.append(entry)
    return kept


def in_order_of_steps(entries: Iterable[Entry]) -> list[JournalRecord]:
    """All but the claims. A manifest, of an earlier moment than its place in the journal, comes behind its step."""
    records = [e.record for e in entries if e.record.kind != "claim"]
    return sorted(records, key=lambda record: record.step)


def is_published(entries: Iterable[Entry], version: str) -> bool:
    """Whether, as of the last of these entries, all that is published is by the rules of this version."""
    whole = coming = None
    for record in in_order_of_steps(entries):
        note = record.note or ""
        if record.kind == "changeover":
            whole, coming = (record.rule_version, None) if note.startswith(DONE) else (whole, record.rule_version)
        elif note != BESIDE and record.rule_version != coming:
            whole, coming = record.rule_version, None
    return whole == version and coming is None


def read_journal(log: Log, place: TopicPartition, last: int) -> Generator[None, None, list[Entry]]:
    """What counts of a journal up to the record at offset `last`, inclusive. Yields between pieces.

    Raises StateError TS-S103.
    """
    low, _ = log.extent(place)
    entries: list[Entry] = []
    for messages in _until(PatientReader(log, place, low), last):
        entries += (Entry(m.offset() or 0, journal_record(place, m)) for m in messages)
        yield
    kept = counted(entries)
    if len(kept) < len(entries):
        _LOG.warning("journal.older_epochs_ignored", partition=place.partition, records=len(entries) - len(kept))
    return kept


def _until(reader: PatientReader, last: int) -> Iterator[list[Message]]:
    """Messages up to the one at offset `last`, inclusive, in pieces."""
    try:
        while True:
            messages = reader.read()
            yield [m for m in messages if (m.offset() or 0) <= last]
            if messages and (messages[-1].offset() or 0) >= last:
                return
    except Silence:
        raise StateError("TS-S103", f"The record at offset {last} does not come") from None
    finally:
        reader.close()
