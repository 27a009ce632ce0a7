"""Which customers are looked at: all, some by name, or as many as were asked for, drawn by a hash of their ids."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from hashlib import blake2b

__all__ = ["Sample"]


class Sample:
    """Draws while it is asked: of all customers it is ever asked about it keeps those of the least hashes.

    Whoever is kept in the end was kept from the first question on, since the bar only sinks. So records can be chosen
    as they are read, and of those kept in the end none is missing; the others are to be thrown away.
    """

    def __init__(self, most: int | None = None, only: Iterable[str] | None = None) -> None:
        """`most`: how many to draw; `only`: no others than these. None: no bound."""
        self._most = most
        self._only = None if only is None else frozenset(only)
        self._drawn: list[tuple[int, str]] = []
        self._kept: set[str] = set()

    def wants(self, customer_id: str) -> bool:
        """Whether the customer is one of them, as far as is known by now."""
        if self._only is not None and customer_id not in self._only:
            return False
        if self._most is None or customer_id in self._kept:
            self._kept.add(customer_id)
            return True
        entry = (-int.from_bytes(blake2b(customer_id.encode(), digest_size=8).digest(), "big"), customer_id)
        if len(self._drawn) < self._most:
            heapq.heappush(self._drawn, entry)
        elif entry > self._drawn[0]:
            self._kept.discard(heapq.heappushpop(self._drawn, entry)[1])
        else:
            return False
        self._kept.add(customer_id)
        return True

    @property
    def kept(self) -> frozenset[str]:
        """Those drawn by now."""
        return frozenset(self._kept)
