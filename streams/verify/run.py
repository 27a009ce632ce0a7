"""Verifies partition after partition, each in as many passes as it takes to look at all customers in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final

from processors.oracle.place import partition_of
from schemas.errors import StateError
from schemas.outcomes import Outcome
from streams.clock import Clock
from streams.verify.compare import Found, compare
from streams.verify.point import Point, first_told
from streams.verify.published import Published, Publishing
from streams.verify.recompute import Clocks, OnProgress, Recomputed, Recomputing
from streams.verify.redis_side import RedisSide
from streams.verify.sample import Rank, Sample

__all__ = ["MOST_OF_ONE", "ROOM", "PartReport", "Report", "Verifier"]

WAIT_S: Final = 15.0
"""For a step to be done with, and for Redis to come as far: longer than a transaction may stay open (10 s)."""
ROOM: Final = 200_000
"""Records that are held at once; see `CUSTOMER_WEIGHS`. Some 400 MB with the 40 tags of the benchmark."""
MOST_OF_ONE: Final = 1_000
"""Records of one customer, unless they are asked for by name: the oracle's time grows with their square, to minutes."""


@dataclass(slots=True)
class PartReport:
    """What came of one partition."""

    partition: int
    point: Point | None = None
    """Of the last pass; None: no tagger has applied anything yet."""
    found: Found = field(default_factory=Found)
    events: int = 0
    """That were read, in all passes."""
    passes: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    refused: StateError | None = None
    """Why the oracle could not be asked; or why nothing could be done, if there is no point."""


@dataclass(slots=True)
class Report:
    """What came of all of them."""

    parts: list[PartReport] = field(default_factory=list)

    @property
    def found(self) -> Found:
        """Of all partitions together."""
        everything = Found()
        for part in self.parts:
            everything.add(part.found)
        return everything

    @property
    def is_whole(self) -> bool:
        """Whether all was judged that was to be."""
        return self.found.is_whole and not any(part.refused for part in self.parts)


@dataclass(slots=True)
class Verifier:
    """One installation. Reads only; needs no tagger to be at work, and does no harm to one that is."""

    recomputing: Recomputing
    redis: RedisSide
    clock: Clock
    on_progress: OnProgress
    wait_s: float = WAIT_S
    room: int = ROOM

    def run(self, partitions: Iterable[int], most: int | None, only: Iterable[str] | None) -> Report:
        """Verify these. `most`: customers of each partition, None: all; `only`: no others than these.

        Raises KafkaError, RedisError.
        """
        return Report([self.verify(partition, most, only) for partition in partitions])

    def verify(self, partition: int, most: int | None, only: Iterable[str] | None) -> PartReport:
        """Verify one partition. Raises KafkaError, RedisError."""
        began_s = self.clock.monotonic_s()
        report = PartReport(partition)
        after: Rank | None = None
        if only is not None:
            partitions = self.recomputing.topics.partitions
            only = [customer_id for customer_id in only if partition_of(customer_id, partitions) == partition]
        try:
            while True:
                left = None if most is None else most - report.found.customers
                sample = Sample(most=left, room=self.room, after=after, only=only)
                self._pass(report, sample)
                if sample.bar is None or report.found.customers == most:
                    break
                after = sample.last
        except StateError as error:
            report.refused = error
        report.seconds = self.clock.monotonic_s() - began_s
        return report

    def _pass(self, report: PartReport, sample: Sample) -> None:
        recomputing, partition = self.recomputing, report.partition
        publishing = Publishing(
            recomputing.config,
            recomputing.topics,
            partition,
            sample=sample,
            clock=self.clock,
            wait_s=self.wait_s,
        )
        with closing(publishing):
            published = publishing.read()
            report.passes += 1
            if published is None:
                report.notes = ["no tagger has applied anything yet"]
                return
            report.point = published.point
            should = self._recompute(report, published, sample, {})
            position = published.point.position
            self.redis.wait_for(partition, position, self.wait_s)
            held = self.redis.read(sample.kept, partition, position)
            publishing.read_changes_to(max([0, *(each.seq for each in held.values())]))
            found = compare(sample.kept, should, published, held)
            if found.uncertain:
                again = Sample(only=found.uncertain)
                clocks = {customer_id: published.told.clocks_of(customer_id) for customer_id in found.uncertain}
                found.put_right(compare(again.kept, self._recompute(report, published, again, clocks), published, held))
            found.of_partition = _of_partition(published, publishing.numbers_nobody_gave(), should)
            report.found.add(found)
            report.notes = _notes(published, report.found)

    def _recompute(self, report: PartReport, published: Published, sample: Sample, clocks: Clocks) -> Recomputed | None:
        """None: it cannot be done, which the report then says."""
        try:
            should = self.recomputing.run(report.partition, published, sample, clocks, self.on_progress)
        except StateError as error:
            report.refused = error
            return None
        report.events += should.events
        return should


def _of_partition(published: Published, nobodys: tuple[int, int] | None, should: Recomputed | None) -> list[str]:
    """What is wrong whoever the customers are."""
    told = published.told
    found = [f"tags.changes lacks {_numbers(*gap)}" for gap in told.gaps_up_to(published.point.seq)]
    found += [f"tags.changes has number {seq} once more" for seq in told.repeats]
    if nobodys is not None:
        found.append(f"tags.changes has {_numbers(*nobodys)}, which no step has made")
    if should is not None and not published.journal_is_cut and _has_one_version(published):
        records = [entry.record for entry in published.entries if entry.record.kind == "step"]
        for place, outcome in enumerate(Outcome):
            counted = sum(record.outcomes[place] for record in records)
            if counted != should.outcomes[outcome]:
                found.append(
                    f"the journal counts {counted} records as {outcome.name.lower()}, "
                    f"the oracle {should.outcomes[outcome]}"
                )
    return found


def _has_one_version(published: Published) -> bool:
    """Whether the outcomes in the journal are all by the rules of the point."""
    of_steps = {e.record.rule_version for e in published.entries if e.record.kind in ("step", "changeover")}
    return of_steps <= {published.point.rule_version}


def _numbers(first: int, last: int) -> str:
    return f"number {first}" if first == last else f"the numbers {first} to {last}"


def _notes(published: Published, found: Found) -> list[str]:
    """What may be otherwise than it looks."""
    notes = []
    if published.journal_is_cut:
        first = first_told([entry.record for entry in published.entries])
        notes.append(f"the journal begins at step {first.step}: what came before is taken in the order of arrival")
    if found.changes_gone:
        notes.append(f"of {found.changes_gone} tags the last change is no longer in tags.changes")
    unreadable = published.unreadable + published.told.unreadable
    if unreadable:
        notes.append(f"{unreadable} records of tags.changes and tags.current cannot be read")
    return notes
