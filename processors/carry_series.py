"""From old cells to new ones: what a series under other rules gets of the same one under those before.

Throughout, `o`, `o32`, `o8` and `og` are memory and rules of the old state, as `m`, `m32`, `m8` and `g` are of the new
one; `from_` is a cell of the old, `at` of the new.
"""

from __future__ import annotations

from processors import attributes, distinct, groups, series, texts
from processors import layout as L
from processors.arena import wide
from processors.jit import jit
from processors.rules import program as G
from processors.rules.kept import FEED_WORDS, PANES, SERIES, SUMS, WHAT, WINDOW
from processors.rules.program import look


@jit
def _add_panes(o, o32, og, from_, m, m32, g, row, at, sums):  # type: ignore[no-untyped-def]
    """Counts and sums: each pane becomes what it is in the old cell; without `sums` its count alone."""
    pane_ms = look(og, G.SERIES_PANE_MS, o32[from_ * 2 + L.CELL_SERIES32])
    clock = m[L.R_CLOCK]
    pane = wide(o32[from_ * 2 + L.CELL_OLDEST32])
    here = wide(m32[at * 2 + L.CELL_OLDEST32])
    while pane != 0:
        number = wide(o32[pane * 2 + L.PANE_NUMBER32])
        count, amount = wide(o32[pane * 2 + L.PANE_COUNT32]), o[pane + L.PANE_SUM] if sums else wide(0)
        while here != 0 and m32[here * 2 + L.PANE_NUMBER32] < number:
            here = wide(m32[here * 2 + L.PANE_NEXT32])
        if here != 0 and m32[here * 2 + L.PANE_NUMBER32] == number:
            count -= m32[here * 2 + L.PANE_COUNT32]
            amount -= m[here + L.PANE_SUM] if sums else wide(0)
        series.add(m, m32, g, row, at, number * pane_ms, clock, count, amount)
        pane = wide(o32[pane * 2 + L.PANE_NEXT32])
    m32[at * 2 + L.CELL_FLAGS32] |= o32[from_ * 2 + L.CELL_FLAGS32] & L.CELL_NEGATIVE


@jit
def _put_panes(o, o32, og, from_, m, m32, g, row, at):  # type: ignore[no-untyped-def]
    """Least, greatest, first or last values of the panes."""
    sid = o32[from_ * 2 + L.CELL_SERIES32]
    kind = look(og, G.SERIES_KIND, sid)
    pane = wide(o32[from_ * 2 + L.CELL_OLDEST32])
    while pane != 0:
        time = wide(o32[pane * 2 + L.PANE_NUMBER32]) * look(og, G.SERIES_PANE_MS, sid)
        if kind >= series.FIRST:
            time += o32[pane * 2 + L.PANE_COUNT32] - 1
        series.put(m, m32, g, row, at, time, m[L.R_CLOCK], o[pane + L.PANE_SUM])
        pane = wide(o32[pane * 2 + L.PANE_NEXT32])


@jit
def _see_values(o, o32, og, from_, m, m32, g, row, at):  # type: ignore[no-untyped-def]
    """Different values, each in the pane in which it was seen last."""
    sid = wide(o32[from_ * 2 + L.CELL_SERIES32])
    pane_ms = look(og, G.SERIES_PANE_MS, sid)
    seen = series.behind_windows(og, from_, sid)
    distinct.leave_out(m, m32, g, row, at, wide(o32[seen * 2 + L.SEEN_LEVEL32]), o[seen + L.SEEN_LOST])
    block = wide(o32[seen * 2 + L.SEEN_BLOCK32])
    for i in range(o32[seen * 2 + L.SEEN_COUNT32]):
        entry = block + i * distinct.ENTRY_WORDS
        distinct.see(m, m32, g, row, at, o[entry + 1] * pane_ms, m[L.R_CLOCK], o[entry])


@jit
def _set_ever(o, o32, from_, m, m32, g, at, window, sums, kind):  # type: ignore[no-untyped-def]
    """The window `ever`, the last one of the new cell, becomes what it is in the old one."""
    sid = wide(m32[at * 2 + L.CELL_SERIES32])
    word = series.behind_windows(g, at, sid) - L.WINDOW_WORDS
    old = from_ + L.CELL_WINDOWS + window * L.WINDOW_WORDS
    if kind <= series.MEASURED:
        m32[word * 2] = o32[old * 2]
        if sums:
            m[word + 1] = o[old + 1]
    else:
        m[word] = o[old]
        m[word + 1] = o[old + 1]


@jit
def _feed(o, o32, og, from_, m, m32, g, row, at, what, window):  # type: ignore[no-untyped-def]
    """What one old cell says to one new cell."""
    kind = look(og, G.SERIES_KIND, o32[from_ * 2 + L.CELL_SERIES32])
    if kind == series.DISTINCT:
        _see_values(o, o32, og, from_, m, m32, g, row, at)
    elif what & PANES == 0:
        _set_ever(o, o32, from_, m, m32, g, at, window, what & SUMS != 0, kind)
    elif kind <= series.MEASURED:
        _add_panes(o, o32, og, from_, m, m32, g, row, at, what & SUMS != 0)
    else:
        _put_panes(o, o32, og, from_, m, m32, g, row, at)


@jit
def _new_cell(m, m32, g, row, sid):  # type: ignore[no-untyped-def]
    """The customer's cell or group of a new series, made if need be."""
    at = series.find_group(m, m32, g, row, sid)
    return at if at != 0 else series.add_cell(m, m32, g, row, sid)


@jit
def _feed_group(o, o32, o8, og, from_, m, m32, g, row, sid, what, window):  # type: ignore[no-untyped-def]
    """What an old group says to a new one, key by key."""
    words = look(og, G.SERIES_KEY_WORDS, o32[from_ * 2 + L.CELL_SERIES32])
    cell = wide(o32[from_ * 2 + L.GROUP_BLOCK32])
    end = cell + o32[from_ * 2 + L.GROUP_USED32]
    group = _new_cell(m, m32, g, row, sid)
    while cell < end:
        text = o[cell + words - 1]
        first, size = (text + L.TEXT_WORDS) << 3, o[text + L.TEXT_BYTES]
        at = groups.cell_for(m, m32, g, group, o[text + L.TEXT_HASH], o8, first, size)
        if at != 0:
            _feed(o, o32, og, cell, m, m32, g, row, at, what, window)
            m[group + L.CELL_LEAVES] = min(m[group + L.CELL_LEAVES], m[at + L.CELL_LEAVES])
        cell += words


@jit
def carry_series(o, o32, o8, og, feeds, first, old_row, m, m32, g, row):  # type: ignore[no-untyped-def]
    """All that the old cells of a customer have for the new ones."""
    from_ = wide(o32[old_row * 2 + L.ROW_SERIES32])
    end = from_ + o32[old_row * 2 + L.ROW_SERIES_USED32]
    while from_ < end:
        old_sid = wide(o32[from_ * 2 + L.CELL_SERIES32])
        for i in range(first[old_sid], first[old_sid + 1]):
            sid = feeds[i * FEED_WORDS + SERIES]
            what, window = feeds[i * FEED_WORDS + WHAT], feeds[i * FEED_WORDS + WINDOW]
            if look(g, G.SERIES_KIND, sid) == series.ATTRIBUTE:
                time, text = o[from_ + L.CELL_WINDOWS], o[from_ + L.CELL_WINDOWS + 1]
                size = o[text + L.TEXT_BYTES] if text != 0 else wide(-1)
                attributes.put(m, m32, g, row, sid, time, o8, (text + L.TEXT_WORDS) << 3, size)
            elif look(g, G.SERIES_KEY_WORDS, sid) != 0:
                _feed_group(o, o32, o8, og, from_, m, m32, g, row, sid, what, window)
            else:
                at = _new_cell(m, m32, g, row, sid)
                _feed(o, o32, og, from_, m, m32, g, row, at, what, window)
        from_ += look(og, G.SERIES_WORDS, old_sid)


@jit
def words_of(o, o32, og, row):  # type: ignore[no-untyped-def]
    """Words that an old customer's cells, panes, keys and values have, their texts counted as the longest ones."""
    words = wide(o32[row * 2 + L.ROW_SERIES_USED32]) + o32[row * 2 + L.ROW_TAGS_USED32]
    from_ = wide(o32[row * 2 + L.ROW_SERIES32])
    end = from_ + o32[row * 2 + L.ROW_SERIES_USED32]
    while from_ < end:
        sid = wide(o32[from_ * 2 + L.CELL_SERIES32])
        key_words = look(og, G.SERIES_KEY_WORDS, sid)
        cell, last = from_, from_ + 1
        if key_words != 0:
            cell = wide(o32[from_ * 2 + L.GROUP_BLOCK32])
            last = cell + o32[from_ * 2 + L.GROUP_USED32]
            words += (last - cell) // key_words * (key_words + texts.MAX_WORDS)
        elif look(og, G.SERIES_KIND, sid) == series.ATTRIBUTE:
            words += texts.MAX_WORDS
            last = cell
        while cell < last:
            if look(og, G.SERIES_KIND, sid) == series.DISTINCT:
                seen = series.behind_windows(og, cell, sid)
                words += o32[seen * 2 + L.SEEN_COUNT32] * distinct.ENTRY_WORDS
            pane = wide(o32[cell * 2 + L.CELL_OLDEST32])
            while pane != 0:
                words += L.PANE_WORDS
                pane = wide(o32[pane * 2 + L.PANE_NEXT32])
            cell += max(key_words, wide(1))
        from_ += look(og, G.SERIES_WORDS, sid)
    return words
