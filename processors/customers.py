"""Customers' rows, and from an id to its row, by a 64-bit hash, with the id's bytes compared. The id stands behind."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processors import arena, id_table
from processors import layout as L
from processors.jit import hot, inline, jit


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
        if (e & id_table.HIGH) == (hash64 & id_table.HIGH) and _same_id(m, m8, e & id_table.LOW, buf, p, n):
            return e & id_table.LOW
        s = (s + 1) & mask


@jit
def create(m, m32, m8, hash64, buf, p, n):  # type: ignore[no-untyped-def]
    """A fresh row for an id that `find` did not find; the caller has made sure of room. Returns the row."""
    row = arena.allocate(m, arena.class_for(L.ROW_WORDS + id_words(n)))
    m[row + L.ROW_HASH] = hash64
    m[row + L.ROW_ID_BYTES] = n
    m[row + L.ROW_DUE] = L.FAR
    m[row + L.ROW_ARMED] = L.FAR
    first = id_byte(row)
    for i in range(n):
        m8[first + i] = buf[p + i]
    id_table.insert(m, L.R_TABLE, row)
    return row


@jit
def remove(m, row):  # type: ignore[no-untyped-def]
    """Give a row back. Its blocks, panes and timer must be gone already."""
    id_table.remove(m, L.R_TABLE, row)
    # a stale entry of the heap may still point here: the zeros show that it is one
    arena.release(m, row, arena.class_for(L.ROW_WORDS + id_words(m[row + L.ROW_ID_BYTES])))


def id_in_row(m: NDArray[np.int64], m8: NDArray[np.uint8], row: int) -> str:
    """The customer's id."""
    first = int(id_byte(row))
    return m8[first : first + int(m[row + L.ROW_ID_BYTES])].tobytes().decode()
