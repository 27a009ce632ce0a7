"""What the broker says of `tags.requests`: from where on a partition is to be handled, and what comes first from there.

Faust may hand over a record that it fetched before a rebalance as if it came after it, ahead of those before it. Its
acknowledgement would be committed over them, and they would be lost. So the desk takes a partition's requests in the
order of their offsets alone, and asks here where that order begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from schemas.errors import KafkaError
from streams.clock import Clock
from streams.settings import KafkaSettings
from streams.topics import REQUESTS

__all__ = ["Requests", "Turn"]

ASK_WITHIN_S: Final = 10.0


@dataclass(slots=True)
class Turn:
    """Whose turn it is in a partition."""

    next: int
    """Every request before this offset was handled."""
    there: int = -1
    """Offset of the first record from `next` on, once that was asked for."""

    def unclear(self, offset: int) -> bool:
        """Whether it must be asked for: there may be no records from `next` to `offset`, or they have not come yet."""
        return offset > self.next and self.there < self.next

    def take(self, offset: int) -> bool:
        """Whether it is the turn of this offset, or was already. What was handled is handled again, to no effect."""
        if offset > max(self.next, self.there):
            return False
        self.next = max(self.next, offset + 1)
        return True


class Requests:
    """All methods block, some tens of milliseconds. Not for two threads at once. Raise KafkaError TS-K101."""

    def __init__(self, kafka: KafkaSettings, clock: Clock, group: str) -> None:
        """`group`: the one that Faust commits for."""
        self._topic = REQUESTS.named(kafka)
        self._bootstrap = kafka.bootstrap
        self._clock = clock
        self._config: dict[str, Any] = {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            # As Faust reads.
            "isolation.level": "read_uncommitted",
            "fetch.wait.max.ms": 10,
            "log_level": 3,
            **kafka.client_config(),
        }

    def begin(self, partition: int) -> int:
        """The first offset that is not committed yet, as far as records are still there."""
        consumer = Consumer(self._config)
        place = TopicPartition(self._topic, partition)
        try:
            (committed,) = consumer.committed([place], ASK_WITHIN_S)
            low, _ = consumer.get_watermark_offsets(place, timeout=ASK_WITHIN_S, cached=False)
        except KafkaException as error:
            raise self._unusable(error.args[0].str()) from error
        finally:
            consumer.close()
        return int(max(committed.offset, low))

    def first_from(self, partition: int, offset: int) -> int:
        """Offset of the first record at `offset` or behind; there must be one."""
        consumer = Consumer(self._config)
        try:
            consumer.assign([TopicPartition(self._topic, partition, offset)])
            last_s = self._clock.monotonic_s() + ASK_WITHIN_S
            while self._clock.monotonic_s() < last_s:
                for message in consumer.consume(1, 0.1):
                    found = message.offset()
                    if message.error() is None and found is not None:
                        return found
        except KafkaException as error:
            raise self._unusable(error.args[0].str()) from error
        finally:
            consumer.close()
        raise self._unusable(f"{self._topic}[{partition}] does not answer from offset {offset} on")

    def _unusable(self, reason: str) -> KafkaError:
        return KafkaError("TS-K101", f"Kafka at {self._bootstrap} cannot be used: {reason}")
