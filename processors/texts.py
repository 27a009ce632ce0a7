"""Texts that customers have: attributes, and the keys of groups. Each is held once, and counts who holds it.

A text is known by the first word of its block. Its bytes stand in whole words, the first byte lowest, zeros behind the
last; so two texts are compared word by word.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from processors import arena, id_table
from processors import layout as L
from processors.hashing import U
from processors.jit import inline, jit
from processors.rules import program as G
from processors.rules.program import look

MAX_BYTES = 1_024
"""Longest text that is held: an attribute beyond it is none, an event whose key is longer has no key."""
MAX_WORDS = L.TEXT_WORDS + MAX_BYTES // 8
_BYTE = U(0xFF)


@inline
def byte_of(m, text, i):  # type: ignore[no-untyped-def]
    """Byte `i` of a text."""
    return (m[text + L.TEXT_WORDS + (i >> 3)] >> ((i & 7) << 3)) & 0xFF


@jit
def _word(buf, p, n):  # type: ignore[no-untyped-def]
    """Up to eight bytes of `buf` from `p`, the first one lowest."""
    w = U(0)
    for i in range(min(n, 8)):
        w |= U(buf[p + i]) << U(8 * i)
    return np.int64(w)


@jit
def _is_same(m, text, buf, p, n):  # type: ignore[no-untyped-def]
    if m[text + L.TEXT_BYTES] != n:
        return False
    for i in range((n + 7) >> 3):
        if m[text + L.TEXT_WORDS + i] != _word(buf, p + 8 * i, n - 8 * i):
            return False
    return True


@jit
def find(m, hash64, buf, p, n):  # type: ignore[no-untyped-def]
    """The text of these bytes if somebody holds it, else 0."""
    mask = m[L.R_TEXTS_SIZE] - 1
    table = m[L.R_TEXTS]
    s = hash64 & mask
    while True:
        e = m[table + s]
        if e == 0:
            return np.int64(0)
        text = e & id_table.LOW
        if m[text] == hash64 and _is_same(m, text, buf, p, n):
            return text
        s = (s + 1) & mask


@jit
def make(m, hash64, buf, p, n):  # type: ignore[no-untyped-def]
    """A text that `find` did not find, held by nobody; the caller has made sure of room. Returns it."""
    words = (n + 7) >> 3
    text = arena.allocate(m, arena.class_for(L.TEXT_WORDS + words))
    m[text + L.TEXT_HASH] = hash64
    m[text + L.TEXT_BYTES] = n
    m[text + L.TEXT_HOLDERS] = 0
    for i in range(words):
        m[text + L.TEXT_WORDS + i] = _word(buf, p + 8 * i, n - 8 * i)
    id_table.insert(m, L.R_TEXTS, text)
    return text


@inline
def hold(m, text):  # type: ignore[no-untyped-def]
    """One more holder."""
    m[text + L.TEXT_HOLDERS] += 1


@jit
def let_go(m, text):  # type: ignore[no-untyped-def]
    """One holder less; what nobody holds is given back."""
    m[text + L.TEXT_HOLDERS] -= 1
    if m[text + L.TEXT_HOLDERS] == 0:
        id_table.remove(m, L.R_TEXTS, text)
        arena.release(m, text, arena.class_for(L.TEXT_WORDS + ((m[text + L.TEXT_BYTES] + 7) >> 3)))


@jit
def _by_bytes(word):  # type: ignore[no-untyped-def]
    """A word whose order as a number is that of its bytes, the first one highest."""
    w = U(word)
    r = U(0)
    for i in range(8):
        r |= ((w >> U(8 * i)) & _BYTE) << U(56 - 8 * i)
    return r


@jit
def is_less(m, a, b):  # type: ignore[no-untyped-def]
    """Whether text `a` is smaller than `b`, by bytes."""
    n_a = m[a + L.TEXT_BYTES]
    n_b = m[b + L.TEXT_BYTES]
    for i in range((min(n_a, n_b) + 7) >> 3):
        x = m[a + L.TEXT_WORDS + i]
        y = m[b + L.TEXT_WORDS + i]
        if x != y:
            return _by_bytes(x) < _by_bytes(y)
    return n_a < n_b


@jit
def begins(m, g, text, at, n):  # type: ignore[no-untyped-def]
    """Whether a text begins with the `n` bytes that stand among the rules' prefixes from `at`."""
    if m[text + L.TEXT_BYTES] < n:
        return False
    for i in range(n):
        if byte_of(m, text, i) != look(g, G.PREFIXES, at + i):
            return False
    return True


def text_of(m: NDArray[np.int64], text: int) -> str:
    """A text as Python has it; `m` is a partition's memory."""
    n = int(m[text + L.TEXT_BYTES])
    first = text + L.TEXT_WORDS
    return str(m[first : first + ((n + 7) >> 3)].tobytes()[:n], "utf-8")
