"""The merged topics of one partition: what is held of each, and in which order it is applied.

Records are merged by (arrival, topic, offset). A record waits until each other topic of the partition has a later
record in hand or is at its end; so while catching up the order is what it would have been live. Arrival is the record's
timestamp, raised to the last one of its topic if it goes back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.log import Message, TopicPartition

I64 = NDArray[np.int64]

_EMPTY: I64 = np.zeros(0, np.int64)


class Source:
    """One topic of the partition."""

    def __init__(self, place: TopicPartition, position: int) -> None:
        self.place = place
        self.origin = position
        """Where the partition's state begins: nothing before this offset was ever applied."""
        self.lost_before = 0
        """What lay before this offset and is not applied yet is gone for good, and that was accepted."""
        self.next = position
        """Offset of the next record to apply: behind the last one that was taken."""
        self.at_end = False
        """From the end of the partition until its next record."""
        self.messages: list[Message] = []
        self.arrivals = _EMPTY
        self.last_arrival = -1
        self.applied_arrival = -1
        """Arrival of the last record that was taken: what comes next arrives no earlier."""

    def go_to(self, position: int, arrival: int) -> None:
        """Hold nothing, and go on from `position`, before which the last record had this arrival (-1: none)."""
        self.next = position
        self.messages = []
        self.arrivals = _EMPTY
        self.last_arrival = self.applied_arrival = arrival
        self.at_end = False

    def add(self, messages: list[Message]) -> None:
        """More messages, in order of offset."""
        arrivals = np.fromiter((m.timestamp()[1] for m in messages), np.int64, len(messages))
        arrivals = np.maximum(np.maximum.accumulate(arrivals), self.last_arrival)
        self.last_arrival = int(arrivals[-1])
        self.messages = self.messages + messages if self.messages else messages
        self.arrivals = np.concatenate([self.arrivals, arrivals]) if self.arrivals.size else arrivals
        self.at_end = False

    def take(self, n: int) -> list[Message]:
        """The first `n` messages, which are no longer held."""
        taken = self.messages[:n]
        if taken:
            self.next = (taken[-1].offset() or 0) + 1
            self.applied_arrival = int(self.arrivals[n - 1])
        self.messages = self.messages[n:]
        self.arrivals = self.arrivals[n:]
        return taken

    def before(self, offset: int) -> int:
        """How many messages in hand come before `offset`."""
        return bisect_left(self.messages, offset, key=lambda m: m.offset() or 0)

    @property
    def held(self) -> int:
        """Messages in hand."""
        return len(self.messages)

    @property
    def fetch_from(self) -> int:
        """Offset behind the last message in hand."""
        return (self.messages[-1].offset() or 0) + 1 if self.messages else self.next


@dataclass(frozen=True, slots=True)
class Taken:
    """Records of one step: message i has arrival i, source i; `order` is the order in which they are applied."""

    messages: list[Message]
    arrivals: I64
    sources: I64
    order: I64
    first: list[int]
    """Per source the offset of the first record taken, or the next one if none was."""


def ready(sources: Sequence[Source]) -> list[int]:
    """How many records of each source wait for no other source."""
    counts = []
    for i, source in enumerate(sources):
        n = source.held
        for j, other in enumerate(sources):
            if n == 0 or j == i or other.at_end:
                continue
            # what the other one has yet to bring arrives at its last arrival or later; of two records that arrive
            # together that of the earlier topic comes first
            side = "right" if i < j else "left"
            n = min(n, int(np.searchsorted(source.arrivals, other.last_arrival, side=side)))  # type: ignore[call-overload]
        counts.append(n)
    return counts


def take(sources: Sequence[Source], counts: Sequence[int], most: int) -> Taken:
    """Take the first `most` records, in order, of the first `counts` of each source."""
    arrivals = np.concatenate([s.arrivals[:n] for s, n in zip(sources, counts, strict=True)] or [_EMPTY])
    of = np.repeat(np.arange(len(sources), dtype=np.int64), counts)
    if arrivals.size > most:
        kept = np.argsort(arrivals, kind="stable")[:most]
        counts = np.bincount(of[kept], minlength=len(sources)).tolist()
        return take(sources, counts, most)
    first = [(s.messages[0].offset() or 0) if n else s.next for s, n in zip(sources, counts, strict=True)]
    messages: list[Message] = []
    for source, n in zip(sources, counts, strict=True):
        messages += source.take(n)
    # stable, and the sources stand in the order of their topics: ties go to the earlier topic, then to the offset
    return Taken(messages, arrivals, of, np.argsort(arrivals, kind="stable"), first)
