"""When a tag will flip if nothing happens: the customer is run forward without events, and then put back.

The engine itself runs, on the customer's own memory, so that what is foretold is what will happen. Before, all words of
the customer are copied behind the memory in use; nothing is freed for others meanwhile, since free lists are put aside
and every text has one holder more; afterwards the words and the registers are written back, and what was used behind
them is zeros again.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import assigned, places, series, sets, tagstate
from processors import layout as L
from processors.arena import class_words, wide
from processors.evaluate import evaluate, let_leave, next_look
from processors.jit import jit, stay_apart
from processors.room import has_room, room_needed
from processors.rules import program as G
from processors.rules.program import look

AHEAD_MS: Final = 732 * L.DAY_MS
"""How far is looked ahead."""
MOST_LOOKS: Final = 5_000
"""How many instants at which something of the customer may change are looked at."""

_IS_HOLDERS: Final = 1 << 32
"""Mark of a run of one word that counts the holders of a text."""


@jit
def _keep(m, at, words, p):  # type: ignore[no-untyped-def]
    """Copy a run of words behind its place and length to `p`, if there is room. Returns the place behind it."""
    n = words & 0xFFFFFFFF
    if p + n + 2 <= m.size:
        m[p] = at
        m[p + 1] = words
        for i in range(n):
            m[p + 2 + i] = m[at + i]
    return p + n + 2


@jit
def _keep_block(m, block, cls, p):  # type: ignore[no-untyped-def]
    """Keep a block, also the words that are not in use: they are to be zeros."""
    return _keep(m, block, class_words(wide(cls)), p)


@jit
def _keep_holders(m, text, p):  # type: ignore[no-untyped-def]
    return _keep(m, text + L.TEXT_HOLDERS, 1 | _IS_HOLDERS, p)


@jit
def _keep_cell(m, m32, g, at, sid, p):  # type: ignore[no-untyped-def]
    """Keep what a cell has outside its own words."""
    kind = look(g, G.SERIES_KIND, sid)
    if kind == series.MATCH or kind == series.ATTRIBUTE:
        return p
    pane = wide(m32[at * 2 + L.CELL_OLDEST32])
    while pane != 0:
        p = _keep(m, pane, L.PANE_WORDS, p)
        pane = wide(m32[pane * 2 + L.PANE_NEXT32])
    if kind == series.DISTINCT:
        seen = series.behind_windows(g, at, sid)
        if m32[seen * 2 + L.SEEN_BLOCK32] != 0:
            p = _keep_block(m, wide(m32[seen * 2 + L.SEEN_BLOCK32]), m32[seen * 2 + L.SEEN_CLASS32], p)
    return p


@jit
def _keep_group(m, m32, g, group, sid, p):  # type: ignore[no-untyped-def]
    """Keep the cells of a group's keys."""
    words = look(g, G.SERIES_KEY_WORDS, sid)
    at = wide(m32[group * 2 + L.GROUP_BLOCK32])
    used = wide(m32[group * 2 + L.GROUP_USED32])
    if at == 0:
        return p
    p = _keep_block(m, at, m32[group * 2 + L.GROUP_CLASS32], p)
    end = at + used
    while at < end:
        p = _keep_holders(m, m[at + words - 1], p)
        p = _keep_cell(m, m32, g, at, sid, p)
        at += words
    return p


@jit
def _keep_series(m, m32, g, row, p):  # type: ignore[no-untyped-def]
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    used = wide(m32[row * 2 + L.ROW_SERIES_USED32])
    if at == 0:
        return p
    p = _keep_block(m, at, m32[row * 2 + L.ROW_SERIES_CLASS32], p)
    end = at + used
    while at < end:
        sid = wide(m32[at * 2 + L.CELL_SERIES32])
        if m32[at * 2 + L.CELL_FLAGS32] & L.CELL_IS_GROUP != 0:
            p = _keep_group(m, m32, g, at, sid, p)
        else:
            p = _keep_cell(m, m32, g, at, sid, p)
        at += look(g, G.SERIES_WORDS, sid)
    return p


@jit
def _keep_tags(m, m32, g, row, p):  # type: ignore[no-untyped-def]
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    used = wide(m32[row * 2 + L.ROW_TAGS_USED32])
    if at == 0:
        return p
    p = _keep_block(m, at, m32[row * 2 + L.ROW_TAGS_CLASS32], p)
    end = at + used
    while at < end:
        index = wide(m32[at * 2 + L.TAG_INDEX32])
        if index < g[G.TAG_COUNT] and look(g, G.TAG_KIND, index) == assigned.SET:
            block = wide(m32[at * 2 + L.TAG_SET32])
            p = _keep_block(m, block, m[block + sets.SET_CLASS], p)
            for i in range(m[block + sets.SET_COUNT]):
                p = _keep_holders(m, m[block + sets.SET_KEYS + i], p)
        at += look(g, G.TAG_WORDS, index)
    return p


@jit
def _hold_texts(m, first, end):  # type: ignore[no-untyped-def]
    """One holder more for every text that was kept, as often as it was."""
    p = first
    while p < end:
        if m[p + 1] & _IS_HOLDERS != 0:
            m[m[p]] += 1
        p += 2 + (m[p + 1] & 0xFFFFFFFF)


@jit
def _keep_all(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Copy the registers and all that is of the customer behind the memory in use, and put free lists aside.

    Returns the copy's [first, end) words; first is 0 where there is no room, and R_WANTED says how much is missing.
    """
    stay_apart()
    first = m[L.R_TOP]
    p = _keep(m, wide(0), wide(L.R_WORDS), first)
    p = _keep(m, row, wide(L.ROW_WORDS), p)
    p = _keep_series(m, m32, g, row, p)
    p = _keep_tags(m, m32, g, row, p)
    if p > m.size:
        _clear(m, first, wide(m.size))
        m[L.R_WANTED] = p - first
        return wide(0), p
    _hold_texts(m, first, p)
    m[L.R_TOP] = p
    m[L.R_PANES_FREE] = 0
    m[L.R_OLD_SETS] = 0
    for i in range(L.R_FREE, L.R_STACK):
        m[i] = 0
    m[L.R_LOOKING_AHEAD] = 1
    return first, p


@jit
def _clear(m, first, end):  # type: ignore[no-untyped-def]
    """Make the words [first, end) zeros, as all are that were never in use."""
    for i in range(first, end):
        m[i] = 0


@jit
def _put_back(m, first, end):  # type: ignore[no-untyped-def]
    """Write back what was kept; the registers, which come first, last."""
    stay_apart()
    p = first + 2 + L.R_WORDS
    while p < end:
        n = m[p + 1] & 0xFFFFFFFF
        for i in range(n):
            m[m[p] + i] = m[p + 2 + i]
        p += 2 + n
    for i in range(L.R_WORDS):
        m[i] = m[first + 2 + i]


@jit
def _has_flipped(m, changes, first, tag):  # type: ignore[no-untyped-def]
    """Whether a change from the one at `first` on is of the tag."""
    for c in range(first, m[L.R_OUT_CHANGES]):
        if changes[c, L.CH_TAG] == tag:
            return True
    return False


@jit
def _run(m, m32, g, changes, touched, evidence, row, tag, until):  # type: ignore[no-untyped-def]
    """Run the customer forward until the tag flips. Returns what CH_FLIP says, 0 for lack of room."""
    stay_apart()
    made = m[L.R_OUT_CHANGES]
    for _ in range(MOST_LOOKS):
        now = m[row + L.ROW_DUE]
        if now == L.FAR:
            return wide(L.NEVER)
        if now > until:
            return wide(L.UNKNOWN)
        if not has_room(m, g, changes, touched, evidence):
            return wide(0)
        happened = let_leave(m, m32, g, row, now)
        evaluate(m, m32, g, changes, touched, evidence, row, now, np.int64(-1), happened)
        if _has_flipped(m, changes, made, tag):
            return now
        m[L.R_OUT_CHANGES] = made
        sets.forget_old(m)
        places.note(m, m32, g, row)
        m[row + L.ROW_DUE] = next_look(m, m32, g, row, now, tagstate.needs_every(m, m32, g, row))
        places.forget(m, m32, g, row)
    return wide(L.UNKNOWN)


@jit
def flip_of(m, m32, g, changes, touched, evidence, row, tag, since):  # type: ignore[no-untyped-def]
    """When the customer's tag will flip after `since` (ms): as CH_FLIP says, or 0 for lack of room."""
    if row == 0:
        return wide(L.NEVER)
    first, end = _keep_all(m, m32, g, row)
    if first == 0:
        return wide(0)
    flip = _run(m, m32, g, changes, touched, evidence, row, tag, since + AHEAD_MS)
    top = m[L.R_TOP]
    is_full = top + room_needed(m, g) >= m.size
    _put_back(m, first, end)
    _clear(m, first, top)
    at = wide(m32[row * 2 + L.ROW_TOUCHED32])
    if at != 0:
        touched[at + L.TO_SEQ] = m[row + L.ROW_SEQ]
    if flip == 0 and is_full:
        m[L.R_WANTED] = 2 * (top - first)
    return flip


@jit
def make(m, m32, g, changes, touched, evidence):  # type: ignore[no-untyped-def]
    """Complete the changes of which the forecast is still to be made. Returns False for lack of room."""
    if m[L.R_FORECAST] == 0:
        return True
    for c in range(m[L.R_FORECAST] - 1, m[L.R_OUT_CHANGES]):
        tag = changes[c, L.CH_TAG]
        if look(g, G.TAG_FORECAST, tag) != 0 and changes[c, L.CH_FLIP] == 0:
            row = m[L.R_FORECAST_ROW]
            flip = flip_of(m, m32, g, changes, touched, evidence, row, tag, changes[c, L.CH_AT])
            if flip == 0:
                return False
            changes[c, L.CH_FLIP] = flip
    m[L.R_FORECAST] = 0
    m[L.R_FORECAST_ROW] = 0
    return True
