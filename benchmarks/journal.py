"""Follows the journal, which says of each step what it applied and, by the broker's clock, when it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from schemas.outcomes import Outcome
from schemas.records import JournalRecord
from streams import topics
from streams.settings import KafkaSettings

__all__ = ["Entry", "Journal"]

WAIT_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed record of the journal."""

    stamp_ms: int
    """When the broker wrote it."""
    record: JournalRecord

    @property
    def events(self) -> int:
        """Records read in this step."""
        return sum(self.record.outcomes)


class Journal:
    """All partitions from their beginning. `close` it."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._consumer = Consumer(
            {
                **kafka.client_config(),
                "log_level": 0,
                "group.id": "bench-journal",
                "isolation.level": "read_committed",
            }
        )
        name = topics.JOURNAL.named(kafka)
        self._consumer.assign([TopicPartition(name, p, 0) for p in range(kafka.partitions)])
        self.entries: list[Entry] = []

    def read(self) -> None:
        """Take what has come; waits a moment if there is nothing."""
        for message in self._consumer.consume(1_000, WAIT_S):
            if message.error() is None:
                record = JournalRecord.from_value(message.value() or b"")
                self.entries.append(Entry(message.timestamp()[1], record))

    def events_now(self) -> int:
        """Records read in all steps, those that have just come among them."""
        self.read()
        return sum(e.events for e in self.entries)

    def settled(self, most_timers: int) -> bool:
        """Whether no partition's last step left timers to the next one; `most_timers`: the bound per step."""
        last = {e.record.partition: e.record for e in self.entries if e.record.kind == "step"}
        return all(record.timers_fired < most_timers for record in last.values())

    def has_claim_now(self) -> bool:
        """Whether a partition has been taken."""
        self.read()
        return bool(self.claims)

    @property
    def claims(self) -> list[Entry]:
        """One for each partition that was taken."""
        return [e for e in self.entries if e.record.kind == "claim"]

    @property
    def steps(self) -> list[Entry]:
        """In order of time."""
        return sorted((e for e in self.entries if e.record.kind == "step"), key=lambda e: e.stamp_ms)

    @property
    def outcomes(self) -> dict[str, int]:
        """What became of the records."""
        return {o.name.lower(): sum(e.record.outcomes[o] for e in self.entries) for o in Outcome}

    @property
    def changes(self) -> int:
        """Changes numbered so far."""
        last: dict[int, int] = {}
        for entry in self.entries:
            last[entry.record.partition] = max(last.get(entry.record.partition, 0), entry.record.last_seq)
        return sum(last.values())

    def close(self) -> None:
        self._consumer.close()
