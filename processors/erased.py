"""Whom the partition was told to forget: of each a keyed hash of the id, when that was, and until when it is known.

What happened up to an erasure and comes late is to be dropped, so something of the id has to stay. It is SipHash-2-4
(Aumasson, Bernstein, 2012) under a key that is not part of the state: without the key nobody can tell from a snapshot
who was erased, not even by trying ids. Two ids share a hash with odds n / 2^64, as in dedupe.

The table is an open one of three words an entry: hash, when, until when. An entry that is over has no effect, and goes
when the table grows. Beyond the limit the one that would end first ends early.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processors import layout as L
from processors.hashing import U, load64
from processors.jit import hot, inline, jit

ENTRY_WORDS = 3
SMALLEST = 64
"""Entries for which there is room at first; a power of two, as all its sizes."""
MOST = 1 << 20
"""Erasures that a partition knows at most, in a table of 100 MB: one every 8 seconds for a term of 90 days."""
KEY_BYTES = 16
KEY_PRINT = 2
"""Place in a key of what it says of itself, behind its two halves."""


@inline
def _rotated(x, bits):  # type: ignore[no-untyped-def]
    return (x << U(bits)) | (x >> U(64 - bits))


@inline
def _round(v0, v1, v2, v3):  # type: ignore[no-untyped-def]
    v0 += v1
    v1 = _rotated(v1, 13) ^ v0
    v0 = _rotated(v0, 32)
    v2 += v3
    v3 = _rotated(v3, 16) ^ v2
    v0 += v3
    v3 = _rotated(v3, 21) ^ v0
    v2 += v1
    v1 = _rotated(v1, 17) ^ v2
    v2 = _rotated(v2, 32)
    return v0, v1, v2, v3


@jit
def siphash(k0, k1, buf, p, n):  # type: ignore[no-untyped-def]
    """SipHash-2-4 of `n` bytes of `buf` (uint8) from `p`, under the key's halves (uint64). Returns uint64."""
    v0 = U(0x736F6D6570736575) ^ k0
    v1 = U(0x646F72616E646F6D) ^ k1
    v2 = U(0x6C7967656E657261) ^ k0
    v3 = U(0x7465646279746573) ^ k1
    end = p + (n & ~7)
    for at in range(p, end, 8):
        word = load64(buf, at)
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
    word = U(n & 0xFF) << U(56)
    for i in range(n & 7):
        word |= U(buf[end + i]) << U(8 * i)
    v3 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= word
    v2 ^= U(0xFF)
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return v0 ^ v1 ^ v2 ^ v3


@jit
def hash_of_id(key, buf, p, n):  # type: ignore[no-untyped-def]
    """Hash of an id under `key`, as int64, never 0."""
    h = np.int64(siphash(key[0], key[1], buf, p, n))
    if h == 0:
        h = np.int64(1)
    return h


@hot
def _find(m, h):  # type: ignore[no-untyped-def]
    """First word of the entry of this hash, or of the empty one where it would be."""
    mask = m[L.R_ERASED_SIZE] - 1
    s = h & mask
    while m[m[L.R_ERASED] + s * ENTRY_WORDS] != 0 and m[m[L.R_ERASED] + s * ENTRY_WORDS] != h:
        s = (s + 1) & mask
    return m[L.R_ERASED] + s * ENTRY_WORDS


@jit
def is_suppressed(m, key, buf, p, n, happened):  # type: ignore[no-untyped-def]
    """Whether what happened (ms) to this customer is before an erasure that is still known."""
    at = _find(m, hash_of_id(key, buf, p, n))
    return m[at] != 0 and happened <= m[at + 1] and m[L.R_CLOCK] < m[at + 2]


@jit
def _remove(m, hole):  # type: ignore[no-untyped-def]
    """Take the entry `hole` (a place, not a word) out; later ones move back (Knuth, TAOCP 6.4, algorithm R)."""
    table = m[L.R_ERASED]
    mask = m[L.R_ERASED_SIZE] - 1
    s = hole
    while True:
        s = (s + 1) & mask
        h = m[table + s * ENTRY_WORDS]
        if h == 0:
            break
        if ((s - (h & mask)) & mask) >= ((s - hole) & mask):
            for i in range(ENTRY_WORDS):
                m[table + hole * ENTRY_WORDS + i] = m[table + s * ENTRY_WORDS + i]
            hole = s
    for i in range(ENTRY_WORDS):
        m[table + hole * ENTRY_WORDS + i] = 0
    m[L.R_ERASED_COUNT] -= 1


@jit
def _end_first(m):  # type: ignore[no-untyped-def]
    """End the erasure that would end first; of one time the one with the smallest hash."""
    first = np.int64(-1)
    until = np.int64(0)
    least = np.int64(0)
    for s in range(m[L.R_ERASED_SIZE]):
        at = m[L.R_ERASED] + s * ENTRY_WORDS
        if m[at] != 0 and (first < 0 or m[at + 2] < until or (m[at + 2] == until and m[at] < least)):
            first = np.int64(s)
            until = m[at + 2]
            least = m[at]
    _remove(m, first)


@jit
def remember(m, key, buf, p, n):  # type: ignore[no-untyped-def]
    """The customer of this id is erased now, by the clock; the caller has made sure of room."""
    h = hash_of_id(key, buf, p, n)
    at = _find(m, h)
    if m[at] == 0:
        if m[L.R_ERASED_COUNT] >= m[L.R_ERASED_LIMIT]:
            _end_first(m)
            at = _find(m, h)
        m[L.R_ERASED_COUNT] += 1
    m[at] = h
    m[at + 1] = m[L.R_CLOCK]
    m[at + 2] = m[L.R_CLOCK] + m[L.R_ERASED_TERM]
    m[L.R_ERASED_PRINT] = np.int64(key[KEY_PRINT])


@jit
def move(m, table, size):  # type: ignore[no-untyped-def]
    """Move what is not over to the zeroed words from `table`, with room for `size` entries."""
    old = m[L.R_ERASED]
    old_size = m[L.R_ERASED_SIZE]
    m[L.R_ERASED] = table
    m[L.R_ERASED_SIZE] = size
    m[L.R_ERASED_COUNT] = 0
    for s in range(old_size):
        from_ = old + s * ENTRY_WORDS
        if m[from_] != 0 and m[L.R_CLOCK] < m[from_ + 2]:
            to = _find(m, m[from_])
            for i in range(ENTRY_WORDS):
                m[to + i] = m[from_ + i]
            m[L.R_ERASED_COUNT] += 1
        for i in range(ENTRY_WORDS):
            m[from_ + i] = 0


@jit
def put(m, found):  # type: ignore[no-untyped-def]
    """Put in entries of another table, of the same key; of one id the later stays. The caller has made sure of room."""
    for i in range(found.shape[0]):
        at = _find(m, found[i, 0])
        if m[at] == 0:
            m[L.R_ERASED_COUNT] += 1
        m[at] = found[i, 0]
        m[at + 1] = max(m[at + 1], found[i, 1])
        m[at + 2] = max(m[at + 2], found[i, 2])


def entries(m: NDArray[np.int64]) -> NDArray[np.int64]:
    """Entries x ENTRY_WORDS of those that are not over, in no order."""
    table = m[m[L.R_ERASED] : m[L.R_ERASED] + m[L.R_ERASED_SIZE] * ENTRY_WORDS].reshape(-1, ENTRY_WORDS)
    found: NDArray[np.int64] = table[(table[:, 0] != 0) & (table[:, 2] > m[L.R_CLOCK])]
    return found


def key_of(secret: bytes) -> NDArray[np.uint64]:
    """A key of KEY_BYTES as the two halves that SipHash takes, and KEY_PRINT, by which it is told from another."""
    halves = np.frombuffer(secret, "<u8").astype(np.uint64)
    name = b"tagstream"
    said = np.uint64(siphash(halves[0], halves[1], np.frombuffer(name, np.uint8), 0, len(name)))
    return np.array([halves[0], halves[1], said], np.uint64)
