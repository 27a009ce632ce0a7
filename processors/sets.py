"""Tags whose value is a set of keys: those for which the condition holds.

A set is a block that is never changed: a header, how many keys, and the keys (texts), smallest first. A customer's
entry names the newest; a set that was given up stays until the next step begins, for changes still name it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from processors import arena, series, texts
from processors import layout as L
from processors.arena import wide
from processors.entries import add_entry, drop_entry, find_entry
from processors.interpret import holds
from processors.jit import jit, stay_apart
from processors.rules import program as G
from processors.rules.program import look

SET_NEXT: Final = 0
"""The next of the sets that were given up."""
SET_CLASS: Final = 1
SET_COUNT: Final = 2
SET_KEYS: Final = 3
NO_PROGRAM: Final = -1


@jit
def _is_held(m, m32, g, cell, sid, window):  # type: ignore[no-untyped-def]
    """Whether a window of a key's cell holds an event."""
    if look(g, G.WINDOW_MS, look(g, G.SERIES_WINDOWS, sid) + window) == series.EVER:
        return True  # a key's cell with such a window is made by an event, and lasts
    return m32[(cell + L.CELL_WINDOWS + window * L.WINDOW_WORDS) * 2 + 1] != 0


@jit
def _is_known(m, m32, g, row, tag, key):  # type: ignore[no-untyped-def]
    """Whether any of the windows that the tag reads holds an event of the key."""
    for i in range(look(g, G.TAG_KEYS, tag), look(g, G.TAG_KEYS, tag + 1)):
        sid = look(g, G.KEY_SERIES, i)
        group = series.find_group(m, m32, g, row, sid)
        if group != 0:
            cell = series.cell_of_key(m, m32, g, group, key)
            if cell != 0 and _is_held(m, m32, g, cell, sid, look(g, G.KEY_WINDOW, i)):
                return True
    return False


@jit
def _leaves(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """Whether the tag's own `leave` holds for the key."""
    start = look(g, G.LEAVE_START, tag)
    return start != NO_PROGRAM and holds(m, m32, g, start, look(g, G.LEAVE_END, tag), row)


@jit
def _enters(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """Whether the tag's `when` holds for the key."""
    level = look(g, G.TAG_LEVELS, tag)
    return holds(m, m32, g, look(g, G.LEVEL_START, level), look(g, G.LEVEL_END, level), row)


@jit
def _stays(m, m32, g, row, tag, key):  # type: ignore[no-untyped-def]
    """Whether a key of the set remains in it."""
    if not _is_known(m, m32, g, row, tag, key):
        return False
    m[L.R_KEY] = key
    if look(g, G.LEAVE_START, tag) == NO_PROGRAM:
        return _enters(m, m32, g, row, tag)
    return not _leaves(m, m32, g, row, tag)


@jit
def _contains(m, block, first, end, key):  # type: ignore[no-untyped-def]
    for i in range(first, end):
        if m[block + SET_KEYS + i] == key:
            return True
    return False


@jit
def _put_in(m, block, first, end, key):  # type: ignore[no-untyped-def]
    """Put a key among the sorted ones [first, end) of a block, which has room for one more."""
    i = end
    while i > first and texts.is_less(m, key, m[block + SET_KEYS + i - 1]):
        m[block + SET_KEYS + i] = m[block + SET_KEYS + i - 1]
        i -= 1
    m[block + SET_KEYS + i] = key


@jit
def _add_entrants(m, m32, g, row, tag, old, block, staying, limit):  # type: ignore[no-untyped-def]
    """Behind the `staying` keys of a block put those that enter, smaller ones first, up to `limit` keys in all.

    `old` is the set as it was (0: none). Returns how many keys the block has then.
    """
    count = staying
    for i in range(look(g, G.TAG_KEYS, tag), look(g, G.TAG_KEYS, tag + 1)):
        sid = look(g, G.KEY_SERIES, i)
        group = series.find_group(m, m32, g, row, sid)
        if group == 0 or staying == limit:
            continue
        words = look(g, G.SERIES_KEY_WORDS, sid)
        at = wide(m32[group * 2 + L.GROUP_BLOCK32])
        end = at + m32[group * 2 + L.GROUP_USED32]
        while at < end:
            key = m[at + words - 1]
            fits = count < limit or texts.is_less(m, key, m[block + SET_KEYS + count - 1])
            if fits and not _contains(m, block, staying, count, key) and not _contains(m, old, 0, _size(m, old), key):
                m[L.R_KEY] = key
                held = _is_held(m, m32, g, at, sid, look(g, G.KEY_WINDOW, i))
                if held and _enters(m, m32, g, row, tag) and not _leaves(m, m32, g, row, tag):
                    # the greatest makes place if the set is full
                    count = min(count, limit - 1)
                    _put_in(m, block, staying, count, key)
                    count += 1
            at += words
    return count


@jit
def _size(m, block):  # type: ignore[no-untyped-def]
    """How many keys a set has; 0 is no set."""
    return m[block + SET_COUNT] if block != 0 else wide(0)


@jit
def give_up(m, block):  # type: ignore[no-untyped-def]
    """A set that no entry names any more: it goes when the next step begins."""
    m[block + SET_NEXT] = m[L.R_OLD_SETS]
    m[L.R_OLD_SETS] = block


@jit
def forget_old(m):  # type: ignore[no-untyped-def]
    """Give back the sets that were given up."""
    while m[L.R_OLD_SETS] != 0:
        block = m[L.R_OLD_SETS]
        m[L.R_OLD_SETS] = m[block + SET_NEXT]
        for i in range(m[block + SET_COUNT]):
            texts.let_go(m, m[block + SET_KEYS + i])
        arena.release(m, block, m[block + SET_CLASS])


@jit
def _make(m, m32, g, row, tag, old):  # type: ignore[no-untyped-def]
    """The set as it is to be, a block with room for `limit` keys; 0 if it is empty or as it was."""
    limit = look(g, G.TAG_LIMIT, tag)
    cls = arena.class_for(SET_KEYS + limit)
    block = arena.allocate(m, cls)
    staying = wide(0)
    for i in range(_size(m, old)):
        key = m[old + SET_KEYS + i]
        if _stays(m, m32, g, row, tag, key):
            m[block + SET_KEYS + staying] = key
            staying += 1
    count = _add_entrants(m, m32, g, row, tag, old, block, staying, limit)
    if count == 0 or (count == staying and count == _size(m, old)):
        arena.release(m, block, cls)
        return wide(0), count
    # the entrants are merged into those that stay, both sorted, by putting each in its place
    for i in range(staying, count):
        _put_in(m, block, 0, i, m[block + SET_KEYS + i])
    for i in range(count):
        texts.hold(m, m[block + SET_KEYS + i])
    m[block + SET_CLASS] = cls
    m[block + SET_COUNT] = count
    return block, count


@jit
def evaluate(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """Bring the rule's entry of a set up to date."""
    stay_apart()
    if look(g, G.TAG_LEVELS, tag) == look(g, G.TAG_LEVELS, tag + 1):
        return
    at = find_entry(m, m32, g, row, tag)
    old = wide(m32[at * 2 + L.TAG_SET32]) if at != 0 else wide(0)
    block, count = _make(m, m32, g, row, tag, old)
    if block == 0 and count > 0:
        return
    if old != 0:
        give_up(m, old)
    if block == 0:
        if at != 0:
            drop_entry(m, m32, g, row, at)
        return
    if at == 0:
        at = add_entry(m, m32, g, row, tag)
    m32[at * 2 + L.TAG_VALUE32] = 1
    m32[at * 2 + L.TAG_SET32] = block


def texts_of(m: NDArray[np.int64], block: int) -> list[int]:
    """The texts that are the keys of a set, smallest first."""
    keys: list[int] = m[block + SET_KEYS : block + SET_KEYS + int(m[block + SET_COUNT])].tolist()
    return keys
