"""What one partition has published, as of a point: a step of its journal behind which nothing was left to be done.

The pipeline runs on meanwhile. So the point is fixed first, and what is read behind it is told from what stood at it by
its number: `seq` rises through all the changes of a partition.

The parts of a transaction become visible one after the other. Whoever sees the journal's record need not see the tags
of the same step yet, so the point is the newest step whose `@clock` stands in tags.current too, and says that no timer
is left over by then.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from schemas.errors import EventError, StateError
from schemas.records import Change, Current, JournalRecord, Value
from streams.clock import Clock
from streams.kafka_log import KafkaReader
from streams.log import Message, TopicPartition
from streams.partition_records import FROM_THE_BEGINNING, READ_MOST, READ_WAIT_S, Progress
from streams.tagger.journal import Entry, counted, journal_record
from streams.tagger.topics import Topics
from streams.verify.sample import Sample

__all__ = ["Point", "Published", "Version", "read_published"]

MOST_VERSIONS: Final = 8
"""Of a customer's records in tags.current the newest are kept: some may be newer than the point."""
POINTS: Final = 10_000
"""How many of the newest `@clock` are kept, to be met by a step. One or two would do; steps come some 100 a second."""

Place = tuple[int, int]
"""(epoch, seq): by it readers put records in order."""


@dataclass(frozen=True, slots=True)
class Version:
    """A customer's tags as one record of tags.current has them."""

    at: Place
    tags: dict[str, Value]


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


def _few() -> deque[Version]:
    return deque(maxlen=MOST_VERSIONS)


@dataclass(slots=True)
class Published:
    """One partition's journal, changes and current tags, of the customers that the sample wants."""

    point: Point | None = None
    """None: no tagger has applied anything yet."""
    entries: list[Entry] = field(default_factory=list)
    """What counts of the journal up to the point."""
    cut: bool = False
    """Whether the journal does not reach back to the first step."""
    versions: dict[str, deque[Version]] = field(default_factory=lambda: defaultdict(_few))
    """By customer, in the order of the log."""
    changed: dict[str, dict[str, tuple[Place, Value | None]]] = field(default_factory=lambda: defaultdict(dict))
    """By customer and tag the newest change up to the point: its place, and the value after it."""
    changes_whole: bool = True
    """Whether tags.changes still has its first record: else a tag without a change is not known to be absent."""
    passed_over: int = 0
    """Records of tags.changes and tags.current that cannot be read."""

    def last_seq(self, customer_id: str) -> int | None:
        """Number of a customer's newest change up to the point, if one is known."""
        return max((at[1] for at, _ in self.changed.get(customer_id, {}).values()), default=None)


class _Tail:
    """One partition of a topic, read to its end as often as is asked for."""

    def __init__(self, config: dict[str, Any], place: TopicPartition, progress: Progress) -> None:
        self.place = place
        self._progress = progress
        self._reader = KafkaReader(config, place, FROM_THE_BEGINNING)
        self.first = self._reader.extent()[0]
        """Offset of the oldest record that is there."""

    def more(self) -> Iterator[list[Message]]:
        """What there is by now, in pieces. What comes meanwhile is left for the next time, so that it ends."""
        _, end = self._reader.extent()
        while True:
            messages = self._reader.read(READ_MOST, READ_WAIT_S)
            self._progress(len(messages))
            yield messages
            if self._reader.at_end or (messages and (messages[-1].offset() or 0) >= end - 1):
                return

    def close(self) -> None:
        self._reader.close()


def read_published(
    config: dict[str, Any],
    topics: Topics,
    partition: int,
    sample: Sample,
    clock: Clock,
    wait_s: float,
    progress: Progress,
) -> Published:
    """Fix the point, and read what was published up to it. May block for `wait_s` beside the reading.

    Raises KafkaError; StateError TS-S103 if the journal cannot be read, TS-S108 if no step is done with for so long.
    """
    names = (topics.journal, topics.current, topics.changes)
    tails = [_Tail(config, TopicPartition(name, partition), progress) for name in names]
    journal, current, changes = tails
    try:
        published = _to_the_point(journal, current, sample, clock, wait_s)
        if published.point is not None:
            _read_changes(changes, published, published.point, sample, clock, wait_s)
        return published
    finally:
        for tail in tails:
            tail.close()


def _to_the_point(journal: _Tail, current: _Tail, sample: Sample, clock: Clock, wait_s: float) -> Published:
    published = Published()
    entries: list[Entry] = []
    clocks: deque[tuple[int, Current]] = deque(maxlen=POINTS)
    last_s: float | None = None
    while True:
        for messages in journal.more():
            entries += [Entry(m.offset() or 0, journal_record(journal.place, m)) for m in messages]
        for messages in current.more():
            _take_current(published, clocks, messages, sample)
        kept = counted(entries)
        published.cut = journal.first > 0
        if not any(_may_be_point(e.record) for e in kept) and not published.versions:
            return published
        for place in range(len(kept) - 1, -1, -1):
            published.point = _point_of(kept[place].record, clocks)
            if published.point is not None:
                published.entries = kept[: place + 1]
                return published
        last_s = clock.monotonic_s() + wait_s if last_s is None else last_s
        if clock.monotonic_s() > last_s:
            raise StateError("TS-S108", f"Partition {journal.place.partition} has no step that is done with")
        clock.sleep(READ_WAIT_S)


def _may_be_point(record: JournalRecord) -> bool:
    return record.kind in ("step", "snapshot")


def _point_of(record: JournalRecord, clocks: deque[tuple[int, Current]]) -> Point | None:
    if not _may_be_point(record):
        return None
    for offset, current in reversed(clocks):
        if (current.seq, current.clock) == (record.last_seq, record.clock_after) and current.epoch >= record.epoch:
            return Point(
                step=record.step,
                seq=record.last_seq,
                clock=record.clock_after,
                rule_version=record.rule_version,
                next={s.topic: s.next for s in record.sources},
                position=offset + 1,
            )
    return None


def _take_current(
    published: Published, clocks: deque[tuple[int, Current]], messages: list[Message], sample: Sample
) -> None:
    for message in messages:
        try:
            current = Current.from_value(message.value() or b"")
        except EventError:
            published.passed_over += message.value() is not None
            continue
        if current.is_clock:
            clocks.append((message.offset() or 0, current))
        elif sample.wants(current.customer_id):
            at = (current.epoch, current.seq)
            published.versions[current.customer_id].append(Version(at, {t.tag: t.value for t in current.tags}))


def _read_changes(tail: _Tail, published: Published, point: Point, sample: Sample, clock: Clock, wait_s: float) -> None:
    """The changes up to the point; those of the last step may become visible a little later than its clock."""
    last_s = clock.monotonic_s() + wait_s
    newest = 0
    published.changes_whole = tail.first == 0
    while newest < point.seq and clock.monotonic_s() <= last_s:
        for messages in tail.more():
            newest = max(newest, _take_changes(published, point, messages, sample))


def _take_changes(published: Published, point: Point, messages: list[Message], sample: Sample) -> int:
    """Returns the greatest number among them."""
    newest = 0
    for message in messages:
        try:
            change = Change.from_value(message.value() or b"")
        except EventError:
            published.passed_over += 1
            continue
        newest = max(newest, change.seq)
        if change.seq <= point.seq and sample.wants(change.customer_id):
            of, at = published.changed[change.customer_id], (change.epoch, change.seq)
            if change.tag not in of or of[change.tag][0] <= at:
                of[change.tag] = at, change.after
    return newest
