"""The topics: what each is for, how it is made, and whether those of a broker are as they must be.

All topics keyed by customer, and the journal, have one and the same number of partitions, so that partition *p* of
each holds all that concerns a customer. The number is fixed for life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from confluent_kafka import KafkaError as BrokerError
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from schemas.errors import KafkaError
from schemas.events import EVENT_TYPES
from streams.clock import Clock
from streams.settings import KafkaSettings

__all__ = [
    "CHANGES",
    "COMMANDS",
    "CURRENT",
    "DEAD_LETTERS",
    "DECIDED",
    "DEFINITIONS",
    "EVENTS",
    "JOURNAL",
    "MOVED",
    "REQUESTS",
    "RESULTS",
    "SNAPSHOTS",
    "TOPICS",
    "State",
    "Topic",
    "admin_client",
    "check",
    "create_missing",
    "ends",
    "inspect",
    "set_event_timestamps",
]

Timestamps = Literal["LogAppendTime", "CreateTime"]
DAY_MS: Final = 86_400_000
FOR_EVER: Final = -1
ASK_WITHIN_S: Final = 5.0
"""For each question to the broker. A new connection over TLS to a far cluster takes a second or two."""
VISIBLE_WITHIN_S: Final = 30.0
"""From the controller's promise until the brokers act on it: some 100 ms, more on a busy cluster."""
LOOK_EVERY_S: Final = 0.05
SETTLE_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `name` is without the prefix of the settings."""

    name: str
    purpose: str
    key: str
    """What the key of its records is, in words."""
    retention_ms: int = FOR_EVER
    cleanup: Literal["delete", "compact"] = "delete"
    timestamps: Timestamps = "LogAppendTime"
    """Outputs are stamped by the broker as well, so that retention counts from when they were written."""
    max_message_bytes: int | None = None
    """None: the broker's default, 1 MiB."""
    segment_ms: int | None = None
    """None: the broker's default, 7 days."""
    segment_bytes: int | None = None
    """None: the broker's default, 1 GiB."""
    max_compaction_lag_ms: int | None = None
    """Within so long what is no key's last record is gone. None: the broker's default, when it is worth its while."""
    aligned: bool = True
    """Whether it has the same number of partitions as the others."""
    partitions: int | None = None
    """How many it has; None: as many as the others."""

    def named(self, kafka: KafkaSettings) -> str:
        """Its name on the broker."""
        return f"{kafka.topic_prefix}{self.name}"

    def config(self, replication_factor: int) -> dict[str, str]:
        """Kafka's settings of the topic."""
        config = {
            "cleanup.policy": self.cleanup,
            "message.timestamp.type": self.timestamps,
            # What reads committed data takes a record of two replicas as safe.
            "min.insync.replicas": "2" if replication_factor >= 3 else "1",
        }
        if self.cleanup == "delete":
            config |= {"retention.ms": str(self.retention_ms), "retention.bytes": "-1"}
        if self.max_message_bytes is not None:
            config["max.message.bytes"] = str(self.max_message_bytes)
        if self.segment_ms is not None:
            config["segment.ms"] = str(self.segment_ms)
        if self.segment_bytes is not None:
            config["segment.bytes"] = str(self.segment_bytes)
        if self.max_compaction_lag_ms is not None:
            config["max.compaction.lag.ms"] = str(self.max_compaction_lag_ms)
        return config


EVENTS: Final[dict[str, Topic]] = {
    event_type: Topic(f"events.{event_type}", f"{event_type} events, from your systems", "customer_id")
    for event_type in EVENT_TYPES
}
"""By event type. Kept for ever unless you set otherwise: a new rule is computed from them."""
MOVED: Final = Topic(
    "events.moved",
    "events found in the wrong partition, sent to the right one with their first arrival time",
    "customer_id",
    timestamps="CreateTime",
)
COMMANDS: Final = Topic("tags.commands", "manual assignments, model scores, erasures", "customer_id")
HISTORY: Final = (*EVENTS.values(), COMMANDS)
"""What may be loaded as of the past."""
REQUESTS: Final = Topic(
    "tags.requests",
    "requests to set or remove a tag by hand or to erase a customer, from your systems and the commands",
    "customer_id",
    retention_ms=7 * DAY_MS,
    # The newest segment is never deleted, and a request that was decided has to be remembered while it may be read.
    segment_ms=DAY_MS,
)
RESULTS: Final = Topic("tags.requests.results", "the answers to requests", "customer_id", retention_ms=7 * DAY_MS)
DECIDED: Final = Topic(
    "tags.requests.decided",
    "which requests were decided, and how: the control role's memory",
    "partition:request_id",
    cleanup="compact",
    # All of it is read at each start of the control role, so what is forgotten should soon be gone.
    segment_ms=3_600_000,
)
CHANGES: Final = Topic("tags.changes", "one change of one tag of one customer", "customer_id", retention_ms=30 * DAY_MS)
CURRENT: Final = Topic(
    "tags.current",
    "all tags of one customer; per partition its clock",
    "customer_id; @clock",
    cleanup="compact",
    # The newest segment is never compacted, and each partition writes its clock every second.
    segment_ms=3_600_000,
    # What was said of a customer who is erased has to go, however little else is written.
    max_compaction_lag_ms=DAY_MS,
)
JOURNAL: Final = Topic("tags.journal", "what was applied in which order: recovery reads it", "partition")
SNAPSHOTS: Final = Topic(
    "tags.snapshots",
    "the state in chunks, which recovery reads before the journal's end; old ones are cut off",
    "partition:snapshot:chunk",
    # Disk space is given back by whole segments, and with it what they hold of customers who were erased.
    segment_bytes=128 * 1024 * 1024,
    segment_ms=3_600_000,
)
DEAD_LETTERS: Final = Topic(
    "events.dlq",
    "events that cannot be used: the original bytes, the reason in the headers",
    "as it came",
    retention_ms=30 * DAY_MS,
    # Room for the largest event and its headers.
    max_message_bytes=2 * 1024 * 1024,
    aligned=False,
)
DEFINITIONS: Final = Topic(
    "tags.definitions",
    "the rule sets, and which of them is in force",
    "version; @current",
    cleanup="compact",
    aligned=False,
    partitions=1,
)
TOPICS: Final = (
    *EVENTS.values(), MOVED, DEAD_LETTERS, REQUESTS, RESULTS, DECIDED, COMMANDS, CHANGES, CURRENT, JOURNAL,
    SNAPSHOTS, DEFINITIONS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class State:
    """A topic as the broker has it."""

    topic: Topic
    name: str
    """With the prefix."""
    partitions: int | None
    """None: it does not exist."""
    replicas: int
    config: dict[str, str]
    """Its settings on the broker, those that `Topic.config` names; empty if it does not exist."""

    def differences(self) -> list[str]:
        """Where its settings are not those that we would create it with, in words. None of them is an error: they
        may be set so on purpose."""
        wanted = self.topic.config(self.replicas)
        return [
            f"{name} is {self.config[name]}, not {value}"
            for name, value in wanted.items()
            if self.config.get(name, value) != value
        ]


def admin_client(kafka: KafkaSettings) -> AdminClient:
    """A client that asks only when told to; it says nothing by itself when no broker answers."""
    return AdminClient({"log_level": 0, **kafka.client_config()})


def inspect(admin: AdminClient, kafka: KafkaSettings) -> list[State]:
    """All our topics as they are on the broker, in the order of TOPICS. Raises KafkaError TS-K101."""
    try:
        return _inspect(admin, kafka)
    except KafkaException as error:
        reason: BrokerError = error.args[0]
        if reason.code() != BrokerError.UNKNOWN_TOPIC_OR_PART:
            raise _unreachable(kafka, error) from None
    try:
        # one was deleted between two questions
        return _inspect(admin, kafka)
    except KafkaException as error:
        raise _unreachable(kafka, error) from None


def _inspect(admin: AdminClient, kafka: KafkaSettings) -> list[State]:
    """As `inspect`, at one go. Raises KafkaException."""
    found = admin.list_topics(timeout=ASK_WITHIN_S).topics
    sizes = {
        name: (len(topic.partitions), max((len(p.replicas) for p in topic.partitions.values()), default=1))
        for name, topic in found.items()
        if topic.error is None
    }
    existing = [topic for topic in TOPICS if topic.named(kafka) in sizes]
    configs = _configs(admin, kafka, existing)
    states = []
    for topic in TOPICS:
        name = topic.named(kafka)
        partitions, replicas = sizes.get(name, (None, 1))
        states.append(State(topic, name, partitions, replicas, configs.get(name, {})))
    return states


def check(states: Sequence[State]) -> int:
    """The number of partitions that all aligned topics have.

    Raises KafkaError: TS-K102 if a topic is missing, TS-K103 if the numbers differ.
    """
    missing = [state.name for state in states if state.partitions is None]
    if missing:
        raise KafkaError("TS-K102", f"These topics do not exist: {', '.join(missing)}")
    return _aligned_number(states)


def create_missing(
    admin: AdminClient, kafka: KafkaSettings, clock: Clock, *, event_timestamps: Timestamps = "LogAppendTime"
) -> list[str]:
    """Creates the topics that do not exist and returns their names, once each partition has a leader.

    They get as many partitions as those that exist, else as the settings say. `event_timestamps` "CreateTime" is for
    loading history, which brings its arrival times along. Raises KafkaError TS-K101, TS-K103.
    """
    states = inspect(admin, kafka)
    missing = [state.topic for state in states if state.partitions is None]
    partitions = kafka.partitions
    if any(state.topic.aligned and state.partitions is not None for state in states):
        partitions = _aligned_number(states)
    new = []
    for topic in missing:
        config = topic.config(kafka.replication_factor)
        if topic in HISTORY:
            config["message.timestamp.type"] = event_timestamps
        new.append(
            NewTopic(topic.named(kafka), topic.partitions or partitions, kafka.replication_factor, config=config)
        )
    if new:
        for future in admin.create_topics(new, operation_timeout=ASK_WITHIN_S).values():
            _wait_unless_it_exists(future, kafka)
    names = [topic.topic for topic in new]
    _until_led(admin, names, clock)
    return names


def set_event_timestamps(admin: AdminClient, kafka: KafkaSettings, timestamps: Timestamps, clock: Clock) -> None:
    """Changes whose clock stamps the events, and returns when the broker does so. Raises KafkaError TS-K101."""
    change = ConfigEntry("message.timestamp.type", timestamps, incremental_operation=AlterConfigOpType.SET)
    resources = [
        ConfigResource(ResourceType.TOPIC, topic.named(kafka), incremental_configs=[change]) for topic in HISTORY
    ]

    def done() -> bool:
        found = _configs(admin, kafka, list(HISTORY))
        return all(config["message.timestamp.type"] == timestamps for config in found.values())

    try:
        for future in admin.incremental_alter_configs(resources, request_timeout=ASK_WITHIN_S).values():
            future.result()
        if not _until(done, clock):
            raise KafkaError("TS-K101", f"The broker accepted {change} and does not act on it")
    except KafkaException as error:
        raise _unreachable(kafka, error) from None
    # A broker shows the setting a moment before its logs follow it.
    clock.sleep(SETTLE_S)


def ends(admin: AdminClient, kafka: KafkaSettings, topic: Topic, partitions: Iterable[int]) -> dict[int, int]:
    """The offset behind the last record of each partition. Raises KafkaError TS-K101."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(topic.named(kafka), p): latest for p in partitions}
    try:
        found = admin.list_offsets(asked, request_timeout=ASK_WITHIN_S)
        return {place.partition: future.result().offset for place, future in found.items()}
    except KafkaException as error:
        raise _unreachable(kafka, error) from None


def _aligned_number(states: Iterable[State]) -> int:
    """The number of partitions of the aligned topics that exist, of which there is at least one."""
    numbers = {state.name: state.partitions for state in states if state.topic.aligned and state.partitions is not None}
    if len(set(numbers.values())) > 1:
        listed = ", ".join(f"{name} has {number}" for name, number in numbers.items())
        raise KafkaError("TS-K103", f"Topics that must have the same number of partitions differ: {listed}")
    return next(iter(numbers.values()))


def _configs(admin: AdminClient, kafka: KafkaSettings, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    """For each topic, by its name on the broker, the settings that we care for. A user who may not read them gets
    none rather than an error."""
    if not topics:
        return {}
    resources = [ConfigResource(ResourceType.TOPIC, topic.named(kafka)) for topic in topics]
    configs = {}
    futures = admin.describe_configs(resources, request_timeout=ASK_WITHIN_S)
    for topic, resource in zip(topics, resources, strict=True):
        try:
            entries = futures[resource].result()
        except KafkaException as error:
            if error.args[0].code() != BrokerError.TOPIC_AUTHORIZATION_FAILED:
                raise
            continue
        wanted = topic.config(1)
        configs[resource.name] = {name: entry.value for name, entry in entries.items() if name in wanted}
    return configs


def _wait_unless_it_exists(future: object, kafka: KafkaSettings) -> None:
    """Another process may have created the topic meanwhile."""
    try:
        future.result()  # type: ignore[attr-defined]  # a concurrent.futures.Future, which the stubs do not say
    except KafkaException as error:
        if error.args[0].code() != BrokerError.TOPIC_ALREADY_EXISTS:
            raise _unreachable(kafka, error) from None


def _until_led(admin: AdminClient, names: Sequence[str], clock: Clock) -> None:
    """Whoever writes to a partition that has no leader yet waits long: clients look again only after a while."""

    def done() -> bool:
        found = admin.list_topics(timeout=ASK_WITHIN_S).topics
        sizes = [found[name].partitions.values() for name in names if name in found]
        return len(sizes) == len(names) and all(all(p.leader >= 0 for p in size) and size for size in sizes)

    if not _until(done, clock):
        raise KafkaError(
            "TS-K101", f"The broker created {', '.join(names)} but has no leader for all of their partitions"
        )


def _until(done: Callable[[], bool], clock: Clock) -> bool:
    """Whether `done` became true within VISIBLE_WITHIN_S."""
    last_ms = clock.monotonic_ms() + round(VISIBLE_WITHIN_S * 1000)
    while not done():
        if clock.monotonic_ms() >= last_ms:
            return False
        clock.sleep(LOOK_EVERY_S)
    return True


def _unreachable(kafka: KafkaSettings, error: KafkaException) -> KafkaError:
    reason: BrokerError = error.args[0]
    return KafkaError("TS-K101", f"Kafka at {kafka.bootstrap} cannot be used: {reason.str()}")
