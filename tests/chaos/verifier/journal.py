"""The journal as the definition of the order: which steps count, and which step applied a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from schemas.records import JournalRecord
from streams import topics
from tests.chaos.verifier.difference import Findings

__all__ = ["SOURCES", "Entry", "Steps"]

SOURCES = tuple(sorted((*topics.HISTORY, topics.MOVED), key=lambda topic: topic.name))
"""The merged topics in the order in which ties between them are decided, which is that of a step's ranges."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A committed record of a partition's journal."""

    offset: int
    stamp_ms: int
    """When the broker wrote it."""
    record: JournalRecord


@dataclass(slots=True)
class Steps:
    """Those of one partition's steps and changeovers that count, in order: none of an older owner behind a claim."""

    partition: int
    entries: list[Entry] = field(default_factory=list)
    claims: int = 0
    zombies: int = 0
    """Records behind a newer claim. They are no difference: readers ignore them."""
    ends: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(SOURCES), 0), np.int64))
    """(sources, steps): the next record to apply behind each step."""

    @classmethod
    def of(cls, partition: int, journal: Sequence[Entry]) -> Steps:
        steps, epoch = cls(partition), -1
        for entry in journal:
            record = entry.record
            if record.kind == "claim":
                epoch = entry.offset
                steps.claims += 1
            elif record.epoch != epoch:
                steps.zombies += 1
            elif record.kind in ("step", "changeover"):
                steps.entries.append(entry)
        ends = [[source.next for source in entry.record.sources] for entry in steps.entries]
        steps.ends = np.array(ends, np.int64).reshape(-1, len(SOURCES)).T
        return steps

    def step_of(self, source: int, offset: int) -> Entry | None:
        """The step that applied a record; None if none did."""
        at = int(np.searchsorted(self.ends[source], offset, side="right"))
        return self.entries[at] if at < len(self.entries) else None

    @property
    def last_seq(self) -> int:
        return self.entries[-1].record.last_seq if self.entries else 0

    @property
    def versions(self) -> list[str]:
        """Of the rules, by which the partition has worked, in the order in which it began to; each once."""
        return list(dict.fromkeys(entry.record.rule_version for entry in reversed(self.entries)))[::-1]

    @property
    def clock_ms(self) -> int:
        """At the end."""
        return self.entries[-1].record.clock_after if self.entries else 0

    def check(self, prefix: str, findings: Findings) -> None:
        """Steps are numbered without gaps, their ranges and clocks join, they name the sources in their order."""
        names = [prefix + topic.name for topic in SOURCES]
        number, ends, clock_ms, seq = 0, [0] * len(SOURCES), 0, 0
        for entry in self.entries:
            record = entry.record
            where, at_ms = f"partition {self.partition}, step {record.step}", entry.stamp_ms
            findings.compare("I5", record.step == number + 1, f"{where} comes after step {number}", at_ms)
            findings.compare("I5", [s.topic for s in record.sources] == names, f"{where} has other sources", at_ms)
            joined = all(s.first >= end and s.next >= s.first for s, end in zip(record.sources, ends, strict=True))
            findings.compare("I5", joined, f"{where} reads again what was applied before", at_ms)
            forward = clock_ms <= record.clock_before <= record.clock_after
            findings.compare("I5", forward, f"{where}: the clock went back from {clock_ms}", at_ms)
            findings.compare("I4", record.last_seq >= seq, f"{where}: seq went back from {seq}", at_ms)
            number, clock_ms, seq = record.step, record.clock_after, record.last_seq
            ends = [s.next for s in record.sources]
