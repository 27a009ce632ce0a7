"""Sends requests and waits for their answers: what the commands `tag`, `untag` and `import-tags` have in common."""

from __future__ import annotations

from types import TracebackType
from typing import Final, Self

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka import KafkaError as Code

from schemas.errors import EventError, KafkaError
from schemas.records import Answer, Request
from streams.clock import Clock
from streams.settings import KafkaSettings
from streams.topics import REQUESTS, RESULTS

__all__ = ["RequestClient"]

ASK_WITHIN_S: Final = 10.0
CLOSE_WITHIN_S: Final = 5.0
MOST_ANSWERS: Final = 1_000
WAIT_S: Final = 0.1
MOVING: Final = (Code.NOT_LEADER_FOR_PARTITION, Code.LEADER_NOT_AVAILABLE)
"""A partition was just made, or changes its broker: known again in a moment."""


class RequestClient:
    """Sees the answers that are written after it was made, those to others' requests as well. Use it in `with`.

    Raises KafkaError: TS-K101 if there is no broker, TS-K102 if there is no topic.
    """

    def __init__(self, kafka: KafkaSettings, clock: Clock) -> None:
        self._kafka = kafka
        self._clock = clock
        self._requests = REQUESTS.named(kafka)
        self._failed: str | None = None
        common: dict[str, str | int | float | bool] = {"log_level": 0}
        self._producer = Producer(
            common
            | {
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "delivery.timeout.ms": round(ASK_WITHIN_S * 1000),
            }
            | kafka.client_config()
        )
        self._consumer = Consumer(
            common
            | {
                # Never used, but librdkafka wants one from every consumer.
                "group.id": f"{kafka.group_id}.ask",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "check.crcs": True,
                "fetch.wait.max.ms": 50,
            }
            | kafka.client_config()
        )
        self._consumer.assign(self._ends(RESULTS.named(kafka)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._producer.flush(CLOSE_WITHIN_S)
        self._consumer.close()

    def send(self, request: Request) -> None:
        """Hand over; that the broker has it is seen by its answer. Raises KafkaError TS-K101 for an earlier one that
        the broker did not take."""
        self._check()
        while True:
            try:
                self._producer.produce(
                    self._requests, request.to_json(), request.customer_id.encode(), on_delivery=self._delivered
                )
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)

    def answers(self, timeout_s: float) -> list[Answer]:
        """Waits that long for the first one, then gives those that are there. Raises KafkaError TS-K101."""
        self._producer.poll(0)
        self._check()
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        found = []
        for message in (first, *self._consumer.consume(MOST_ANSWERS, 0)):
            value = message.value()
            if message.error() is None and value is not None:
                try:
                    found.append(Answer.from_value(value))
                except EventError:  # none of ours: somebody else's record is nobody's answer
                    continue
        return found

    def answer(self, request: Request, timeout_s: float) -> Answer | None:
        """Send one request and wait for its answer; None if none comes in that time."""
        self.send(request)
        last_s = self._clock.monotonic_s() + timeout_s
        while (left_s := last_s - self._clock.monotonic_s()) > 0:
            for answer in self.answers(min(left_s, 0.2)):
                if answer.request_id == request.request_id:
                    return answer
        return None

    def _delivered(self, error: Code | None, _: Message) -> None:
        if error is not None:
            self._failed = error.str()

    def _check(self) -> None:
        if self._failed is not None:
            raise KafkaError("TS-K101", f"A request could not be sent to {self._kafka.bootstrap}: {self._failed}")

    def _ends(self, topic: str) -> list[TopicPartition]:
        """Where the answers end by now. Known before the first request is sent, so that no answer is missed."""
        last_s = self._clock.monotonic_s() + ASK_WITHIN_S
        while True:
            try:
                found = self._consumer.list_topics(topic, timeout=ASK_WITHIN_S).topics[topic]
                if found.error is not None:
                    raise KafkaError("TS-K102", f"The topic {topic} does not exist")
                return [self._end(TopicPartition(topic, partition)) for partition in sorted(found.partitions)]
            except KafkaException as error:
                reason = error.args[0]
                if reason.code() not in MOVING or self._clock.monotonic_s() >= last_s:
                    message = f"No Kafka broker answers at {self._kafka.bootstrap}: {reason.str()}"
                    raise KafkaError("TS-K101", message) from error
                self._clock.sleep(WAIT_S)

    def _end(self, place: TopicPartition) -> TopicPartition:
        _, end = self._consumer.get_watermark_offsets(place, timeout=ASK_WITHIN_S, cached=False)
        return TopicPartition(place.topic, place.partition, end)
