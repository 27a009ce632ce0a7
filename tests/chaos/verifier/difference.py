"""What is not as it must be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["INVARIANTS", "Difference", "Findings", "Invariant"]

Invariant = Literal["I1", "I2", "I3", "I4", "I5", "I6"]
INVARIANTS: Final[dict[Invariant, str]] = {
    "I1": "tags, counters and reasons are those of a batch recompute",
    "I2": "no change is lost or doubled",
    "I3": "Redis and tags.current are the fold of the changes",
    "I4": "seq rises without gaps, prev_seq and before name the last change",
    "I5": "each record read has one outcome, the right one",
    "I6": "the lag returns to zero in bounded time",
}
TOLD_MOST: Final = 20
"""Differences of an invariant that are kept with their text: the first ones tell, the rest follows from them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One of them."""

    invariant: Invariant
    text: str
    at_ms: int | None
    """When it came about, by the broker's stamp of the record in which it shows; None: it shows at the end only."""


@dataclass(slots=True)
class Findings:
    """All of them, and how much was compared."""

    differences: list[Difference] = field(default_factory=list)
    counts: Counter[Invariant] = field(default_factory=Counter)
    compared: Counter[Invariant] = field(default_factory=Counter)

    def compare(self, invariant: Invariant, equal: bool, text: str, at_ms: int | None = None, of: int = 1) -> None:
        """Count a comparison of `of` things, and note it if they are not `equal`. `text` is made in vain if they are:
        keep it cheap, or ask first."""
        self.compared[invariant] += of
        if not equal:
            self.note(invariant, text, at_ms)

    def note(self, invariant: Invariant, text: str, at_ms: int | None = None) -> None:
        self.counts[invariant] += 1
        if self.counts[invariant] <= TOLD_MOST:
            self.differences.append(Difference(invariant, text, at_ms))
