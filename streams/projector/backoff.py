"""How long to wait before something that failed is tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["Backoff"]

FIRST_S: Final = 0.1
"""A Redis that restarts is back within a second; waiting longer at first would show in the freshness of tags."""
MOST_S: Final = 10.0
"""So soon after the end of a long outage the projector goes on."""


class Backoff:
    """Waits that double from try to try, each cut by chance to between its half and its whole, so that several
    projectors do not fall upon a server that just came back all at once.

    `chance` returns numbers in [0, 1).
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self.failures = 0
        """Failures in a row."""

    def failed(self) -> float:
        """Notes a failure; returns the seconds to wait."""
        # Beyond some doublings the limit holds anyway, and the power would grow without bound.
        longest_s = min(MOST_S, FIRST_S * 2.0 ** min(self.failures, 16))
        self.failures += 1
        return longest_s * (0.5 + 0.5 * self._chance())

    def succeeded(self) -> None:
        """Notes a success: the next wait is the shortest again."""
        self.failures = 0
