"""What the tagger needs of a log: partitions, offsets, transactions, fencing. Kafka's half is kafka_log.py.

The tagger's loop knows only this protocol and an injected clock, so the same loop runs on Kafka and in a simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

__all__ = [
    "Batch",
    "Fenced",
    "Fetched",
    "Log",
    "Message",
    "NotSent",
    "Outgoing",
    "Reader",
    "Sending",
    "Stamp",
    "TopicPartition",
    "Transaction",
]


class TopicPartition(NamedTuple):
    """One partition of one topic, by its name on the broker."""

    topic: str
    partition: int


class Message(Protocol):
    """A record as it was read; confluent_kafka's messages are such."""

    def offset(self) -> int | None: ...

    def key(self) -> bytes | None: ...

    def value(self) -> bytes | None: ...

    def timestamp(self) -> tuple[int, int]:
        """(type of timestamp, milliseconds since the epoch)."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one fetch brought: messages in order of offset, and partitions whose end was reached behind them."""

    messages: Mapping[TopicPartition, list[Message]]
    at_end: Sequence[TopicPartition]


class Outgoing(NamedTuple):
    """One record to write."""

    topic: str
    partition: int | None
    """None: by the key."""
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]] | None = None
    timestamp_ms: int = 0
    """0: now, by the client; the topic may say that the broker's stamp counts."""
    instead: Outgoing | None = None
    """What is written if the broker refuses this record for itself, such as for its size: else it would for ever."""


class Batch(NamedTuple):
    """Records of one partition, all without headers: (key, value). No value: a tombstone."""

    topic: str
    partition: int
    records: list[tuple[bytes, bytes | None]]


class Stamp(NamedTuple):
    """Where and when the broker wrote a record."""

    offset: int
    timestamp_ms: int


@dataclass(slots=True)
class Transaction:
    """Everything that one transaction does; kept so that the very same bytes can be sent again."""

    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    """Next offsets to apply, of all merged topics of each partition that was stepped. Never empty: a transaction
    without offsets is not fenced."""
    batches: list[Batch] = field(default_factory=list)
    singles: list[Outgoing] = field(default_factory=list)
    """Only these may have a stand-in."""
    stamped: list[Outgoing] = field(default_factory=list)
    """Records whose stamps are wanted: the journal's."""
    then: Callable[[Sequence[Stamp]], list[Outgoing]] | None = None
    """More records, made from the stamps of `stamped`."""


class Fenced(Exception):
    """Another process has taken over, and this one's state of its partitions is worth nothing. The transaction was not
    written, unless the answer to its commit was lost: the successor knows."""


class NotSent(Exception):
    """A record that was sent outside of transactions was not acknowledged. It may be in the log nevertheless."""


class Sending(Protocol):
    """Records on their way into the log. They move only while somebody asks whether they are `done`."""

    @property
    def stamps(self) -> list[Stamp]:
        """Of all records, in their order. Only once they are done."""
        ...

    def done(self) -> bool:
        """Whether all are acknowledged; never blocks. Raises NotSent if one of them will never be."""
        ...


class Reader(Protocol):
    """Reads committed records of one partition, from an offset on, apart from any group."""

    def read(self, most: int, timeout_s: float) -> list[Message]:
        """Up to `most` messages in order of offset; none if none came in that time."""
        ...

    def close(self) -> None: ...


class Log(Protocol):
    """One member of the group, its consumer and its transactional producer. For one thread."""

    def subscribe(
        self, topics: Sequence[str], on_assign: Callable[[set[int]], None], on_revoke: Callable[[set[int]], None]
    ) -> None:
        """Join the group. The callbacks get partition numbers (of every topic alike) and run inside `fetch`; when
        `on_revoke` returns, the partitions are another's."""
        ...

    def read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        """Fetch these partitions from these offsets, and no others; none of them is paused."""
        ...

    def fetch(self, most: int, timeout_s: float) -> Fetched:
        """Up to `most` messages; waits up to `timeout_s` for the first. Serves the group's callbacks.

        Raises Fenced, or KafkaError (TS-K101) if reading cannot go on.
        """
        ...

    def pause(self, partition: TopicPartition, at: int) -> None:
        """Fetch no more of this partition for now; `at` is where `resume` goes on."""
        ...

    def resume(self, partition: TopicPartition) -> None: ...

    def committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int | None]:
        """The group's offsets, once no transaction that could change them is open; None: never committed."""
        ...

    def extent(self, partition: TopicPartition) -> tuple[int, int]:
        """First offset that is still there, and the offset where committed readers meet the end for now: behind the
        last record, or of the first one in a transaction that is still open."""
        ...

    def lag(self, partition: TopicPartition, position: int) -> int | None:
        """Offsets from `position` to the end, those of open transactions included, as far as known without asking the
        broker; None: not known."""
        ...

    def reader(self, partition: TopicPartition, start: int) -> Reader: ...

    def transact(self, transaction: Transaction) -> list[Stamp]:
        """Write it all, or nothing: repeats and aborts as the protocol demands, always with the same bytes.

        Returns the stamps of `stamped`. Raises Fenced, or KafkaError (TS-K104) if the outcome cannot be had: the
        process must end and recover.
        """
        ...

    def send(self, records: Sequence[Outgoing]) -> Sending:
        """Begin to write records outside of any transaction, each once, those of a partition in order; never blocks.

        They are not fenced, and no stand-in is written for one that is refused. What is under way when the log is
        closed may be lost.
        """
        ...

    def delete_before(self, partition: TopicPartition, offset: int) -> None:
        """Delete the partition's records before `offset`, which is not beyond its end; done when this returns.

        Raises KafkaError (TS-K101) if the broker refuses, as it does for a topic that is only compacted.
        """
        ...

    def close(self, leave: bool) -> None:
        """Leave the loop's consumer and producer; `leave`: and the group, so that others take over at once."""
        ...
