"""Our topics on the broker in memory."""

from __future__ import annotations

from streams.settings import KafkaSettings
from streams.topics import HISTORY, TOPICS, Timestamps
from tests.simulation.broker import MAX_MESSAGE_BYTES, MemoryBroker

__all__ = ["create_topics"]


def create_topics(broker: MemoryBroker, kafka: KafkaSettings, event_timestamps: Timestamps = "LogAppendTime") -> None:
    """All of them, as `streams.topics.create_missing` makes them on a real one."""
    for topic in TOPICS:
        broker.create(
            topic.named(kafka),
            kafka.partitions,
            timestamps=event_timestamps if topic in HISTORY else topic.timestamps,
            compacted=topic.cleanup == "compact",
            max_message_bytes=topic.max_message_bytes or MAX_MESSAGE_BYTES,
        )
