"""Which customers were to be forgotten, when, and until when that is known."""

from __future__ import annotations

from processors.oracle.event import DAY_MS

__all__ = ["Erasures"]


class Erasures:
    """Those of one partition."""

    def __init__(self) -> None:
        self.term_ms = 90 * DAY_MS
        """How long an erasure is known that comes from now on, as the setting `tagger.erasure_term_days` has it."""
        self._known: dict[str, tuple[int, int]] = {}

    def add(self, customer_id: str, clock_ms: int) -> None:
        """The customer is to be forgotten now."""
        self._known[customer_id] = clock_ms, clock_ms + self.term_ms

    def has(self, customer_id: str, happened_ms: int, clock_ms: int) -> bool:
        """Whether what happened then was before an erasure that is still known."""
        erased_ms, until_ms = self._known.get(customer_id, (0, 0))
        return happened_ms <= erased_ms and clock_ms < until_ms

    def customers(self) -> set[str]:
        """Who was ever to be forgotten."""
        return set(self._known)
