"""What people and models say of a customer's tag, and whose word counts: people's, then models', then the rule's.

An assignment masks what stands beneath it, which goes on; when it ends, that shows again.
"""

from __future__ import annotations

from typing import Final

from processors import layout as L
from processors.arena import wide
from processors.entries import add_entry, drop_entry, find_entry
from processors.jit import jit
from processors.marks import mark
from processors.rules import program as G
from processors.rules.program import look

PLAIN: Final = 0
"""What a tag's value is: there or on a level; a number; a set of keys."""
SCORE: Final = 1
SET: Final = 2

NEGATIVE_ZERO: Final = -(1 << 63)
"""Bits of -0.0, which is the code of the number 0: the code 0 is that of no value."""

ASSIGN: Final = 0
REMOVE: Final = 1
BY_MODEL: Final = 2
ERASE: Final = 3
"""What a command does: by hand, take back what was done by hand, what a model says, or forget the customer."""


@jit
def _deciding(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    for owner in (1, 2):
        at = find_entry(m, m32, g, row, owner * g[G.TAG_COUNT] + tag)
        if at != 0:
            return at
    return find_entry(m, m32, g, row, tag)


@jit
def deciding(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """First word of the entry that decides the customer's value of a tag; 0 if they are without the tag."""
    if m32[row * 2 + L.ROW_ASSIGNED32] == 0:
        at = find_entry(m, m32, g, row, tag)
    else:
        at = _deciding(m, m32, g, row, tag)
    if at != 0 and m32[at * 2 + L.TAG_VALUE32] == 0:
        at = wide(0)
    return at


@jit
def is_masked(m, m32, g, row, tag):  # type: ignore[no-untyped-def]
    """Whether people or models say something of the tag, so that its rule does not count."""
    if m32[row * 2 + L.ROW_ASSIGNED32] == 0:
        return False
    at = _deciding(m, m32, g, row, tag)
    return at != 0 and m32[at * 2 + L.TAG_INDEX32] >= g[G.TAG_COUNT]


@jit
def number_bits(m, m32, g, at):  # type: ignore[no-untyped-def]
    """The number, as the bits of a double, in an entry of a score."""
    return m[at + (L.TAG_NUMBER if m32[at * 2 + L.TAG_INDEX32] < g[G.TAG_COUNT] else L.ASSIGNED_NUMBER)]


@jit
def code_of(m, m32, g, at, tag):  # type: ignore[no-untyped-def]
    """The code (CH_BEFORE) of the value in the entry that decides a tag, 0: none."""
    if at == 0:
        return wide(0)
    kind = look(g, G.TAG_KIND, tag)
    if kind == SCORE:
        bits = number_bits(m, m32, g, at)
        return wide(NEGATIVE_ZERO) if bits == 0 else bits
    if kind == SET:
        return wide(m32[at * 2 + L.TAG_SET32])
    return wide(m32[at * 2 + L.TAG_VALUE32])


@jit
def _take_back(m, m32, g, row, index):  # type: ignore[no-untyped-def]
    at = find_entry(m, m32, g, row, index)
    if at != 0:
        drop_entry(m, m32, g, row, at)
        m32[row * 2 + L.ROW_ASSIGNED32] -= 1


@jit
def command(m, m32, g, row, tag, kind, value, number, until, now):  # type: ignore[no-untyped-def]
    """Obey a command at `now`: `value` is 0 for absent, 1 for there or a number, 1 + position of a level."""
    index = (2 if kind == BY_MODEL else 1) * g[G.TAG_COUNT] + tag
    if kind == REMOVE or until <= now:
        _take_back(m, m32, g, row, index)
    else:
        at = find_entry(m, m32, g, row, index)
        if at == 0:
            at = add_entry(m, m32, g, row, index)
            m32[row * 2 + L.ROW_ASSIGNED32] += 1
        m32[at * 2 + L.TAG_VALUE32] = value
        m[at + L.ASSIGNED_UNTIL] = until
        m[at + L.ASSIGNED_NUMBER] = number
    mark(m, look(g, G.TAG_RANK, tag))


@jit
def expire(m, m32, g, row, tag, now):  # type: ignore[no-untyped-def]
    """Drop what was said of a tag until `now` or earlier."""
    for owner in (1, 2):
        at = find_entry(m, m32, g, row, owner * g[G.TAG_COUNT] + tag)
        if at != 0 and m[at + L.ASSIGNED_UNTIL] <= now:
            _take_back(m, m32, g, row, owner * g[G.TAG_COUNT] + tag)
