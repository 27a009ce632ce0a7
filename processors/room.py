"""How much room one event or timer may need: the loops never allocate, they stop where it is missing (state.py)."""

from __future__ import annotations

from processors import customers
from processors import layout as L
from processors.jit import hot
from processors.rules import program as G
from schemas.events import MAX_ID_BYTES


@hot
def has_room(m, g, changes, touched, evidence):  # type: ignore[no-untyped-def]
    """Whether there is room for the most that one event or timer can need."""
    room = m[L.R_TOP] + room_needed(m, g) < m.size
    room = room and m[L.R_ROWS_LIVE] * 2 < m[L.R_TABLE_SIZE]
    room = room and (m[L.R_TEXTS_LIVE] + g[G.TEXTS_AT_ONCE]) * 2 < m[L.R_TEXTS_SIZE]
    room = room and m[L.R_SEEN_COUNT] * 2 < m[L.R_SEEN_SIZE]
    room = room and m[L.R_ERASED_COUNT] * 2 < m[L.R_ERASED_SIZE]
    room = room and m[L.R_HEAP_SIZE] + 2 < m[L.R_HEAP_ROOM]
    room = room and m[L.R_OUT_CHANGES] + g[G.TAG_COUNT] < changes.shape[0]
    room = room and m[L.R_OUT_EVIDENCE] + g[G.EVIDENCE_WORDS] < evidence.size
    return room and m[L.R_OUT_TOUCHED] + 64 < touched.size


@hot
def room_needed(m, g):  # type: ignore[no-untyped-def]
    """Words of memory that one event or timer may take at most."""
    # a block is at most 3/2 of what it must hold; growing to it by cells takes up to 3.4 times that: 1 / (1 - 2^-0.5)
    blocks = 6 * (m[L.R_WIDEST] + g[G.MAX_TYPE_WORDS] + g[G.ALL_TAG_WORDS] + L.ASSIGNED_TAG_WORDS)
    blocks += g[G.TYPE_GROUPS] * 3 * (m[L.R_WIDEST_GROUP] + g[G.MAX_KEY_WORDS])
    blocks += g[G.EXTRA_WORDS]
    row = 2 * (L.ROW_WORDS + customers.id_words(MAX_ID_BYTES))
    return blocks + row + L.PANE_WORDS * g[G.MAX_TYPE_SERIES] + 64
