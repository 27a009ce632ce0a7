"""Which tags of a customer are to be evaluated: a bitmap by rank, in the partition's memory.

Of ten thousand tags a handful is marked at a time, so above the bitmap stands a smaller one that says which of its
words are not zero: what is marked is found without looking at the rest.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import layout as L
from processors.jit import hot, inline
from processors.rules import program as G
from processors.rules.limits import MAX_TAGS
from processors.rules.program import look

UPPER_WORDS: Final = (MAX_TAGS >> 12) + 1
"""Words of the upper bitmap, which come first: one bit of it for 64 tags."""
_EXPONENT_BITS: Final = 52
_EXPONENT_MASK: Final = 0x7FF
_EXPONENT_OF_ONE: Final = 1023


def todo_words(tags: int) -> int:
    """Words of both bitmaps for so many tags."""
    return UPPER_WORDS + (tags >> 6) + 1


@inline
def mark(m, rank):  # type: ignore[no-untyped-def]
    """The tag of this rank is to be evaluated."""
    m[m[L.R_TODO] + UPPER_WORDS + (rank >> 6)] |= np.int64(1) << (rank & 63)
    m[m[L.R_TODO] + (rank >> 12)] |= np.int64(1) << ((rank >> 6) & 63)


@inline
def mark_readers(m, g, sid):  # type: ignore[no-untyped-def]
    """The tags that read this series are to be evaluated."""
    for i in range(look(g, G.SERIES_TAGS, sid), look(g, G.SERIES_TAGS, sid + 1)):
        mark(m, look(g, G.READERS, i))


@inline
def mark_readers_of_window(m, g, w):  # type: ignore[no-untyped-def]
    """The tags that read this window are to be evaluated."""
    for i in range(look(g, G.WINDOW_TAGS, w), look(g, G.WINDOW_TAGS, w + 1)):
        mark(m, look(g, G.WINDOW_READERS, i))


@inline
def _lowest(bits):  # type: ignore[no-untyped-def]
    """Position of the lowest bit that is set: a power of two is a double that has nothing but its exponent."""
    exponent = np.float64(bits & -bits).view(np.int64) >> _EXPONENT_BITS
    return (exponent & _EXPONENT_MASK) - _EXPONENT_OF_ONE


@hot
def take_first(m):  # type: ignore[no-untyped-def]
    """The least rank that is marked, and its mark is gone; -1 if none is."""
    todo = m[L.R_TODO]
    rank = np.int64(-1)
    for upper in range(todo, todo + UPPER_WORDS):
        if m[upper] != 0:
            word = (upper - todo) << 6 | _lowest(m[upper])
            at = todo + UPPER_WORDS + word
            rank = word << 6 | _lowest(m[at])
            m[at] &= m[at] - 1
            if m[at] == 0:
                m[upper] &= m[upper] - 1
            break
    return rank
