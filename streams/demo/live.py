"""Sends the live stream's events to Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson
from confluent_kafka import Producer

from streams.demo.generator import LiveEvent
from streams.settings import KafkaSettings
from streams.topics import EVENTS

LAST_WORDS_WITHIN_S: Final = 5.0
"""What is still under way at the end is only a demo's event."""


def producer_for(kafka: KafkaSettings) -> Producer:
    """A producer whose partitioner is that of Java's clients and of the pipeline."""
    config: dict[str, Any] = {
        **kafka.client_config(),
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "linger.ms": 5,
        # What the library writes to standard error would tear the picture; what matters is shown by other means.
        "log_level": 0,
        # The whole history fits into the queue, so that loading it never waits.
        "queue.buffering.max.messages": 200_000,
    }
    return Producer(config)


class LiveStream:
    """Writes events as JSON: at the demo's rates it costs nothing, and `kcat` shows something that people can read."""

    def __init__(self, producer: Producer, kafka: KafkaSettings) -> None:
        self._producer = producer
        self._topics = {event_type: topic.named(kafka) for event_type, topic in EVENTS.items()}

    def send(self, events: Iterable[LiveEvent]) -> int:
        """Hands the events to the producer, waits for nothing, and returns how many it took. While the broker does
        not answer and the producer's queue is full, events are dropped, as by a shop that cannot reach it."""
        sent = 0
        for live in events:
            try:
                self._producer.produce(self._topics[live.type], orjson.dumps(live.event), live.event["customer_id"])
            except BufferError:
                break
            sent += 1
        self._producer.poll(0)
        return sent

    def close(self) -> None:
        self._producer.flush(LAST_WORDS_WITHIN_S)
