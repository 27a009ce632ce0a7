"""All committed records of one partition, from the oldest on: for commands that look at topics as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from streams.kafka_log import KafkaReader
from streams.log import Message, TopicPartition

__all__ = ["FROM_THE_BEGINNING", "READ_MOST", "READ_WAIT_S", "Progress", "records_of"]

READ_MOST: Final = 10_000
READ_WAIT_S: Final = 0.2
FROM_THE_BEGINNING: Final = -2
"""Kafka's name for the offset of the oldest record that is still there."""

Progress = Callable[[int], None]
"""Told how many more records were read."""


def records_of(config: dict[str, Any], place: TopicPartition, end: int | None, progress: Progress) -> Iterator[Message]:
    """Those before the offset `end`, or all that there are. Raises KafkaError."""
    reader = KafkaReader(config, place, FROM_THE_BEGINNING)
    try:
        while not reader.at_end:
            messages = reader.read(READ_MOST, READ_WAIT_S)
            progress(len(messages))
            for message in messages:
                if end is not None and (message.offset() or 0) >= end:
                    return
                yield message
            if end is not None and messages and (messages[-1].offset() or 0) == end - 1:
                return
    finally:
        reader.close()
