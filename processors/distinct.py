"""How many different values came in a window: exact up to SEEN_MOST, then estimated.

A cell keeps each value's hash and the pane in which it was seen last; a pane counts the values that were seen last in
it. So a value moves to a later pane when it is seen again, every window's count is a sum over panes like any other, and
no window needs a set of its own.

Beyond SEEN_MOST values the cell keeps only those whose hash ends with `level` zero bits, and a count stands for 2^level
times as many (adaptive sampling: M. Wegman; P. Flajolet, "On adaptive sampling", 1990). The standard error of the
longest window is some 1.2 / sqrt(SEEN_MOST) = 3.8 %; a window that holds fewer values n has sqrt(2^level / n). When the
last value that was left out has left every window, the next event finds the level at 0, and counts are exact again.
"""

from __future__ import annotations

from processors import arena, series
from processors import layout as L
from processors.arena import wide
from processors.jit import inline, jit, stay_apart
from processors.rules import program as G
from processors.rules.program import look

SEEN_MOST = 1_024
ENTRY_WORDS = 2
"""Hash of the value, number of the pane in which it was seen last."""


@inline
def _is_kept(h, level):  # type: ignore[no-untyped-def]
    """Whether the values of this hash are kept at a level."""
    return h & ((1 << level) - 1) == 0


@jit
def _is_over(g, sid, number, clock):  # type: ignore[no-untyped-def]
    """Whether every window has let a pane go."""
    if look(g, G.WINDOW_MS, look(g, G.SERIES_WINDOWS, sid + 1) - 1) == series.EVER:
        return False
    return (number + 1) * look(g, G.SERIES_PANE_MS, sid) + look(g, G.SERIES_SPAN_MS, sid) <= clock


@jit
def _drop(m, m32, g, row, at, i, clock):  # type: ignore[no-untyped-def]
    """Forget entry `i` of a cell; the last entry takes its place."""
    sid = wide(m32[at * 2 + L.CELL_SERIES32])
    seen = series.behind_windows(g, at, sid)
    entry = wide(m32[seen * 2 + L.SEEN_BLOCK32]) + i * ENTRY_WORDS
    if not _is_over(g, sid, m[entry + 1], clock):
        series.add(m, m32, g, row, at, m[entry + 1] * look(g, G.SERIES_PANE_MS, sid), clock, -1, 0)
    m32[seen * 2 + L.SEEN_COUNT32] -= 1
    last = wide(m32[seen * 2 + L.SEEN_BLOCK32]) + m32[seen * 2 + L.SEEN_COUNT32] * ENTRY_WORDS
    m[entry] = m[last]
    m[entry + 1] = m[last + 1]
    m[last] = 0
    m[last + 1] = 0


@jit
def _make_place(m, m32, g, row, at, clock):  # type: ignore[no-untyped-def]
    """Have fewer than SEEN_MOST entries: first without those that no window holds, then level by level."""
    sid = wide(m32[at * 2 + L.CELL_SERIES32])
    seen = series.behind_windows(g, at, sid)
    for i in range(m32[seen * 2 + L.SEEN_COUNT32] - 1, -1, -1):
        entry = wide(m32[seen * 2 + L.SEEN_BLOCK32]) + i * ENTRY_WORDS
        if _is_over(g, sid, m[entry + 1], clock):
            _drop(m, m32, g, row, at, wide(i), clock)
    while m32[seen * 2 + L.SEEN_COUNT32] >= SEEN_MOST:
        m32[seen * 2 + L.SEEN_LEVEL32] += 1
        for i in range(m32[seen * 2 + L.SEEN_COUNT32] - 1, -1, -1):
            entry = wide(m32[seen * 2 + L.SEEN_BLOCK32]) + i * ENTRY_WORDS
            if not _is_kept(m[entry], wide(m32[seen * 2 + L.SEEN_LEVEL32])):
                m[seen + L.SEEN_LOST] = max(m[seen + L.SEEN_LOST], m[entry + 1])
                _drop(m, m32, g, row, at, wide(i), clock)


@jit
def _append(m, m32, seen, h, number):  # type: ignore[no-untyped-def]
    """One more entry; the block grows if need be."""
    used = wide(m32[seen * 2 + L.SEEN_COUNT32]) * ENTRY_WORDS
    block = wide(m32[seen * 2 + L.SEEN_BLOCK32])
    cls = wide(m32[seen * 2 + L.SEEN_CLASS32])
    if block == 0 or used + ENTRY_WORDS > arena.class_words(cls):
        block, cls = arena.resized(m, block, cls, used, used + ENTRY_WORDS)
        m32[seen * 2 + L.SEEN_BLOCK32] = block
        m32[seen * 2 + L.SEEN_CLASS32] = cls
    m[block + used] = h
    m[block + used + 1] = number
    m32[seen * 2 + L.SEEN_COUNT32] += 1


@jit
def see(m, m32, g, row, at, event_time, clock, h):  # type: ignore[no-untyped-def]
    """Count a value of hash `h`, seen at `event_time`, in every window that holds its pane and lacks it."""
    stay_apart()
    sid = wide(m32[at * 2 + L.CELL_SERIES32])
    seen = series.behind_windows(g, at, sid)
    pane_ms = look(g, G.SERIES_PANE_MS, sid)
    number = event_time // pane_ms
    if m32[seen * 2 + L.SEEN_LEVEL32] > 0 and _is_over(g, sid, m[seen + L.SEEN_LOST], clock):
        m32[seen * 2 + L.SEEN_LEVEL32] = 0
    first = wide(m32[seen * 2 + L.SEEN_BLOCK32])
    for i in range(m32[seen * 2 + L.SEEN_COUNT32]):
        entry = first + i * ENTRY_WORDS
        if m[entry] == h:
            before = m[entry + 1]
            moves = 1 if number > before else 0
            if moves != 0:
                m[entry + 1] = number
                series.add(m, m32, g, row, at, before * pane_ms, clock, -1, 0)
            # of an older pane too: the event is in the window, though it counts no more
            series.add(m, m32, g, row, at, event_time, clock, moves, 0)
            return
    if m32[seen * 2 + L.SEEN_COUNT32] >= SEEN_MOST:
        _make_place(m, m32, g, row, at, clock)
    if not _is_kept(h, wide(m32[seen * 2 + L.SEEN_LEVEL32])):
        m[seen + L.SEEN_LOST] = max(m[seen + L.SEEN_LOST], number)
        return
    _append(m, m32, seen, h, number)
    series.add(m, m32, g, row, at, event_time, clock, 1, 0)


@jit
def leave_out(m, m32, g, row, at, level, lost):  # type: ignore[no-untyped-def]
    """Keep no more than a cell does that is at this level, and has left values out up to the pane `lost`."""
    seen = series.behind_windows(g, at, m32[at * 2 + L.CELL_SERIES32])
    if level <= m32[seen * 2 + L.SEEN_LEVEL32]:
        return
    m32[seen * 2 + L.SEEN_LEVEL32] = level
    m[seen + L.SEEN_LOST] = max(m[seen + L.SEEN_LOST], lost)
    for i in range(m32[seen * 2 + L.SEEN_COUNT32] - 1, -1, -1):
        entry = wide(m32[seen * 2 + L.SEEN_BLOCK32]) + i * ENTRY_WORDS
        if not _is_kept(m[entry], level):
            _drop(m, m32, g, row, at, wide(i), m[L.R_CLOCK])


@inline
def level_of(m32, g, at):  # type: ignore[no-untyped-def]
    """A count of the cell stands for 2^level as many."""
    return wide(m32[series.behind_windows(g, at, m32[at * 2 + L.CELL_SERIES32]) * 2 + L.SEEN_LEVEL32])
