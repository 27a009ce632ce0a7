"""In which order a partition's records were applied: by step, and within one by (arrival, topic, offset).

The steps are the journal's to tell. A record that came late to its topic's end is in a later step than others that
arrived after it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from streams.log import Message

__all__ = ["Arrived", "Source", "merged"]


class Arrived(NamedTuple):
    """A record, by what decides its place: no two are alike in the first three."""

    arrival_ms: int
    """Raised to that of the record before it in its topic."""
    source: int
    """Position of its topic among the sources."""
    offset: int
    message: Message


class Source:
    """One source's records, handed out range by range. Holds one at a time."""

    def __init__(self, source: int, messages: Iterable[Message]) -> None:
        """`messages` come in order of offset."""
        self._source = source
        self._messages = iter(messages)
        self._next: Arrived | None = None
        self._arrival_ms = 0

    def before(self, end: int) -> Iterator[Arrived]:
        """The records before the offset `end` that were not handed out yet."""
        while (found := self._peek()) is not None and found.offset < end:
            self._next = None
            yield found

    def _peek(self) -> Arrived | None:
        if self._next is None and (message := next(self._messages, None)) is not None:
            self._arrival_ms = max(self._arrival_ms, message.timestamp()[1])
            self._next = Arrived(self._arrival_ms, self._source, message.offset() or 0, message)
        return self._next


def merged(sources: Sequence[Source], ends: Sequence[int]) -> Iterator[Arrived]:
    """What each source has before its end, in the order of application."""
    return heapq.merge(*(source.before(end) for source, end in zip(sources, ends, strict=True)))
