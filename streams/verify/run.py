"""Verifies partition after partition, in two rounds: who moved on in the first is looked at again in the second."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from processors.rules.tree import RuleSet
from schemas.errors import StateError
from schemas.registry import WriterSchemas
from streams.clock import Clock
from streams.tagger.topics import Topics
from streams.verify.compare import Found, compare
from streams.verify.published import Point, Published, read_published
from streams.verify.recompute import Recomputed, recompute
from streams.verify.redis_side import RedisSide
from streams.verify.sample import Sample

__all__ = ["PartReport", "Report", "Verifier"]

WAIT_S: Final = 15.0
"""For a step to be done with, and for Redis to come as far: longer than a transaction may stay open (10 s)."""

OnProgress = Callable[[int, int], None]
"""Told the partition and how many more records were read."""


@dataclass(slots=True)
class PartReport:
    """What came of one partition."""

    partition: int
    point: Point | None
    found: Found
    events: int = 0
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What came of all of them."""

    parts: list[PartReport] = field(default_factory=list)
    refused: dict[int, StateError] = field(default_factory=dict)
    """Partitions that cannot be verified, and why."""

    @property
    def found(self) -> Found:
        """Of all partitions together."""
        everything = Found()
        for part in self.parts:
            everything.add(part.found)
        return everything


@dataclass(slots=True)
class Verifier:
    """One installation. Reads only; needs no tagger to be at work, and does no harm to one that is."""

    config: dict[str, Any]
    """For consumers."""
    topics: Topics
    rule_set: RuleSet
    writers: WriterSchemas
    redis: RedisSide
    clock: Clock
    dedupe_max_ids: int
    """Of event ids, where the journal does not tell how many the tagger remembers."""
    on_progress: OnProgress = lambda partition, records: None
    wait_s: float = WAIT_S

    def run(self, partitions: Iterable[int], new_sample: Callable[[], Sample]) -> Report:
        """Verify these, each with a sample of its own. Raises KafkaError, RedisError, StateError TS-S103."""
        report = Report()
        for partition in partitions:
            try:
                report.parts.append(self.verify(partition, new_sample()))
            except StateError as error:
                report.refused[partition] = error
        return report

    def verify(self, partition: int, sample: Sample) -> PartReport:
        """Verify one partition. Raises KafkaError, RedisError, StateError."""
        began_s = self.clock.monotonic_s()
        report = self._round(partition, sample)
        again = report.found.moved_on | report.found.behind
        if again:
            second = self._round(partition, Sample(only=again))
            first = report.found
            first.differences = [d for d in first.differences if d.customer_id not in again] + second.found.differences
            first.moved_on, first.behind = second.found.moved_on, second.found.behind
            first.changes_gone = max(first.changes_gone, second.found.changes_gone)
            report.events += second.events
        report.seconds = self.clock.monotonic_s() - began_s
        return report

    def _round(self, partition: int, sample: Sample) -> PartReport:
        published = read_published(
            self.config, self.topics, partition, sample, self.clock, self.wait_s, self._progress(partition)
        )
        if published.point is None:
            return PartReport(partition, None, Found(), notes=["no tagger has applied anything yet"])
        self._check_rules(partition, published.point)
        position = published.point.position
        self.redis.wait_for(partition, position, self.wait_s)
        # while it is fresh: what is read after the events were will have moved on
        held = self.redis.read(_in_topics(published, sample), partition, position)
        should = self._recompute(partition, published, sample)
        held |= self.redis.read(sample.kept - held.keys(), partition, position)
        found = compare(sample.kept, should.tags, published, held)
        return PartReport(partition, published.point, found, should.events, notes=_notes(published, found))

    def _recompute(self, partition: int, published: Published, sample: Sample) -> Recomputed:
        return recompute(
            *(self.config, self.topics, partition, self.rule_set, self.writers, published, sample),
            *(self.dedupe_max_ids, self._progress(partition)),
        )

    def _check_rules(self, partition: int, point: Point) -> None:
        """Raise StateError TS-S106 if the tagger had other rules."""
        if point.rule_version != self.rule_set.version:
            raise StateError(
                "TS-S106",
                f"Partition {partition}: the tagger has rules {point.rule_version}, here are {self.rule_set.version}",
            )

    def _progress(self, partition: int) -> Callable[[int], None]:
        return lambda records: self.on_progress(partition, records)


def _in_topics(published: Published, sample: Sample) -> frozenset[str]:
    """Those of the sample of whom anything is published."""
    return sample.kept & (published.versions.keys() | published.changed.keys())


def _notes(published: Published, found: Found) -> list[str]:
    """What may be otherwise than it looks."""
    notes = []
    if published.cut:
        first = next(e.record for e in published.entries if e.record.kind != "claim")
        notes.append(f"the journal begins at step {first.step}: what came before is taken in the order of arrival")
    if found.changes_gone:
        notes.append(f"of {found.changes_gone} tags the last change is no longer in tags.changes")
    if published.passed_over:
        notes.append(f"{published.passed_over} records of tags.changes and tags.current cannot be read")
    return notes
