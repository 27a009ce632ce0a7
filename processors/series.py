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
LOOK_AHEAD = 16
"""Panes looked at to find the time at which a value has fallen far enough; that of the last one is a lower bound."""


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
    m32[row * 2 + L.ROW_CALM32] = 0
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
def add(m, m32, g, row, at, event_time, clock, count, amount):  # type: ignore[no-untyped-def]
    """Count an event in every window of the customer's cell that holds its pane.

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
                over = (end + look(g, G.SERIES_SPAN_MS, series)) // L.MINUTE_MS
                if over > m32[row * 2 + L.ROW_OVER32]:
                    m32[row * 2 + L.ROW_OVER32] = over
                if amount < 0:
                    m32[at * 2 + L.CELL_NEGATIVE32] = 1
                    m32[row * 2 + L.ROW_CALM32] = 0
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


@hot
def falls_below(m, m32, g, at, metric, floor):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which the cell's value of `metric` falls below `floor`; FAR if it is below already.

    With ANY_FALL, or where a sum may rise as well, it is the time at which the next pane leaves.
    """
    word = at + L.CELL_WINDOWS + (metric >> 1) * L.WINDOW_WORDS
    pane = wide(m32[word * 2 + 1])
    if pane == 0:
        return L.FAR
    if floor != G.ANY_FALL and m32[at * 2 + L.CELL_NEGATIVE32] == 0:
        value = m[word + 1] if metric & 1 else wide(m32[word * 2])
        if value < floor:
            return L.FAR
        for _ in range(LOOK_AHEAD):
            value -= m[pane + L.PANE_SUM] if metric & 1 else wide(m32[pane * 2 + L.PANE_COUNT32])
            after = wide(m32[pane * 2 + L.PANE_NEXT32])
            if value < floor or after == 0:
                break
            pane = after
    sid = m32[at * 2 + L.CELL_SERIES32]
    length = look(g, G.WINDOW_MS, look(g, G.SERIES_WINDOWS, sid) + (metric >> 1))
    return pane_end(m32, pane, look(g, G.SERIES_PANE_MS, sid)) + length


@hot
def least_leave(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Least time at which a pane leaves any of the customer's windows."""
    least = L.FAR
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        least = min(least, m[at + L.CELL_LEAVES])
        at += look(g, G.SERIES_WORDS, m32[at * 2 + L.CELL_SERIES32])
    return least


@hot
def least_eager(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which a value that falls can let a tag of the customer enter."""
    least = L.FAR
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        sid = m32[at * 2 + L.CELL_SERIES32]
        if m32[at * 2 + L.CELL_NEGATIVE32] != 0:
            least = min(least, m[at + L.CELL_LEAVES])
        for i in range(look(g, G.SERIES_EAGER, sid), look(g, G.SERIES_EAGER, sid + 1)):
            least = min(least, falls_below(m, m32, g, at, look(g, G.READ_METRIC, i), look(g, G.READ_FLOOR, i)))
        at += look(g, G.SERIES_WORDS, sid)
    return least


@hot
def least_read(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which what the tag reads falls so far that one of its conditions may change."""
    least = L.FAR
    for i in range(look(g, G.TAG_READS, tag), look(g, G.TAG_READS, tag + 1)):
        at = find_cell(m, m32, g, row, look(g, G.READ_SERIES, i))
        if at != 0:
            least = min(least, falls_below(m, m32, g, at, look(g, G.READ_METRIC, i), look(g, G.READ_FLOOR, i)))
    return least


@hot
def is_calm(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Whether nothing that falls can let a tag of the customer enter, now or when values have risen."""
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        sid = m32[at * 2 + L.CELL_SERIES32]
        if m32[at * 2 + L.CELL_NEGATIVE32] != 0:
            return False
        if look(g, G.SERIES_EAGER, sid) != look(g, G.SERIES_EAGER, sid + 1):
            return False
        at += look(g, G.SERIES_WORDS, sid)
    return True
