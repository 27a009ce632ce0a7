"""The only module that reads time. Whoever needs it takes a `Clock`, so that a test can hand in one of its own.

Two kinds of time, never mixed: wall time is for people and for Kafka's timestamps and may jump; monotonic time has no
meaning of its own, never goes back, and measures how long something took.
"""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock"]


class Clock(Protocol):
    """Where time comes from. All methods may be called from any thread."""

    def wall_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic_ms(self) -> int:
        """Whole milliseconds since some fixed moment; never goes back."""
        ...

    def monotonic_s(self) -> float:
        """The same clock in seconds, as fine as the machine has it: for stages that take less than a millisecond."""
        ...

    def sleep(self, seconds: float) -> None:
        """Blocks for that long; zero or less returns at once."""
        ...


class SystemClock:
    """The machine's clock."""

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic_ns() / 1e9

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class ManualClock:
    """A clock for tests: stands still until it is moved, and `sleep` moves it."""

    def __init__(self, wall_ms: int = 0) -> None:
        self._started_wall_ms = wall_ms
        self._passed_ns = 0

    def wall_ms(self) -> int:
        return self._started_wall_ms + self._passed_ns // 1_000_000

    def monotonic_ms(self) -> int:
        return self._passed_ns // 1_000_000

    def monotonic_s(self) -> float:
        return self._passed_ns / 1e9

    def sleep(self, seconds: float) -> None:
        self._passed_ns += max(0, round(seconds * 1e9))
