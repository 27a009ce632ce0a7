"""A customer's tag block: an entry for each tag that is not simply out, one behind another, in no order.

An entry's index says whose it is: of rule tag t (index t), or what people (TAG_COUNT + t) or models (2 * TAG_COUNT + t)
said of it (assigned.py). The index also says how many words it has.
"""

from __future__ import annotations

from processors import arena, places
from processors import layout as L
from processors.arena import wide
from processors.jit import jit
from processors.rules import program as G
from processors.rules.program import look


@jit
def find_entry(m, m32, g, row, index):  # type: ignore[no-untyped-def]
    """First word of the customer's entry of this index, 0 if there is none."""
    if m[L.R_PLACED] == row:
        return m[m[L.R_ENTRY_PLACES] + index]
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    end = at + m32[row * 2 + L.ROW_TAGS_USED32]
    while at < end:
        i = m32[at * 2 + L.TAG_INDEX32]
        if i == index:
            return at
        at += look(g, G.TAG_WORDS, i)
    return wide(0)


@jit
def add_entry(m, m32, g, row, index):  # type: ignore[no-untyped-def]
    """A new entry, all zeros but its index. Returns its first word; the caller has made sure of room."""
    words = look(g, G.TAG_WORDS, index)
    used = wide(m32[row * 2 + L.ROW_TAGS_USED32])
    block = wide(m32[row * 2 + L.ROW_TAGS32])
    cls = wide(m32[row * 2 + L.ROW_TAGS_CLASS32])
    if block == 0 or used + words > arena.class_words(cls):
        block, cls = arena.resized(m, block, cls, used, used + words)
        m32[row * 2 + L.ROW_TAGS32] = block
        m32[row * 2 + L.ROW_TAGS_CLASS32] = cls
    at = block + used
    m32[row * 2 + L.ROW_TAGS_USED32] = used + words
    m32[at * 2 + L.TAG_INDEX32] = index
    if m[L.R_PLACED] == row:
        places.note_entries(m, m32, g, row)
    return at


@jit
def drop_entry(m, m32, g, row, at):  # type: ignore[no-untyped-def]
    """Take an entry out; an empty block is given back."""
    block = wide(m32[row * 2 + L.ROW_TAGS32])
    used = wide(m32[row * 2 + L.ROW_TAGS_USED32])
    index = wide(m32[at * 2 + L.TAG_INDEX32])
    words = look(g, G.TAG_WORDS, index)
    arena.cut(m, block, used, at - block, words)
    used -= words
    m32[row * 2 + L.ROW_TAGS_USED32] = used
    if m[L.R_PLACED] == row:
        m[m[L.R_ENTRY_PLACES] + index] = 0
        places.note_entries(m, m32, g, row)
    if used == 0:
        arena.release(m, block, wide(m32[row * 2 + L.ROW_TAGS_CLASS32]))
        m32[row * 2 + L.ROW_TAGS32] = 0
