"""When to look at a customer again though they are silent: a wheel of minutes, and a heap for what is near.

Each customer has at most one timer. Its place is a lower bound (ROW_ARMED) of the time (ROW_DUE): when a
customer's next change moves later, the timer stays where it is and is set anew when it comes up. Slots hold rows in
linked lists; a slot is emptied into the heap when the clock reaches its minute, and the heap gives rows in the order
(due, hash of id, id), which does not depend on rows or on the history of the arrays.

The wheel has 2^17 slots (91 days): a timer further away stays in its slot until its lap comes.
"""

from __future__ import annotations

import numpy as np

from processors import layout as L
from processors.arena import wide
from processors.customers import id_byte
from processors.hashing import U
from processors.jit import hot, inline, jit
from schemas.events import MAX_ID_BYTES

SLOTS = 1 << 17


HEAP_WORDS = 3
"""Due, hash of the id, row."""


@inline
def _slot(m, minute):  # type: ignore[no-untyped-def]
    """Word in which the rows of a minute begin."""
    return m[L.R_WHEEL] + (minute & (SLOTS - 1))


@hot
def _unlink(m, m32, row):  # type: ignore[no-untyped-def]
    """Take a row out of its slot."""
    before = wide(m32[row * 2 + L.ROW_PREV32])
    after = wide(m32[row * 2 + L.ROW_NEXT32])
    if before != 0:
        m32[before * 2 + L.ROW_NEXT32] = after
    else:
        m[_slot(m, m[row + L.ROW_ARMED] // L.MINUTE_MS)] = after
    if after != 0:
        m32[after * 2 + L.ROW_PREV32] = before
    m[L.R_WHEEL_COUNT] -= 1


@hot
def disarm(m, m32, row):  # type: ignore[no-untyped-def]
    """No timer for this row. What the heap holds of it is recognised as stale by ROW_ARMED."""
    armed = m[row + L.ROW_ARMED]
    if armed < L.FAR and armed // L.MINUTE_MS > m[L.R_WHEEL_MINUTE]:
        _unlink(m, m32, row)
    m[row + L.ROW_ARMED] = L.FAR


@hot
def arm(m, m32, m8, row, due):  # type: ignore[no-untyped-def]
    """Look at the row at `due` (ms); nothing to do if it is looked at earlier anyway. Needs room in the heap."""
    if due >= m[row + L.ROW_ARMED]:
        return
    disarm(m, m32, row)
    m[row + L.ROW_ARMED] = due
    minute = due // L.MINUTE_MS
    if minute <= m[L.R_WHEEL_MINUTE]:
        _push(m, m8, due, row)
        return
    slot = _slot(m, minute)
    head = m[slot]
    m32[row * 2 + L.ROW_PREV32] = 0
    m32[row * 2 + L.ROW_NEXT32] = head
    if head != 0:
        m32[head * 2 + L.ROW_PREV32] = row
    m[slot] = row
    m[L.R_WHEEL_COUNT] += 1


@jit
def _id_less(m, m8, a, b):  # type: ignore[no-untyped-def]
    """Order of two rows' ids by bytes, for the one pair in 2^64 whose hashes are equal."""
    if a == b:
        return False
    # an entry may be stale and its row's words used for something else by now: then any order will do
    n_a = min(m[a + L.ROW_ID_BYTES] & 0x1FF, MAX_ID_BYTES)
    n_b = min(m[b + L.ROW_ID_BYTES] & 0x1FF, MAX_ID_BYTES)
    for i in range(min(n_a, n_b)):
        x = m8[id_byte(a) + i]
        y = m8[id_byte(b) + i]
        if x != y:
            return x < y
    return n_a < n_b


@hot
def _less(m, m8, a, b):  # type: ignore[no-untyped-def]
    """Whether the heap entry at word `a` comes before the one at `b`."""
    if m[a] != m[b]:
        return m[a] < m[b]
    if m[a + 1] != m[b + 1]:
        return U(m[a + 1]) < U(m[b + 1])
    return _id_less(m, m8, m[a + 2], m[b + 2])


@jit
def _swap(m, a, b):  # type: ignore[no-untyped-def]
    for i in range(HEAP_WORDS):
        x = m[a + i]
        m[a + i] = m[b + i]
        m[b + i] = x


@jit
def _push(m, m8, due, row):  # type: ignore[no-untyped-def]
    heap = m[L.R_HEAP]
    i = m[L.R_HEAP_SIZE]
    at = heap + i * HEAP_WORDS
    m[at] = due
    m[at + 1] = m[row + L.ROW_HASH]
    m[at + 2] = row
    m[L.R_HEAP_SIZE] = i + 1
    while i > 0:
        parent = (i - 1) >> 1
        if not _less(m, m8, heap + i * HEAP_WORDS, heap + parent * HEAP_WORDS):
            break
        _swap(m, heap + i * HEAP_WORDS, heap + parent * HEAP_WORDS)
        i = parent


@hot
def _sink(m, m8, i):  # type: ignore[no-untyped-def]
    """Put the entry at place `i` where it belongs among those below it."""
    heap = m[L.R_HEAP]
    n = m[L.R_HEAP_SIZE]
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and _less(m, m8, heap + (child + 1) * HEAP_WORDS, heap + child * HEAP_WORDS):
            child += 1
        if not _less(m, m8, heap + child * HEAP_WORDS, heap + i * HEAP_WORDS):
            break
        _swap(m, heap + i * HEAP_WORDS, heap + child * HEAP_WORDS)
        i = child


@jit
def _pop(m, m8):  # type: ignore[no-untyped-def]
    """Remove the first entry of a heap that is not empty."""
    heap = m[L.R_HEAP]
    n = m[L.R_HEAP_SIZE] - 1
    m[L.R_HEAP_SIZE] = n
    _swap(m, heap, heap + n * HEAP_WORDS)
    for i in range(HEAP_WORDS):
        m[heap + n * HEAP_WORDS + i] = 0
    _sink(m, m8, 0)


@inline
def _is_stale(m, at):  # type: ignore[no-untyped-def]
    """Whether the heap entry at word `at` is of a timer that was set anew, or of a row that was given back."""
    return m[m[at + 2] + L.ROW_ARMED] != m[at] or m[m[at + 2] + L.ROW_HASH] != m[at + 1]


@jit
def forget(m, m8, hash64):  # type: ignore[no-untyped-def]
    """Take what is stale of the customer of this hash out of the heap: all that is there of one who was disarmed."""
    heap = m[L.R_HEAP]
    kept = np.int64(0)
    for i in range(m[L.R_HEAP_SIZE]):
        at = heap + i * HEAP_WORDS
        if m[at + 1] == hash64 and _is_stale(m, at):
            continue
        for word in range(HEAP_WORDS):
            m[heap + kept * HEAP_WORDS + word] = m[at + word]
        kept += 1
    if kept == m[L.R_HEAP_SIZE]:
        return
    for at in range(heap + kept * HEAP_WORDS, heap + m[L.R_HEAP_SIZE] * HEAP_WORDS):
        m[at] = 0
    m[L.R_HEAP_SIZE] = kept
    for i in range((kept >> 1) - 1, -1, -1):
        _sink(m, m8, np.int64(i))


@jit
def _drain(m, m32, m8):  # type: ignore[no-untyped-def]
    """Empty the slot of the present minute into the heap as far as there is room; returns whether all of it fitted."""
    minute = m[L.R_WHEEL_MINUTE]
    row = m[_slot(m, minute)]
    while row != 0:
        after = wide(m32[row * 2 + L.ROW_NEXT32])
        due = m[row + L.ROW_ARMED]
        if due // L.MINUTE_MS == minute:
            if m[L.R_HEAP_SIZE] >= m[L.R_HEAP_ROOM]:
                return False
            _unlink(m, m32, row)
            _push(m, m8, due, row)
        row = after
    return True


NONE_DUE = 0
NO_ROOM = -1


@jit
def next_due(m, m32, m8, clock):  # type: ignore[no-untyped-def]
    """Row of the next timer due at or before `clock`, taken out. NONE_DUE: there is none; NO_ROOM: the heap is full.

    What was looked at too early is set anew on the way, so the row's ROW_DUE is at or before `clock`.
    """
    minute = clock // L.MINUTE_MS
    heap = m[L.R_HEAP]
    while True:
        if m[L.R_WHEEL_DRAINED] == 0:
            if not _drain(m, m32, m8):
                return np.int64(NO_ROOM)
            m[L.R_WHEEL_DRAINED] = 1
        if m[L.R_HEAP_SIZE] > 0 and m[heap] <= clock:
            due = m[heap]
            row = m[heap + 2]
            stale = _is_stale(m, heap)
            _pop(m, m8)
            if stale:
                continue
            m[row + L.ROW_ARMED] = L.FAR
            exact = m[row + L.ROW_DUE]
            if exact <= due:
                return row
            if exact < L.FAR:
                arm(m, m32, m8, row, exact)
        elif m[L.R_WHEEL_MINUTE] < minute:
            if m[L.R_WHEEL_COUNT] == 0:
                m[L.R_WHEEL_MINUTE] = minute
            else:
                m[L.R_WHEEL_MINUTE] += 1
                m[L.R_WHEEL_DRAINED] = 0
        else:
            return np.int64(NONE_DUE)
