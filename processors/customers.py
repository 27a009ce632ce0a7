"""From a customer's id to their row: open addressing by a 64-bit hash, with the id's bytes compared.

A table entry is the hash's upper half and the row (hash & ~(2^32 - 1) | row); 0 is empty. Entries are removed by moving
later ones back (Knuth, TAOCP 6.4, algorithm R), so there are no tombstones to clean up. The id stands behind its row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processors import arena
from processors import layout as L
from processors.jit import hot, inline, jit

_HIGH = ~0xFFFFFFFF
_LOW = 0xFFFFFFFF


@inline
def id_words(n):  # type: ignore[no-untyped-def]
    """Words that an id of `n` bytes takes."""
    return (n + 7) >> 3


@inline
def id_byte(row):  # type: ignore[no-untyped-def]
    """Index in `m8` of the first byte of the row's id."""
    return (row + L.ROW_WORDS) << 3


@hot
def _same_id(m, m8, row, buf, p, n):  # type: ignore[no-untyped-def]
    """Whether the row's id is the `n` bytes of `buf` at `p`."""
    if m[row + L.ROW_ID_BYTES] != n:
        return False
    first = id_byte(row)
    for i in range(n):
        if m8[first + i] != buf[p + i]:
            return False
    return True


@hot
def find(m, m8, hash64, buf, p, n):  # type: ignore[no-untyped-def]
    """Row of the customer with this id, or 0."""
    mask = m[L.R_TABLE_SIZE] - 1
    table = m[L.R_TABLE]
    s = hash64 & mask
    while True:
        e = m[table + s]
        if e == 0:
            return np.int64(0)
        if (e & _HIGH) == (hash64 & _HIGH) and _same_id(m, m8, e & _LOW, buf, p, n):
            return e & _LOW
        s = (s + 1) & mask


@jit
def create(m, m32, m8, hash64, buf, p, n):  # type: ignore[no-untyped-def]
    """A fresh row for an id that `find` did not find; the caller has made sure of room. Returns the row."""
    row = arena.allocate(m, arena.class_for(L.ROW_WORDS + id_words(n)))
    for i in range(L.ROW_WORDS + id_words(n)):
        m[row + i] = 0
    m[row + L.ROW_HASH] = hash64
    m[row + L.ROW_ID_BYTES] = n
    m[row + L.ROW_DUE] = L.FAR
    m[row + L.ROW_ARMED] = L.FAR
    first = id_byte(row)
    for i in range(n):
        m8[first + i] = buf[p + i]
    m[L.R_ROWS_LIVE] += 1
    _insert(m, hash64, row)
    return row


@jit
def _insert(m, hash64, row):  # type: ignore[no-untyped-def]
    mask = m[L.R_TABLE_SIZE] - 1
    table = m[L.R_TABLE]
    s = hash64 & mask
    while m[table + s] != 0:
        s = (s + 1) & mask
    m[table + s] = (hash64 & _HIGH) | row


@jit
def remove(m, row):  # type: ignore[no-untyped-def]
    """Give a row back. Its blocks, panes and timer must be gone already."""
    mask = m[L.R_TABLE_SIZE] - 1
    table = m[L.R_TABLE]
    s = m[row + L.ROW_HASH] & mask
    while m[table + s] & _LOW != row:
        s = (s + 1) & mask
    hole = s
    while True:
        s = (s + 1) & mask
        e = m[table + s]
        if e == 0:
            break
        home = m[(e & _LOW) + L.ROW_HASH] & mask
        # an entry may move back into the hole unless its home lies cyclically in (hole, s]
        if ((s - home) & mask) >= ((s - hole) & mask):
            m[table + hole] = e
            hole = s
    m[table + hole] = 0
    m[L.R_ROWS_LIVE] -= 1
    cls = arena.class_for(L.ROW_WORDS + id_words(m[row + L.ROW_ID_BYTES]))
    # a stale entry of the heap may still point here: make sure that it is seen as such
    m[row + L.ROW_ARMED] = L.FAR
    arena.release(m, row, cls)


@jit
def rehash(m, table, size):  # type: ignore[no-untyped-def]
    """Move the table to the zeroed words from `table` (`size`, a power of two)."""
    old = m[L.R_TABLE]
    old_size = m[L.R_TABLE_SIZE]
    m[L.R_TABLE] = table
    m[L.R_TABLE_SIZE] = size
    for i in range(old_size):
        e = m[old + i]
        if e != 0:
            row = e & _LOW
            _insert(m, m[row + L.ROW_HASH], row)


def id_in_row(m: NDArray[np.int64], m8: NDArray[np.uint8], row: int) -> str:
    """The customer's id."""
    first = int(id_byte(row))
    return m8[first : first + int(m[row + L.ROW_ID_BYTES])].tobytes().decode()
