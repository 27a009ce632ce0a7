"""A log in memory, with as much of `streams.log.Log` as taking a partition needs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from streams.log import Batch, Fetched, Message, Outgoing, Reader, Sending, Stamp, TopicPartition, Transaction
from tests.unit.streams.tagger.messages import Record


class MemoryReader:
    def __init__(self, records: list[Record], start: int) -> None:
        self._rest: list[Message] = [r for r in records if r.at_offset >= start]

    def read(self, most: int, timeout_s: float) -> list[Message]:
        # in small pieces, so that nothing rests on all of it coming at once
        taken, self._rest = self._rest[:2], self._rest[2:]
        return taken

    def close(self) -> None:
        pass


class Sent:
    def __init__(self, stamps: list[Stamp]) -> None:
        self.stamps = stamps

    def done(self) -> bool:
        return True


class MemoryLog:
    """Everything that is written is committed; there is no group."""

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.offsets: dict[TopicPartition, int] = {}
        self.lows: dict[TopicPartition, int] = {}
        self.clock_ms = 1_800_000_000_000

    def append(self, place: TopicPartition, key: bytes | None, value: bytes | None, arrival_ms: int = 0) -> Stamp:
        self.clock_ms += 1
        written = self.records[place]
        offset = written[-1].at_offset + 1 if written else 0
        written.append(Record(offset, arrival_ms or self.clock_ms, key, value))
        return Stamp(offset, self.clock_ms)

    def transact(self, transaction: Transaction) -> list[Stamp]:
        self.offsets |= transaction.offsets
        for batch in transaction.batches:
            self._append_all(batch)
        for record in transaction.singles:
            self._append(record)
        stamps = [self._append(record) for record in transaction.stamped]
        for record in transaction.then(stamps) if transaction.then is not None else []:
            self._append(record)
        return stamps

    def _append_all(self, batch: Batch) -> None:
        for key, value in batch.records:
            self.append(TopicPartition(batch.topic, batch.partition), key, value)

    def _append(self, record: Outgoing) -> Stamp:
        return self.append(TopicPartition(record.topic, record.partition or 0), record.key, record.value)

    def committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int | None]:
        return {place: self.offsets.get(place) for place in partitions}

    def extent(self, partition: TopicPartition) -> tuple[int, int]:
        records = self.records[partition]
        low = self.lows.get(partition, 0)
        return (records[0].at_offset, records[-1].at_offset + 1) if records else (low, low)

    def reader(self, partition: TopicPartition, start: int) -> Reader:
        return MemoryReader(self.records[partition], start)

    def send(self, records: Sequence[Outgoing]) -> Sending:
        return Sent([self._append(record) for record in records])

    def delete_before(self, partition: TopicPartition, offset: int) -> None:
        self.records[partition] = [r for r in self.records[partition] if r.at_offset >= offset]
        self.lows[partition] = offset

    def subscribe(
        self, topics: Sequence[str], on_assign: Callable[[set[int]], None], on_revoke: Callable[[set[int]], None]
    ) -> None:
        raise NotImplementedError

    def read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        raise NotImplementedError

    def fetch(self, most: int, timeout_s: float) -> Fetched:
        raise NotImplementedError

    def pause(self, partition: TopicPartition, at: int) -> None:
        raise NotImplementedError

    def resume(self, partition: TopicPartition) -> None:
        raise NotImplementedError

    def close(self, leave: bool) -> None:
        raise NotImplementedError
