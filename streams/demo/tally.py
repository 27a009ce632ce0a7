"""What the demo has seen so far: counts, the newest changes, delays. Pure: told what time it is."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Final

from schemas.records import Change

NEWEST: Final = 14
"""Changes shown: what fits on a terminal of 24 lines beside the figures is less, but most are larger."""
RECENT_MS: Final = 10_000
"""Rates and delays are those of the last ten seconds: long enough to be steady, short enough to see a stall."""
FEW: Final = 2
"""A quantile needs two values."""


@dataclass(frozen=True, slots=True)
class Delay:
    """Delays of the last seconds, in milliseconds."""

    median_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return f"{self.median_ms:.0f} ms (p99 {self.p99_ms:.0f})"


@dataclass(slots=True)
class Recent:
    """Values of the last `RECENT_MS`, each with the time at which it was noted."""

    values: deque[tuple[int, float]] = field(default_factory=deque)

    def add(self, now_ms: int, value: float) -> None:
        self.values.append((now_ms, value))
        self.forget(now_ms)

    def forget(self, now_ms: int) -> None:
        """Drops what is older."""
        while self.values and self.values[0][0] <= now_ms - RECENT_MS:
            self.values.popleft()

    def delay(self) -> Delay | None:
        """None while there are too few values."""
        values = [value for _, value in self.values]
        if len(values) < FEW:
            return None
        return Delay(median(values), quantiles(values, n=100, method="inclusive")[98])


@dataclass(slots=True)
class Tally:
    """One run of the demo."""

    since_ms: int
    """When it began."""
    live_since_ms: int | None = None
    """When the live stream began; what changed before is the history's. None: it has not yet."""
    sent: int = 0
    """Live events written to Kafka."""
    ops: Counter[str] = field(default_factory=Counter)
    """Changes by op."""
    tags: Counter[str] = field(default_factory=Counter)
    """Customers that have the tag, by tag, as far as the changes tell."""
    newest: deque[Change] = field(default_factory=lambda: deque(maxlen=NEWEST))
    """Latest first."""
    to_change: Recent = field(default_factory=Recent)
    """Arrival of an event to its change being readable."""
    to_redis: Recent = field(default_factory=Recent)
    """Arrival of an event to its change being in Redis."""
    _sent_recently: Recent = field(default_factory=Recent)

    def add_sent(self, now_ms: int, events: int) -> None:
        self.sent += events
        self._sent_recently.add(now_ms, events)

    def add_changes(self, now_ms: int, changes: Iterable[Change]) -> None:
        """Changes that became readable at `now_ms`."""
        for change in changes:
            self.ops[change.op] += 1
            self.tags[change.tag] += {"entered": 1, "left": -1}.get(change.op, 0)
            self.newest.appendleft(change)
            if self.is_live(change):
                self.to_change.add(now_ms, now_ms - change.effective_at)

    def is_live(self, change: Change) -> bool:
        """Whether an event of the live stream caused it, so that its delay means something."""
        is_new = self.live_since_ms is not None and change.effective_at >= self.live_since_ms
        return is_new and change.origin == "live"

    def rate(self, now_ms: int) -> float:
        """Live events a second of late."""
        for recent in (self._sent_recently, self.to_change, self.to_redis):
            recent.forget(now_ms)
        span_ms = min(RECENT_MS, max(1, now_ms - (self.live_since_ms or self.since_ms)))
        return 1000 * sum(value for _, value in self._sent_recently.values) / span_ms
