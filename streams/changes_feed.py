"""Follows `tags.changes`: committed changes, oldest first within a partition, by no consumer group.

Nothing is remembered between two runs and nobody else is disturbed: for looking on, not for processing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition
from confluent_kafka import KafkaError as Code

from schemas.errors import EventError, KafkaError
from schemas.records import Change
from streams.settings import KafkaSettings
from streams.topics import CHANGES

__all__ = ["ChangesFeed"]

ASK_TIMEOUT_S: Final = 10.0
MAX_RECORDS: Final = 1_000


class ChangesFeed:
    """Reads all partitions, from the topic's start or from its present end on.

    Raises KafkaError: TS-K101 if there is no broker, TS-K102 if there is no topic.
    """

    def __init__(self, settings: KafkaSettings, *, from_beginning: bool) -> None:
        self._topic = CHANGES.named(settings)
        self.unreadable = 0
        """Records passed over because they are no changes."""
        ours: dict[str, str | int | float | bool] = {
            # Never used, but librdkafka wants one from every consumer.
            "group.id": f"{settings.group_id}.tail",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "check.crcs": True,
            "fetch.wait.max.ms": 100,
            # What goes wrong comes as an error of `poll`, or passes by itself.
            "log_level": 0,
        }
        self._consumer = Consumer(ours | settings.client_config())
        start = OFFSET_BEGINNING if from_beginning else OFFSET_END
        self._consumer.assign([TopicPartition(self._topic, p, start) for p in self._partitions(settings.bootstrap)])

    def poll(self, timeout_s: float) -> Iterator[Change]:
        """Waits that long for the first change, then gives those that are there."""
        first = self._consumer.poll(timeout_s)
        if first is None:
            return
        for message in (first, *self._consumer.consume(MAX_RECORDS, 0)):
            error = message.error()
            if error is not None:
                if error.code() == Code.UNKNOWN_TOPIC_OR_PART:
                    raise KafkaError("TS-K102", f"The topic {self._topic} is gone")
                continue
            value = message.value()
            if value is None:
                continue
            try:
                yield Change.from_value(value)
            except EventError:
                self.unreadable += 1

    def close(self) -> None:
        self._consumer.close()

    def _partitions(self, bootstrap: str) -> list[int]:
        try:
            topic = self._consumer.list_topics(self._topic, timeout=ASK_TIMEOUT_S).topics[self._topic]
        except KafkaException as error:
            raise KafkaError("TS-K101", f"No Kafka broker answers at {bootstrap}: {error.args[0].str()}") from error
        if topic.error is not None:
            raise KafkaError("TS-K102", f"The topic {self._topic} does not exist")
        return sorted(topic.partitions)
