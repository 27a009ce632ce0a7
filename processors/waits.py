"""When time alone may change something of a customer: lower bounds, from what their cells and tags read.

A read is a window whose value may fall, a time since the last event that grows, up to a constant, a value or another
such time, a sequence that waits, a birthday, a score that moves, or a comparison in which a time stands in a ratio,
which is tried out (rules/reads.py writes them, program.py has the tables).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import attributes, distinct, scores, series
from processors import layout as L
from processors.arena import wide
from processors.interpret import EQ, GE, GT, compare, holds, push_value, real_value, stands, time_of, waiting_since
from processors.jit import inline, jit, stay_apart
from processors.rules import program as G
from processors.rules.program import look

LOOK_AHEAD: Final = 16
"""Panes looked at to find the time at which a value has fallen far enough; that of the last one is a lower bound."""
TRY_MS: Final = 1 << 36
"""How far ahead (ms, some two years) a comparison is tried out; then it is looked at again."""


@inline
def _newest(m, at, window):  # type: ignore[no-untyped-def]
    """Time of the last event of a cell, 0 if there was none."""
    return m[at + L.CELL_WINDOWS + window * L.WINDOW_WORDS]


@inline
def _reaches(m, at, window, length):  # type: ignore[no-untyped-def]
    """When the time since the last event reaches `length` (ms), FAR if that is over or there was none."""
    since = _newest(m, at, window)
    due = L.FAR
    if since != 0 and since + length > m[L.R_NOW]:
        due = since + length
    return due


@jit
def _is_true(m, m32, g, row, program, time):  # type: ignore[no-untyped-def]
    """Truth of a condition at `time` as the windows stand."""
    words = program & 0xFFFFF
    start = (program >> 20) + 2 * words
    m[L.R_NOW] = time
    return holds(m, m32, g, start, start + words, row)


@jit
def _standing(m, m32, g, row, program, time):  # type: ignore[no-untyped-def]
    """How the sides of a comparison will stand at `time` if nothing else changes: less, equal, greater or missing."""
    words = program & 0xFFFFF
    start = program >> 20
    m[L.R_NOW] = time
    standing = 2 if holds(m, m32, g, start, start + words, row) else 0
    if holds(m, m32, g, start + words, start + 2 * words, row):
        standing += 1
    return standing


@jit
def _next_birthday(m, m32, g, row):  # type: ignore[no-untyped-def]
    """The first birthday of the customer after R_NOW of which a rule asks, FAR if there is none."""
    least = L.FAR
    for sid in range(g[G.FIRST_ATTRIBUTE], g[G.FIRST_ATTRIBUTE] + g[G.ATTRIBUTES]):
        if look(g, G.SERIES_EAGER, sid) != look(g, G.SERIES_EAGER, sid + 1):
            text = attributes.text_of_cell(m, m32, g, row, sid)
            if text != 0:
                least = min(least, attributes.next_birthday(m, g, text, m[L.R_NOW]))
    return least


@jit
def _turns(m, m32, g, row, program):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which a comparison whose sides only grow, or only shrink, stands otherwise."""
    stay_apart()
    now = m[L.R_NOW]
    low = now + 1
    # on a birthday an age leaps; what comes then is looked at then
    high = min(now + TRY_MS, _next_birthday(m, m32, g, row) - 1)
    if high <= now:
        return low
    standing = _standing(m, m32, g, row, program, now)
    if _standing(m, m32, g, row, program, low) != standing:
        high = low
    elif _standing(m, m32, g, row, program, high) != standing:
        while high - low > 1:
            middle = (low + high) >> 1
            if _standing(m, m32, g, row, program, middle) == standing:
                low = middle
            else:
                high = middle
    m[L.R_NOW] = now
    return high


@jit
def _outgrows(m, m32, g, row, at, i):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which the time since the cell's last event reaches the value of the instruction at
    `i`, or passes it if it is equal by now: after that it only moves away."""
    now = m[L.R_NOW]
    since = _newest(m, at, g[i + 2])
    push_value(m, m32, g, g[i + 3], g[i + 4], row)
    there, days = real_value(m)
    due = now + TRY_MS
    if since == 0 or not there or stands(m, GT, since, now):
        return due
    if stands(m, EQ, since, now):
        # the next millisecond of a time that has begun; two of them never are the same double
        return max(now, since) + 1
    if days * L.DAY_MS < np.float64(due - since):
        # a product is one rounding away from where the quotients are equal
        due = since + max(wide(0), np.int64(days * L.DAY_MS) - 1)
        while not stands(m, GE, since, due):
            due += 1
    return min(due, now + TRY_MS)


@jit
def _races(m, m32, g, row, i):  # type: ignore[no-untyped-def]
    """As `_outgrows`, of the time since another event: they go at one pace once both events are in the past."""
    now = m[L.R_NOW]
    a = time_of(m, m32, g, row, g[i + 2])
    b = time_of(m, m32, g, row, g[i + 3])
    if a == 0 or b == 0 or a == b or min(a, b) < now:
        return now + TRY_MS
    return min(a, b) + 1


@jit
def _has_raced(m, m32, g, row, i, now):  # type: ignore[no-untyped-def]
    """Whether the comparison of two times at `i` changes at `now` by time alone."""
    a = time_of(m, m32, g, row, g[i + 2])
    b = time_of(m, m32, g, row, g[i + 3])
    if a == 0 or b == 0 or min(a, b) + 1 != now:
        return False
    return compare(g[i + 1], wide(0), wide(0)) != compare(g[i + 1], max(wide(0), now - a), max(wide(0), now - b))


@jit
def _has_outgrown(m, m32, g, row, at, i, now):  # type: ignore[no-untyped-def]
    """Whether time alone changes the comparison of the time since the cell's last event with the value of the
    instruction at `i` at `now`."""
    since = _newest(m, at, g[i + 2])
    if since == 0:
        return False
    m[L.R_NOW] = now
    push_value(m, m32, g, g[i + 3], g[i + 4], row)
    return stands(m, g[i + 1], since, now) != stands(m, g[i + 1], since, now - 1)


@jit
def _gives_up(m, m32, g, row, i):  # type: ignore[no-untyped-def]
    """When the sequence of the instruction at `i` has waited in vain, be it in the past; FAR if nothing waits."""
    since = waiting_since(m, m32, g, row, i)
    return since + g[i + 3] if since != 0 else wide(L.FAR)


@inline
def reads_times(g, sid):  # type: ignore[no-untyped-def]
    """Whether anything is read of a series that time alone moves: such reads come before those of windows."""
    first = look(g, G.SERIES_EAGER, sid)
    return first != look(g, G.SERIES_EAGER, sid + 1) and look(g, G.READ_METRIC, first) < 0


@jit
def reached(m, m32, g, row, at, sid, now):  # type: ignore[no-untyped-def]
    """Whether a condition changes at `now` by the time since the cell's last event alone."""
    stay_apart()
    for i in range(look(g, G.SERIES_EAGER, sid), look(g, G.SERIES_EAGER, sid + 1)):
        metric = look(g, G.READ_METRIC, i)
        if metric == G.TRIED:
            program = look(g, G.READ_FLOOR, i)
            if _is_true(m, m32, g, row, program, now) != _is_true(m, m32, g, row, program, now - 1):
                return True
        elif metric == G.OUTGROWS:
            if _has_outgrown(m, m32, g, row, at, look(g, G.READ_FLOOR, i), now):
                return True
        elif metric == G.RACES:
            if _has_raced(m, m32, g, row, look(g, G.READ_FLOOR, i), now):
                return True
        elif metric == G.WAITS:
            if _gives_up(m, m32, g, row, look(g, G.READ_FLOOR, i)) == now:
                return True
        elif metric == G.BIRTHDAY:
            text = m[at + L.CELL_WINDOWS + 1]
            if text != 0 and attributes.next_birthday(m, g, text, now - 1) == now:
                return True
        elif metric == G.MOVED:
            if scores.has_moved(m, m32, g, row, look(g, G.READ_FLOOR, i), now):
                return True
        elif metric < 0:
            since = _newest(m, at, -1 - metric)
            if since != 0 and since + look(g, G.READ_FLOOR, i) == now:
                return True
    return False


@jit
def falls_below(m, m32, g, at, metric, floor, least):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which the cell's value of `metric` falls below `floor`, or `least` if that is earlier
    or it is below already.

    With ANY_FALL, or where a sum may rise as well, it is the time at which the next pane leaves. Of a time since the
    last event (metric -1 - window) it is when that reaches `floor`.
    """
    if metric < 0:
        return min(least, _reaches(m, at, -1 - metric, floor))
    word = at + L.CELL_WINDOWS + (metric >> 1) * L.WINDOW_WORDS
    pane = wide(m32[word * 2 + 1])
    if pane == 0 or m[at + L.CELL_LEAVES] >= least:
        return least
    sid = m32[at * 2 + L.CELL_SERIES32]
    pane_ms = look(g, G.SERIES_PANE_MS, sid)
    length = look(g, G.WINDOW_MS, look(g, G.SERIES_WINDOWS, sid) + (metric >> 1))
    if floor == G.ANY_FALL or m32[at * 2 + L.CELL_FLAGS32] & L.CELL_NEGATIVE != 0:
        return min(least, series.pane_end(m32, pane, pane_ms) + length)
    value = m[word + 1] if metric & 1 else wide(m32[word * 2])
    if look(g, G.SERIES_KIND, sid) == series.DISTINCT:
        # a count stands for 2^level as many
        level = distinct.level_of(m32, g, at)
        floor = (floor + (1 << level) - 1) >> level
    if value < floor:
        return least
    for _ in range(LOOK_AHEAD):
        leaves = series.pane_end(m32, pane, pane_ms) + length
        value -= m[pane + L.PANE_SUM] if metric & 1 else wide(m32[pane * 2 + L.PANE_COUNT32])
        pane = wide(m32[pane * 2 + L.PANE_NEXT32])
        if value < floor or pane == 0 or leaves >= least:
            break
    return min(least, leaves)


@jit
def least_leave(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Least time at which a pane leaves any of the customer's windows."""
    least = L.FAR
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        least = min(least, m[at + L.CELL_LEAVES])
        at += look(g, G.SERIES_WORDS, m32[at * 2 + L.CELL_SERIES32])
    return least


@jit
def _least_of_cell(m, m32, g, row, at, sid, least):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which a value of the cell that falls can let a tag enter, or a time has passed; or
    `least` if that is earlier."""
    stay_apart()
    if m32[at * 2 + L.CELL_FLAGS32] & L.CELL_NEGATIVE != 0:
        least = min(least, m[at + L.CELL_LEAVES])
    for i in range(look(g, G.SERIES_EAGER, sid), look(g, G.SERIES_EAGER, sid + 1)):
        metric = look(g, G.READ_METRIC, i)
        if metric == G.TRIED:
            least = min(least, _turns(m, m32, g, row, look(g, G.READ_FLOOR, i)))
        elif metric == G.OUTGROWS:
            least = min(least, _outgrows(m, m32, g, row, at, look(g, G.READ_FLOOR, i)))
        elif metric == G.RACES:
            least = min(least, _races(m, m32, g, row, look(g, G.READ_FLOOR, i)))
        elif metric == G.WAITS:
            due = _gives_up(m, m32, g, row, look(g, G.READ_FLOOR, i))
            if due > m[L.R_NOW]:
                least = min(least, due)
        elif metric == G.BIRTHDAY:
            text = m[at + L.CELL_WINDOWS + 1]
            if text != 0:
                least = min(least, attributes.next_birthday(m, g, text, m[L.R_NOW]))
        elif metric == G.MOVED:
            least = min(least, scores.moves_at(m, m32, g, row, look(g, G.READ_FLOOR, i), TRY_MS))
        else:
            least = falls_below(m, m32, g, at, metric, look(g, G.READ_FLOOR, i), least)
    return least


@jit
def _least_of_group(m, m32, g, row, group, sid, least):  # type: ignore[no-untyped-def]
    """As `_least_of_cell`, of all keys: any pane that leaves may matter."""
    least = min(least, m[group + L.CELL_LEAVES])
    # of windows all is said
    if not reads_times(g, sid):
        return least
    words = look(g, G.SERIES_KEY_WORDS, sid)
    at = wide(m32[group * 2 + L.GROUP_BLOCK32])
    end = at + m32[group * 2 + L.GROUP_USED32]
    while at < end:
        m[L.R_KEY] = m[at + words - 1]
        least = _least_of_cell(m, m32, g, row, at, sid, least)
        at += words
    return least


@jit
def least_eager(m, m32, g, row, least):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which a value that falls can let a tag of the customer enter, or a time has passed; or
    `least` if that is earlier."""
    stay_apart()
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        sid = wide(m32[at * 2 + L.CELL_SERIES32])
        if m32[at * 2 + L.CELL_FLAGS32] & L.CELL_IS_GROUP != 0:
            least = _least_of_group(m, m32, g, row, at, sid, least)
        else:
            least = _least_of_cell(m, m32, g, row, at, sid, least)
        at += look(g, G.SERIES_WORDS, sid)
    return least


@jit
def least_read(m, m32, g, row, tag, least):  # type: ignore[no-untyped-def]
    """Lower bound of the time at which what the tag reads falls so far that one of its conditions may change; or
    `least` if that is earlier."""
    stay_apart()
    for i in range(look(g, G.TAG_READS, tag), look(g, G.TAG_READS, tag + 1)):
        at = series.find_group(m, m32, g, row, look(g, G.READ_SERIES, i))
        # whatever leaves a group is waited for anyway
        if at != 0 and m32[at * 2 + L.CELL_FLAGS32] & L.CELL_IS_GROUP == 0:
            least = falls_below(m, m32, g, at, look(g, G.READ_METRIC, i), look(g, G.READ_FLOOR, i), least)
    return least


@jit
def is_calm(m, m32, g, row):  # type: ignore[no-untyped-def]
    """Whether nothing that falls can let a tag of the customer enter, now or when values have risen."""
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        sid = m32[at * 2 + L.CELL_SERIES32]
        if m32[at * 2 + L.CELL_FLAGS32] & (L.CELL_NEGATIVE | L.CELL_IS_GROUP) != 0:
            return False
        # a birthday is where it is, whatever comes
        eager = look(g, G.SERIES_EAGER, sid) != look(g, G.SERIES_EAGER, sid + 1)
        if eager and look(g, G.SERIES_KIND, sid) != series.ATTRIBUTE:
            return False
        at += look(g, G.SERIES_WORDS, sid)
    return True
