"""Kafka's half of the `Log` protocol, on confluent-kafka: group, fetches, transactions, readers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

import confluent_kafka as ck
import structlog
from confluent_kafka.admin import AdminClient

from schemas.errors import KafkaError
from schemas.outcomes import Dead
from streams import kafka_group, metrics
from streams.clock import Clock
from streams.kafka_sending import LARGEST_RECORD_BYTES, KafkaSender, arguments_of
from streams.log import Batch, Fenced, Fetched, Message, Outgoing, Reader, Sending, Stamp, TopicPartition, Transaction
from streams.settings import KafkaSettings, TaggerSettings
from streams.watchdog import Watchdog

__all__ = ["FROM_THE_BEGINNING", "KafkaLog", "KafkaReader"]

_LOG = structlog.get_logger(__name__)

FROM_THE_BEGINNING: Final = -2
"""Kafka's name for the offset of the oldest record that is still there."""
ASK_WITHIN_S: Final = 10.0
"""For each question to the broker; a broker that restarts answers within some seconds."""
HANGS_AFTER_S: Final = ASK_WITHIN_S + 5
"""A call that has not returned by then, though the broker answers, has forgotten its time-out."""
COMMIT_WITHIN_S: Final = 60.0
"""For a transaction's end with all its repetitions: the broker itself gives up after transaction.timeout.ms."""
ABORT_WITHIN_S: Final = 0.5
"""For each call of an abort, which is then repeated. What was on its way when it began may fall back into the queue,
where only the next call removes it, and the first one waits for it in vain."""
ATTEMPTS: Final = 20
"""Of one transaction. More aborts in a row are no passing fault."""
READ_AHEAD_KB: Final = 16_384
"""What one reader fetches ahead: recovery reads several partitions side by side."""
FETCH_AHEAD_KB: Final = 65_536

_COMMON: Final[dict[str, Any]] = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "check.crcs": True,
    # A second, the default, is how long a partition that was found empty of room waits before it fetches again.
    "fetch.queue.backoff.ms": 5,
    # How late an end of a partition may be noticed, which other topics' records wait for.
    "fetch.wait.max.ms": 10,
}


def _tp(partition: TopicPartition, offset: int = ck.OFFSET_INVALID) -> ck.TopicPartition:
    return ck.TopicPartition(partition.topic, partition.partition, offset)


class KafkaReader:
    """Reads one partition from an offset on; see `log.Reader`."""

    def __init__(self, config: Mapping[str, Any], partition: TopicPartition, start: int) -> None:
        group = {"group.id": "tagstream-reader", "queued.max.messages.kbytes": READ_AHEAD_KB}
        self._consumer = ck.Consumer({**config, **_COMMON, **group})
        self._consumer.assign([_tp(partition, start)])
        self._partition = partition
        self.at_end = False
        """Whether there was nothing behind what was read last."""

    def read(self, most: int, timeout_s: float) -> list[Message]:
        messages: list[Message] = []
        for message in self._consumer.consume(most, timeout_s):
            error = message.error()
            if error is None:
                self.at_end = False
                messages.append(message)
            elif error.code() == ck.KafkaError._PARTITION_EOF:
                self.at_end = True
            elif not error.retriable():
                raise KafkaError("TS-K101", f"Reading {self._partition.topic}: {error.str()}")
        return messages

    def extent(self) -> tuple[int, int]:
        """The offset of the oldest record that is there, and the one behind the newest. Raises KafkaError."""
        try:
            low, high = self._consumer.get_watermark_offsets(_tp(self._partition), ASK_WITHIN_S)
        except ck.KafkaException as error:
            raise KafkaError("TS-K101", f"Reading {self._partition.topic}: {error.args[0].str()}") from None
        return low, high

    def close(self) -> None:
        self._consumer.close()


class KafkaLog:
    """One member of the taggers' group; see `log.Log`. Raises KafkaError TS-K101 if the broker cannot be reached."""

    def __init__(self, kafka: KafkaSettings, tagger: TaggerSettings, clock: Clock, instance: str) -> None:
        self._clock = clock
        self._config: dict[str, Any] = {"log_level": 3, **kafka.client_config()}
        member = {"group.instance.id": kafka.instance_id} if kafka.instance_id else {}
        self._consumer = ck.Consumer(
            {
                **self._config,
                **_COMMON,
                **member,
                "group.id": f"{kafka.group_id}.tagger",
                "partition.assignment.strategy": "range",
                "session.timeout.ms": tagger.session_timeout_ms,
                "heartbeat.interval.ms": max(100, tagger.session_timeout_ms // 5),
                "queued.max.messages.kbytes": FETCH_AHEAD_KB,
            }
        )
        self._producer = ck.Producer(
            {
                **self._config,
                "transactional.id": f"{kafka.group_id}.{instance}",
                "transaction.timeout.ms": tagger.transaction_timeout_ms,
                "partitioner": "murmur2_random",
                "compression.type": "lz4",
                "linger.ms": 0,
                "batch.num.messages": 100_000,
                "queue.buffering.max.messages": 2_000_000,
                "message.max.bytes": LARGEST_RECORD_BYTES,
                # A transaction that follows at once meets CONCURRENT_TRANSACTIONS and repeats at this pace.
                "retry.backoff.ms": 2,
                "retry.backoff.max.ms": 100,
            }
        )
        self._sender = KafkaSender(self._config)
        self._watchdog = Watchdog(clock)
        self._admin: AdminClient | None = None
        self._generation: Any = None
        self._owned: set[int] = set()
        self._paused: set[TopicPartition] = set()
        self._refused: list[Outgoing] = []
        """Records of the transaction under way that the broker refuses, and that have a stand-in."""
        self._failed = False
        """Whether the broker did not take a record of the transaction under way."""
        try:
            self._producer.init_transactions(ASK_WITHIN_S * 3)
        except ck.KafkaException as error:
            raise _unreachable(kafka, error) from None

    # ------------------------------------------------------------------------------------------------- the group

    def subscribe(
        self, topics: Sequence[str], on_assign: Callable[[set[int]], None], on_revoke: Callable[[set[int]], None]
    ) -> None:
        def assigned(consumer: ck.Consumer, partitions: list[ck.TopicPartition]) -> None:
            # The membership under which steps will be made. Read again at commit, it would carry a step of a partition
            # that was lost meanwhile into the new generation.
            self._generation = consumer.consumer_group_metadata()
            self._owned = {p.partition for p in partitions}
            consumer.assign([])
            on_assign(set(self._owned))

        def revoked(consumer: ck.Consumer, partitions: list[ck.TopicPartition]) -> None:
            gone = {p.partition for p in partitions}
            on_revoke(gone)
            self._owned -= gone
            consumer.unassign()

        self._consumer.subscribe(list(topics), on_assign=assigned, on_revoke=revoked, on_lost=revoked)

    def read_from(self, positions: Mapping[TopicPartition, int]) -> None:
        # a pause would outlive a new assignment
        self._consumer.resume([_tp(p) for p in self._paused])
        self._paused.clear()
        self._consumer.assign([_tp(p, offset) for p, offset in positions.items()])

    def fetch(self, most: int, timeout_s: float) -> Fetched:
        messages: dict[TopicPartition, list[Message]] = {}
        at_end: list[TopicPartition] = []
        for message in self._consumer.consume(most, timeout_s):
            error = message.error()
            if error is None:
                place = _place(message)
                group = messages.get(place)
                if group is None:
                    group = messages[place] = []
                if at_end and place in at_end:
                    # The end that was met earlier in this fetch lies before this record.
                    at_end.remove(place)
                group.append(message)
            elif error.code() == ck.KafkaError._PARTITION_EOF:
                at_end.append(_place(message))
            elif error.code() in (*_TAKEN_OVER, ck.KafkaError._FATAL):
                # to a member of a classic group nothing else is fatal than that another one took its name
                raise Fenced(error.str())
            elif error.code() in (ck.KafkaError._AUTO_OFFSET_RESET, ck.KafkaError.OFFSET_OUT_OF_RANGE):
                raise KafkaError("TS-K101", f"Fetching: {error.str()}")
            else:
                _LOG.warning("kafka.fetch_failed", error=error.str())
        return Fetched(messages, at_end)

    def pause(self, partition: TopicPartition, at: int) -> None:
        # What was fetched ahead is thrown away, so it must be said where to go on.
        self._paused.add(partition)
        self._consumer.pause([_tp(partition)])
        self._consumer.seek(_tp(partition, at))

    def resume(self, partition: TopicPartition) -> None:
        self._paused.discard(partition)
        self._consumer.resume([_tp(partition)])

    def committed(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int | None]:
        # With isolation read_committed the broker answers only when it is stable (KIP-447).
        found = self._retried(lambda: self._consumer.committed([_tp(p) for p in partitions], ASK_WITHIN_S))
        return {TopicPartition(p.topic, p.partition): p.offset if p.offset >= 0 else None for p in found}

    def extent(self, partition: TopicPartition) -> tuple[int, int]:
        low, high = self._retried(lambda: self._consumer.get_watermark_offsets(_tp(partition), ASK_WITHIN_S))
        return low, high

    def lag(self, partition: TopicPartition, position: int) -> int | None:
        _, high = self._consumer.get_watermark_offsets(_tp(partition), cached=True)
        return max(0, high - position) if high >= 0 else None

    def reader(self, partition: TopicPartition, start: int) -> Reader:
        return KafkaReader(self._config, partition, start)

    def delete_before(self, partition: TopicPartition, offset: int) -> None:
        # kept, for its futures fail when their client is gone
        admin = self._admin = self._admin or AdminClient(self._config)

        def ask() -> None:
            place = _tp(partition, offset)
            admin.delete_records([place], request_timeout=ASK_WITHIN_S)[place].result()

        self._retried(ask)

    def _retried(self, ask: Callable[[], Any]) -> Any:
        """Ask again while the broker says that it may help, until COMMIT_WITHIN_S."""
        until = self._clock.monotonic_s() + COMMIT_WITHIN_S
        while True:
            try:
                return ask()
            except ck.KafkaException as error:
                reason: ck.KafkaError = error.args[0]
                passing = reason.retriable() or reason.code() in (ck.KafkaError._TIMED_OUT, ck.KafkaError._TRANSPORT)
                if not passing or self._clock.monotonic_s() > until:
                    raise KafkaError("TS-K101", f"The broker does not do it: {reason.str()}") from None
                self._clock.sleep(0.05)

    # ----------------------------------------------------------------------------------------------- transactions

    def transact(self, transaction: Transaction) -> list[Stamp]:
        assert transaction.offsets, "a transaction without offsets is not fenced"
        owned = {p.partition for p in transaction.offsets}
        for _ in range(ATTEMPTS):
            if not owned <= self._owned:
                raise Fenced(f"partitions {sorted(owned - self._owned)} were taken away")
            try:
                return self._attempt(transaction)
            except ck.KafkaException as error:
                reason: ck.KafkaError = error.args[0]
                if not reason.txn_requires_abort():
                    raise _fatal(reason) from None
                _LOG.warning("transaction.aborted", error=reason.str())
                metrics.TRANSACTIONS.labels("aborted").inc()
                self._abort()
                if reason.code() in _NOT_A_MEMBER:
                    raise Fenced(reason.str()) from None
                self._replace_refused(transaction)
                self._clock.sleep(0.02)
        raise KafkaError("TS-K104", f"A transaction was aborted {ATTEMPTS} times in a row")

    def _attempt(self, transaction: Transaction) -> list[Stamp]:
        """Once from begin to commit. Raises ck.KafkaException: to be aborted, or fatal."""
        self._failed = False
        self._until_done("begin", self._producer.begin_transaction)
        offsets = [_tp(p, offset) for p, offset in transaction.offsets.items()]
        # Before the first record: adding the group is repeated quickly, adding a partition only every 20 ms.
        self._until_done("offsets", partial(self._send_offsets, offsets))
        stamps: dict[int, Stamp] = {}
        with metrics.STEP_STAGE_SECONDS.labels("produce").time():
            for batch in transaction.batches:
                self._produce_batch(batch)
            for record in transaction.singles:
                self._produce(record)
            for place, record in enumerate(transaction.stamped):
                self._produce(record, partial(stamps.__setitem__, place))
        if transaction.then is not None:
            self._drain()
            if len(stamps) < len(transaction.stamped):
                raise ck.KafkaException(_undelivered())
            for record in transaction.then([stamps[place] for place in range(len(stamps))]):
                self._produce(record)
        with metrics.STEP_STAGE_SECONDS.labels("commit").time():
            self._drain()
            self._until_done("commit", lambda: self._producer.commit_transaction(ASK_WITHIN_S))
        # partitions answer in no order
        return [stamps[place] for place in range(len(stamps))]

    def _send_offsets(self, offsets: list[ck.TopicPartition]) -> None:
        def broker_is_away() -> bool:
            try:
                self._producer.list_topics(offsets[0].topic, timeout=ASK_WITHIN_S)
            except ck.KafkaException:
                return True
            return False

        with self._watchdog.at_most(HANGS_AFTER_S, "send_offsets_to_transaction", broker_is_away):
            self._producer.send_offsets_to_transaction(offsets, self._generation, ASK_WITHIN_S)

    def _replace_refused(self, transaction: Transaction) -> None:
        """Put the stand-ins of refused records into the transaction, which is sent again."""
        for refused in self._refused:
            assert refused.instead is not None
            _LOG.error("transaction.record_refused", topic=refused.topic, bytes=len(refused.value or b""))
            metrics.count_dead(Dead.REFUSED_BY_BROKER)
            transaction.singles[transaction.singles.index(refused)] = refused.instead
        self._refused.clear()

    def _abort(self) -> None:
        """End the transaction without it. Raises Fenced, or KafkaError TS-K104."""
        try:
            if not self._failed:
                # an abort before anything was sent is an invalid state to the broker
                self._producer.flush(ASK_WITHIN_S)
            self._until_done("abort", lambda: self._producer.abort_transaction(ABORT_WITHIN_S))
        except ck.KafkaException as error:
            raise _fatal(error.args[0]) from None

    def _produce_batch(self, batch: Batch) -> None:
        rest: list[dict[str, Any]] = [{"key": key, "value": value} for key, value in batch.records]
        while rest:
            self._producer.produce_batch(batch.topic, rest, partition=batch.partition)
            failed = [m for m in rest if "_error" in m]
            for message in failed:
                reason = message.pop("_error")
                if reason.code() != ck.KafkaError._QUEUE_FULL:
                    raise ck.KafkaException(reason)
            rest = failed
            if rest:
                self._producer.poll(0.01)

    def _produce(self, record: Outgoing, stamped: Callable[[Stamp], None] | None = None) -> None:
        def delivered(error: ck.KafkaError | None, message: ck.Message) -> None:
            self._failed = self._failed or error is not None
            if error is None and stamped is not None:
                stamped(Stamp(message.offset() or 0, message.timestamp()[1]))
            elif error is not None and error.code() in _FOR_ITSELF and record.instead is not None:
                self._refused.append(record)

        while True:
            try:
                self._producer.produce(**arguments_of(record), on_delivery=delivered)
                return
            except BufferError:
                self._producer.poll(0.01)
            except ck.KafkaException as error:
                # refused before it was sent: nothing need be aborted
                if error.args[0].code() not in _FOR_ITSELF or record.instead is None:
                    raise
                record = record.instead

    def _drain(self) -> None:
        """Wait until every record has been acknowledged: the flush inside commit would look only every 10 ms.

        Not once one has failed: those behind it in its partition stay where they are until the transaction is aborted,
        and to wait for them was to wait until the broker fenced us for being late.
        """
        until = self._clock.monotonic_s() + COMMIT_WITHIN_S
        while len(self._producer) > 0 and not self._failed and self._clock.monotonic_s() < until:
            self._producer.poll(0.001)

    def _until_done(self, what: str, call: Callable[[], Any]) -> None:
        """Repeat a call while its error says so. Its outcome may be unknown until then, so nothing else will do."""
        until = self._clock.monotonic_s() + COMMIT_WITHIN_S
        while True:
            try:
                call()
                return
            except ck.KafkaException as error:
                reason: ck.KafkaError = error.args[0]
                if not reason.retriable() or self._clock.monotonic_s() > until:
                    raise
                _LOG.info("transaction.repeated", call=what, error=reason.str())
                self._clock.sleep(0.01)

    def send(self, records: Sequence[Outgoing]) -> Sending:
        return self._sender.send(records)

    def close(self, leave: bool) -> None:
        self._sender.close()
        if leave:
            kafka_group.leave(self._consumer, self._clock)
        self._consumer.close()
        # after a fatal error a flush is refused; that error has been told already
        with suppress(ck.KafkaException):
            self._drain()


_NOT_A_MEMBER: Final = (
    ck.KafkaError.UNKNOWN_MEMBER_ID,
    ck.KafkaError.ILLEGAL_GENERATION,
    ck.KafkaError.FENCED_INSTANCE_ID,
)
"""The group has moved on without us: what was made under the old membership must not be sent again."""

_FOR_ITSELF: Final = (
    ck.KafkaError.MSG_SIZE_TOO_LARGE,
    ck.KafkaError.INVALID_RECORD,
    ck.KafkaError.INVALID_TIMESTAMP,
    ck.KafkaError.INVALID_MSG,
)
"""Why the broker refuses a record, whoever sends it and however often."""

_TAKEN_OVER: Final = (
    ck.KafkaError._FENCED,
    ck.KafkaError.INVALID_PRODUCER_EPOCH,
    ck.KafkaError.PRODUCER_FENCED,
    ck.KafkaError.FENCED_INSTANCE_ID,
)
"""Another process uses our transactional id, or our name in the group."""


def _place(message: ck.Message) -> TopicPartition:
    """Where a message, or the end that it tells of, lies."""
    topic, partition = message.topic(), message.partition()
    assert topic is not None and partition is not None
    return TopicPartition(topic, partition)


def _undelivered() -> ck.KafkaError:
    """An error that asks for an abort: a record was not acknowledged in time."""
    return ck.KafkaError(ck.KafkaError._MSG_TIMED_OUT, "a journal record was not acknowledged", False, False, True)


def _fatal(reason: ck.KafkaError) -> Exception:
    """What to raise for an error after which this producer can do nothing."""
    if reason.code() in (*_TAKEN_OVER, *_NOT_A_MEMBER):
        return Fenced(reason.str())
    return KafkaError("TS-K104", f"A transaction ended in an error: {reason.str()}")


def _unreachable(kafka: KafkaSettings, error: ck.KafkaException) -> KafkaError:
    return KafkaError("TS-K101", f"Kafka at {kafka.bootstrap} cannot be used: {error.args[0].str()}")
