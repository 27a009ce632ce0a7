"""What `tags.current` says of each customer of a partition, as of the own claim."""

from __future__ import annotations

from collections.abc import Generator

from schemas.errors import StateError
from schemas.records import Current
from streams.log import Log, TopicPartition
from streams.tagger.patient_reader import PatientReader, Silence
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["read_current"]


def read_current(log: Log, topics: Topics, work: Work) -> Generator[None, None, dict[str, Current]]:
    """What tags.current says of each customer, up to the own `@clock`. Returns a dict by customer_id."""
    place = TopicPartition(topics.current, work.partition)
    low, _ = log.extent(place)
    published: dict[str, Current] = {}
    reader = PatientReader(log, place, low)
    try:
        while True:
            for message in reader.read():
                value = message.value()
                if value is None:
                    published.pop((message.key() or b"").decode(), None)
                    continue
                current = Current.from_value(value)
                if not current.is_clock:
                    published[current.customer_id] = current
                elif current.epoch == work.epoch:
                    return published
            yield
    except Silence:
        raise StateError("TS-S103", f"{place.topic}[{place.partition}] lacks the own @clock") from None
    finally:
        reader.close()
