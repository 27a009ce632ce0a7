"""The interpreter of rules and filters: postfix programs over a small stack, in one loop.

A program is the words [start, end) of `g`; an instruction is five: operation and up to four operands. Filters read
the decoded event; conditions read the customer's windows. The compiler (rules/compile.py) writes them. Leaves that
compare with a constant are one instruction; whole numbers are compared as whole numbers, money in cents.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import assigned, attributes, calendar, distinct
from processors import layout as L
from processors import texts as held
from processors.arena import wide
from processors.hashing import hash_bytes
from processors.jit import hot, inline, jit, stay_apart
from processors.rules import program as G
from processors.rules.program import look
from processors.series import find_cell, find_group, pick
from processors.top import top_of_group

WHOLE_MOST: Final = 1 << 62
"""Products of whole numbers stay below it."""

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
OP_PREFIX: Final = 15
"""Text field a begins with text b; d: what it is if the field is missing."""
OP_HAS: Final = 16
"""Field a has a value."""
OP_CALENDAR: Final = 17
"""Hour (b = 0) or weekday (b = 1), in the rules' zone, of time a (a field, or EVENT_TIME): comparison c, constant d."""
OP_STATE: Final = 18
"""The condition [a, b), about the customer and not the event."""
OP_WITH_STATE: Final = 19
"""Field a (b: the unit of a number, 0 for a real; TEXT_FIELD; -2 - first text of the kinds; or CURRENCY_FIELD - text of
the default one), comparison c, the value that the program [d >> 32, d & 0xFFFFFFFF) pushes."""
OP_WINDOW: Final = 20
"""Series a, metric b (window << 1 | is sum), comparison c, constant d."""
OP_LOAD: Final = 21
"""Push a value: series a, metric b, in units of one c. A value is two words: the number and its unit."""
OP_PICK: Final = 22
"""Push a value: series a, window b, of least, greatest, first or last values, in units of one c."""
OP_SINCE: Final = 23
"""Push a value: the time since the last event of series a, window b, in days."""
OP_DISTINCT: Final = 24
"""Push a value: how many different values series a has in window b."""
OP_TOP: Final = 25
"""Push a text, by its hash: of series a, metric b, the key with the greatest value."""
OP_ATTRIBUTE: Final = 26
"""Push the attribute of series a: as a text, by its hash (b = 0), as a number (b = 1), or the age since it (b = 2)."""
OP_SCORE: Final = 27
"""Push the number of tag a."""
OP_TREND: Final = 30
"""Of the top two values, W and 2 W: push 2 * W - 2 W."""
OP_RATIO: Final = 31
"""Of the top two values a and b: push a / b."""
OP_INTERVAL: Final = 32
"""Of the top three values, last time, first time and count: push the mean gap in days."""
OP_NAMED: Final = 33
"""The top value, a kind, becomes a text, by its hash; a is the first text of the kinds."""
OP_TEST: Final = 40
"""The top value, comparison a, constant b in its unit."""
OP_TEST_REAL: Final = 41
"""The top value, comparison a, b the bits of a real."""
OP_COMPARE: Final = 42
"""The top two values, comparison a."""
OP_PRESENT: Final = 43
"""The top value is not missing."""
OP_TAG: Final = 44
"""Tag a is there (b = 0), on level b (c = 0) or there on another one (c = 1)."""
OP_ABSENT: Final = 45
"""A sequence that waits in vain: time of the first events in series a << 16 | window, of the second in b, for c ms or
longer; with d, a second event at the same time does not count."""
OP_MATCHED: Final = 46
"""The newest event of series a was matched."""
OP_BEGINS: Final = 47
"""The attribute of series a begins with the c bytes from b of the rules' prefixes."""

EVENT_TIME: Final = -2
"""The event's time, where a field's position stands."""
REAL: Final = 0
"""Unit of a value that is a real: the word holds its bits."""
MISSING: Final = -1
"""Unit of a value that is not there."""
TEXT_FIELD: Final = -1
CURRENCY_FIELD: Final = -(1 << 32)
AS_TEXT: Final = 0
AS_NUMBER: Final = 1
AS_AGE: Final = 2

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


@jit
def _calendar(g, time, weekday):  # type: ignore[no-untyped-def]
    """Hour or weekday of a time (ms)."""
    return calendar.weekday(g, time) if weekday != 0 else calendar.hour(g, time)


@jit
def _begins(g, texts, const, buf, ref):  # type: ignore[no-untyped-def]
    """Whether a text field begins with the constant."""
    at = look(g, G.TEXT_AT, const)
    n = look(g, G.TEXT_AT, const + 1) - at
    if ref & 0xFFFFFFFF < n:
        return False
    for i in range(n):
        if texts[at + i] != buf[(ref >> 32) + i]:
            return False
    return True


@hot
def _field_leaf(g, texts, consts, i, events, reals, e, buf):  # type: ignore[no-untyped-def]
    """One comparison of an event's fields. With a missing field it is false."""
    op = g[i]
    a = g[i + 1]
    b = g[i + 2]
    c = g[i + 3]
    d = g[i + 4]
    present = events[e, L.EV_PRESENT]
    if a == EVENT_TIME:
        return compare(c, _calendar(g, events[e, L.EV_TIME], b), d)
    if (present >> a) & 1 == 0:
        return (op == OP_TEXT or op == OP_PREFIX) and d != 0
    ref = events[e, L.EV_FIELDS + a]
    if op == OP_TEXT:
        return is_text(g, texts, b, buf, ref) == (c == 0)
    if op == OP_INT:
        return compare(b, ref, c)
    if op == OP_REAL:
        return compare(b, reals[e, L.EV_FIELDS + a], consts[c])
    if op == OP_HAS:
        return True
    if op == OP_PREFIX:
        return _begins(g, texts, b, buf, ref)
    if op == OP_CALENDAR:
        return compare(c, _calendar(g, ref, b), d)
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


@jit
def _with_state(m, m32, g, i, events, reals, e, buf, row, top):  # type: ignore[no-untyped-def]
    """A comparison of a field with what is known of the customer. `top`: the next free word of the stack."""
    stay_apart()
    field = g[i + 1]
    sort = g[i + 2]
    value = events[e, L.EV_FIELDS + field]
    _set_value(m, top, value, sort)
    if (events[e, L.EV_PRESENT] >> field) & 1 == 0:
        if sort > CURRENCY_FIELD:
            return False
        _set_value(m, top, look(g, G.TEXT_HASHES, CURRENCY_FIELD - sort), np.int64(1))
    elif sort == TEXT_FIELD or sort <= CURRENCY_FIELD:
        h = hash_bytes(buf, value >> 32, value & 0xFFFFFFFF, attributes.TEXT_SEED)
        _set_value(m, top, np.int64(h), np.int64(1))
    elif sort < TEXT_FIELD:
        _set_value(m, top, look(g, G.TEXT_HASHES, value - 2 - sort), np.int64(1))
    _run(m, m32, g, g[i + 4] >> 32, g[i + 4] & 0xFFFFFFFF, row, top + 2)
    return _compare_values(m, g[i + 3], top, top + 2)


@jit
def _state_in_filter(m, m32, g, i, events, reals, e, buf, row, top):  # type: ignore[no-untyped-def]
    """A condition that looks at the customer, inside a filter."""
    if g[i] == OP_STATE:
        return _run(m, m32, g, g[i + 1], g[i + 2], row, top)
    return _with_state(m, m32, g, i, events, reals, e, buf, row, top)


@hot
def passes(m, m32, g, texts, consts, start, end, events, reals, e, buf, row):  # type: ignore[no-untyped-def]
    """Whether event row `e` of a customer passes the filter [start, end); an empty filter passes everything."""
    if start == end:
        return True
    if end - start == CODE_WORDS and g[start] >= OP_TEXT and g[start] < OP_STATE:
        return _field_leaf(g, texts, consts, start, events, reals, e, buf)
    top = L.R_STACK
    for i in range(start, end, CODE_WORDS):
        if g[i] >= OP_STATE:
            m[top] = 1 if _state_in_filter(m, m32, g, i, events, reals, e, buf, row, top) else 0
            top += 1
        elif g[i] >= OP_TEXT:
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


@inline
def _real(m, at):  # type: ignore[no-untyped-def]
    """The value at word `at` of the stack as a double, in units of one."""
    unit = m[at + 1]
    if unit == REAL:
        r = np.int64(m[at]).view(np.float64)
    else:
        r = np.float64(m[at]) / np.float64(unit)
    return r


@inline
def _set_value(m, at, number, unit):  # type: ignore[no-untyped-def]
    m[at] = number
    m[at + 1] = unit


@jit
def _push_attribute(m, g, text, sort, top):  # type: ignore[no-untyped-def]
    """An attribute (0: there is none) as a text, a number or an age, onto the stack."""
    if text == 0:
        return
    if sort == AS_NUMBER:
        is_number, value = attributes.number_of(m, text)
        if is_number:
            _set_value(m, top, np.float64(value).view(np.int64), np.int64(REAL))
    elif sort == AS_AGE:
        age = attributes.age_of(m, g, text, m[L.R_NOW])
        if age >= 0:
            _set_value(m, top, age, np.int64(1))
    else:
        _set_value(m, top, m[text + L.TEXT_HASH], np.int64(1))


@jit
def _push(m, m32, g, row, i, top):  # type: ignore[no-untyped-def]
    """A value that is read from the customer's windows, onto the stack. Returns the new top."""
    stay_apart()
    op = g[i]
    if op == OP_LOAD:
        _set_value(m, top, _load(m, m32, g, row, g[i + 1], g[i + 2]), g[i + 3])
        return top + 2
    m[top + 1] = MISSING
    if op == OP_TOP:
        group = find_group(m, m32, g, row, g[i + 1])
        text = top_of_group(m, m32, g, group, g[i + 2] >> 1, g[i + 2] & 1 != 0) if group != 0 else wide(0)
        if text != 0:
            _set_value(m, top, m[text + L.TEXT_HASH], np.int64(1))
        return top + 2
    if op == OP_ATTRIBUTE:
        _push_attribute(m, g, attributes.text_of_cell(m, m32, g, row, g[i + 1]), g[i + 2], top)
        return top + 2
    if op == OP_SCORE:
        at = assigned.deciding(m, m32, g, row, g[i + 1])
        if at != 0:
            _set_value(m, top, assigned.number_bits(m, m32, g, at), np.int64(REAL))
        return top + 2
    at = find_cell(m, m32, g, row, g[i + 1])
    if op == OP_DISTINCT:
        word = at + L.CELL_WINDOWS + g[i + 2] * L.WINDOW_WORDS
        count = wide(m32[word * 2]) << distinct.level_of(m32, g, at) if at != 0 else wide(0)
        _set_value(m, top, count, np.int64(1))
        return top + 2
    if at != 0:
        there, value = pick(m, m32, g, at, g[i + 2])
        if there and op == OP_PICK:
            _set_value(m, top, value, g[i + 3])
        elif there:
            _set_value(m, top, max(wide(0), m[L.R_NOW] - value), L.DAY_MS)
    return top + 2


@jit
def _divide(m, top):  # type: ignore[no-untyped-def]
    """The top two values a and b become a / b. Whole numbers are divided with one rounding."""
    a = top - 4
    b = top - 2
    if m[a + 1] == MISSING or m[b + 1] == MISSING or _real(m, b) == 0.0:
        m[a + 1] = MISSING
        return
    x = _real(m, a)
    y = _real(m, b)
    if m[a + 1] != REAL and m[b + 1] != REAL:
        common = np.gcd(m[a + 1], m[b + 1])
        up = m[b + 1] // common
        down = m[a + 1] // common
        if abs(m[a]) < WHOLE_MOST // up and abs(m[b]) < WHOLE_MOST // down:
            x = np.float64(m[a] * up)
            y = np.float64(m[b] * down)
    _set_value(m, a, np.float64(x / y).view(np.int64), REAL)


@jit
def _interval(m, top):  # type: ignore[no-untyped-def]
    """The top three values, last time, first time and count, become the mean gap in days."""
    last = top - 6
    n = m[top - 2]
    if m[last + 1] == MISSING or n < 2:
        m[last + 1] = MISSING
        return
    gap = np.float64(m[last] - m[top - 4]) / np.float64((n - 1) * L.DAY_MS)
    _set_value(m, last, np.float64(gap).view(np.int64), REAL)


@jit
def _compare_values(m, op, a, b):  # type: ignore[no-untyped-def]
    """Two values in different units: equal ones give equal doubles, for the division is rounded correctly."""
    if m[a + 1] == MISSING or m[b + 1] == MISSING:
        return False
    if m[a + 1] == m[b + 1] and m[a + 1] != REAL:
        return compare(op, m[a], m[b])
    return compare(op, _real(m, a), _real(m, b))


@jit
def _test(m, g, i, top):  # type: ignore[no-untyped-def]
    """A comparison of what is on the stack becomes its truth. Returns the new top."""
    op = g[i]
    at = top - 2
    r = m[at + 1] != MISSING
    if op == OP_COMPARE:
        at = top - 4
        r = _compare_values(m, g[i + 1], at, top - 2)
    elif op == OP_TEST:
        r = r and compare(g[i + 1], m[at], g[i + 2])
    elif op == OP_TEST_REAL:
        r = r and compare(g[i + 1], _real(m, at), np.int64(g[i + 2]).view(np.float64))
    m[at] = 1 if r else 0
    return at + 1


@jit
def time_of(m, m32, g, row, place):  # type: ignore[no-untyped-def]
    """Time of the newest event of a series (series << 16 | window), 0 if there was none."""
    at = find_cell(m, m32, g, row, place >> 16)
    if at == 0:
        return wide(0)
    return m[at + L.CELL_WINDOWS + (place & 0xFFFF) * L.WINDOW_WORDS]


@jit
def waiting_since(m, m32, g, row, i):  # type: ignore[no-untyped-def]
    """Time of the event that waits for another, by the instruction OP_ABSENT at `i`; 0 if none waits."""
    since = time_of(m, m32, g, row, g[i + 1])
    ended = time_of(m, m32, g, row, g[i + 2])
    return since if ended < since or (ended == since and g[i + 4] != 0) else wide(0)


@jit
def _state_leaf(m, m32, g, row, i):  # type: ignore[no-untyped-def]
    """A truth that is read from the customer's tags or sequences."""
    op = g[i]
    a = g[i + 1]
    b = g[i + 2]
    if op == OP_BEGINS:
        text = attributes.text_of_cell(m, m32, g, row, a)
        return text != 0 and held.begins(m, g, text, b, g[i + 3])
    if op == OP_TAG:
        at = assigned.deciding(m, m32, g, row, a)
        value = wide(m32[at * 2 + L.TAG_VALUE32]) if at != 0 else wide(0)
        if b == 0 or value == 0:
            return value != 0
        return (value == b) == (g[i + 3] == 0)
    if op == OP_ABSENT:
        since = waiting_since(m, m32, g, row, i)
        return since != 0 and m[L.R_NOW] >= since + g[i + 3]
    at = find_cell(m, m32, g, row, a)
    return at != 0 and m[at + L.CELL_WINDOWS + 1] != 0


@jit
def _calculate(m, g, i, top):  # type: ignore[no-untyped-def]
    """What makes one value of those on the stack. Returns the new top."""
    op = g[i]
    if op == OP_TREND:
        top -= 2
        m[top - 2] = 2 * m[top - 2] - m[top]
    elif op == OP_RATIO:
        _divide(m, top)
        top -= 2
    elif op == OP_NAMED:
        if m[top - 1] != MISSING:
            m[top - 2] = look(g, G.TEXT_HASHES, g[i + 1] + m[top - 2])
    else:
        _interval(m, top)
        top -= 4
    return top


@jit
def _run(m, m32, g, start, end, row, bottom):  # type: ignore[no-untyped-def]
    """Whether the condition [start, end) holds, of whatever instructions, on the stack from `bottom`.

    A program that ends with a value leaves it there, number and unit.
    """
    stay_apart()
    top = bottom
    for i in range(start, end, CODE_WORDS):
        op = g[i]
        if op == OP_WINDOW:
            value = _load(m, m32, g, row, g[i + 1], g[i + 2])
            m[top] = 1 if compare(g[i + 3], value, g[i + 4]) else 0
            top += 1
        elif op < OP_TEXT:
            top = _logic(m, g, i, top)
        elif op < OP_TREND:
            top = _push(m, m32, g, row, i, top)
        elif op < OP_TEST:
            top = _calculate(m, g, i, top)
        elif op < OP_TAG:
            top = _test(m, g, i, top)
        else:
            m[top] = 1 if _state_leaf(m, m32, g, row, i) else 0
            top += 1
    return m[bottom] != 0


@jit
def push_value(m, m32, g, start, end, row):  # type: ignore[no-untyped-def]
    """Leave the value of the program [start, end), number and unit, at the bottom of the stack."""
    _run(m, m32, g, start, end, row, L.R_STACK)


@jit
def stands(m, op, since, now):  # type: ignore[no-untyped-def]
    """Whether the time since an event, at `now`, compares by `op` with the value at the bottom of the stack."""
    at = L.R_STACK
    _set_value(m, at + 2, max(wide(0), now - since), L.DAY_MS)
    return _compare_values(m, op, at + 2, at)


@jit
def real_value(m):  # type: ignore[no-untyped-def]
    """(whether there is one, the double nearest to it) of the value at the bottom of the stack. Zero has no sign."""
    if m[L.R_STACK + 1] == MISSING:
        return False, 0.0
    return True, _real(m, L.R_STACK) + 0.0


@hot
def holds(m, m32, g, start, end, row):  # type: ignore[no-untyped-def]
    """Whether the condition [start, end) holds for the customer, as their windows stand at R_NOW."""
    if end - start == CODE_WORDS and g[start] == OP_WINDOW:
        return compare(g[start + 3], _load(m, m32, g, row, g[start + 1], g[start + 2]), g[start + 4])
    return _run(m, m32, g, start, end, row, L.R_STACK)
