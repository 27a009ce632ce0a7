"""Records written beside the transactions, without stopping the flow: see `log.Sending`.

Snapshots go out this way. They are large and in no hurry, and in a step's transaction readers would wait behind them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import confluent_kafka as ck

from streams.log import NotSent, Outgoing, Stamp

__all__ = ["LARGEST_RECORD_BYTES", "KafkaSender", "KafkaSending", "arguments_of"]

LARGEST_RECORD_BYTES: Final = 2_300_000
"""The producers' own limit: above that of events.dlq, so that the topic's limit is the one that counts."""
IN_HAND_KB: Final = 16_384
"""Copied ahead into the client, of all sendings: enough to keep the connection busy."""
GIVE_UP_MS: Final = 60_000
"""A record that is not acknowledged for so long, over a restart of the broker, never will be."""


def arguments_of(record: Outgoing) -> dict[str, Any]:
    """A record as the arguments of `Producer.produce`."""
    arguments: dict[str, Any] = {
        "topic": record.topic,
        "key": record.key,
        "value": record.value,
        "headers": record.headers,
    }
    if record.partition is not None:
        arguments["partition"] = record.partition
    if record.timestamp_ms:
        arguments["timestamp"] = record.timestamp_ms
    return arguments


class KafkaSender:
    """An idempotent producer that is made when it is first needed. For one thread."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._config = config
        self._producer: ck.Producer | None = None

    def send(self, records: Sequence[Outgoing]) -> KafkaSending:
        if self._producer is None:
            self._producer = ck.Producer(
                {
                    **self._config,
                    "enable.idempotence": True,
                    "partitioner": "murmur2_random",
                    "compression.type": "lz4",
                    "message.max.bytes": LARGEST_RECORD_BYTES,
                    "queue.buffering.max.kbytes": IN_HAND_KB,
                    "delivery.timeout.ms": GIVE_UP_MS,
                }
            )
        return KafkaSending(self, self._producer, records)

    def give_up(self, producer: ck.Producer) -> None:
        """Send no more by this producer: after some errors it refuses everything."""
        if self._producer is producer:
            self._producer = None

    def close(self) -> None:
        """What is under way is dropped."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None


class KafkaSending:
    """Records of one call of `KafkaSender.send`."""

    def __init__(self, sender: KafkaSender, producer: ck.Producer, records: Sequence[Outgoing]) -> None:
        self._sender = sender
        self._producer = producer
        self._rest = deque(enumerate(records))
        """What the producer has no room for yet, with its place among the records."""
        self._stamps: list[Stamp | None] = [None] * len(records)
        self._open = len(records)
        """Records that are not acknowledged."""
        self._failed: ck.KafkaError | None = None

    @property
    def stamps(self) -> list[Stamp]:
        assert not self._open, "not all are acknowledged yet"
        return [stamp for stamp in self._stamps if stamp is not None]

    def done(self) -> bool:
        self._hand_over()
        self._producer.poll(0)
        if self._failed is not None:
            self._rest.clear()
            self._sender.give_up(self._producer)
            raise NotSent(self._failed.str())
        return not self._open

    def _hand_over(self) -> None:
        """Give the producer as much as it has room for."""
        while self._rest and self._failed is None:
            place, record = self._rest[0]
            try:
                self._producer.produce(**arguments_of(record), on_delivery=partial(self._answered, place))
            except BufferError:
                return
            except ck.KafkaException as error:
                self._failed = error.args[0]
                return
            self._rest.popleft()

    def _answered(self, place: int, error: ck.KafkaError | None, message: ck.Message) -> None:
        if error is not None:
            self._failed = error
            return
        self._stamps[place] = Stamp(message.offset() or 0, message.timestamp()[1])
        self._open -= 1
