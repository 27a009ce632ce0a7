"""A Kafka broker in memory, as far as the taggers' log goes: topics, groups and transactions.

It has no thread and no time of its own. What has become due by the injected clock (markers, transaction time-outs,
members that were not heard of) is done by `tick`, before each request of a process, in an order that depends on nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from processors.hashing import partition_of_key
from streams.clock import Clock
from streams.log import Outgoing, Stamp, TopicPartition
from streams.topics import Timestamps
from tests.simulation.faults import Faults
from tests.simulation.group import Group, Membership
from tests.simulation.partition_log import PartitionLog
from tests.simulation.record import CREATE_TIME, LOG_APPEND_TIME, Record
from tests.simulation.refusals import OutOfRange, RecordRefused
from tests.simulation.transactions import Coordinator, OpenTransaction, ProducerId

__all__ = ["MemoryBroker", "Topic"]

MAX_MESSAGE_BYTES: Final = 1_048_588
"""Kafka's default of max.message.bytes."""
AHEAD_MS: Final = 3_600_000
"""Kafka's default of message.timestamp.after.max.ms."""


@dataclass(frozen=True, slots=True)
class Topic:
    partitions: int
    timestamps: Timestamps
    compacted: bool
    max_message_bytes: int


class MemoryBroker:
    """Shared by all processes of a simulation."""

    def __init__(self, clock: Clock, faults: Faults | None = None) -> None:
        self.clock = clock
        self.faults = Faults() if faults is None else faults
        self.coordinator = Coordinator(clock, self.partition, lambda place: self.faults.marker_delay_ms(place))
        self._topics: dict[str, Topic] = {}
        self._partitions: dict[TopicPartition, PartitionLog] = {}
        self._groups: dict[str, Group] = {}
        self._answered: dict[Hashable, tuple[int, list[Stamp]]] = {}
        """By producer the number of its last request to write, and what was answered."""

    def create(
        self,
        topic: str,
        partitions: int,
        *,
        timestamps: Timestamps = "LogAppendTime",
        compacted: bool = False,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._topics[topic] = Topic(partitions, timestamps, compacted, max_message_bytes)
        for number in range(partitions):
            self._partitions[TopicPartition(topic, number)] = PartitionLog()

    def take_over(self, place: TopicPartition, partition: PartitionLog) -> None:
        """Have this as the partition, with all that is in it."""
        self._partitions[place] = partition

    def partition(self, place: TopicPartition) -> PartitionLog:
        return self._partitions[place]

    def group(self, name: str) -> Group:
        if name not in self._groups:
            self._groups[name] = Group(self.clock, lambda topic: self._topics[topic].partitions)
        return self._groups[name]

    def tick(self) -> None:
        """Do what has become due."""
        self.coordinator.tick()
        for group in self._groups.values():
            group.tick()

    # -------------------------------------------------------------------------------------------------- writing

    def put(self, record: Outgoing) -> Stamp:
        """Write one record outside of transactions, without repetitions being known. Raises RecordRefused."""
        self.tick()
        return self._append_all([record], lambda place: None)[0]

    def produce(self, who: ProducerId, number: int, records: Sequence[Outgoing]) -> list[Stamp]:
        """Write in the producer's transaction. `number` is the request's, of this producer; a repeated one is
        answered as before. Raises ProducerFenced, RecordRefused, TryAgain."""
        transaction = self.coordinator.transaction(who)

        def taking_part(place: TopicPartition) -> OpenTransaction:
            transaction.places[place] = None
            return transaction

        return self._once(who, number, lambda: self._append_all(records, taking_part))

    def send(self, who: Hashable, number: int, record: Outgoing) -> Stamp:
        """Write outside of transactions; a repeated request is answered as before. Raises RecordRefused."""
        return self._once(who, number, lambda: self._append_all([record], lambda place: None))[0]

    def add_offsets(
        self, who: ProducerId, group: Group, member: Membership, offsets: dict[TopicPartition, int]
    ) -> None:
        """Move the group's offsets with the producer's transaction. Raises ProducerFenced, NotAMember, TryAgain."""
        transaction = self.coordinator.transaction(who)
        transaction.groups[group] = None
        group.add_offsets(transaction, member, offsets)

    def _once(self, who: Hashable, number: int, write: Callable[[], list[Stamp]]) -> list[Stamp]:
        answered = self._answered.get(who)
        if answered is not None and answered[0] == number:
            return answered[1]
        stamps = write()
        self._answered[who] = number, stamps
        return stamps

    def _append_all(
        self, records: Iterable[Outgoing], transaction: Callable[[TopicPartition], Hashable | None]
    ) -> list[Stamp]:
        """Each is stamped on its own. `transaction`: told where a record goes, says what it is part of."""
        stamps = []
        for record in records:
            place, topic = self._place(record), self._topics[record.topic]
            part_of = transaction(place)
            self._check(record, topic)
            partition = self._partitions[place]
            stamp = Stamp(partition.end, self._timestamp_ms(record, topic))
            kind = LOG_APPEND_TIME if topic.timestamps == "LogAppendTime" else CREATE_TIME
            headers = record.headers or ()
            partition.append(Record(stamp.offset, stamp.timestamp_ms, record.key, record.value, headers, kind), part_of)
            stamps.append(stamp)
        return stamps

    def _place(self, record: Outgoing) -> TopicPartition:
        """Without a partition and a key Kafka takes any partition; here it is the first."""
        number = record.partition
        if number is None:
            number = partition_of_key(record.key, self._topics[record.topic].partitions) if record.key else 0
        return TopicPartition(record.topic, number)

    def _timestamp_ms(self, record: Outgoing, topic: Topic) -> int:
        given = topic.timestamps == "CreateTime" and record.timestamp_ms
        return record.timestamp_ms if given else self.clock.wall_ms()

    def _check(self, record: Outgoing, topic: Topic) -> None:
        if len(record.key or b"") + len(record.value or b"") > topic.max_message_bytes:
            raise RecordRefused("too large", record)
        if topic.compacted and record.key is None:
            raise RecordRefused("a compacted topic wants a key", record)
        if topic.timestamps == "CreateTime" and record.timestamp_ms > self.clock.wall_ms() + AHEAD_MS:
            raise RecordRefused("its time is too far ahead", record)

    # ----------------------------------------------------------------------------------------- reading, deleting

    def extent(self, place: TopicPartition) -> tuple[int, int]:
        partition = self._partitions[place]
        return partition.start, partition.stable_end

    def checked(self, place: TopicPartition, position: int) -> PartitionLog:
        """The partition, to be read from this offset on. Raises OutOfRange."""
        partition = self._partitions[place]
        if not partition.start <= position <= partition.end:
            raise OutOfRange(f"{place.topic}[{place.partition}] has no offset {position}")
        return partition

    def delete_before(self, place: TopicPartition, offset: int) -> None:
        """Raises OutOfRange, also for a topic that is only compacted."""
        partition = self._partitions[place]
        if offset > partition.end or self._topics[place.topic].compacted:
            raise OutOfRange(f"{place.topic}[{place.partition}] cannot be cut at {offset}")
        partition.delete_before(offset)

    def compact(self, topic: str) -> None:
        """As the cleaner does when it comes to a topic, but for the newest segment, which Kafka leaves alone."""
        self.tick()
        assert self._topics[topic].compacted
        for number in range(self._topics[topic].partitions):
            self._partitions[TopicPartition(topic, number)].compact()
