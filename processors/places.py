"""Where the cells and entries of the customer under evaluation are, so that they need not be looked for each time.

While the rules of a customer are looked at, a hundred conditions may ask for a cell, and as many for an entry that is
mostly not there. So the cells are noted by series and the entries by index, and forgotten afterwards. Between the two
whoever makes, moves or drops cells keeps the notes right, or forgets them (series.py), as do those who add and drop
entries (entries.py).
"""

from __future__ import annotations

from processors import layout as L
from processors.arena import wide
from processors.jit import jit
from processors.rules import program as G
from processors.rules.program import look


@jit
def note_entries(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Note where the customer's entries are."""
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    end = at + m32[row * 2 + L.ROW_TAGS_USED32]
    while at < end:
        index = wide(m32[at * 2 + L.TAG_INDEX32])
        m[m[L.R_ENTRY_PLACES] + index] = at
        at += look(g, G.TAG_WORDS, index)


@jit
def note(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Note where the customer's cells and entries are, if they are not noted already."""
    if m[L.R_PLACED] == row:
        return
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        sid = wide(m32[at * 2 + L.CELL_SERIES32])
        m[m[L.R_PLACES] + sid] = at
        at += look(g, G.SERIES_WORDS, sid)
    note_entries(m, m32, g, row)
    m[L.R_PLACED] = row


@jit
def forget(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Forget what was noted of the customer, if anything was."""
    if m[L.R_PLACED] != row:
        return
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        sid = wide(m32[at * 2 + L.CELL_SERIES32])
        m[m[L.R_PLACES] + sid] = 0
        at += look(g, G.SERIES_WORDS, sid)
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    end = at + m32[row * 2 + L.ROW_TAGS_USED32]
    while at < end:
        index = wide(m32[at * 2 + L.TAG_INDEX32])
        m[m[L.R_ENTRY_PLACES] + index] = 0
        at += look(g, G.TAG_WORDS, index)
    m[L.R_PLACED] = 0
