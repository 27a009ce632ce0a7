"""The interpreter of rules and filters: postfix programs over a small stack, in one loop.

A program is the words [start, end) of `g`; an instruction is five: operation and up to four operands. Filters read
the decoded event; conditions read the customer's windows. The compiler (rules/compile.py) writes them. Leaves that
compare with a constant are one instruction; whole numbers are compared as whole numbers, money in cents.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import layout as L
from processors.arena import wide
from processors.jit import hot, inline, jit
from processors.rules import program as G
from processors.rules.program import look
from processors.series import find_cell

OP_TRUE: Final = 0
OP_FALSE: Final = 1
OP_NOT: Final = 2
OP_AND: Final = 3
"""Of the top `a` truths."""
OP_OR: Final = 4
OP_TEXT: Final = 10
"""Field a == text b (c = 0) or != (c = 1); d: what it is if the field is missing."""
OP_INT: Final = 11
"""Whole-number field a, comparison b, constant c."""
OP_REAL: Final = 12
"""Real field a, comparison b, constant `consts[c]`."""
OP_TEXT_FIELDS: Final = 13
"""Text fields a and b; c as in OP_TEXT."""
OP_NUMBER_FIELDS: Final = 14
"""Fields a and b, comparison c; d is the unit of a << 32 | the unit of b (0: a real)."""
OP_WINDOW: Final = 20
"""Series a, metric b (window << 1 | is sum), comparison c, constant d."""
OP_LOAD: Final = 21
"""Push the value of series a, metric b."""
OP_COMPARE: Final = 22
"""The top two values, comparison a; b and c are their units (1, 100 for cents, 10^9 for reals)."""

EQ: Final = 0
NE: Final = 1
LT: Final = 2
LE: Final = 3
GT: Final = 4
GE: Final = 5

CODE_WORDS: Final = 5


@inline
def compare(op, a, b):  # type: ignore[no-untyped-def]
    """Comparison `op` of two numbers of one type."""
    if op == EQ:
        r = a == b
    elif op == NE:
        r = a != b
    elif op == LT:
        r = a < b
    elif op == LE:
        r = a <= b
    elif op == GT:
        r = a > b
    else:
        r = a >= b
    return r


@hot
def is_text(g, texts, const, buf, ref):  # type: ignore[no-untyped-def]
    """Whether a text field (position << 32 | length) is the constant."""
    n = ref & 0xFFFFFFFF
    at = look(g, G.TEXT_AT, const)
    if look(g, G.TEXT_AT, const + 1) - at != n:
        return False
    p = ref >> 32
    for i in range(n):
        if texts[at + i] != buf[p + i]:
            return False
    return True


@jit
def _same_text(buf, ref_a, ref_b):  # type: ignore[no-untyped-def]
    n = ref_a & 0xFFFFFFFF
    if n != ref_b & 0xFFFFFFFF:
        return False
    for i in range(n):
        if buf[(ref_a >> 32) + i] != buf[(ref_b >> 32) + i]:
            return False
    return True


@inline
def _number(events, reals, e, field, unit):  # type: ignore[no-untyped-def]
    """A number field in units of one."""
    if unit == 0:
        v = reals[e, L.EV_FIELDS + field]
    else:
        v = np.float64(events[e, L.EV_FIELDS + field]) / np.float64(unit)
    return v


@hot
def _field_leaf(g, texts, consts, i, events, reals, e, buf):  # type: ignore[no-untyped-def]
    """One comparison of an event's fields. With a missing field it is false."""
    op = g[i]
    a = g[i + 1]
    b = g[i + 2]
    c = g[i + 3]
    d = g[i + 4]
    present = events[e, L.EV_PRESENT]
    if (present >> a) & 1 == 0:
        return op == OP_TEXT and d != 0
    ref = events[e, L.EV_FIELDS + a]
    if op == OP_TEXT:
        return is_text(g, texts, b, buf, ref) == (c == 0)
    if op == OP_INT:
        return compare(b, ref, c)
    if op == OP_REAL:
        return compare(b, reals[e, L.EV_FIELDS + a], consts[c])
    if (present >> b) & 1 == 0:
        return False
    if op == OP_TEXT_FIELDS:
        return _same_text(buf, ref, events[e, L.EV_FIELDS + b]) == (c == 0)
    return compare(c, _number(events, reals, e, a, d >> 32), _number(events, reals, e, b, d & 0xFFFFFFFF))


@jit
def _logic(m, g, i, top):  # type: ignore[no-untyped-def]
    """TRUE, FALSE, NOT, AND, OR on the stack, whose next free word is `top`. Returns the new top."""
    op = g[i]
    if op == OP_NOT:
        m[top - 1] = 1 - m[top - 1]
    elif op == OP_AND or op == OP_OR:
        n = g[i + 1]
        r = m[top - n]
        for j in range(top - n + 1, top):
            if op == OP_AND:
                r &= m[j]
            else:
                r |= m[j]
        top -= n - 1
        m[top - 1] = r
    else:
        m[top] = 1 if op == OP_TRUE else 0
        top += 1
    return top


@hot
def passes(m, g, texts, consts, start, end, events, reals, e, buf):  # type: ignore[no-untyped-def]
    """Whether event row `e` passes the filter [start, end); an empty filter passes everything."""
    if start == end:
        return True
    if end - start == CODE_WORDS and g[start] >= OP_TEXT:
        return _field_leaf(g, texts, consts, start, events, reals, e, buf)
    top = L.R_STACK
    for i in range(start, end, CODE_WORDS):
        if g[i] >= OP_TEXT:
            m[top] = 1 if _field_leaf(g, texts, consts, i, events, reals, e, buf) else 0
            top += 1
        else:
            top = _logic(m, g, i, top)
    return m[L.R_STACK] != 0


@hot
def _load(m, m32, g, row, series, metric):  # type: ignore[no-untyped-def]
    """A window's count or sum; 0 for a customer without such events."""
    at = find_cell(m, m32, g, row, series)
    if at == 0:
        return np.int64(0)
    word = at + L.CELL_WINDOWS + (metric >> 1) * L.WINDOW_WORDS
    if metric & 1:
        return m[word + 1]
    return wide(m32[word * 2])


@jit
def _compare_values(op, a, unit_a, b, unit_b):  # type: ignore[no-untyped-def]
    """Two values in different units: equal ones give equal doubles, for the division is rounded correctly."""
    if unit_a == unit_b:
        return compare(op, a, b)
    return compare(op, np.float64(a) / np.float64(unit_a), np.float64(b) / np.float64(unit_b))


@hot
def holds(m, m32, g, start, end, row):  # type: ignore[no-untyped-def]
    """Whether the condition [start, end) holds for the customer, as their windows stand."""
    if end - start == CODE_WORDS and g[start] == OP_WINDOW:
        return compare(g[start + 3], _load(m, m32, g, row, g[start + 1], g[start + 2]), g[start + 4])
    top = L.R_STACK
    for i in range(start, end, CODE_WORDS):
        op = g[i]
        if op == OP_WINDOW:
            value = _load(m, m32, g, row, g[i + 1], g[i + 2])
            m[top] = 1 if compare(g[i + 3], value, g[i + 4]) else 0
            top += 1
        elif op == OP_LOAD:
            m[top] = _load(m, m32, g, row, g[i + 1], g[i + 2])
            top += 1
        elif op == OP_COMPARE:
            r = _compare_values(g[i + 1], m[top - 2], g[i + 2], m[top - 1], g[i + 3])
            top -= 1
            m[top - 1] = 1 if r else 0
        else:
            top = _logic(m, g, i, top)
    return m[L.R_STACK] != 0
