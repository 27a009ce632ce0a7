"""Which tags of a customer are to be evaluated: a bitmap by rank, in the partition's memory."""

from __future__ import annotations

import numpy as np

from processors import layout as L
from processors.jit import inline
from processors.rules import program as G
from processors.rules.program import look


@inline
def mark(m, rank):  # type: ignore[no-untyped-def]
    """The tag of this rank is to be evaluated."""
    m[m[L.R_TODO] + (rank >> 6)] |= np.int64(1) << (rank & 63)


@inline
def mark_readers(m, g, sid):  # type: ignore[no-untyped-def]
    """The tags that read this series are to be evaluated."""
    for i in range(look(g, G.SERIES_TAGS, sid), look(g, G.SERIES_TAGS, sid + 1)):
        mark(m, look(g, G.READERS, i))
