"""Making the state from the events themselves, where the journal does not say any more in which steps they came.

The journal is cut behind a snapshot. If that snapshot cannot be used (it is damaged, or the rules are others now), the
events up to where the journal begins are applied once more in the order of their arrival, as they were at first but for
records that came late to their topic's end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from processors.partition import UNLIMITED
from schemas.errors import StateError
from streams.log import Log
from streams.tagger.patient_reader import READ_MOST, PatientReader, Silence
from streams.tagger.sources import Source, ready
from streams.tagger.work import Work

__all__ = ["rebuild"]

STEP_MOST: Final = 50_000


def rebuild(log: Log, work: Work, until: Mapping[str, int], clock: int) -> Iterator[None]:
    """Apply every record from where each source stands up to `until` (offsets by topic), then move the clock.

    Yields between bounded pieces. Raises StateError TS-S104 if a topic ends before.
    """
    readers = [PatientReader(log, s.place, s.next) for s in work.sources]
    ends = [until.get(s.place.topic, s.next) for s in work.sources]
    try:
        while True:
            for source, reader, end in zip(work.sources, readers, ends, strict=True):
                _read(source, reader, end)
            counts = ready(work.sources)
            if any(counts):
                work.decide(counts, STEP_MOST, 0, UNLIMITED)
            elif all(s.at_end for s in work.sources):
                break
            yield
        work.decide([0] * len(readers), 0, clock, UNLIMITED)
    finally:
        for reader in readers:
            reader.close()


def _read(source: Source, reader: PatientReader, end: int) -> None:
    """More of a source, up to `end`, if little is in hand."""
    if source.held >= READ_MOST or source.at_end:
        return
    is_behind = source.fetch_from >= end
    if not is_behind:
        try:
            messages = reader.read()
        except Silence:
            raise StateError("TS-S104", f"{source.place.topic}[{source.place.partition}] ends before {end}") from None
        wanted = [m for m in messages if (m.offset() or 0) < end]
        if wanted:
            source.add(wanted)
        # offsets just before `end` may be without a record, as those that a transaction's end takes up
        is_behind = len(wanted) < len(messages) or source.fetch_from >= end
    source.at_end = is_behind
