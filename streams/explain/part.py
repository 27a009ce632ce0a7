"""What the topics hold of one customer, as far as the tagger has applied it.

A partition's records are all read, and those kept in which the customer's id stands; one or another may be somebody
else's, which does no harm. The journal says which records were applied in which step, so that they come in the same
order, at the same times and with the same clock as they did for the tagger.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from processors.hashing import partition_of_key
from schemas.errors import EventError
from schemas.records import Change, JournalRecord
from streams.log import Message, TopicPartition
from streams.partition_records import Progress, records_of
from streams.sealing import NO_KEYS, Keyring
from streams.settings import KafkaSettings
from streams.tagger.journal import Entry, counted, journal_record
from streams.tagger.topics import Topics

__all__ = ["Kept", "Part", "read_part"]

MOST_CHANGES: Final = 1_000
"""Of the customer's changes the newest are kept."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of a source."""

    offset: int
    arrival_ms: int
    """Raised to that of the record before it, as the tagger does."""
    payload: bytes | None


@dataclass(slots=True)
class Part:
    """A customer's part of their partition."""

    customer_id: str
    partition: int
    steps: list[JournalRecord] = field(default_factory=list)
    """The steps and changeovers of the partition that count, as far back as the journal reaches."""
    cut: bool = False
    """Whether the journal does not reach back to the first step: what came before is taken in the order of arrival."""
    records: list[list[Kept]] = field(default_factory=list)
    """By source, in the order of `Topics.sources`."""
    changes: list[Change] = field(default_factory=list)
    """The newest that were published, oldest first."""
    lost: dict[str, int] = field(default_factory=dict)
    """Topics of which the first records that were applied are gone: how many."""


def read_part(
    kafka: KafkaSettings, topics: Topics, customer_id: str, progress: Progress, keyring: Keyring = NO_KEYS
) -> Part:
    """Read the journal, then the sources as far as it goes, then the changes. Raises KafkaError, StateError."""
    config = {"log_level": 0, **kafka.client_config()}
    part = Part(customer_id, partition_of_key(customer_id.encode(), topics.partitions))
    journal = TopicPartition(topics.journal, part.partition)
    entries = [Entry(m.offset() or 0, journal_record(journal, m)) for m in records_of(config, journal, None, progress)]
    part.steps = [e.record for e in counted(entries) if e.record.kind in ("step", "changeover")]
    part.cut = bool(entries) and entries[0].offset > 0
    for place in topics.sources_of(part.partition):
        part.records.append(_source(config, place, part, progress))
    newest: deque[Change] = deque(maxlen=MOST_CHANGES)
    name = customer_id.encode()
    for message in records_of(config, TopicPartition(topics.changes, part.partition), None, progress):
        if message.key() == name and (change := _change(message)) is not None:
            newest.append(keyring.open_evidence(change))
    part.changes = list(newest)
    return part


def _source(config: dict[str, Any], place: TopicPartition, part: Part, progress: Progress) -> list[Kept]:
    """The customer's records of one source, as far as the journal goes."""
    ranges = [source for step in part.steps for source in step.sources if source.topic == place.topic]
    if not ranges or ranges[-1].next == (0 if part.cut else ranges[0].first):
        return []
    kept, name = [], part.customer_id.encode()
    last_ms, before = -1, 0 if part.cut else ranges[0].first
    for message in records_of(config, place, ranges[-1].next, progress):
        offset = message.offset() or 0
        if last_ms < 0 and offset > before:
            part.lost[place.topic] = offset - before
        last_ms = max(last_ms, message.timestamp()[1])
        if offset >= before and _may_be_of(name, message):
            kept.append(Kept(offset, last_ms, message.value()))
    if last_ms < 0:
        part.lost[place.topic] = ranges[-1].next - before
    return kept


def _may_be_of(name: bytes, message: Message) -> bool:
    """Whether a record may be about the customer: their id stands in it, or is perhaps written with escapes."""
    value = message.value() or b""
    return name in value or (value.startswith(b"{") and b"\\" in value)


def _change(message: Message) -> Change | None:
    try:
        return Change.from_value(message.value() or b"")
    except EventError:
        return None
