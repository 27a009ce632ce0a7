"""Reads topics whole, committed data only, by a plain consumer; and all hashes of Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final, cast

import redis
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from streams.redis_layout import Layout
from streams.settings import KafkaSettings
from streams.topics import Topic

__all__ = ["hashes", "messages"]

AT_ONCE: Final = 10_000
SILENT_MOST_S: Final = 60.0
"""A broker that was just started anew may take some seconds until its partitions have a leader."""
KEYS_AT_ONCE: Final = 1_000


def messages(kafka: KafkaSettings, topic: Topic) -> Iterator[Message]:
    """All committed records that the topic has now; those of a partition in order of offset."""
    consumer = Consumer(
        {
            **kafka.client_config(),
            "log_level": 0,
            "group.id": "chaos-verifier",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "check.crcs": True,
        }
    )
    name = topic.named(kafka)
    try:
        open_partitions = set(consumer.list_topics(name, timeout=30).topics[name].partitions)
        consumer.assign([TopicPartition(name, p, 0) for p in open_partitions])
        last = time.monotonic() + SILENT_MOST_S
        while open_partitions:
            assert time.monotonic() < last, f"{name} does not end"
            for message in consumer.consume(AT_ONCE, 0.1):
                last = time.monotonic() + SILENT_MOST_S
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition())
                else:
                    assert error.retriable(), str(error)
    finally:
        consumer.close()


def hashes(client: redis.Redis) -> dict[str, dict[str, str]]:
    """By customer all fields in Redis. `client` gives texts."""
    layout = Layout()
    prefix = layout.tags_prefix.decode()
    keys = [cast(str, key) for key in client.scan_iter(match=layout.tags_pattern, count=KEYS_AT_ONCE)]
    found: dict[str, dict[str, str]] = {}
    for start in range(0, len(keys), KEYS_AT_ONCE):
        some = keys[start : start + KEYS_AT_ONCE]
        pipe = client.pipeline(transaction=False)
        for key in some:
            pipe.hgetall(key)
        found |= {key.removeprefix(prefix): told for key, told in zip(some, pipe.execute(), strict=True)}
    return found
