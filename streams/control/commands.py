"""Writes `tags.commands`, and reads its end.

It is written through librdkafka, whose producer can be idempotent: a record whose acknowledgement was lost is sent
again and still stands there once. Faust's own producer is so only in transactions.

Its end is read by whoever takes a partition. Requests are handled in batches, first the commands and then the rows that
remember them, so a process that is killed leaves at most one batch of commands without rows, and they are the last of
their partition. They are not written again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka import KafkaError as Code

from schemas.errors import EventError, KafkaError
from schemas.records import Command
from streams.clock import Clock
from streams.settings import KafkaSettings
from streams.topics import COMMANDS

__all__ = ["Commands"]

ASK_WITHIN_S: Final = 10.0
READ_WITHIN_S: Final = 30.0
SEND_WITHIN_S: Final = 120.0
"""With all repetitions, so that a broker may restart. Afterwards the process ends, and what it had in hand is done by
the next one."""


class Commands:
    """All methods block, so call them on a thread that may. Not for two threads at once. Raise KafkaError TS-K101."""

    def __init__(self, kafka: KafkaSettings, clock: Clock) -> None:
        self._topic = COMMANDS.named(kafka)
        self._bootstrap = kafka.bootstrap
        self._clock = clock
        self._config: dict[str, Any] = {"log_level": 3, **kafka.client_config()}
        ours = {"enable.idempotence": True, "linger.ms": 0, "delivery.timeout.ms": round(SEND_WITHIN_S * 1000)}
        self._producer = Producer({**ours, **self._config})

    def write(self, commands: Sequence[tuple[int, Command]]) -> None:
        """Write commands into their partitions, in this order; returns when the broker has them all.

        After an error some may be there: the end of the partition says which.
        """
        failed: list[Code] = []

        def delivered(error: Code | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        try:
            for partition, command in commands:
                key = command.customer_id.encode()
                self._producer.produce(self._topic, command.to_avro(), key, partition, on_delivery=delivered)
            left = self._producer.flush(SEND_WITHIN_S + ASK_WITHIN_S)
        except KafkaException as error:
            raise self._unusable(error.args[0].str()) from error
        if failed or left:
            raise self._unusable(failed[0].str() if failed else f"{left} commands are not acknowledged")

    def last(self, partition: int, most: int) -> dict[str, Command]:
        """By their ids the last `most` commands of a partition; some tens of milliseconds."""
        ours = {
            # Never used, but librdkafka wants one from every consumer.
            "group.id": "tagstream-control-reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "check.crcs": True,
            "fetch.wait.max.ms": 10,
        }
        consumer = Consumer({**ours, **self._config})
        place = TopicPartition(self._topic, partition)
        try:
            low, end = consumer.get_watermark_offsets(place, timeout=ASK_WITHIN_S, cached=False)
            if low >= end:
                return {}
            consumer.assign([TopicPartition(self._topic, partition, max(low, end - most))])
            found = _read(consumer, self._clock.monotonic_s)
        except KafkaException as error:
            raise self._unusable(error.args[0].str()) from error
        finally:
            consumer.close()
        if found is None:
            raise self._unusable(f"the last commands did not come within {READ_WITHIN_S:g} s")
        return found

    def _unusable(self, reason: str) -> KafkaError:
        return KafkaError("TS-K101", f"Kafka at {self._bootstrap} cannot be used: {reason}")


def _read(consumer: Consumer, now_s: Callable[[], float]) -> dict[str, Command] | None:
    """To the end of the partition; None if it does not come."""
    found: dict[str, Command] = {}
    last_s = now_s() + READ_WITHIN_S
    while now_s() < last_s:
        for message in consumer.consume(1_000, 0.1):
            error = message.error()
            if error is not None:
                if error.code() == Code._PARTITION_EOF:
                    return found
                continue
            try:
                command = Command.from_value(message.value() or b"")
            except EventError:  # not written by a control role
                continue
            found[command.command_id] = command
    return None
