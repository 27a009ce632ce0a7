"""A partition's state without a snapshot: from where its journal begins, and before that by the events alone."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import structlog

from schemas.errors import StateError
from schemas.records import JournalRecord
from streams.log import Log, TopicPartition
from streams.tagger.journal import Entry
from streams.tagger.rebuild import rebuild
from streams.tagger.work import Work

__all__ = ["begin_with_events", "check_reach"]

_LOG = structlog.get_logger(__name__)


def begin_with_events(
    log: Log, work: Work, entries: Sequence[Entry], committed: Mapping[TopicPartition, int], accept_loss: bool
) -> Generator[None, None, bool]:
    """Bring the empty `work` to where the first step among these entries begins; the steps are then to be folded.

    Returns whether the state is the one that was there then: it is not if events are gone, or if the journal is cut,
    for then only the order of the events' arrival is known. Raises StateError, as `check_reach` does.
    """
    steps = [e.record for e in entries if e.record.kind in ("step", "changeover")]
    manifests = [e.record for e in entries if e.record.manifest is not None]
    if not steps and not manifests:
        return True
    # a manifest is of an earlier moment than its place in the journal: without steps, only the newest is where the
    # journal ends
    first = (steps or manifests[-1:])[0]
    origin = (manifests or steps)[0]
    is_cut = entries[0].offset > 0 and (not steps or first.step > 1)
    for source in work.sources:
        source.origin = _first_of(origin, source.place.topic, source.next)
        source.next = source.origin if is_cut else _first_of(first, source.place.topic, source.next)
    lost = check_reach(log, work, committed, accept_loss)
    if is_cut:
        _LOG.warning("journal.cut_and_no_snapshot", partition=work.partition, from_step=first.step)
        until = {s.topic: s.first if first.manifest is None else s.next for s in first.sources}
        yield from rebuild(log, work, until, first.clock_before)
    work.number = first.step - (first.manifest is None)
    return not is_cut and not lost


def _first_of(record: JournalRecord, topic: str, otherwise: int) -> int:
    """Offset of a topic from which a record applies it."""
    return next((s.first for s in record.sources if s.topic == topic), otherwise)


def check_reach(log: Log, work: Work, committed: Mapping[TopicPartition, int], accept_loss: bool) -> bool:
    """Whether events are gone that must be applied again: go on behind them, or raise StateError TS-S104."""
    gone = []
    for source in work.sources:
        low, place = log.extent(source.place)[0], source.place
        if source.next < low and source.next < committed[place]:
            gone.append(f"{place.topic}[{place.partition}] lacks offsets {source.next} to {low - 1}")
            source.go_to(low, source.applied_arrival)
            source.lost_before = low
    if gone and not accept_loss:
        raise StateError("TS-S104", "; ".join(gone))
    for what in gone:
        _LOG.error("sources.events_lost", partition=work.partition, lost=what)
    return bool(gone)
