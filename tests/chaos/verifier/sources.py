"""What stands in the merged topics, and I5: what became of it by the journal is what should have."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from schemas.outcomes import Outcome
from tests.chaos.verifier.difference import Findings
from tests.chaos.verifier.journal import SOURCES, Steps

__all__ = ["DeadPlace", "Kept", "SourceLog", "check_dead_letters", "check_outcomes"]

DeadPlace = tuple[str, int, int]
"""Topic without prefix, partition, offset."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of a customer of the sample."""

    source: int
    partition: int
    offset: int
    arrival_ms: int
    customer_id: str
    value: bytes | None
    expected: Outcome


@dataclass(slots=True)
class SourceLog:
    """One partition of one merged topic: per record its offset, its arrival and its expected outcome."""

    source: int
    partition: int
    offsets: array[int] = field(default_factory=lambda: array("q"))
    expected: array[int] = field(default_factory=lambda: array("b"))
    _arrival_ms: int = 0

    def take(self, offset: int, stamp_ms: int, expected: Outcome) -> int:
        """The next record. Returns its arrival: its stamp, raised to the one before where it goes back."""
        self._arrival_ms = max(self._arrival_ms, stamp_ms)
        self.offsets.append(offset)
        self.expected.append(expected)
        return self._arrival_ms

    def dead(self) -> list[DeadPlace]:
        """The places of all that should be dead."""
        offsets = np.frombuffer(self.offsets, np.int64) if self.offsets else np.zeros(0, np.int64)
        is_dead = np.frombuffer(self.expected, np.int8) == Outcome.DEAD if self.offsets else np.zeros(0, bool)
        name = SOURCES[self.source].name
        return [(name, self.partition, offset) for offset in offsets[is_dead].tolist()]


def check_outcomes(steps: Steps, logs: list[SourceLog], findings: Findings) -> None:
    """Each record of one partition was read in one step, and each step's counts are those of its records' outcomes.

    `logs`: of each source in order.
    """
    wanted = np.zeros((len(steps.entries), len(Outcome)), np.int64)
    for log in logs:
        offsets = np.frombuffer(log.offsets, np.int64) if log.offsets else np.zeros(0, np.int64)
        expected = np.frombuffer(log.expected, np.int8) if log.expected else np.zeros(0, np.int8)
        step = np.searchsorted(steps.ends[log.source], offsets, side="right")
        firsts = np.array([entry.record.sources[log.source].first for entry in steps.entries] + [0], np.int64)
        where = f"partition {log.partition} of {SOURCES[log.source].name}"
        unread = int(np.count_nonzero(step == len(steps.entries)))
        findings.compare("I5", unread == 0, f"{where}: {unread} records were not read")
        read = step < len(steps.entries)
        passed = int(np.count_nonzero(offsets[read] < firsts[step[read]]))
        findings.compare("I5", passed == 0, f"{where}: {passed} records were passed over")
        np.add.at(wanted, (step[read], expected[read]), 1)
    for entry, counts in zip(steps.entries, wanted.tolist(), strict=True):
        got = list(entry.record.outcomes)
        if got == counts:
            findings.compared["I5"] += sum(counts)
            continue
        told = ", ".join(f"{o.name.lower()} {got[o]} for {counts[o]}" for o in Outcome if got[o] != counts[o])
        findings.note("I5", f"partition {steps.partition}, step {entry.record.step}: {told}", entry.stamp_ms)


def check_dead_letters(
    dead: Mapping[DeadPlace, str], logs: list[SourceLog], steps: list[Steps], findings: Findings
) -> None:
    """Each dead record has one letter, and no other has; the journal counts as many for each reason.

    `dead`: by place the code, such as TS-D101, of each letter.
    """
    wanted = {place for log in logs for place in log.dead()}
    findings.compare("I5", dead.keys() == wanted, _unlike(dead.keys() - wanted, wanted - dead.keys()), of=len(wanted))
    told = Counter[str]()
    for entry in (entry for each in steps for entry in each.entries):
        told.update({f"TS-D{each.code}": each.count for each in entry.record.dead})
    letters = Counter(dead.values())
    findings.compare("I5", told == letters, f"dead by the journal {dict(told)}, letters {dict(letters)}")


def _unlike(more: set[DeadPlace], fewer: set[DeadPlace]) -> str:
    return f"dead letters of sound records: {sorted(more)[:5]}; dead without a letter: {sorted(fewer)[:5]}"
