"""The projector's side of Kafka: `tags.current`, its partitions shared out by a consumer group.

The group's offsets are not used. Partitions that are assigned lie still until the loop says from where to read them,
for only Redis knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog
from confluent_kafka import Consumer, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka import KafkaError as Code
from confluent_kafka.admin import AdminClient, TopicDescription

from schemas.errors import KafkaError
from streams import kafka_group
from streams.clock import Clock
from streams.metrics import REBALANCES, RebalanceEvent
from streams.projector.batch import Record
from streams.projector.start import Extent
from streams.settings import KafkaSettings
from streams.topics import CURRENT

__all__ = ["Fetched", "KafkaLogReader", "KafkaSource", "LogReader", "Source"]

MAX_RECORDS: Final = 4_000
"""In one batch. A fifth of a second's work at full speed, so that readers' clocks move smoothly while catching up."""
ASK_TIMEOUT_S: Final = 10.0
READ_AHEAD_KB: Final = 4 * 1024
"""Fetched ahead for comparing, which is slow on purpose."""
CHECK_TOPIC_EVERY_MS: Final = 5_000
"""A consumer whose topic is deleted and created again says nothing and gets nothing, for good (librdkafka 2.16: tried).
So the topic's id is asked for now and then."""

_LOG = structlog.get_logger(__name__)
_READ_ANEW: Final = frozenset(
    {Code._AUTO_OFFSET_RESET, Code.OFFSET_OUT_OF_RANGE, Code.UNKNOWN_TOPIC_OR_PART, Code._UNKNOWN_PARTITION}
)


@dataclass(slots=True)
class Fetched:
    """What one poll brought."""

    records: dict[int, list[Record]] = field(default_factory=dict)
    """By partition, offsets rising."""
    ended: dict[int, int] = field(default_factory=dict)
    """Partitions whose end was reached, and where it lies; records of theirs that came with it lie before it."""
    reassigned: bool = False
    """The partitions that are ours have changed. Nothing else of this poll counts."""
    astray: bool = False
    """A partition can't be read where it was to be: its start must be decided anew."""


class Source(Protocol):
    """Where the projector reads. Only its own thread calls."""

    @property
    def assigned(self) -> frozenset[int]:
        """The partitions that are ours to read."""
        ...

    def poll(self, timeout_s: float) -> Fetched:
        """Waits for the first record up to that long, then takes what is there. Must be called all the time."""
        ...

    def extents(self) -> dict[int, Extent]:
        """Each of our partitions as the broker has it now. Blocks; raises KafkaException if the broker does not say."""
        ...

    def read_from(self, offsets: Mapping[int, int]) -> None:
        """From now on `poll` brings these partitions from these offsets on, and no others."""
        ...

    def stop_reading(self) -> None:
        """From now on `poll` brings no records. Our partitions stay ours."""
        ...

    def lags(self) -> dict[int, int]:
        """Records of each partition being read that are not fetched yet, as far as known without asking."""
        ...

    def close(self, leave: bool) -> None:
        """Ends. The others take over: at once if `leave`, or if this process has no name of its own in the group; else
        when it has been away for longer than a restart takes."""
        ...


class KafkaSource:
    """The source on a real broker. Raises KafkaError TS-K101 or TS-K102 if there is no broker or no topic."""

    def __init__(self, settings: KafkaSettings, clock: Clock) -> None:
        self._topic = CURRENT.named(settings)
        self._assigned: frozenset[int] = frozenset()
        self._reassigned = False
        self._reading: dict[int, int] = {}
        self._clock = clock
        self._topic_id = b""
        """Of the topic that is being read."""
        self._asked: Future[TopicDescription] | None = None
        self._ask_at_ms = 0
        # librdkafka gives up on futures when their client is gone, so it is kept.
        self._admin = AdminClient(dict[str, str | int | float | bool](settings.client_config()))
        self._check_topic(settings.bootstrap)
        config = _consumer_config(settings)
        if settings.instance_id is not None:
            config["group.instance.id"] = f"{config['group.id']}.{settings.instance_id}"
        self._consumer = Consumer(config)
        self._consumer.subscribe(
            [self._topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    @property
    def assigned(self) -> frozenset[int]:
        return self._assigned

    def poll(self, timeout_s: float) -> Fetched:
        fetched = Fetched()
        # `consume` alone would wait for its last record as long as for its first.
        first = self._consumer.poll(timeout_s)
        if first is not None:
            self._take(first, fetched)
            for message in self._consumer.consume(MAX_RECORDS, 0):
                self._take(message, fetched)
        if self._reassigned:
            self._reassigned = False
            return Fetched(reassigned=True)
        fetched.astray |= self._is_another_topic()
        return fetched

    def _take(self, message: Message, fetched: Fetched) -> None:
        error = message.error()
        partition, offset = message.partition(), message.offset()
        if error is None:
            assert partition is not None
            assert offset is not None
            records = fetched.records.get(partition)
            if records is None:
                records = fetched.records[partition] = []
            records.append((offset, message.key(), message.value()))
            self._reading[partition] = offset + 1
        elif error.code() == Code._PARTITION_EOF:
            assert partition is not None
            assert offset is not None
            fetched.ended[partition] = offset
        elif error.fatal() or error.code() == Code._FATAL:
            raise KafkaError("TS-K104", f"The consumer of {self._topic} cannot go on: {error.str()}")
        else:
            _LOG.warning("projector.kafka_error", topic=self._topic, partition=partition, error=error.str())
            fetched.astray |= error.code() in _READ_ANEW

    def extents(self) -> dict[int, Extent]:
        topic_id = _id_of(self._ask_for_topic().result(2 * ASK_TIMEOUT_S))
        self._topic_id = topic_id
        extents = {}
        for partition in sorted(self._assigned):
            bounds = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), ASK_TIMEOUT_S)
            if bounds is None:
                raise KafkaException(Code(Code._TIMED_OUT))
            extents[partition] = Extent(topic_id, *bounds)
        return extents

    def read_from(self, offsets: Mapping[int, int]) -> None:
        # A new assignment drops whatever was fetched under the one before; after `seek` leftovers could slip through.
        self._reading = dict(offsets)
        self._consumer.assign([TopicPartition(self._topic, p, offset) for p, offset in sorted(offsets.items())])

    def stop_reading(self) -> None:
        self._reading = {}
        self._consumer.assign([])

    def lags(self) -> dict[int, int]:
        lags = {}
        for partition, position in self._reading.items():
            bounds = self._consumer.get_watermark_offsets(TopicPartition(self._topic, partition), cached=True)
            if bounds[1] >= 0:
                lags[partition] = max(0, bounds[1] - position)
        return lags

    def close(self, leave: bool) -> None:
        if leave:
            kafka_group.leave(self._consumer, self._clock)
        self._consumer.close()

    def _check_topic(self, bootstrap: str) -> None:
        try:
            self._ask_for_topic().result(2 * ASK_TIMEOUT_S)
        except KafkaException as error:
            code: Code = error.args[0]
            if code.code() == Code.UNKNOWN_TOPIC_OR_PART:
                raise KafkaError("TS-K102", f"The topic {self._topic} does not exist") from error
            raise KafkaError("TS-K101", f"No Kafka broker answers at {bootstrap}: {code.str()}") from error

    def _is_another_topic(self) -> bool:
        """Whether the topic that is being read is gone, or there is another one of its name. Does not wait."""
        if not self._reading:
            self._asked = None
            return False
        if self._asked is None:
            if self._clock.monotonic_ms() >= self._ask_at_ms:
                self._ask_at_ms = self._clock.monotonic_ms() + CHECK_TOPIC_EVERY_MS
                self._asked = self._ask_for_topic()
            return False
        if not self._asked.done():
            return False
        asked, self._asked = self._asked, None
        try:
            return _id_of(asked.result()) != self._topic_id
        except KafkaException as error:
            gone: bool = error.args[0].code() == Code.UNKNOWN_TOPIC_OR_PART
            return gone

    def _ask_for_topic(self) -> Future[TopicDescription]:
        """The future raises KafkaException."""
        topics = TopicCollection([self._topic])
        return self._admin.describe_topics(topics, request_timeout=ASK_TIMEOUT_S)[self._topic]

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.assign([])
        self._change(frozenset(p.partition for p in partitions), "assigned")

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.unassign()
        self._change(frozenset(), "revoked")

    def _on_lost(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        consumer.unassign()
        self._change(frozenset(), "lost")

    def _change(self, assigned: frozenset[int], event: RebalanceEvent) -> None:
        REBALANCES.labels(event).inc()
        _LOG.info(f"projector.{event}", partitions=sorted(assigned or self._assigned))
        self._assigned, self._reading, self._reassigned = assigned, {}, True


def _id_of(topic: TopicDescription) -> bytes:
    return str(topic.topic_id).encode()


class LogReader(Protocol):
    """Reads `tags.current` once more, beside the source: for comparing. Only the projector's own thread calls."""

    def read_from(self, offsets: Mapping[int, int]) -> None:
        """From now on `poll` brings these partitions, from these offsets on or from the first that is there."""
        ...

    def poll(self, most: int) -> Fetched:
        """At most so many records, of those that have come by now. Does not wait."""
        ...

    def stop(self) -> None:
        """Nothing more is read; what was fetched ahead is given back to the system."""
        ...


class KafkaLogReader:
    """The reader on a real broker. It has a connection only while it reads."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topic = CURRENT.named(settings)
        self._consumer: Consumer | None = None

    def read_from(self, offsets: Mapping[int, int]) -> None:
        if self._consumer is None:
            changed = {"auto.offset.reset": "earliest", "queued.max.messages.kbytes": READ_AHEAD_KB}
            self._consumer = Consumer(_consumer_config(self._settings) | changed | self._settings.extra)
        self._consumer.assign([TopicPartition(self._topic, p, offset) for p, offset in sorted(offsets.items())])

    def poll(self, most: int) -> Fetched:
        assert self._consumer is not None, "read_from comes first"
        fetched = Fetched()
        for message in self._consumer.consume(most, 0):
            error, partition, offset = message.error(), message.partition(), message.offset()
            if error is None:
                assert partition is not None
                assert offset is not None
                fetched.records.setdefault(partition, []).append((offset, message.key(), message.value()))
            elif error.code() == Code._PARTITION_EOF:
                assert partition is not None
                assert offset is not None
                fetched.ended[partition] = offset
            else:
                # The source meets the same, and does what there is to do.
                _LOG.info("projector.comparing_waits", error=error.str())
        return fetched

    def stop(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


def _consumer_config(settings: KafkaSettings) -> dict[str, Any]:
    ours: dict[str, Any] = {
        "group.id": f"{settings.group_id}.projector",
        "group.protocol": "classic",
        "partition.assignment.strategy": "range",
        "session.timeout.ms": 10_000,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        # An offset that is gone means that the topic is another one: never to be passed over silently.
        "auto.offset.reset": "error",
        "enable.partition.eof": True,
        "check.crcs": True,
        # By default librdkafka waits a second before it fetches on when its queue was full, and half a second at the
        # broker for more than one record.
        "fetch.queue.backoff.ms": 10,
        "fetch.wait.max.ms": 100,
        "queued.max.messages.kbytes": 32 * 1024,
    }
    return ours | settings.client_config()
