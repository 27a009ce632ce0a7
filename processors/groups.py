"""Values by key, per customer: a series that is grouped by a field has a cell for each key.

The cells of a customer's group are alike in size and stand one behind another in the group's block, in no order; the
last word of each is its key's text (texts.py). The group's CELL_LEAVES is the least of its cells'.
"""

from __future__ import annotations

from processors import arena, series, texts, waits
from processors import layout as L
from processors.arena import wide
from processors.jit import jit, stay_apart
from processors.rules import program as G
from processors.rules.program import look

MAX_KEY_BYTES = 256


@jit
def _add_key(m, m32, g, group, text):  # type: ignore[no-untyped-def]
    """An empty cell for a key that has none. Returns its first word."""
    sid = wide(m32[group * 2 + L.CELL_SERIES32])
    words = look(g, G.SERIES_KEY_WORDS, sid)
    used = wide(m32[group * 2 + L.GROUP_USED32])
    block = wide(m32[group * 2 + L.GROUP_BLOCK32])
    cls = wide(m32[group * 2 + L.GROUP_CLASS32])
    if block == 0 or used + words > arena.class_words(cls):
        block, cls = arena.resized(m, block, cls, used, used + words)
        m32[group * 2 + L.GROUP_BLOCK32] = block
        m32[group * 2 + L.GROUP_CLASS32] = cls
    at = block + used
    m32[at * 2 + L.CELL_SERIES32] = sid
    m[at + L.CELL_LEAVES] = L.FAR
    m[at + words - 1] = text
    texts.hold(m, text)
    if look(g, G.WINDOW_MS, look(g, G.SERIES_WINDOWS, sid + 1) - 1) == series.EVER:
        m32[at * 2 + L.CELL_FLAGS32] = L.CELL_LASTS
    m32[group * 2 + L.GROUP_USED32] = used + words
    m32[group * 2 + L.GROUP_COUNT32] += 1
    m[L.R_WIDEST_GROUP] = max(m[L.R_WIDEST_GROUP], used + words)
    return at


@jit
def cell_for(m, m32, g, group, hash64, buf, p, n):  # type: ignore[no-untyped-def]
    """The cell of the key of these bytes, made if need be; R_KEY becomes its text. 0 where the group is full."""
    stay_apart()
    text = texts.find(m, hash64, buf, p, n)
    at = wide(0)
    if text != 0:
        at = series.cell_of_key(m, m32, g, group, text)
    if at == 0:
        if m32[group * 2 + L.GROUP_COUNT32] >= L.MAX_GROUP_KEYS:
            m[L.R_KEYS_DROPPED] += 1
            return wide(0)
        if text == 0:
            text = texts.make(m, hash64, buf, p, n)
        at = _add_key(m, m32, g, group, text)
    m[L.R_KEY] = text
    return at


@jit
def _drop_key(m, m32, g, group, at):  # type: ignore[no-untyped-def]
    """Take a key's empty cell out."""
    words = look(g, G.SERIES_KEY_WORDS, m32[group * 2 + L.CELL_SERIES32])
    block = wide(m32[group * 2 + L.GROUP_BLOCK32])
    series.release(m, m32, g, at)
    texts.let_go(m, m[at + words - 1])
    arena.cut(m, block, wide(m32[group * 2 + L.GROUP_USED32]), at - block, words)
    m32[group * 2 + L.GROUP_USED32] -= words
    m32[group * 2 + L.GROUP_COUNT32] -= 1


@jit
def let_leave(m, m32, g, row, group, now, timed):  # type: ignore[no-untyped-def]
    """Every pane leaves whose time ended by `now`; keys with nothing left go. Returns whether anything happened, with
    `timed` also by the time since something alone."""
    stay_apart()
    sid = wide(m32[group * 2 + L.CELL_SERIES32])
    words = look(g, G.SERIES_KEY_WORDS, sid)
    leaves = m[group + L.CELL_LEAVES]
    happened = leaves <= now
    if happened:
        leaves = L.FAR
        at = wide(m32[group * 2 + L.GROUP_BLOCK32])
        while at < wide(m32[group * 2 + L.GROUP_BLOCK32]) + m32[group * 2 + L.GROUP_USED32]:
            if m[at + L.CELL_LEAVES] <= now:
                series.refresh(m, m32, g, at, now)
                if series.is_empty(m, m32, g, at):
                    _drop_key(m, m32, g, group, at)
                    continue
            leaves = min(leaves, m[at + L.CELL_LEAVES])
            at += words
        m[group + L.CELL_LEAVES] = leaves
    if timed and not happened and look(g, G.SERIES_EAGER, sid) != look(g, G.SERIES_EAGER, sid + 1):
        at = wide(m32[group * 2 + L.GROUP_BLOCK32])
        end = at + m32[group * 2 + L.GROUP_USED32]
        while at < end and not happened:
            m[L.R_KEY] = m[at + words - 1]
            happened = waits.reached(m, m32, g, row, at, sid, now)
            at += words
    return happened
