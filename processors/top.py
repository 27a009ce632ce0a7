"""The greatest of a group of counts or sums by key."""

from __future__ import annotations

import numpy as np

from processors import layout as L
from processors import texts
from processors.arena import wide
from processors.jit import jit
from processors.rules import program as G
from processors.rules.program import look


@jit
def top_of_group(m, m32, g, group, window, by_sum):  # type: ignore[no-untyped-def]
    """Text of the key with the greatest count or sum in a window, of equals the smaller; 0 if none counts."""
    words = look(g, G.SERIES_KEY_WORDS, m32[group * 2 + L.CELL_SERIES32])
    at = wide(m32[group * 2 + L.GROUP_BLOCK32])
    end = at + m32[group * 2 + L.GROUP_USED32]
    best = wide(0)
    most = wide(0)
    while at < end:
        word = at + L.CELL_WINDOWS + window * L.WINDOW_WORDS
        count = wide(m32[word * 2])
        if count > 0:
            value = m[word + 1] if by_sum else count
            text = m[at + words - 1]
            if best == 0 or value > most or (value == most and texts.is_less(m, text, best)):
                best = text
                most = np.int64(value)
        at += words
    return best
