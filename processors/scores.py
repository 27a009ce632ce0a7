"""Tags whose value is a number: published anew when it has moved by a step."""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import layout as L
from processors.arena import wide
from processors.entries import add_entry, drop_entry, find_entry
from processors.interpret import push_value, real_value
from processors.jit import inline, jit, stay_apart
from processors.rules import program as G
from processors.rules.program import look

ROUNDING: Final = 2.0**-50
"""Relative error of the difference of two doubles, each the nearest to its number: 0.35 - 0.3 is a step of 0.05 though
the doubles are closer to each other."""


@inline
def _number(m, at):  # type: ignore[no-untyped-def]
    """The number published in an entry."""
    return np.int64(m[at + L.TAG_NUMBER]).view(np.float64)


@jit
def _value(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """(whether there is one, the value) of the tag's rule at R_NOW."""
    stay_apart()
    level = look(g, G.TAG_LEVELS, tag)
    if level == look(g, G.TAG_LEVELS, tag + 1):
        return False, 0.0
    push_value(m, m32, g, look(g, G.LEVEL_START, level), look(g, G.LEVEL_END, level), row)
    return real_value(m)


@inline
def _is_move(g, tag, before, after):  # type: ignore[no-untyped-def]
    """Whether a number has moved by the tag's step."""
    step = np.int64(look(g, G.TAG_STEP, tag)).view(np.float64)
    return before != after and abs(after - before) >= step - ROUNDING * max(abs(before), abs(after))


@jit
def evaluate(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """Bring the rule's entry of a score up to date."""
    stay_apart()
    at = find_entry(m, m32, g, row, tag)
    there, value = _value(m, m32, g, row, tag)
    if not there:
        if at != 0:
            drop_entry(m, m32, g, row, at)
        return
    if at == 0:
        at = add_entry(m, m32, g, row, tag)
        m32[at * 2 + L.TAG_VALUE32] = 1
    elif not _is_move(g, tag, _number(m, at), value):
        return
    m[at + L.TAG_NUMBER] = np.float64(value).view(np.int64)


@jit
def has_moved(m, m32, g, row, tag, time):  # type: ignore[no-untyped-def]
    """Whether the rule's value will have moved by a step, come or gone at `time`, if nothing else changes."""
    now = m[L.R_NOW]
    at = find_entry(m, m32, g, row, tag)
    m[L.R_NOW] = time
    there, value = _value(m, m32, g, row, tag)
    m[L.R_NOW] = now
    if at == 0 or not there:
        return there != (at != 0)
    return _is_move(g, tag, _number(m, at), value)


@jit
def moves_at(m, m32, g, row, tag, ahead):  # type: ignore[no-untyped-def]
    """Lower bound of the time after R_NOW at which time alone moves a value by a step, which it does one way.

    It is looked for up to `ahead` ms.
    """
    low = m[L.R_NOW]
    high = low + ahead
    if has_moved(m, m32, g, row, tag, high):
        while high - low > 1:
            middle = (low + high) >> 1
            if has_moved(m, m32, g, row, tag, middle):
                high = middle
            else:
                low = middle
    return wide(high)
