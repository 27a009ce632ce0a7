"""What happened in a run: how often each kind of thing, and one line for each decision, for whoever replays a seed."""

from __future__ import annotations

from collections import Counter

from streams.clock import Clock
from tests.simulation.kinds import Kind

__all__ = ["Trace"]


class Trace:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.counts: Counter[Kind] = Counter()
        self.lines: list[str] = []
        self.danger = 1.0
        """How many times more likely faults are just now, for what happens there is seldom met otherwise."""

    def count(self, kind: Kind, times: int = 1) -> None:
        self.counts[kind] += times

    def note(self, who: str, what: object) -> None:
        """One line, with the simulated time at which it happened."""
        self.lines.append(f"{self._clock.monotonic_ms() / 1000:12.3f} {who:>10}  {what}")

    def met(self, kind: Kind, who: str, more: object = "") -> None:
        """Both."""
        self.count(kind)
        self.note(who, f"{kind} {more}".rstrip())
