"""Which states of customers the log has, as far as a fixed amount of memory can tell: a Bloom filter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np

__all__ = ["Seen", "content"]

LOG2_BITS: Final = 27
"""16 MiB. Of the hashes that should be suspect, one in a million is overlooked where the log has a million records, and
one in 200 at ten million; the next pass, which draws other places, sees it."""
PLACES: Final = 4
"""Bits for each state. More would be better up to 20 million customers, and slower."""


def content(customer: bytes, held: Mapping[bytes, bytes]) -> int:
    """64 bits that stand for all that a customer's hash holds. The same within this process only."""
    return hash((customer, frozenset(held.items())))


class Seen:
    """A set of contents that never says no to what is in it, and sometimes yes to what is not.

    `odd` are `PLACES` odd random numbers below 2^64 (multiply-shift hashing: Dietzfelbinger et al., 1997).
    """

    def __init__(self, odd: Sequence[int]) -> None:
        assert len(odd) == PLACES and all(number % 2 for number in odd)
        self._odd = np.array(odd, dtype=np.uint64)
        self._bits = np.zeros(1 << (LOG2_BITS - 3), dtype=np.uint8)

    def add(self, contents: Iterable[int]) -> None:
        places, masks = self._places(contents)
        np.bitwise_or.at(self._bits, places, masks)

    def has(self, contents: Iterable[int]) -> list[bool]:
        places, masks = self._places(contents)
        found: list[bool] = np.all(self._bits[places] & masks, axis=1).tolist()
        return found

    def _places(self, contents: Iterable[int]) -> tuple[np.ndarray, np.ndarray]:
        """The bytes and the bits in them, a row for each content."""
        signed = np.fromiter(contents, dtype=np.int64)
        bits = (signed.view(np.uint64)[:, None] * self._odd) >> np.uint64(64 - LOG2_BITS)
        return (bits >> np.uint64(3)).astype(np.intp), np.uint8(1) << (bits & np.uint64(7)).astype(np.uint8)
