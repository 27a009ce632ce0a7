"""The committed records of one partition of a topic, from the oldest that is there, for those who read it whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from streams.kafka_log import FROM_THE_BEGINNING, KafkaReader
from streams.log import Message, TopicPartition

__all__ = ["READ_WAIT_S", "Progress", "Tail", "records_of"]

READ_MOST: Final = 10_000
READ_WAIT_S: Final = 0.2

Progress = Callable[[int], None]
"""Told how many more records were read."""


class Tail:
    """One partition of a topic, read to its end as often as is asked for. The methods raise KafkaError."""

    def __init__(self, config: dict[str, Any], place: TopicPartition, progress: Progress) -> None:
        """`config`: for consumers. To be closed."""
        self.place = place
        self._progress = progress
        self._reader = KafkaReader(config, place, FROM_THE_BEGINNING)

    def oldest(self) -> int:
        """Offset of the oldest record that is there now; older ones may be deleted while one reads."""
        return self._reader.extent()[0]

    def more(self) -> Iterator[list[Message]]:
        """What there is by now, in pieces. What comes meanwhile is left for the next time, so that it ends."""
        _, end = self._reader.extent()
        while True:
            messages = self._read()
            yield messages
            if self._reader.at_end or (messages and (messages[-1].offset() or 0) >= end - 1):
                return

    def before(self, end: int) -> Iterator[Message]:
        """Those before the offset `end`; to be asked once."""
        while not self._reader.at_end:
            for message in self._read():
                if (message.offset() or 0) >= end:
                    return
                yield message
                if (message.offset() or 0) == end - 1:
                    return

    def close(self) -> None:
        self._reader.close()

    def _read(self) -> list[Message]:
        messages = self._reader.read(READ_MOST, READ_WAIT_S)
        self._progress(len(messages))
        return messages


def records_of(config: dict[str, Any], place: TopicPartition, end: int | None, progress: Progress) -> Iterator[Message]:
    """Those before the offset `end`, or all that there are by now. Raises KafkaError."""
    tail = Tail(config, place, progress)
    try:
        if end is not None:
            yield from tail.before(end)
        else:
            for messages in tail.more():
                yield from messages
    finally:
        tail.close()
