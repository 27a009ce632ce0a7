"""Two installations on which the same cases run: a real broker, and the one in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from confluent_kafka import KafkaError, Message, Producer
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from streams.clock import Clock, ManualClock, SystemClock
from streams.kafka_log import KafkaLog
from streams.kafka_sending import arguments_of
from streams.log import Fetched, Log, Outgoing, Stamp, TopicPartition
from streams.settings import KafkaSettings, TaggerSettings
from tests.integration.pipeline import until
from tests.simulation.broker import MemoryBroker
from tests.simulation.memory_log import MemoryLog

PARTITIONS = 3
WALL_MS = 1_800_000_000_000


class World(Protocol):
    """An installation of the test's own."""

    clock: Clock

    def create(self, *topics: str, created: bool = False, compacted: bool = False, mib: int = 1) -> list[str]:
        """Topics of three partitions; returns their names on the broker. `created`: with CreateTime."""
        ...

    def log(
        self,
        name: str,
        static: bool,
        session_timeout_ms: int = 1_000,
        transaction_timeout_ms: int = 10_000,
        max_poll_interval_ms: int = 300_000,
    ) -> Log: ...

    def put(self, record: Outgoing) -> Stamp:
        """By a producer without transactions."""
        ...

    def compact(self, topic: str) -> None:
        """Let the cleaner come to the topic, soon."""
        ...

    def die(self, log: Log) -> None:
        """A static member is gone without a word."""
        ...

    def close(self) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self.clock: Clock = ManualClock(WALL_MS)
        self.broker = MemoryBroker(self.clock)

    def create(self, *topics: str, created: bool = False, compacted: bool = False, mib: int = 1) -> list[str]:
        for topic in topics:
            self.broker.create(
                topic,
                PARTITIONS,
                timestamps="CreateTime" if created else "LogAppendTime",
                compacted=compacted,
                max_message_bytes=mib * 1024 * 1024 + 12,
            )
        return list(topics)

    def log(
        self,
        name: str,
        static: bool,
        session_timeout_ms: int = 1_000,
        transaction_timeout_ms: int = 10_000,
        max_poll_interval_ms: int = 300_000,
    ) -> Log:
        return MemoryLog(
            self.broker,
            self.clock,
            name,
            instance_id=name if static else None,
            session_timeout_ms=session_timeout_ms,
            transaction_timeout_ms=transaction_timeout_ms,
            max_poll_interval_ms=max_poll_interval_ms,
        )

    def put(self, record: Outgoing) -> Stamp:
        return self.broker.put(record)

    def compact(self, topic: str) -> None:
        self.broker.compact(topic)

    def die(self, log: Log) -> None:
        assert isinstance(log, MemoryLog)
        log.process.die()

    def close(self) -> None:
        pass


class KafkaWorld:
    def __init__(self, kafka: KafkaSettings) -> None:
        self.clock: Clock = SystemClock()
        self._kafka = kafka
        self._admin = AdminClient({"log_level": 0, **kafka.client_config()})
        self._producer = Producer({**kafka.client_config(), "partitioner": "murmur2_random"})
        self._logs: list[KafkaLog] = []

    def create(self, *topics: str, created: bool = False, compacted: bool = False, mib: int = 1) -> list[str]:
        config = {
            "message.timestamp.type": "CreateTime" if created else "LogAppendTime",
            "cleanup.policy": "compact" if compacted else "delete",
            "max.message.bytes": str(mib * 1024 * 1024 + 12),
        }
        if compacted:
            # the newest segment is never compacted, so it must not last
            config |= {"segment.ms": "100", "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "0"}
        names = [f"{self._kafka.topic_prefix}{topic}" for topic in topics]
        for future in self._admin.create_topics([NewTopic(n, PARTITIONS, 1, config=config) for n in names]).values():
            future.result()
        until(lambda: all(self._is_led(name) for name in names), every_s=0.02)
        return names

    def _is_led(self, topic: str) -> bool:
        found = self._admin.list_topics(timeout=10).topics.get(topic)
        return found is not None and len(found.partitions) > 0 and all(p.leader > 0 for p in found.partitions.values())

    def log(
        self,
        name: str,
        static: bool,
        session_timeout_ms: int = 1_000,
        transaction_timeout_ms: int = 10_000,
        max_poll_interval_ms: int = 300_000,
    ) -> Log:
        extra = {"max.poll.interval.ms": str(max_poll_interval_ms)}
        kafka = self._kafka.model_copy(update={"extra": extra, "instance_id": name if static else None})
        tagger = TaggerSettings(session_timeout_ms=session_timeout_ms, transaction_timeout_ms=transaction_timeout_ms)
        log = KafkaLog(kafka, tagger, self.clock, name)
        self._logs.append(log)
        return log

    def put(self, record: Outgoing) -> Stamp:
        stamps: list[Stamp] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            assert error is None, error
            stamps.append(Stamp(message.offset() or 0, message.timestamp()[1]))

        self._producer.produce(**arguments_of(record), on_delivery=delivered)
        assert self._producer.flush(10) == 0
        return stamps[0]

    def compact(self, topic: str) -> None:
        # by itself it looks every 15 s
        soon = ConfigEntry("log.cleaner.backoff.ms", "100", incremental_operation=AlterConfigOpType.SET)
        broker = ConfigResource(ResourceType.BROKER, "1", incremental_configs=[soon])
        for future in self._admin.incremental_alter_configs([broker]).values():
            future.result()

    def die(self, log: Log) -> None:
        # it ends its threads, and to the group it says nothing (KIP-345)
        log.close(leave=False)

    def close(self) -> None:
        for log in self._logs:
            # what the test has closed already says so
            with suppress(RuntimeError):
                log.close(leave=True)


class Member:
    """One process: its log, and what it was told and brought."""

    def __init__(self, world: World, topics: list[str], log: Log) -> None:
        self.world = world
        self.log = log
        self.owned: set[int] | None = None
        """None: nothing was assigned yet, or it was revoked."""
        self.told: list[tuple[str, set[int]]] = []
        self.values: dict[TopicPartition, list[bytes | None]] = {}
        self.at_end: list[TopicPartition] = []
        log.subscribe(topics, self._on_assign, self._on_revoke)

    def _on_assign(self, partitions: set[int]) -> None:
        self.owned = partitions
        self.told.append(("assigned", partitions))

    def _on_revoke(self, partitions: set[int]) -> None:
        self.owned = None
        self.told.append(("revoked", partitions))

    def fetch(self, timeout_s: float = 0.05, most: int = 100) -> Fetched:
        fetched = self.log.fetch(most, timeout_s)
        for place, messages in fetched.messages.items():
            self.values.setdefault(place, []).extend(m.value() for m in messages)
        self.at_end += fetched.at_end
        return fetched


def work(*members: Member, until: Callable[[], bool], within_s: float = 20) -> None:
    """Let the members fetch by turns until it is so."""
    clock = members[0].world.clock
    last = clock.monotonic_s() + within_s
    while not until():
        assert clock.monotonic_s() < last, [m.told for m in members]
        for member in members:
            member.fetch()
