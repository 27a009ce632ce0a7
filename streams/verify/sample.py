"""Which customers are looked at together: all, some by name, or as many as were asked for, in order of a hash of ids.

Memory is bounded by looking at no more at once than there is room for; who was turned away is looked at the next time,
in a sample that begins behind the last one of this.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Final

__all__ = ["CUSTOMER_WEIGHS", "Rank", "Sample", "rank_of"]

CUSTOMER_WEIGHS: Final = 20
"""In records: what the oracle keeps of each customer for each tag, before any event."""

Rank = int
"""A customer's place in the order: a hash of the id, so long that no two have the same."""


def rank_of(customer_id: str) -> Rank:
    """A customer's place."""
    return int.from_bytes(blake2b(customer_id.encode(), digest_size=16).digest(), "big")


class Sample:
    """Draws while it is asked: of all customers it is ever asked about it keeps the first ones.

    Whoever is kept in the end was kept from the first question on, since the bar only sinks. So records can be chosen
    as they are read, and of those kept in the end none is missing; what was kept of the others is to be thrown away.
    """

    def __init__(
        self,
        *,
        most: int | None = None,
        room: int | None = None,
        after: Rank | None = None,
        only: Iterable[str] | None = None,
    ) -> None:
        """`most`: how many customers; `room`: for how many records of theirs, of one customer there is always room;
        `after`: those behind this one; `only`: exactly these, whether or not they are ever asked about."""
        self._most = most
        self._room = room
        self._after = after
        self._only = None if only is None else frozenset(only)
        self._kept: Counter[str] = Counter(dict.fromkeys(self._only or (), 0))
        self._last: list[tuple[Rank, str]] = []
        """A heap of negative ranks, so that the last of those kept is its first."""
        self._weight = 0
        self._forgetters: list[Callable[[str], None]] = []
        self.bar: Rank | None = None
        """Of the first one who was turned away; None: nobody was."""

    @property
    def kept(self) -> frozenset[str]:
        """Those drawn by now."""
        return frozenset(self._kept)

    @property
    def last(self) -> Rank:
        """Of the last one who was kept; there is one if anybody was turned away."""
        return -self._last[0][0]

    def on_forget(self, forget: Callable[[str], None]) -> None:
        """`forget` is called with each customer who was kept and is not any more."""
        self._forgetters.append(forget)

    def records_of(self, customer_id: str) -> int:
        """How many records of a customer were kept by now."""
        return self._kept[customer_id]

    def wants(self, customer_id: str) -> bool:
        """Whether to keep one more record of the customer."""
        if customer_id not in self._kept and not self._admits(customer_id):
            return False
        self._kept[customer_id] += 1
        self._weight += 1
        while len(self._kept) > 1 and self._is_over_full():
            self._turn_away_the_last()
        return customer_id in self._kept

    def _admits(self, customer_id: str) -> bool:
        if self._only is not None:
            return False
        rank = rank_of(customer_id)
        if (self._after is not None and rank <= self._after) or (self.bar is not None and rank >= self.bar):
            return False
        heapq.heappush(self._last, (-rank, customer_id))
        self._weight += CUSTOMER_WEIGHS
        return True

    def _is_over_full(self) -> bool:
        if self._only is not None:
            return False
        too_many = self._most is not None and len(self._kept) > self._most
        return too_many or (self._room is not None and self._weight > self._room)

    def _turn_away_the_last(self) -> None:
        negative, customer_id = heapq.heappop(self._last)
        self._weight -= self._kept.pop(customer_id) + CUSTOMER_WEIGHS
        self.bar = -negative
        for forget in self._forgetters:
            forget(customer_id)
