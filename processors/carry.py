"""From the state under some rules to the state under others: whose rows belong together, and what is carried over."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from processors import customers
from processors import layout as L
from processors.jit import jit
from processors.partition import Partition
from processors.rules.program import I64

__all__ = ["carry_over", "twins"]


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


def carry_over(old: Partition, new: Partition) -> Iterator[None]:
    """Put into `new` what `old` knows and the events do not say any more. Yields between bounded pieces."""
    yield
