"""What the topics say happened: the whole journal, what of it counts, and the order in which records were applied."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.records import CLAIM_EPOCH, JournalRecord
from streams.log import TopicPartition
from streams.tagger.topics import Topics
from tests.simulation.record import Record

__all__ = ["Applied", "Archive", "Chronicle"]


class Archive:
    """All records that ever were in a partition, those that were cut off included."""

    def __init__(self) -> None:
        self.cut: dict[TopicPartition, list[Record]] = {}

    def of(self, place: TopicPartition, present: list[Record]) -> list[Record]:
        return [*self.cut.get(place, ()), *present]


@dataclass(frozen=True, slots=True)
class Applied:
    """One record of a partition, as the journal says that it was applied."""

    place: TopicPartition
    record: Record
    arrival_ms: int
    """Its timestamp, raised to the last one of its topic."""
    clock_ms: int
    """The partition's clock when it was applied."""


class Chronicle:
    """The journal of each partition from its beginning."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._decoded: dict[tuple[int, int], JournalRecord] = {}

    def journal(self, partition: int, records: list[Record]) -> list[tuple[int, JournalRecord]]:
        """All of it by offset, whether it counts or not."""
        found = []
        for record in records:
            key = partition, record.at_offset
            if key not in self._decoded:
                self._decoded[key] = JournalRecord.from_value(record.given_value or b"")
            found.append((record.at_offset, self._decoded[key]))
        return found

    def counted(self, partition: int, records: list[Record]) -> list[JournalRecord]:
        """Steps, changeovers and manifests of the epoch of the last claim before them: in the plainest way."""
        epoch, found = CLAIM_EPOCH, []
        for offset, record in self.journal(partition, records):
            if record.kind == "claim":
                epoch = offset
            elif record.epoch == epoch:
                found.append(record)
        return found

    def claims(self, partition: int, records: list[Record]) -> list[tuple[JournalRecord, JournalRecord | None]]:
        """Each claim with the last step that counts before it."""
        epoch, last = CLAIM_EPOCH, None
        found: list[tuple[JournalRecord, JournalRecord | None]] = []
        for offset, record in self.journal(partition, records):
            if record.kind == "claim":
                epoch = offset
                found.append((record, last))
            elif record.epoch == epoch and record.kind != "snapshot":
                last = record
        return found

    def applied(
        self, partition: int, steps: list[JournalRecord], sources: dict[TopicPartition, list[Record]]
    ) -> Iterator[Applied]:
        """In the journal's order; within a step by (arrival, topic, offset), merged in the plainest way."""
        arrivals = {place: raised(records) for place, records in sources.items()}
        places = self._topics.sources_of(partition)
        clock = 0
        for step in steps:
            merged = []
            for number, (place, source) in enumerate(zip(places, step.sources, strict=True)):
                assert source.topic == place.topic
                for record, arrival in zip(sources[place], arrivals[place], strict=True):
                    if source.first <= record.at_offset < source.next:
                        merged.append((arrival, number, record.at_offset, Applied(place, record, arrival, 0)))
            for arrival, _, _, one in sorted(merged, key=lambda m: m[:3]):
                clock = max(clock, arrival)
                yield Applied(one.place, one.record, arrival, clock)
            assert clock <= step.clock_after, f"step {step.step} ends before its last record"
            clock = step.clock_after


def raised(records: list[Record]) -> list[int]:
    """Timestamps, each raised to the one before if it goes back."""
    found: list[int] = []
    for record in records:
        found.append(max(record.arrival_ms, found[-1] if found else 0))
    return found
