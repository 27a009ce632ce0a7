"""Writing outside of transactions: the log's second producer, and the plain one of whoever sends events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.clock import Clock
from streams.log import NotSent, Outgoing, Stamp
from tests.simulation.broker import MemoryBroker
from tests.simulation.faults import NoAnswer, Request
from tests.simulation.process import Process
from tests.simulation.refusals import RecordRefused

__all__ = ["MemoryProducer", "MemorySending"]


class MemorySending:
    """See `log.Sending`. Each call of `done` writes one record."""

    def __init__(self, process: Process, records: Sequence[Outgoing], numbers: Iterator[int]) -> None:
        """`numbers`: of the producer's requests, each new."""
        self._process = process
        self._records = records
        self._numbers = numbers
        self._stamps: list[Stamp] = []

    @property
    def stamps(self) -> list[Stamp]:
        assert len(self._stamps) == len(self._records), "not all are acknowledged yet"
        return self._stamps

    def done(self) -> bool:
        if len(self._stamps) < len(self._records):
            record, number = self._records[len(self._stamps)], next(self._numbers)
            broker = self._process.broker
            try:
                stamp = self._process.ask(Request.SEND, lambda: broker.send(self._process, number, record))
            except (NoAnswer, RecordRefused) as error:
                raise NotSent(str(error)) from None
            self._stamps.append(stamp)
        return len(self._stamps) == len(self._records)


class MemoryProducer:
    """Sends as a producer without idempotence does: a record whose acknowledgement is lost is there twice."""

    def __init__(self, broker: MemoryBroker, clock: Clock, name: str) -> None:
        self._process = Process(broker, clock, name)

    def send(self, record: Outgoing) -> Stamp:
        """Where it was written last. Raises RecordRefused, NoAnswer."""
        return self._process.ask(Request.PUT, lambda: self._process.broker.put(record))
