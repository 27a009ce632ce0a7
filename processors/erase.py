"""Forgetting a customer: their tags are left, all that the partition has of them is given back, and so overwritten.

What stays is in `erased.py`. Cells, entries and sets of a customer are the only ones who name their panes, blocks and
texts, so walking the two blocks of the row finds everything; the heap of timers may still have the id's hash.
"""

from __future__ import annotations

import numpy as np

from processors import arena, assigned, customers, erased, places, series, sets, texts, timers
from processors import layout as L
from processors.arena import wide
from processors.evaluate import emit, touch
from processors.jit import jit, stay_apart
from processors.rules import program as G
from processors.rules.program import look


@jit
def _leave_all(m, m32, g, changes, touched, row, now, event):  # type: ignore[no-untyped-def]
    """A change for each tag that the customer has, in the order in which tags are evaluated; without reasons."""
    for rank in range(g[G.TAG_COUNT]):
        tag = look(g, G.RANKED_TAGS, rank)
        before = assigned.code_of(m, m32, g, assigned.deciding(m, m32, g, row, tag), tag)
        if before != 0:
            c = emit(m, m32, g, changes, touched, row, tag, before, wide(0), now, event)
            changes[c, L.CH_FLIP] = L.NEVER if look(g, G.TAG_FORECAST, tag) != 0 else 0


@jit
def _release_cell(m, m32, g, at):  # type: ignore[no-untyped-def]
    """Give back what a cell has outside its own words."""
    sid = wide(m32[at * 2 + L.CELL_SERIES32])
    kind = look(g, G.SERIES_KIND, sid)
    if kind == series.ATTRIBUTE:
        if m[at + L.CELL_WINDOWS + 1] != 0:
            texts.let_go(m, m[at + L.CELL_WINDOWS + 1])
    elif kind != series.MATCH:
        series.free_before(m, m32, at, wide(0))
    series.release(m, m32, g, at)


@jit
def _release_group(m, m32, g, group):  # type: ignore[no-untyped-def]
    """Give back a group's cells with their keys, and its block."""
    words = look(g, G.SERIES_KEY_WORDS, m32[group * 2 + L.CELL_SERIES32])
    at = wide(m32[group * 2 + L.GROUP_BLOCK32])
    end = at + m32[group * 2 + L.GROUP_USED32]
    while at < end:
        _release_cell(m, m32, g, at)
        texts.let_go(m, m[at + words - 1])
        at += words
    series.release(m, m32, g, group)


@jit
def _release_series(m, m32, g, row):  # type: ignore[no-untyped-def]
    block = wide(m32[row * 2 + L.ROW_SERIES32])
    at = block
    end = block + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        words = look(g, G.SERIES_WORDS, m32[at * 2 + L.CELL_SERIES32])
        if m32[at * 2 + L.CELL_FLAGS32] & L.CELL_IS_GROUP != 0:
            _release_group(m, m32, g, at)
        else:
            _release_cell(m, m32, g, at)
        at += words
    if block != 0:
        arena.release(m, block, wide(m32[row * 2 + L.ROW_SERIES_CLASS32]))


@jit
def _release_tags(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Give back the entries; sets stay until the next step begins, for the changes name them."""
    block = wide(m32[row * 2 + L.ROW_TAGS32])
    at = block
    end = block + m32[row * 2 + L.ROW_TAGS_USED32]
    while at < end:
        index = wide(m32[at * 2 + L.TAG_INDEX32])
        if index < g[G.TAG_COUNT] and look(g, G.TAG_KIND, index) == assigned.SET:
            sets.give_up(m, wide(m32[at * 2 + L.TAG_SET32]))
        at += look(g, G.TAG_WORDS, index)
    if block != 0:
        arena.release(m, block, wide(m32[row * 2 + L.ROW_TAGS_CLASS32]))


@jit
def _forget_registers(m):  # type: ignore[no-untyped-def]
    """What was computed of the customer last."""
    m[L.R_KEY] = 0
    m[L.R_COMMANDED] = 0
    m[L.R_BEFORE_COMMAND] = 0
    for i in range(L.STACK_WORDS):
        m[L.R_STACK + i] = 0


@jit
def erase(m, m32, m8, g, changes, touched, key, row, event, buf, p, n):  # type: ignore[no-untyped-def]
    """Obey the command in row `event`: forget the customer of this id, who has the row, at the clock."""
    stay_apart()
    places.note(m, m32, g, row)
    _leave_all(m, m32, g, changes, touched, row, m[L.R_CLOCK], np.int64(event))
    places.forget(m, m32, g, row)
    # also of one without a tag: what was published of them goes
    touched[touch(m, m32, row, touched) + L.TO_ROW] = L.ERASED
    _release_series(m, m32, g, row)
    _release_tags(m, m32, g, row)
    timers.disarm(m, m32, row)
    timers.forget(m, m8, m[row + L.ROW_HASH])
    customers.remove(m, row)
    _forget_registers(m)
    erased.remember(m, key, buf, p, n)
