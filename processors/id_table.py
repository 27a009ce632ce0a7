"""Open addressing by a 64-bit hash, over blocks whose first word is the hash.

A table stands in three registers: its first word, its size (a power of two) and how many are in it. An entry is the
hash's upper half and the block (hash & ~(2^32 - 1) | block); 0 is empty. Entries are removed by moving later ones back
(Knuth, TAOCP 6.4, algorithm R), so there are no tombstones to clean up.
"""

from __future__ import annotations

from processors.jit import jit

HIGH = ~0xFFFFFFFF
LOW = 0xFFFFFFFF


@jit
def insert(m, table_register, block):  # type: ignore[no-untyped-def]
    """Put in a block that is not there; the caller has made sure of room."""
    table = m[table_register]
    mask = m[table_register + 1] - 1
    s = m[block] & mask
    while m[table + s] != 0:
        s = (s + 1) & mask
    m[table + s] = (m[block] & HIGH) | block
    m[table_register + 2] += 1


@jit
def remove(m, table_register, block):  # type: ignore[no-untyped-def]
    """Take out a block that is there."""
    table = m[table_register]
    mask = m[table_register + 1] - 1
    s = m[block] & mask
    while m[table + s] & LOW != block:
        s = (s + 1) & mask
    hole = s
    while True:
        s = (s + 1) & mask
        e = m[table + s]
        if e == 0:
            break
        home = m[e & LOW] & mask
        # an entry may move back into the hole unless its home lies cyclically in (hole, s]
        if ((s - home) & mask) >= ((s - hole) & mask):
            m[table + hole] = e
            hole = s
    m[table + hole] = 0
    m[table_register + 2] -= 1


@jit
def move(m, table_register, table, size):  # type: ignore[no-untyped-def]
    """Move the table to the zeroed words from `table` (`size`, a power of two)."""
    old = m[table_register]
    old_size = m[table_register + 1]
    m[table_register] = table
    m[table_register + 1] = size
    m[table_register + 2] = 0
    for i in range(old_size):
        if m[old + i] != 0:
            insert(m, table_register, m[old + i] & LOW)
            m[old + i] = 0
