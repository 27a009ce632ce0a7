"""Counters over windows, per customer: a sparse list of panes, and per window a running count and sum with a tail.

A series is what one (event type, filter, measure) needs. A customer has a *cell* for each series that ever met one of
their events; the cells stand one behind another in the customer's series block. All windows of a series share its
panes, oldest to newest; a window's *tail* is the oldest pane that it still holds. A pane [start, end) is held by a
window of length W while end + W > clock, so the work of an event does not depend on a window's length.
"""

from __future__ import annotations

from processors import arena
from processors import layout as L
from processors.arena import wide
from processors.jit import hot, inline, jit
from processors.rules import program as G
from processors.rules.program import look

EVER = -1
"""Length of a window that nothing leaves; it has no panes and no tail."""


@hot
def find_cell(m, m32, g, row, series):  # type: ignore[no-untyped-def]
    """First word of the customer's cell of `series` in `blocks`, 0 if they have none."""
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        s = m32[at * 2 + L.CELL_SERIES32]
        if s == series:
            return at
        at += look(g, G.SERIES_WORDS, s)
    return 0


@jit
def add_cell(m, m32, g, row, series):  # type: ignore[no-untyped-def]
    """An empty cell of `series` at the end of the customer's block. Returns its first word."""
    words = look(g, G.SERIES_WORDS, series)
    used = wide(m32[row * 2 + L.ROW_SERIES_USED32])
    block = wide(m32[row * 2 + L.ROW_SERIES32])
    cls = wide(m32[row * 2 + L.ROW_SERIES_CLASS32])
    if block == 0 or used + words > arena.class_words(cls):
        block, cls = arena.resized(m, block, cls, used, used + words)
        m32[row * 2 + L.ROW_SERIES32] = block
        m32[row * 2 + L.ROW_SERIES_CLASS32] = cls
    at = block + used
    for i in range(words):
        m[at + i] = 0
    m32[at * 2 + L.CELL_SERIES32] = series
    m[at + L.CELL_LEAVES] = L.FAR
    m32[row * 2 + L.ROW_SERIES_USED32] = used + words
    return at


@inline
def pane_end(m32, pane, pane_ms):  # type: ignore[no-untyped-def]
    """End (ms, exclusive) of a pane."""
    return (wide(m32[pane * 2 + L.PANE_NUMBER32]) + 1) * pane_ms


@jit
def _new_pane(m, m32, number, before, after):  # type: ignore[no-untyped-def]
    """An empty pane linked between two others (0: none). Returns its index; the caller has made sure of room."""
    pane = m[L.R_PANES_FREE]
    if pane != 0:
        m[L.R_PANES_FREE] = m[pane]
    else:
        pane = m[L.R_TOP]
        m[L.R_TOP] = pane + L.PANE_WORDS
    m32[pane * 2 + L.PANE_NUMBER32] = number
    m32[pane * 2 + L.PANE_COUNT32] = 0
    m[pane + L.PANE_SUM] = 0
    m32[pane * 2 + L.PANE_NEXT32] = after
    m32[pane * 2 + L.PANE_PREV32] = before
    if before != 0:
        m32[before * 2 + L.PANE_NEXT32] = pane
    if after != 0:
        m32[after * 2 + L.PANE_PREV32] = pane
    m[L.R_PANES_LIVE] += 1
    return pane


@hot
def _pane_for(m, m32, at, number):  # type: ignore[no-untyped-def]
    """The cell's pane of this number, made if need be. Looked for from the newest: late events are mostly recent."""
    after = wide(0)
    before = wide(m32[at * 2 + L.CELL_NEWEST32])
    while before != 0 and m32[before * 2 + L.PANE_NUMBER32] > number:
        after = before
        before = wide(m32[before * 2 + L.PANE_PREV32])
    if before != 0 and m32[before * 2 + L.PANE_NUMBER32] == number:
        return before
    pane = _new_pane(m, m32, number, before, after)
    if before == 0:
        m32[at * 2 + L.CELL_OLDEST32] = pane
    if after == 0:
        m32[at * 2 + L.CELL_NEWEST32] = pane
    return pane


@hot
def add(m, m32, g, at, event_time, clock, count, amount):  # type: ignore[no-untyped-def]
    """Count an event in every window of the cell that holds its pane.

    All panes due by `clock` must have left. Returns whether anything changed: an event older than all windows does not.
    """
    series = m32[at * 2 + L.CELL_SERIES32]
    pane_ms = look(g, G.SERIES_PANE_MS, series)
    w0 = look(g, G.SERIES_WINDOWS, series)
    w1 = look(g, G.SERIES_WINDOWS, series + 1)
    number = event_time // pane_ms
    end = (number + 1) * pane_ms
    pane = wide(0)
    changed = False
    for w in range(w1 - 1, w0 - 1, -1):
        length = look(g, G.WINDOW_MS, w)
        word = at + L.CELL_WINDOWS + (w - w0) * L.WINDOW_WORDS
        if length != EVER:
            if end + length <= clock:
                break
            if pane == 0:
                pane = _pane_for(m, m32, at, number)
                m32[pane * 2 + L.PANE_COUNT32] += count
                m[pane + L.PANE_SUM] += amount
                if amount < 0:
                    m32[at * 2 + L.CELL_NEGATIVE32] = 1
            tail = wide(m32[word * 2 + 1])
            if tail == 0 or m32[tail * 2 + L.PANE_NUMBER32] > number:
                m32[word * 2 + 1] = pane
                if end + length < m[at + L.CELL_LEAVES]:
                    m[at + L.CELL_LEAVES] = end + length
        m32[word * 2] += count
        m[word + 1] += amount
        changed = True
    return changed


@hot
def refresh(m, m32, g, at, now):  # type: ignore[no-untyped-def]
    """Let every pane leave whose time in a window ended at or before `now`; free those that left the longest."""
    series = m32[at * 2 + L.CELL_SERIES32]
    pane_ms = look(g, G.SERIES_PANE_MS, series)
    w0 = look(g, G.SERIES_WINDOWS, series)
    leaves = L.FAR
    tail = wide(0)
    for w in range(w0, look(g, G.SERIES_WINDOWS, series + 1)):
        length = look(g, G.WINDOW_MS, w)
        if length == EVER:
            continue
        word = at + L.CELL_WINDOWS + (w - w0) * L.WINDOW_WORDS
        tail = wide(m32[word * 2 + 1])
        while tail != 0 and pane_end(m32, tail, pane_ms) + length <= now:
            m32[word * 2] -= m32[tail * 2 + L.PANE_COUNT32]
            m[word + 1] -= m[tail + L.PANE_SUM]
            tail = wide(m32[tail * 2 + L.PANE_NEXT32])
        m32[word * 2 + 1] = tail
        if tail != 0 and pane_end(m32, tail, pane_ms) + length < leaves:
            leaves = pane_end(m32, tail, pane_ms) + length
    m[at + L.CELL_LEAVES] = leaves
    _free_before(m, m32, at, tail)


@hot
def _free_before(m, m32, at, tail):  # type: ignore[no-untyped-def]
    """Give back the panes older than `tail`, the longest window's (0: all of them)."""
    pane = wide(m32[at * 2 + L.CELL_OLDEST32])
    while pane != tail:
        nxt = wide(m32[pane * 2 + L.PANE_NEXT32])
        m[pane] = m[L.R_PANES_FREE]
        m[L.R_PANES_FREE] = pane
        m[L.R_PANES_LIVE] -= 1
        pane = nxt
    m32[at * 2 + L.CELL_OLDEST32] = tail
    if tail == 0:
        m32[at * 2 + L.CELL_NEWEST32] = 0
        m32[at * 2 + L.CELL_NEGATIVE32] = 0
    else:
        m32[tail * 2 + L.PANE_PREV32] = 0


@hot
def is_empty(m, m32, g, at):  # type: ignore[no-untyped-def]
    """Whether the cell holds nothing: no pane, and nothing in a window `ever`."""
    if m32[at * 2 + L.CELL_OLDEST32] != 0:
        return False
    series = m32[at * 2 + L.CELL_SERIES32]
    w0 = look(g, G.SERIES_WINDOWS, series)
    for w in range(w0, look(g, G.SERIES_WINDOWS, series + 1)):
        word = at + L.CELL_WINDOWS + (w - w0) * L.WINDOW_WORDS
        if m32[word * 2] != 0 or m[word + 1] != 0:
            return False
    return True


@jit
def drop_empty(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Take the customer's empty cells out of their block, and give an empty block back."""
    block = wide(m32[row * 2 + L.ROW_SERIES32])
    used = wide(m32[row * 2 + L.ROW_SERIES_USED32])
    at = 0
    while at < used:
        words = look(g, G.SERIES_WORDS, m32[(block + at) * 2 + L.CELL_SERIES32])
        if is_empty(m, m32, g, block + at):
            arena.cut(m, block, used, at, words)
            used -= words
        else:
            at += words
    m32[row * 2 + L.ROW_SERIES_USED32] = used
    if used == 0 and block != 0:
        arena.release(m, block, wide(m32[row * 2 + L.ROW_SERIES_CLASS32]))
        m32[row * 2 + L.ROW_SERIES32] = 0


@inline
def _leave_of(m, m32, g, at, w):  # type: ignore[no-untyped-def]
    """When the oldest pane leaves window `w` of the cell's series, FAR if there is none."""
    tail = wide(m32[(at + L.CELL_WINDOWS + w * L.WINDOW_WORDS) * 2 + 1])
    leaves = L.FAR
    if tail != 0:
        sid = m32[at * 2 + L.CELL_SERIES32]
        length = look(g, G.WINDOW_MS, look(g, G.SERIES_WINDOWS, sid) + w)
        leaves = pane_end(m32, tail, look(g, G.SERIES_PANE_MS, sid)) + length
    return leaves


@hot
def _due(m, m32, g, at):  # type: ignore[no-untyped-def]
    """When a pane leaves the cell that can let a tag enter."""
    if m32[at * 2 + L.CELL_NEGATIVE32] != 0:
        return m[at + L.CELL_LEAVES]
    sid = m32[at * 2 + L.CELL_SERIES32]
    due = L.FAR
    if look(g, G.SERIES_EAGER, sid) != 0:
        w0 = look(g, G.SERIES_WINDOWS, sid)
        for w in range(w0, look(g, G.SERIES_WINDOWS, sid + 1)):
            if look(g, G.WINDOW_EAGER, w) != 0:
                due = min(due, _leave_of(m, m32, g, at, w - w0))
    return due


@inline
def _over(m32, g, at):  # type: ignore[no-untyped-def]
    """When the newest pane leaves the cell's longest window; 0 if there is none."""
    newest = wide(m32[at * 2 + L.CELL_NEWEST32])
    over = wide(0)
    if newest != 0:
        sid = m32[at * 2 + L.CELL_SERIES32]
        over = pane_end(m32, newest, look(g, G.SERIES_PANE_MS, sid)) + look(g, G.SERIES_SPAN_MS, sid)
    return over


@hot
def least_due(m, m32, g, row, every):  # type: ignore[no-untyped-def]
    """Least time at which a pane that leaves one of the customer's windows can let a tag enter.

    Most rules ask whether enough has happened, and a pane that leaves cannot make that true: then it is the time when
    the last pane of all has left, so that what the customer holds is given back. With `every` it is the least time at
    which any pane leaves any window.
    """
    least = L.FAR
    over = wide(0)
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        if every:
            least = min(least, m[at + L.CELL_LEAVES])
        else:
            least = min(least, _due(m, m32, g, at))
        over = max(over, _over(m32, g, at))
        at += look(g, G.SERIES_WORDS, m32[at * 2 + L.CELL_SERIES32])
    if over != 0:
        least = min(least, over)
    return least


@hot
def least_read(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """Least time at which a pane leaves a window that the tag reads."""
    least = L.FAR
    for i in range(look(g, G.TAG_READS, tag), look(g, G.TAG_READS, tag + 1)):
        at = find_cell(m, m32, g, row, look(g, G.READ_SERIES, i))
        if at != 0:
            least = min(least, _leave_of(m, m32, g, at, look(g, G.READ_WINDOW, i)))
    return least
