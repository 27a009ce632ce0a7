"""Values over windows, per customer: a sparse list of panes, and per window a running value with a tail.

A series is what one (event type, filter, group, measure, kind) needs. A customer has a *cell* for each series that ever
met one of their events; the cells stand one behind another in the customer's series block. A series that is grouped by
a field has there a group instead, whose block holds a cell for each key (groups.py). All windows of a series share its
panes, oldest to newest; a window's *tail* is the oldest pane that it still holds. A pane [start, end) is held by a
window of length W while end + W > clock, so the work of an event does not depend on a window's length.
"""

from __future__ import annotations

from processors import arena, places
from processors import layout as L
from processors.arena import wide
from processors.jit import hot, inline, jit, stay_apart
from processors.marks import mark_readers_of_window
from processors.rules import program as G
from processors.rules.program import look

SUM = 0
"""Counts and sums; an event without the measure counts, and adds nothing."""
MEASURED = 1
"""Counts and sums of the events that have the measure."""
DISTINCT = 2
"""How many different values: a pane counts those that were seen last in it (distinct.py)."""
MIN = 3
MAX = 4
FIRST = 5
LAST = 6
MATCH = 7
"""Whether the newest event came soon enough after one of another series; `ever` only."""
ATTRIBUTE = 8
"""An attribute of the customer; `ever` only. Nothing is counted, profile events set it (attributes.py)."""

EVER = -1
"""Length of a window that nothing leaves; it has no panes and no tail."""


@hot
def find_group(m, m32, g, row, series):  # type: ignore[no-untyped-def]
    """First word of what stands for `series` in the customer's block, their cell or group; 0 if they have none."""
    if m[L.R_PLACED] == row:
        return m[m[L.R_PLACES] + series]
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        s = m32[at * 2 + L.CELL_SERIES32]
        if s == series:
            return at
        at += look(g, G.SERIES_WORDS, s)
    return wide(0)


@jit
def cell_of_key(m, m32, g, group, key):  # type: ignore[no-untyped-def]
    """First word of the cell of a key (a text) in a group, 0 if there is none."""
    words = look(g, G.SERIES_KEY_WORDS, m32[group * 2 + L.CELL_SERIES32])
    at = wide(m32[group * 2 + L.GROUP_BLOCK32])
    end = at + m32[group * 2 + L.GROUP_USED32]
    while at < end:
        if m[at + words - 1] == key:
            return at
        at += words
    return wide(0)


@jit
def find_cell(m, m32, g, row, series):  # type: ignore[no-untyped-def]
    """First word of the customer's cell of `series`, if it is grouped that of the key R_KEY; 0 if they have none."""
    at = find_group(m, m32, g, row, series)
    if at != 0 and m32[at * 2 + L.CELL_FLAGS32] & L.CELL_IS_GROUP != 0:
        at = cell_of_key(m, m32, g, at, m[L.R_KEY])
    return at


@jit
def add_cell(m, m32, g, row, series):  # type: ignore[no-untyped-def]
    """An empty cell of `series`, or an empty group, at the end of the customer's block. Returns its first word."""
    words = look(g, G.SERIES_WORDS, series)
    used = wide(m32[row * 2 + L.ROW_SERIES_USED32])
    block = wide(m32[row * 2 + L.ROW_SERIES32])
    cls = wide(m32[row * 2 + L.ROW_SERIES_CLASS32])
    if block == 0 or used + words > arena.class_words(cls):
        places.forget(m, m32, g, row)
        block, cls = arena.resized(m, block, cls, used, used + words)
        m32[row * 2 + L.ROW_SERIES32] = block
        m32[row * 2 + L.ROW_SERIES_CLASS32] = cls
    at = block + used
    m32[at * 2 + L.CELL_SERIES32] = series
    m[at + L.CELL_LEAVES] = L.FAR
    if look(g, G.SERIES_KEY_WORDS, series) != 0:
        m32[at * 2 + L.CELL_FLAGS32] = L.CELL_IS_GROUP
    m32[row * 2 + L.ROW_SERIES_USED32] = used + words
    m32[row * 2 + L.ROW_CALM32] = 0
    if m[L.R_PLACED] == row:
        m[m[L.R_PLACES] + series] = at
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


@inline
def _reach(m32, row, over):  # type: ignore[no-untyped-def]
    """The customer holds something until `over` (ms)."""
    if over // L.MINUTE_MS > m32[row * 2 + L.ROW_OVER32]:
        m32[row * 2 + L.ROW_OVER32] = over // L.MINUTE_MS


@inline
def _hold(m, m32, at, word, pane, leaves):  # type: ignore[no-untyped-def]
    """The window at `word` holds this pane too, which leaves it at `leaves` (ms)."""
    tail = wide(m32[word * 2 + 1])
    if tail == 0 or m32[tail * 2 + L.PANE_NUMBER32] > m32[pane * 2 + L.PANE_NUMBER32]:
        m32[word * 2 + 1] = pane
        if leaves < m[at + L.CELL_LEAVES]:
            m[at + L.CELL_LEAVES] = leaves


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
                _reach(m32, row, end + look(g, G.SERIES_SPAN_MS, series))
                if (amount < 0 or count < 0) and look(g, G.SERIES_KIND, series) != DISTINCT:
                    m32[at * 2 + L.CELL_FLAGS32] |= L.CELL_NEGATIVE
                    m32[row * 2 + L.ROW_CALM32] = 0
            _hold(m, m32, at, word, pane, end + length)
        m32[word * 2] += count
        m[word + 1] += amount
        changed = True
    return changed


@inline
def _better(kind, value, present):  # type: ignore[no-untyped-def]
    """Whether a value replaces the least or greatest so far."""
    return (kind == MIN and value < present) or (kind == MAX and value > present)


@inline
def _replaces(kind, time, present):  # type: ignore[no-untyped-def]
    """Whether a value of `time` replaces the first or last so far; of one time the first applied stays first."""
    return (kind == FIRST and time < present) or (kind == LAST and time >= present)


@jit
def _put_in_pane(m, m32, kind, pane, since_start, value):  # type: ignore[no-untyped-def]
    """One more value in a pane, `since_start` ms behind its start."""
    held = m32[pane * 2 + L.PANE_COUNT32]
    if kind == FIRST or kind == LAST:
        if held == 0 or _replaces(kind, since_start + 1, held):
            m32[pane * 2 + L.PANE_COUNT32] = since_start + 1
            m[pane + L.PANE_SUM] = value
    else:
        if held == 0 or _better(kind, value, m[pane + L.PANE_SUM]):
            m[pane + L.PANE_SUM] = value
        m32[pane * 2 + L.PANE_COUNT32] = 1


@jit
def _put_in_window(m, m32, kind, word, event_time, value, ever):  # type: ignore[no-untyped-def]
    """One more value in the window at `word`, before its tail is set."""
    if kind == FIRST or kind == LAST:
        if ever and (m[word] == 0 or _replaces(kind, event_time, m[word])):
            m[word] = event_time
            m[word + 1] = value
        return
    known = m32[word * 2] != 0
    fresh = not known if ever else m32[word * 2 + 1] == 0
    if fresh or (known and _better(kind, value, m[word + 1])):
        m32[word * 2] = 1
        m[word + 1] = value


@jit
def put(m, m32, g, row, at, event_time, clock, value):  # type: ignore[no-untyped-def]
    """As `add`, for a series of least, greatest, first or last values."""
    stay_apart()
    series = m32[at * 2 + L.CELL_SERIES32]
    kind = look(g, G.SERIES_KIND, series)
    pane_ms = look(g, G.SERIES_PANE_MS, series)
    w0 = look(g, G.SERIES_WINDOWS, series)
    number = event_time // pane_ms
    end = (number + 1) * pane_ms
    pane = wide(0)
    for w in range(look(g, G.SERIES_WINDOWS, series + 1) - 1, w0 - 1, -1):
        length = look(g, G.WINDOW_MS, w)
        word = at + L.CELL_WINDOWS + (w - w0) * L.WINDOW_WORDS
        if length == EVER:
            _put_in_window(m, m32, kind, word, event_time, value, True)
            continue
        if end + length <= clock:
            break
        if pane == 0:
            pane = _pane_for(m, m32, at, number)
            _put_in_pane(m, m32, kind, pane, event_time - number * pane_ms, value)
            _reach(m32, row, end + look(g, G.SERIES_SPAN_MS, series))
        _put_in_window(m, m32, kind, word, event_time, value, False)
        _hold(m, m32, at, word, pane, end + length)


@jit
def match(m, m32, g, row, at, event_time):  # type: ignore[no-untyped-def]
    """A second event of a match: does it come at most `within` after the newest first one?"""
    stay_apart()
    word = at + L.CELL_WINDOWS
    if event_time < m[word]:
        return
    sid = m32[at * 2 + L.CELL_SERIES32]
    other = find_cell(m, m32, g, row, look(g, G.SERIES_LINK, sid))
    since = m[other + L.CELL_WINDOWS + link_window(g, sid) * L.WINDOW_WORDS] if other != 0 else wide(0)
    within = look(g, G.SERIES_WITHIN_MS, sid)
    m[word] = event_time
    m[word + 1] = 1 if since != 0 and since <= event_time and event_time <= since + within else 0


@inline
def link_window(g, sid):  # type: ignore[no-untyped-def]
    """Place of the window `ever`, the last one, among those of the linked series."""
    link = look(g, G.SERIES_LINK, sid)
    return look(g, G.SERIES_WINDOWS, link + 1) - look(g, G.SERIES_WINDOWS, link) - 1


@hot
def refresh(m, m32, g, at, now):  # type: ignore[no-untyped-def]
    """Let every pane leave whose time in a window ended at or before `now`; free those that left the longest.

    The tags that read such a window are marked.
    """
    series = m32[at * 2 + L.CELL_SERIES32]
    pane_ms = look(g, G.SERIES_PANE_MS, series)
    w0 = look(g, G.SERIES_WINDOWS, series)
    kind = look(g, G.SERIES_KIND, series)
    leaves = L.FAR
    tail = wide(0)
    for w in range(w0, look(g, G.SERIES_WINDOWS, series + 1)):
        length = look(g, G.WINDOW_MS, w)
        if length == EVER:
            continue
        word = at + L.CELL_WINDOWS + (w - w0) * L.WINDOW_WORDS
        tail = wide(m32[word * 2 + 1])
        if tail != 0 and pane_end(m32, tail, pane_ms) + length <= now:
            mark_readers_of_window(m, g, w)
        while tail != 0 and pane_end(m32, tail, pane_ms) + length <= now:
            if kind <= DISTINCT:
                m32[word * 2] -= m32[tail * 2 + L.PANE_COUNT32]
                m[word + 1] -= m[tail + L.PANE_SUM]
            elif m[word + 1] == m[tail + L.PANE_SUM]:
                m32[word * 2] = 0  # the least or greatest may have left: it is looked for when it is asked for
            tail = wide(m32[tail * 2 + L.PANE_NEXT32])
        m32[word * 2 + 1] = tail
        if tail == 0:
            m32[word * 2] = 0
            m[word + 1] = 0
        if tail != 0 and pane_end(m32, tail, pane_ms) + length < leaves:
            leaves = pane_end(m32, tail, pane_ms) + length
    m[at + L.CELL_LEAVES] = leaves
    free_before(m, m32, at, tail)


@hot
def free_before(m, m32, at, tail):  # type: ignore[no-untyped-def]
    """Give back the panes older than `tail`, the longest window's (0: all of them)."""
    pane = wide(m32[at * 2 + L.CELL_OLDEST32])
    while pane != tail:
        nxt = wide(m32[pane * 2 + L.PANE_NEXT32])
        m[pane] = m[L.R_PANES_FREE]
        m[pane + L.PANE_SUM] = 0
        m[pane + L.PANE_WORDS - 1] = 0
        m[L.R_PANES_FREE] = pane
        m[L.R_PANES_LIVE] -= 1
        pane = nxt
    m32[at * 2 + L.CELL_OLDEST32] = tail
    if tail == 0:
        m32[at * 2 + L.CELL_NEWEST32] = 0
        m32[at * 2 + L.CELL_FLAGS32] &= ~L.CELL_NEGATIVE
    else:
        m32[tail * 2 + L.PANE_PREV32] = 0


@hot
def is_empty(m, m32, g, at):  # type: ignore[no-untyped-def]
    """Whether the cell holds nothing: no pane, and nothing in a window `ever`; or the group no key."""
    flags = m32[at * 2 + L.CELL_FLAGS32]
    if flags & L.CELL_IS_GROUP != 0:
        return m32[at * 2 + L.GROUP_COUNT32] == 0
    if m32[at * 2 + L.CELL_OLDEST32] != 0 or flags & L.CELL_LASTS != 0:
        return False
    series = m32[at * 2 + L.CELL_SERIES32]
    w0 = look(g, G.SERIES_WINDOWS, series)
    for w in range(w0, look(g, G.SERIES_WINDOWS, series + 1)):
        word = at + L.CELL_WINDOWS + (w - w0) * L.WINDOW_WORDS
        if m32[word * 2] != 0 or m[word + 1] != 0:
            return False
    return True


@inline
def behind_windows(g, at, series):  # type: ignore[no-untyped-def]
    """First word behind the windows of a cell."""
    count = look(g, G.SERIES_WINDOWS, series + 1) - look(g, G.SERIES_WINDOWS, series)
    return at + L.CELL_WINDOWS + count * L.WINDOW_WORDS


@jit
def release(m, m32, g, at):  # type: ignore[no-untyped-def]
    """Give back what an empty cell or group has outside its own words and the panes."""
    if m32[at * 2 + L.CELL_FLAGS32] & L.CELL_IS_GROUP != 0:
        if m32[at * 2 + L.GROUP_BLOCK32] != 0:
            arena.release(m, wide(m32[at * 2 + L.GROUP_BLOCK32]), wide(m32[at * 2 + L.GROUP_CLASS32]))
        return
    series = wide(m32[at * 2 + L.CELL_SERIES32])
    if look(g, G.SERIES_KIND, series) == DISTINCT:
        seen = behind_windows(g, at, series)
        if m32[seen * 2 + L.SEEN_BLOCK32] != 0:
            arena.release(m, wide(m32[seen * 2 + L.SEEN_BLOCK32]), wide(m32[seen * 2 + L.SEEN_CLASS32]))


@jit
def drop_empty(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Take the customer's empty cells out of their block, and give an empty block back."""
    stay_apart()
    places.forget(m, m32, g, row)
    block = wide(m32[row * 2 + L.ROW_SERIES32])
    used = wide(m32[row * 2 + L.ROW_SERIES_USED32])
    at = 0
    while at < used:
        words = look(g, G.SERIES_WORDS, m32[(block + at) * 2 + L.CELL_SERIES32])
        if is_empty(m, m32, g, block + at):
            release(m, m32, g, block + at)
            arena.cut(m, block, used, at, words)
            used -= words
        else:
            at += words
    m32[row * 2 + L.ROW_SERIES_USED32] = used
    if used == 0 and block != 0:
        arena.release(m, block, wide(m32[row * 2 + L.ROW_SERIES_CLASS32]))
        m32[row * 2 + L.ROW_SERIES32] = 0


@jit
def _find_best(m, m32, kind, word):  # type: ignore[no-untyped-def]
    """Look for the least or greatest value of a window that holds panes, and keep it."""
    pane = wide(m32[word * 2 + 1])
    best = m[pane + L.PANE_SUM]
    while pane != 0:
        if _better(kind, m[pane + L.PANE_SUM], best):
            best = m[pane + L.PANE_SUM]
        pane = wide(m32[pane * 2 + L.PANE_NEXT32])
    m32[word * 2] = 1
    m[word + 1] = best


@jit
def pick(m, m32, g, at, w):  # type: ignore[no-untyped-def]
    """(whether there is one, the value) of window `w` of a cell of least, greatest, first or last values."""
    sid = m32[at * 2 + L.CELL_SERIES32]
    kind = look(g, G.SERIES_KIND, sid)
    word = at + L.CELL_WINDOWS + w * L.WINDOW_WORDS
    if look(g, G.WINDOW_MS, look(g, G.SERIES_WINDOWS, sid) + w) == EVER:
        return m[word] != 0, m[word + 1]
    tail = wide(m32[word * 2 + 1])
    if tail == 0:
        return False, wide(0)
    if kind == FIRST:
        return True, m[tail + L.PANE_SUM]
    if kind == LAST:
        return True, m[wide(m32[at * 2 + L.CELL_NEWEST32]) + L.PANE_SUM]
    if m32[word * 2] == 0:
        _find_best(m, m32, kind, word)
    return True, m[word + 1]
