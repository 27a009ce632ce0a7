"""What one partition has published, as of a point and behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.errors import EventError, StateError
from schemas.records import Current, Value
from streams.clock import Clock
from streams.log import Message, TopicPartition
from streams.partition_records import READ_WAIT_S, Tail
from streams.tagger.journal import Entry, counted, journal_record
from streams.tagger.topics import Topics
from streams.verify.point import Clocks, Point, is_begun, newest_point
from streams.verify.sample import Sample
from streams.verify.told import ToldChanges

__all__ = ["Place", "Published", "Publishing", "Version"]

Place = tuple[int, int]
"""(epoch, seq): by it readers put records in order."""


@dataclass(frozen=True, slots=True)
class Version:
    """A customer's tags as one record of tags.current has them."""

    at: Place
    tags: dict[str, Value]


@dataclass(slots=True)
class Published:
    """One partition's journal, changes and current tags, of the customers that the sample wants."""

    point: Point
    entries: list[Entry]
    """What counts of the journal up to the point."""
    journal_is_cut: bool
    """Whether it does not reach back to the first step."""
    told: ToldChanges
    versions: dict[str, Version] = field(default_factory=dict)
    """By customer the newest one."""
    unreadable: int = 0
    """Records of tags.current."""

    def comparable_from(self) -> tuple[int, int]:
        """Number of the change from which on the published ones are those of the oracle, and a clock (ms): what became
        true behind that has a greater number for sure. -1: all has."""
        told = self.told
        seq = told.other_rules_until
        if not told.whole:
            seq = max(seq, self.point.seq if told.first_seq is None else told.first_seq - 1)
        records = [entry.record for entry in self.entries]
        seq = max([seq, *(r.last_seq for r in records if r.kind == "changeover")])
        if seq == 0:
            return 0, -1
        return seq, next((r.clock_after for r in records if r.kind != "claim" and r.last_seq >= seq), self.point.clock)


class Publishing:
    """Reads one partition's journal, current tags and changes, and goes on reading while they grow. To be closed.

    The methods raise KafkaError.
    """

    def __init__(
        self,
        config: dict[str, Any],
        topics: Topics,
        partition: int,
        *,
        sample: Sample,
        clock: Clock,
        wait_s: float,
    ) -> None:
        """`wait_s`: for what is not there yet, each time."""
        names = (topics.journal, topics.current, topics.changes)
        self._journal, self._current, self._changes = (
            Tail(config, TopicPartition(name, partition), lambda records: None) for name in names
        )
        self._sample = sample
        self._clock = clock
        self._wait_s = wait_s
        self._versions: dict[str, Version] = {}
        self._told: ToldChanges | None = None
        self._unreadable = 0
        self._given_seq = 0
        """The greatest number of a change that the journal has."""
        sample.on_forget(self._forget)

    def read(self) -> Published | None:
        """Fix the point, and read what was published up to it; None: no tagger has applied anything yet.

        Raises StateError TS-S103 if the journal cannot be read, TS-S108 if no step is done with for so long.
        """
        found = self._find_point()
        if found is None:
            return None
        point, entries = found
        self._told = ToldChanges(self._sample, point.rule_version, whole=self._changes.oldest() == 0)
        # by what was read: more may have been cut since
        is_cut = entries[0].offset > 0
        published = Published(point, entries, is_cut, self._told, self._versions, self._unreadable)
        self.read_changes_to(point.seq)
        return published

    def read_changes_to(self, seq: int) -> None:
        """More changes, until that number is met: those of one step may become visible later than its other records.

        Where they do not come in time, there are none.
        """
        assert self._told is not None
        last_s = self._clock.monotonic_s() + self._wait_s
        while self._told.newest_seq < seq and self._clock.monotonic_s() <= last_s:
            for messages in self._changes.more():
                self._told.take(messages)

    def numbers_nobody_gave(self) -> tuple[int, int] | None:
        """The changes behind the last one that a step has made, from the first to the last; None: there are none.

        A step's record may become visible later than its changes.
        """
        assert self._told is not None
        last_s = self._clock.monotonic_s() + self._wait_s
        while self._given_seq < self._told.newest_seq:
            if self._clock.monotonic_s() > last_s:
                return self._given_seq + 1, self._told.newest_seq
            for messages in self._journal.more():
                self._take_journal(messages)
        return None

    def close(self) -> None:
        for tail in (self._journal, self._current, self._changes):
            tail.close()

    def _find_point(self) -> tuple[Point, list[Entry]] | None:
        entries: list[Entry] = []
        clocks = Clocks()
        last_s: float | None = None
        while True:
            for messages in self._journal.more():
                entries += self._take_journal(messages)
            for messages in self._current.more():
                self._take_current(clocks, messages)
            kept = counted(entries)
            if not is_begun(kept) and not self._versions:
                return None
            if (found := newest_point(kept, clocks)) is not None:
                return found
            last_s = self._clock.monotonic_s() + self._wait_s if last_s is None else last_s
            if self._clock.monotonic_s() > last_s:
                raise StateError("TS-S108", f"Partition {self._journal.place.partition} has no step that is done with")
            self._clock.sleep(READ_WAIT_S)

    def _take_journal(self, messages: list[Message]) -> list[Entry]:
        entries = [Entry(m.offset() or 0, journal_record(self._journal.place, m)) for m in messages]
        self._given_seq = max([self._given_seq, *(entry.record.last_seq for entry in entries)])
        return entries

    def _take_current(self, clocks: Clocks, messages: list[Message]) -> None:
        for message in messages:
            value = message.value()
            if value is None:
                self._versions.pop((message.key() or b"").decode("utf-8", "replace"), None)
                continue
            try:
                current = Current.from_value(value)
            except EventError:
                self._unreadable += 1
                continue
            if current.is_clock:
                clocks.add(message.offset() or 0, current)
            elif self._sample.wants(current.customer_id):
                version = Version((current.epoch, current.seq), {t.tag: t.value for t in current.tags})
                known = self._versions.get(current.customer_id)
                # of two of one number the later counts: readers take it so
                if known is None or known.at <= version.at:
                    self._versions[current.customer_id] = version

    def _forget(self, customer_id: str) -> None:
        self._versions.pop(customer_id, None)
        if self._told is not None:
            self._told.forget(customer_id)
