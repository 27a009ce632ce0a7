"""From the state under some rules to the state under others: what the events do not say any more is carried over.

The new state was made of the events that are still there. Of each series and tag that both rule sets have the old state
knows at least as much: its panes and values complete the new ones, its entries of tags take the place of the new ones.
Then the customer's rules are looked at once, at the clock. So the result is a function of the two states.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from processors import customers, series
from processors import layout as L
from processors.arena import wide
from processors.carry_series import carry_series, words_of
from processors.carry_tags import carry_entries, drop_entries
from processors.evaluate import evaluate_noted, let_panes_leave, settle
from processors.jit import jit
from processors.marks import mark, take_first
from processors.partition import Partition
from processors.room import has_room, room_needed
from processors.rules import program as G
from processors.rules.kept import kept
from processors.rules.program import I64, look

__all__ = ["carry_over", "twins"]

ROWS_AT_ONCE: Final = 1_000
GROWTH: Final = 8
"""Words that may be taken for each that is carried: blocks grow by copying, and new cells may have more windows."""


@jit
def _find_twins(m, m8, rows, found, m_other, m8_other):  # type: ignore[no-untyped-def]
    """For each of `rows` the row in the other memory with the same id, or 0, into `found`."""
    for i in range(rows.size):
        row = rows[i]
        hash64, first = m[row + L.ROW_HASH], customers.id_byte(row)
        found[i] = customers.find(m_other, m8_other, hash64, m8, first, m[row + L.ROW_ID_BYTES])


def twins(partition: Partition, rows: I64, other: Partition) -> I64:
    """For each of these rows of `partition` the row of the same customer in `other`, 0 if it has none."""
    found = np.zeros(rows.size, np.int64)
    _find_twins(partition.state.m, partition.state.m8, rows, found, other.state.m, other.state.m8)
    return found


@jit
def _mark_others(m, m32, g, row, old_tags, asking):  # type: ignore[no-untyped-def]
    """Mark the tags that do not decide as before, of those that read anything of the customer's, and those that ask for
    such tags. The others are as they were: to look at them once more could let them change."""
    while take_first(m) >= 0:
        pass  # whatever a pane that left has marked
    at = wide(m32[row * 2 + L.ROW_SERIES32])
    end = at + m32[row * 2 + L.ROW_SERIES_USED32]
    while at < end:
        sid = wide(m32[at * 2 + L.CELL_SERIES32])
        for i in range(look(g, G.SERIES_TAGS, sid), look(g, G.SERIES_TAGS, sid + 1)):
            rank = look(g, G.READERS, i)
            if old_tags[look(g, G.RANKED_TAGS, rank)] < 0:
                mark(m, rank)
        at += look(g, G.SERIES_WORDS, sid)
    for i in range(asking.size):
        mark(m, look(g, G.TAG_RANK, asking[i]))


@jit
def _look_once(m, m32, m8, g, changes, touched, evidence, row):  # type: ignore[no-untyped-def]
    """The marked tags are looked at, and the customer's timer is set. What changes is not told."""
    evaluate_noted(m, m32, g, changes, touched, evidence, row, m[L.R_CLOCK], np.int64(-1), False)
    m[L.R_FORECAST] = 0
    m[L.R_FORECAST_ROW] = 0
    series.drop_empty(m, m32, g, row)
    settle(m, m32, m8, g, touched, row, m[L.R_CLOCK])


@jit
def _row_for(o, o8, old_row, m, m32, m8):  # type: ignore[no-untyped-def]
    """The row of an old customer in the new state, made if need be; and whether it was."""
    hash64, at, size = o[old_row + L.ROW_HASH], customers.id_byte(old_row), o[old_row + L.ROW_ID_BYTES]
    row = customers.find(m, m8, hash64, o8, at, size)
    if row != 0:
        return row, False
    return customers.create(m, m32, m8, hash64, o8, at, size), True


@jit
def _carry_rows(  # type: ignore[no-untyped-def]
    o,
    o32,
    o8,
    og,
    first,
    feeds,
    tags,
    old_tags,
    asking,
    rows,
    new_rows,
    i,
    end,
    m,
    m32,
    m8,
    g,
    changes,
    touched,
    evidence,
):
    """Carry over the old customers `rows[i:end]`; where that is 0, `new_rows` has one whom the old state does not know.

    Stops early when room is short, and returns how far it came.
    """
    while i < end:
        old_row, row = rows[i], new_rows[i]
        m[L.R_WANTED] = GROWTH * (words_of(o, o32, og, old_row) if old_row != 0 else wide(0))
        if m[L.R_TOP] + m[L.R_WANTED] + room_needed(m, g) >= m.size or not has_room(m, g, changes, touched, evidence):
            return i
        is_new = False
        if row == 0:
            row, is_new = _row_for(o, o8, old_row, m, m32, m8)
        let_panes_leave(m, m32, g, row, m[L.R_CLOCK])
        drop_entries(m, m32, g, row, old_tags)
        if old_row != 0:
            carry_series(o, o32, o8, og, feeds, first, old_row, m, m32, g, row)
            carry_entries(o, o32, o8, og, tags, old_row, m, m32, g, row)
        _mark_others(m, m32, g, row, old_tags, asking)
        for k in range(g[G.DEFAULT_COUNT] if is_new else wide(0)):
            if old_tags[look(g, G.RANKED_TAGS, look(g, G.DEFAULT_TAGS, k))] < 0:
                mark(m, look(g, G.DEFAULT_TAGS, k))
        _look_once(m, m32, m8, g, changes, touched, evidence, row)
        i += 1
    return i


def carry_over(old: Partition, new: Partition) -> Iterator[None]:
    """Put into `new` what `old`, which stands at the same clock, knows and the events do not say any more.

    Yields between bounded pieces. What `new` has put out is gone afterwards; so is the numbering of its changes.
    """
    same = kept(old.rule_set, new.rule_set)
    unknown = new.rows()[twins(new, new.rows(), old) == 0]
    rows = np.concatenate([old.rows(), np.zeros_like(unknown)])
    new_rows = np.concatenate([np.zeros_like(old.rows()), unknown])
    o, og = old.state, old.program.g
    new.remember_ids_of(old)
    new.know_erased(old)
    new.make_room(int(o.m[L.R_TEXTS_LIVE]))
    done = 0
    while done < rows.size:
        st, g = new.state, new.program.g
        end = min(done + ROWS_AT_ONCE, rows.size)
        done = _carry_rows(
            *(o.m, o.m32, o.m8, og, *same, rows, new_rows, done, end),
            *(st.m, st.m32, st.m8, g, st.changes, st.touched, st.evidence),
        )
        new.forget_output()
        if done < end:
            new.make_room()
        yield
