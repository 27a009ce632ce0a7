"""Reading partitions from where one stands: what a consumer fetches, and a reader of one partition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.errors import KafkaError
from streams.log import Fetched, Message, TopicPartition
from tests.simulation.faults import NoAnswer, Request
from tests.simulation.process import Process
from tests.simulation.refusals import OutOfRange

__all__ = ["MemoryReader", "Position", "Reading"]


@dataclass(slots=True)
class Position:
    """Where a partition is read."""

    offset: int
    told_end: int = -1
    """The end that was told of last: each is told of once."""


class Reading:
    """Partitions that are read side by side."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.positions: dict[TopicPartition, Position] = {}
        self.paused: set[TopicPartition] = set()
        self.ends: dict[TopicPartition, int] = {}
        """Of each partition as of its last fetch, open transactions included."""

    def read_from(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These partitions and no others; nothing is paused."""
        self.positions = {place: Position(offset) for place, offset in offsets.items()}
        self.paused.clear()

    def wait(self, most: int, timeout_s: float) -> bool:
        """Waits, and says so, if there are fewer than `most` records. Raises KafkaError TS-K101."""
        self._process.broker.tick()
        if timeout_s <= 0 or sum(self._ready().values()) >= most:
            return False
        self._process.clock.sleep(timeout_s)
        return True

    def fetch(self, request: Request, most: int) -> Fetched:
        """What is there now. Raises KafkaError TS-K101."""
        try:
            # positions move only with the answer: a repeated request asks for the same again
            fetched, moved = self._process.ask(request, lambda: self._look(most))
        except NoAnswer:
            raise KafkaError("TS-K101", "The broker does not answer") from None
        self.positions |= moved
        return fetched

    def _ready(self) -> dict[TopicPartition, int]:
        """How many records there are, by partition."""
        broker = self._process.broker
        try:
            return {
                place: broker.checked(place, position.offset).ready(position.offset)
                for place, position in self.positions.items()
                if place not in self.paused
            }
        except OutOfRange as error:
            raise KafkaError("TS-K101", f"Fetching: {error}") from None

    def _look(self, most: int) -> tuple[Fetched, dict[TopicPartition, Position]]:
        broker = self._process.broker
        messages: dict[TopicPartition, list[Message]] = {}
        at_end: list[TopicPartition] = []
        moved: dict[TopicPartition, Position] = {}
        for place, share in broker.faults.share(self._process.name, self._ready()):
            partition, position = broker.partition(place), self.positions[place]
            self.ends[place] = partition.end
            found = partition.read(position.offset, min(share, most))
            most -= len(found)
            offset, told_end = position.offset, position.told_end
            if found:
                messages[place] = list(found)
                offset = found[-1].at_offset + 1
            if not partition.ready(offset):
                # what is left are markers and aborted records, which nobody sees
                offset = max(offset, partition.stable_end)
                if partition.stable_end > told_end:
                    told_end = partition.stable_end
                    at_end.append(place)
            moved[place] = Position(offset, told_end)
        return Fetched(messages, at_end), moved


class MemoryReader:
    """See `log.Reader`. `read` waits its whole time-out if there are fewer records than it may bring."""

    def __init__(self, process: Process, partition: TopicPartition, start: int) -> None:
        self._reading = Reading(process)
        self._reading.read_from({partition: start})
        self._partition = partition

    def read(self, most: int, timeout_s: float) -> list[Message]:
        self._reading.wait(most, timeout_s)
        return self._reading.fetch(Request.READ, most).messages.get(self._partition, [])

    def close(self) -> None:
        self._reading.read_from({})
