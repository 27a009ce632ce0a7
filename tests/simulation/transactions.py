"""The broker's transaction coordinator: producer epochs, open transactions, time-outs, markers that come late.

A transaction is decided at one moment, and each partition gets to know at a moment of its own, by a marker. Until all
of its markers are written, its producer can begin no other one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from streams.clock import Clock
from streams.log import TopicPartition
from tests.simulation.group import Group
from tests.simulation.partition_log import PartitionLog
from tests.simulation.refusals import ProducerFenced, TryAgain

__all__ = ["Coordinator", "OpenTransaction", "ProducerId"]


@dataclass(frozen=True, slots=True)
class ProducerId:
    """Who writes: a transactional id, as it was taken for the `epoch`th time."""

    transactional_id: str
    epoch: int


@dataclass(slots=True, eq=False)
class OpenTransaction:
    """From its first request until all of its markers are written."""

    began_ms: int
    places: dict[TopicPartition, None] = field(default_factory=dict)
    """Partitions that it wrote to, in that order."""
    groups: dict[Group, None] = field(default_factory=dict)
    """Groups whose offsets it moves."""
    committed: bool | None = None
    """None: undecided."""
    waiting: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    """Markers that are not written yet, and the monotonic time in ms when each will be."""


@dataclass(slots=True)
class _Producer:
    epoch: int
    timeout_ms: int
    current: OpenTransaction | None = None
    """The last transaction, unless its end is over and known."""
    last_committed: bool | None = None
    """How the one before ended: what a repeated request to end it is answered by."""


class Coordinator:
    """What a producer asks for, it asks after a `tick`. `clock` is the broker's."""

    def __init__(
        self,
        clock: Clock,
        partition: Callable[[TopicPartition], PartitionLog],
        marker_delay_ms: Callable[[TopicPartition | None], int],
    ) -> None:
        self._clock = clock
        self._partition = partition
        self._marker_delay_ms = marker_delay_ms
        self._producers: dict[str, _Producer] = {}

    def init(self, transactional_id: str, timeout_ms: int) -> ProducerId:
        """Take the id: its former producer is fenced and what that has open is aborted. Raises TryAgain."""
        producer = self._producers.setdefault(transactional_id, _Producer(-1, timeout_ms))
        if producer.current is not None and producer.current.committed is None:
            self._fence_and_abort(producer)
        self._wait_for_markers(producer)
        producer.epoch += 1
        producer.timeout_ms = timeout_ms
        producer.last_committed = None
        return ProducerId(transactional_id, producer.epoch)

    def transaction(self, who: ProducerId) -> OpenTransaction:
        """The producer's transaction, which is begun if there is none. Raises ProducerFenced, TryAgain."""
        producer = self._producer(who)
        if producer.current is None or producer.current.committed is not None:
            self._wait_for_markers(producer)
            producer.current = OpenTransaction(self._clock.monotonic_ms())
        return producer.current

    def end(self, who: ProducerId, commit: bool) -> None:
        """Commit or abort; may be repeated. An abort of nothing is none. Raises ProducerFenced."""
        producer = self._producer(who)
        current = producer.current
        if current is not None and current.committed is None:
            self._decide(producer, current, commit)
        elif commit:
            ended = current.committed if current is not None else producer.last_committed
            assert ended, "nothing was begun"

    def tick(self) -> None:
        """Do what is due: markers, then time-outs."""
        now_ms = self._clock.monotonic_ms()
        for producer in self._producers.values():
            current = producer.current
            if current is None:
                continue
            if current.committed is None and now_ms - current.began_ms >= producer.timeout_ms:
                self._fence_and_abort(producer)
            self._write_markers(producer, current, now_ms)

    def _producer(self, who: ProducerId) -> _Producer:
        producer = self._producers[who.transactional_id]
        if producer.epoch != who.epoch:
            raise ProducerFenced(f"{who.transactional_id} is at epoch {producer.epoch}, not {who.epoch}")
        return producer

    def _wait_for_markers(self, producer: _Producer) -> None:
        if producer.current is not None and producer.current.waiting:
            raise TryAgain("the markers of the last transaction are not all written")

    def _fence_and_abort(self, producer: _Producer) -> None:
        assert producer.current is not None
        producer.epoch += 1
        self._decide(producer, producer.current, commit=False)

    def _decide(self, producer: _Producer, transaction: OpenTransaction, commit: bool) -> None:
        transaction.committed = producer.last_committed = commit
        now_ms = self._clock.monotonic_ms()
        for place in transaction.places:
            self._add_marker(transaction, now_ms + self._marker_delay_ms(place), self._partition(place).mark)
        for group in transaction.groups:
            self._add_marker(transaction, now_ms + self._marker_delay_ms(None), group.mark)
        self._write_markers(producer, transaction, now_ms)

    def _add_marker(
        self, transaction: OpenTransaction, due_ms: int, mark: Callable[[OpenTransaction, bool], None]
    ) -> None:
        committed = bool(transaction.committed)
        transaction.waiting.append((due_ms, lambda: mark(transaction, committed)))

    def _write_markers(self, producer: _Producer, transaction: OpenTransaction, now_ms: int) -> None:
        if transaction.committed is None:
            return
        due = [write for due_ms, write in transaction.waiting if due_ms <= now_ms]
        transaction.waiting = [marker for marker in transaction.waiting if marker[0] > now_ms]
        for write in due:
            write()
        if not transaction.waiting:
            producer.current = None
