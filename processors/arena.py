"""Blocks of words in the partition's memory: size classes with free lists, over one growing array.

Classes grow by 3/2 and 4/3 in turn (4, 6, 8, 12, 16, 24 … words), so a block wastes at most a third.

What is given back is overwritten with zeros, and so is what stands behind the words in use of a block: nothing of a
customer who is gone is found in memory, nor in a snapshot of it. In return a block comes zeroed.
"""

from __future__ import annotations

import numpy as np

from processors.jit import inline, jit
from processors.layout import R_FREE, R_STACK, R_TOP

CLASSES = R_STACK - R_FREE


@inline
def wide(x):  # type: ignore[no-untyped-def]
    """An int32 from memory as int64: one type in loops, and no overflow in sums."""
    return np.int64(x)


@inline
def class_words(cls):  # type: ignore[no-untyped-def]
    """Words in a block of class `cls`."""
    base = 4 << (cls >> 1)
    if cls & 1:
        base += base >> 1
    return base


@jit
def class_for(words):  # type: ignore[no-untyped-def]
    """Smallest class that holds `words`."""
    cls = 0
    while class_words(cls) < words:
        cls += 1
    return cls


@jit
def allocate(m, cls):  # type: ignore[no-untyped-def]
    """A block of class `cls`, all zeros; the caller has made sure of room. Returns its first word."""
    block = m[R_FREE + cls]
    if block != 0:
        m[R_FREE + cls] = m[block]
        m[block] = 0
        return block
    block = m[R_TOP]
    m[R_TOP] = block + class_words(cls)
    return block


@jit
def release(m, block, cls):  # type: ignore[no-untyped-def]
    """Give a block back. Nothing but its place in the free list is left in it."""
    for i in range(1, class_words(cls)):
        m[block + i] = 0
    m[block] = m[R_FREE + cls]
    m[R_FREE + cls] = block


@jit
def resized(m, block, cls, used, words):  # type: ignore[no-untyped-def]
    """A block with room for `words`, holding the first `used` words of the old one, zeros behind them.

    Returns (block, class).
    """
    new_cls = class_for(words)
    new = allocate(m, new_cls)
    for i in range(used):
        m[new + i] = m[block + i]
    if block != 0:
        release(m, block, cls)
    return new, new_cls


@jit
def cut(m, block, used, start, words):  # type: ignore[no-untyped-def]
    """Take `words` words from `start` (relative to the block) out of a block of `used` words."""
    for i in range(start, used - words):
        m[block + i] = m[block + i + words]
    for i in range(used - words, used):
        m[block + i] = 0
