"""The point as of which a partition is verified: a step of its journal behind which nothing was left to be done.

The pipeline runs on meanwhile. So the point is fixed first, and what is read behind it is told from what stood at it by
its number: `seq` rises through all the changes of a partition.

The parts of a transaction become visible one after the other. Whoever sees the journal's record need not see the tags
of the same step yet, so the point is the newest step whose `@clock` stands in tags.current too, and says that no timer
is left over by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from schemas.records import Current, JournalRecord
from streams.tagger.journal import Entry, is_published

__all__ = ["Clocks", "Point", "first_told", "is_begun", "newest_point"]

CLOCKS: Final = 10_000
"""How many of the newest `@clock` are kept, to be met by a step. One or two would do; steps come some 100 a second."""


@dataclass(frozen=True, slots=True)
class Point:
    """A step that is done with."""

    step: int
    seq: int
    """Number of the last change."""
    clock: int
    """The partition's clock (ms); no timer is left that was due by then."""
    rule_version: str
    next: dict[str, int]
    """By topic the offset behind the last record that was applied."""
    position: int
    """Offset in tags.current behind the `@clock` of the step."""


class Clocks:
    """The newest `@clock` of a partition."""

    def __init__(self) -> None:
        self._clocks: deque[tuple[int, Current]] = deque(maxlen=CLOCKS)

    def add(self, offset: int, clock: Current) -> None:
        self._clocks.append((offset, clock))

    def position_of(self, record: JournalRecord) -> int | None:
        """Offset behind the `@clock` that says that all of a step is done; None: none says so."""
        for offset, current in reversed(self._clocks):
            of_step = (current.seq, current.clock) == (record.last_seq, record.clock_after)
            if of_step and current.epoch >= record.epoch:
                return offset + 1
        return None


def newest_point(entries: Sequence[Entry], clocks: Clocks) -> tuple[Point, list[Entry]] | None:
    """The newest point, and the entries up to it; `entries` are those that count.

    Within a changeover there is none: some of what is published then is by the old rules, some by the new ones. A
    snapshot's record is of an earlier moment than its place in the journal; so it is a point only where no steps are
    left, for then nothing was done since.
    """
    kinds = ("step", "changeover") if any(e.record.kind in ("step", "changeover") for e in entries) else ("snapshot",)
    for place in range(len(entries) - 1, -1, -1):
        record = entries[place].record
        if record.kind in kinds and (position := clocks.position_of(record)) is not None:
            up_to = list(entries[: place + 1])
            if is_published(up_to, record.rule_version):
                return _point(record, position), up_to
    return None


def is_begun(entries: Iterable[Entry]) -> bool:
    """Whether a tagger has applied anything."""
    return any(entry.record.kind != "claim" for entry in entries)


def first_told(records: Sequence[JournalRecord]) -> JournalRecord:
    """The first step that is left of a journal that was cut; where there is none, the newest snapshot, which stands
    where the last step did."""
    steps = [r for r in records if r.kind in ("step", "changeover")]
    return steps[0] if steps else [r for r in records if r.kind == "snapshot"][-1]


def _point(record: JournalRecord, position: int) -> Point:
    return Point(
        step=record.step,
        seq=record.last_seq,
        clock=record.clock_after,
        rule_version=record.rule_version,
        next={source.topic: source.next for source in record.sources},
        position=position,
    )
