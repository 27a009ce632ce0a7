"""Which (type, event_id) were seen: two generations of 64-bit hashes, each a day of the partition's clock.

An event is a duplicate if its hash is in this or the previous generation, so a repeat is caught for at least 24 and at
most 48 hours of clock since it was last seen. Two different events share a hash with odds n / 2^64: at 100 million ids
held, one wrong drop in 184 billion events. When a generation holds half the bound on ids, the older one ends early; the
horizon that is really held is then shorter and is a metric.
"""

from __future__ import annotations

import numpy as np

from processors import layout as L
from processors.hashing import U, hash_bytes
from processors.jit import hot, inline, jit

GENERATION_MS = 86_400_000
SMALLEST = 4096
"""Words of a table when its generation begins; a power of two, as all its sizes."""


@inline
def event_hash(buf, p, n, event_type):  # type: ignore[no-untyped-def]
    """Hash of (type, event_id) as int64, never 0."""
    h = np.int64(hash_bytes(buf, p, n, U(event_type) + U(1)))
    if h == 0:
        h = np.int64(1)
    return h


@hot
def _holds(m, table, size, h):  # type: ignore[no-untyped-def]
    s = h & (size - 1)
    while m[table + s] != 0:
        if m[table + s] == h:
            return True
        s = (s + 1) & (size - 1)
    return False


@hot
def _put(m, table, size, h):  # type: ignore[no-untyped-def]
    s = h & (size - 1)
    while m[table + s] != 0:
        s = (s + 1) & (size - 1)
    m[table + s] = h


@jit
def _end_older(m, clock):  # type: ignore[no-untyped-def]
    """The current generation becomes the previous one; the oldest one's table is emptied and becomes current."""
    table = m[L.R_BEFORE]
    size = m[L.R_BEFORE_SIZE]
    m[L.R_BEFORE] = m[L.R_SEEN]
    m[L.R_BEFORE_SIZE] = m[L.R_SEEN_SIZE]
    m[L.R_BEFORE_COUNT] = m[L.R_SEEN_COUNT]
    m[L.R_BEFORE_SINCE] = m[L.R_SEEN_SINCE]
    for i in range(size):
        m[table + i] = 0
    m[L.R_SEEN] = table
    m[L.R_SEEN_SIZE] = size
    m[L.R_SEEN_COUNT] = 0
    m[L.R_SEEN_SINCE] = clock


@hot
def is_duplicate(m, h, clock):  # type: ignore[no-untyped-def]
    """Whether the event of hash `h` was seen. A repeat is a sighting too: it keeps the id known for another generation.

    Decided event by event, whatever the batch.
    """
    generation = clock // GENERATION_MS
    if generation > m[L.R_SEEN_GENERATION]:
        if generation > m[L.R_SEEN_GENERATION] + 1:
            _end_older(m, clock)
        _end_older(m, clock)
        m[L.R_SEEN_GENERATION] = generation
    if _holds(m, m[L.R_SEEN], m[L.R_SEEN_SIZE], h):
        return True
    repeated = _holds(m, m[L.R_BEFORE], m[L.R_BEFORE_SIZE], h)
    if m[L.R_SEEN_COUNT] >= m[L.R_SEEN_LIMIT]:
        _end_older(m, clock)
    _put(m, m[L.R_SEEN], m[L.R_SEEN_SIZE], h)
    m[L.R_SEEN_COUNT] += 1
    return repeated


@jit
def move_seen(m, table, size):  # type: ignore[no-untyped-def]
    """Move the current generation to the zeroed words from `table`."""
    for i in range(m[L.R_SEEN_SIZE]):
        h = m[m[L.R_SEEN] + i]
        if h != 0:
            _put(m, table, size, h)
            m[m[L.R_SEEN] + i] = 0
    m[L.R_SEEN] = table
    m[L.R_SEEN_SIZE] = size
