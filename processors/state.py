"""The memory of one partition and the output of a step: arrays that the compiled loops fill, and how they grow.

The loops never allocate: they stop where room for the most that one event can need is missing, `make_room` doubles what
is short, and they go on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors import dedupe, erased, evidence, id_table
from processors import layout as L
from processors.marks import todo_words
from processors.room import room_needed
from processors.rules import program as G
from processors.timers import HEAP_WORDS, SLOTS

I64 = NDArray[np.int64]


class State(NamedTuple):
    """One partition's memory, as words, int32 halves and bytes; and its output since the step began."""

    m: I64
    m32: NDArray[np.int32]
    m8: NDArray[np.uint8]
    changes: I64
    """Changes x CH_WORDS."""
    touched: I64
    """Customers with changes, one behind another (TO_…)."""
    evidence: I64
    """Why the changes came about (evidence.py)."""


def _of(m: I64, changes: I64, touched: I64, why: I64) -> State:
    return State(m, m.view(np.int32), m.view(np.uint8), changes, touched, why)


def _reserve(m: I64, words: int) -> int:
    """Take `words` zeroed words of fresh memory. Returns the first."""
    at = int(m[L.R_TOP])
    m[L.R_TOP] = at + words
    return at


def _power_of_two(least: int) -> int:
    """The least power of two that is not below `least`."""
    return 1 << (least - 1).bit_length()


_FIRST_TABLE = 2048
_FIRST_TEXTS = 64
_FIRST_HEAP = 1024


def new_state(g: I64, dedupe_max_ids: int, erasure_term_ms: int) -> State:
    """An empty partition for the rules `g` that remembers up to `dedupe_max_ids` event ids, and erasures for a term."""
    todo = todo_words(int(g[G.TAG_COUNT]))
    entries = 3 * int(g[G.TAG_COUNT])
    series = int(g[G.SERIES_COUNT])
    fixed = (
        L.R_WORDS
        + SLOTS
        + _FIRST_TABLE
        + _FIRST_TEXTS
        + 2 * dedupe.SMALLEST
        + erased.SMALLEST * erased.ENTRY_WORDS
        + _FIRST_HEAP * HEAP_WORDS
        + todo
        + entries
        + series
    )
    m = np.zeros(2 * fixed, np.int64)
    m[L.R_TOP] = L.R_WORDS
    m[L.R_TODO] = _reserve(m, todo)
    m[L.R_ENTRY_PLACES] = _reserve(m, entries)
    m[L.R_PLACES] = _reserve(m, series)
    m[L.R_WHEEL] = _reserve(m, SLOTS)
    m[L.R_TABLE] = _reserve(m, _FIRST_TABLE)
    m[L.R_TABLE_SIZE] = _FIRST_TABLE
    m[L.R_TEXTS] = _reserve(m, _FIRST_TEXTS)
    m[L.R_TEXTS_SIZE] = _FIRST_TEXTS
    m[L.R_HEAP] = _reserve(m, _FIRST_HEAP * HEAP_WORDS)
    m[L.R_HEAP_ROOM] = _FIRST_HEAP
    m[L.R_SEEN] = _reserve(m, dedupe.SMALLEST)
    m[L.R_BEFORE] = _reserve(m, dedupe.SMALLEST)
    m[L.R_SEEN_SIZE] = m[L.R_BEFORE_SIZE] = dedupe.SMALLEST
    remember_ids(m, dedupe_max_ids)
    m[L.R_ERASED] = _reserve(m, erased.SMALLEST * erased.ENTRY_WORDS)
    m[L.R_ERASED_SIZE] = erased.SMALLEST
    m[L.R_ERASED_LIMIT] = erased.MOST
    remember_erasures(m, erasure_term_ms)
    m[L.R_WHEEL_DRAINED] = 1
    m[L.R_OUT_TOUCHED] = L.TO_FIRST
    m[L.R_OUT_EVIDENCE] = evidence.FIRST
    return state_of(m, g)


def remember_ids(m: I64, most: int) -> None:
    """From now on up to `most` event ids are remembered, half of them in each generation."""
    m[L.R_SEEN_LIMIT] = max(1, most // 2)


def with_ids_of(st: State, other: I64) -> State:
    """Remember the very event ids that another partition's memory remembers."""
    for register in (L.R_SEEN, L.R_BEFORE):
        table, size = int(other[register]), int(other[register + 1])
        st = _with_memory(st, size)
        at = _reserve(st.m, size)
        st.m[at : at + size] = other[table : table + size]
        st.m[int(st.m[register]) :][: int(st.m[register + 1])] = 0
        st.m[register : register + 4] = (at, *other[register + 1 : register + 4])
    st.m[L.R_SEEN_GENERATION] = other[L.R_SEEN_GENERATION]
    return st


def remember_erasures(m: I64, term_ms: int) -> None:
    """Erasures that come from now on are remembered for so long (ms)."""
    m[L.R_ERASED_TERM] = term_ms


def state_of(m: I64, g: I64) -> State:
    """The memory `m` of a partition between two steps, with room for what a step puts out."""
    changes = np.zeros((4096 + 2 * int(g[G.TAG_COUNT]), L.CH_WORDS), np.int64)
    why = np.zeros((1 << 15) + 2 * int(g[G.EVIDENCE_WORDS]), np.int64)
    return _of(m, changes, np.zeros(1 << 15, np.int64), why)


def _grown(array: I64, least: int) -> I64:
    """A copy with its first dimension at least doubled and at least `least` long, zeros behind."""
    new = np.zeros((max(2 * array.shape[0], least), *array.shape[1:]), np.int64)
    new[: array.shape[0]] = array
    return new


def _with_memory(st: State, words: int) -> State:
    """At least `words` fresh words of memory."""
    top = int(st.m[L.R_TOP])
    if top + words < st.m.size:
        return st
    return _of(_grown(st.m, top + 2 * words), st.changes, st.touched, st.evidence)


def _with_erased_room(st: State, entries: int) -> State:
    """Move the table of erased ids to where there is room for twice so many, and some."""
    size = max(erased.SMALLEST, _power_of_two(4 * entries))
    st = _with_memory(st, size * erased.ENTRY_WORDS)
    erased.move(st.m, _reserve(st.m, size * erased.ENTRY_WORDS), size)
    return st


def with_erased(st: State, other: I64) -> State:
    """Knows also who was erased in the memory `other`."""
    found = erased.entries(other)
    if len(found) > 0:
        st = _with_erased_room(st, len(found) + len(erased.entries(st.m)))
        erased.put(st.m, found)
        st.m[L.R_ERASED_PRINT] = other[L.R_ERASED_PRINT]
    return st


def _move_heap(m: I64, room: int) -> None:
    """Move the heap of timers to fresh memory, with room for so many."""
    old, used = int(m[L.R_HEAP]), int(m[L.R_HEAP_SIZE]) * HEAP_WORDS
    new = _reserve(m, room * HEAP_WORDS)
    m[new : new + used] = m[old : old + used]
    m[old : old + used] = 0
    m[L.R_HEAP] = new
    m[L.R_HEAP_ROOM] = room


def make_room(st: State, g: I64, texts: int = 0) -> State:
    """Make larger whatever could be too small for the next event or timer (room.py), and for so many texts more.

    Tables that grow leave their old words behind unused: all together less than their present size, for they double.
    """
    st = _with_memory(st, int(room_needed(st.m, g) + st.m[L.R_WANTED]))
    st.m[L.R_WANTED] = 0
    if st.m[L.R_ROWS_LIVE] * 2 >= st.m[L.R_TABLE_SIZE]:
        size = int(st.m[L.R_TABLE_SIZE]) * 2
        st = _with_memory(st, size)
        id_table.move(st.m, L.R_TABLE, _reserve(st.m, size), size)
    texts += int(st.m[L.R_TEXTS_LIVE] + g[G.TEXTS_AT_ONCE])
    if texts * 2 >= st.m[L.R_TEXTS_SIZE]:
        size = _power_of_two(4 * texts)
        st = _with_memory(st, size)
        id_table.move(st.m, L.R_TEXTS, _reserve(st.m, size), size)
    if st.m[L.R_SEEN_COUNT] * 2 >= st.m[L.R_SEEN_SIZE]:
        size = int(st.m[L.R_SEEN_SIZE]) * 2
        st = _with_memory(st, size)
        dedupe.move_seen(st.m, _reserve(st.m, size), size)
    if st.m[L.R_ERASED_COUNT] * 2 >= st.m[L.R_ERASED_SIZE]:
        st = _with_erased_room(st, len(erased.entries(st.m)))
    if st.m[L.R_HEAP_SIZE] + 2 >= st.m[L.R_HEAP_ROOM]:
        room = int(st.m[L.R_HEAP_ROOM]) * 2
        st = _with_memory(st, room * HEAP_WORDS)
        _move_heap(st.m, room)
    st = _with_memory(st, int(room_needed(st.m, g)))
    if st.m[L.R_OUT_CHANGES] + g[G.TAG_COUNT] >= st.changes.shape[0]:
        st = st._replace(changes=_grown(st.changes, int(st.m[L.R_OUT_CHANGES]) + 2 * int(g[G.TAG_COUNT])))
    if st.m[L.R_OUT_TOUCHED] + 64 >= st.touched.size:
        st = st._replace(touched=_grown(st.touched, 0))
    if st.m[L.R_OUT_EVIDENCE] + g[G.EVIDENCE_WORDS] >= st.evidence.size:
        st = st._replace(evidence=_grown(st.evidence, st.evidence.size + int(g[G.EVIDENCE_WORDS])))
    return st
