"""Writing snapshots: a copy of one partition's state at a time, sent in chunks between the steps, then its manifest.

The flow stands still only while the copy is made. The chunks go through a producer of their own, without a transaction;
when all of them are acknowledged a manifest goes into the journal, in a transaction with the partition's offsets, so
that a zombie can write none. What is not named by a manifest does not exist. Behind the oldest manifest that is kept
the journal and the chunks are cut off.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
import structlog

from processors.partition import ENGINE_VERSION
from processors.rules.program import I64
from processors.snapshot import FORMAT, checksum, chunk, chunk_count
from schemas.errors import KafkaError
from schemas.outcomes import Outcome
from schemas.records import JournalRecord, Manifest, SourceRange
from streams import metrics
from streams.clock import Clock
from streams.log import Log, NotSent, Outgoing, Sending, Stamp, TopicPartition, Transaction
from streams.tagger.journal import BESIDE
from streams.tagger.topics import Topics
from streams.tagger.work import Work

__all__ = ["Saved", "Snapshots", "chunk_key"]

_LOG = structlog.get_logger(__name__)

CHUNKS_PER_TURN: Final = 2
"""A chunk takes about a millisecond to cut, sum and hand over, and nothing is stepped meanwhile."""
ROOM_PER_TURN: Final = 1 << 21
"""Words, 16 MB: some 5 ms until the system has given them."""
CHUNKS_IN_FLIGHT: Final = 16
"""The producer holds no more than these."""
IDLE_FACTOR: Final = 12
"""A partition to which nothing came waits so many times longer: only its clock has moved."""


@dataclass(slots=True)
class Saved:
    """What there is of a partition's snapshots, and how much of its state they lack."""

    since_s: float
    """Monotonic time of the newest, or when the partition was taken."""
    manifests: list[Manifest] = field(default_factory=list)
    """The newest whole ones, older first."""
    records: int = 0
    """Applied since."""
    offset: int = -1
    """In the journal, of the newest one's manifest; -1: none was written since the partition was taken."""
    work: Work | None = None
    """Whose state that is."""
    wanted: bool = False
    """At once: the state could not be had from a snapshot, or not cheaply."""
    stale: int = 0
    """So many of the oldest may hold somebody who was erased since: until they are cut off, no interval is longer."""


class Written(NamedTuple):
    """A partition that can be copied: its work, where its journal goes on, and its snapshots so far."""

    work: Work
    journal_next: int
    saved: Saved
    owner: Work | None = None
    """Who steps the partition, if the work is being built beside it (changeover.py)."""


def chunk_key(partition: int, epoch: int, step: int, number: int) -> bytes:
    """Key of a chunk; epoch and step name the snapshot."""
    return f"{partition}:{epoch}-{step}:{number}".encode()


@dataclass(slots=True)
class _Copy:
    """A snapshot under way."""

    work: Work
    owner: Work
    saved: Saved
    words: I64
    record: JournalRecord
    """The manifest, but for what is known only when all chunks are written."""
    journal_next: int
    arrivals: tuple[int, ...]
    wanted: bool
    checksums: list[int] = field(default_factory=list)
    sendings: list[Sending] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)

    @property
    def sent(self) -> bool:
        return len(self.checksums) == chunk_count(self.words.size)

    def manifest(self) -> JournalRecord:
        """The record that says where the snapshot is."""
        manifest = Manifest(
            format=FORMAT,
            program=self.work.engine.program_hash,
            words=self.words.size,
            checksums=tuple(self.checksums),
            first=min(stamp.offset for stamp in self.stamps),
            next=max(stamp.offset for stamp in self.stamps) + 1,
            journal_next=self.journal_next,
            arrivals=self.arrivals,
        )
        return replace(self.record, manifest=manifest)


class Snapshots:
    """Writes snapshots of the partitions of one process. For the loop's thread alone."""

    def __init__(self, log: Log, topics: Topics, clock: Clock, interval_s: float, kept: int) -> None:
        """`interval_s`: how old the newest snapshot of a partition may be before another is written; `kept` of them
        stay readable."""
        self._log = log
        self._topics = topics
        self._clock = clock
        self._interval_s = interval_s
        self._kept = kept
        self._room: I64 = np.empty(0, np.int64)
        """Copies are made here, one at a time."""
        self._given = 0
        """How much of the room the system has given."""
        self._copy: _Copy | None = None

    @property
    def busy(self) -> bool:
        """Whether a snapshot is under way."""
        return self._copy is not None

    def forget(self) -> None:
        """Give up what is under way: its partition has gone. Its chunks are cut off with the next manifest."""
        self._copy = None

    def turn(self, partitions: Iterable[Written]) -> None:
        """A little of what is to be done; to be called between steps. Raises Fenced, KafkaError."""
        if self._copy is None:
            self._begin(partitions)
            return
        copy = self._copy
        self._send_some(copy)
        try:
            while copy.sendings and copy.sendings[0].done():
                copy.stamps += copy.sendings.pop(0).stamps
        except NotSent as error:
            # nothing but the snapshot is lost; the next one comes after the interval, or at once if this was so urgent
            _LOG.warning("snapshot.not_written", partition=copy.work.partition, error=str(error))
            metrics.SNAPSHOTS.labels("failed").inc()
            # another may have been asked for meanwhile
            copy.saved.since_s, copy.saved.wanted = self._clock.monotonic_s(), copy.saved.wanted or copy.wanted
            self._copy = None
            return
        if copy.sent and not copy.sendings:
            self._copy = None
            self._finish(copy)

    def erased(self, saved: Saved) -> None:
        """Somebody was erased, whom the snapshots that there are may hold, and the one that is under way."""
        is_under_way = self._copy is not None and self._copy.saved is saved
        saved.stale = len(saved.manifests) + is_under_way

    # ------------------------------------------------------------------------------------------------- one snapshot

    def _begin(self, partitions: Iterable[Written]) -> None:
        """Copy the partition that has waited longest, if one has waited long enough."""
        now_s = self._clock.monotonic_s()
        due = [p for p in partitions if self._is_due(p.saved, now_s)]
        if not due:
            return
        work, journal_next, saved, owner = min(due, key=lambda p: (not p.saved.wanted, p.saved.since_s))
        if not self._has_room(work.engine.words):
            return
        now_s = self._clock.monotonic_s()
        words = work.engine.copy(self._room)
        metrics.SNAPSHOT_PAUSE_SECONDS.observe(self._clock.monotonic_s() - now_s)
        record = JournalRecord(
            kind="snapshot",
            epoch=work.epoch,
            step=work.number,
            partition=work.partition,
            sources=tuple(SourceRange(s.place.topic, s.origin, s.next) for s in work.sources),
            clock_before=work.engine.clock,
            clock_after=work.engine.clock,
            rule_version=work.rule_set.version,
            engine_version=ENGINE_VERSION,
            timers_fired=0,
            outcomes=(0,) * len(Outcome),
            last_seq=(owner or work).engine.seq,
            digest=0,
            note=None if owner is None else BESIDE,
        )
        arrivals = tuple(s.applied_arrival for s in work.sources)
        self._copy = _Copy(work, owner or work, saved, words, record, journal_next, arrivals, saved.wanted)
        saved.records, saved.wanted = 0, False

    def _has_room(self, words: int) -> bool:
        """Whether there is room for so many words; a little more of it is made ready if not.

        Memory that was never written to costs more than the copy: so the flow would stand still for that too.
        """
        if self._room.size < words:
            # a quarter more than now, so that the next copies find room as well
            self._room, self._given = np.empty(words + words // 4, np.int64), 0
        if self._given < self._room.size:
            self._room[self._given : self._given + ROOM_PER_TURN] = 0
            self._given += ROOM_PER_TURN
        return self._given >= self._room.size

    def _is_due(self, saved: Saved, now_s: float) -> bool:
        wait_s = self._interval_s if saved.records or saved.stale else self._interval_s * IDLE_FACTOR
        return saved.wanted or now_s - saved.since_s >= wait_s

    def _send_some(self, copy: _Copy) -> None:
        """The next chunks, as far as they may be in flight."""
        for _ in range(CHUNKS_PER_TURN):
            if copy.sent or len(copy.sendings) >= CHUNKS_IN_FLIGHT:
                return
            number = len(copy.checksums)
            data = chunk(copy.words, number)
            copy.checksums.append(checksum(data))
            key = chunk_key(copy.work.partition, copy.record.epoch, copy.record.step, number)
            value = copy.work.keyring.seal(data, key)
            copy.sendings.append(self._log.send([Outgoing(self._topics.snapshots, copy.work.partition, key, value)]))

    def _finish(self, copy: _Copy) -> None:
        """Name the snapshot in the journal, and let go of what is older than the one before."""
        record = copy.manifest()
        work, saved = copy.work, copy.saved
        assert record.manifest is not None
        (stamp,) = self._log.transact(Transaction(offsets=copy.owner.offsets(), stamped=[work.journal_value(record)]))
        saved.offset, saved.work = stamp.offset, work
        written = [*saved.manifests, record.manifest]
        saved.manifests = written[-self._kept :]
        saved.stale = max(0, saved.stale - len(written) + len(saved.manifests))
        saved.since_s = self._clock.monotonic_s()
        metrics.SNAPSHOTS.labels("written").inc()
        metrics.SNAPSHOT_BYTES.labels(str(work.partition)).set(8 * record.manifest.words)
        _LOG.info(
            "snapshot.written", partition=work.partition, step=record.step, bytes=8 * record.manifest.words,
            customers=work.engine.sizes()["rows"],
        )  # fmt: skip
        if len(saved.manifests) == self._kept:
            self._cut(work.partition, saved.manifests[0])

    def _cut(self, partition: int, oldest: Manifest) -> None:
        """Let go of what only older snapshots need. What fails is done with the next one."""
        try:
            self._log.delete_before(TopicPartition(self._topics.journal, partition), oldest.journal_next)
            self._log.delete_before(TopicPartition(self._topics.snapshots, partition), oldest.first)
        except KafkaError as error:
            _LOG.warning("snapshot.older_not_deleted", partition=partition, error=str(error))
