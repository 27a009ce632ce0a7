"""A customer's attributes, as profile events set them: a text each, read as a number or a birthday where rules do.

Only attributes that rules name are kept, each in a cell of its own series.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import calendar, series, texts
from processors import layout as L
from processors.arena import wide
from processors.hashing import U, hash_bytes
from processors.jit import inline, jit

TEXT_SEED: Final = U(3)
"""Of the hashes of all texts that are only ever compared."""

MOST_DIGITS: Final = 15
"""Whole numbers of so many digits, and powers of ten up to the 22nd, are doubles: so one division rounds once."""
MOST_DECIMALS: Final = 9
EARLIEST_YEAR: Final = 1800
LATEST_YEAR: Final = 2200
NO_DATE: Final = -1 << 40

_MINUS: Final = 45
_DOT: Final = 46
_ZERO: Final = 48
_NINE: Final = 57
_T: Final = 84
_SPACE: Final = 32


@jit
def put(m, m32, g, row, sid, event_time, buf, p, n):  # type: ignore[no-untyped-def]
    """Set an attribute to the `n` bytes of `buf` at `p`, or remove it (n < 0), as of `event_time`.

    Returns whether that changed it: what an event says that is older than what is known does not.
    """
    at = series.find_group(m, m32, g, row, sid)
    if at == 0:
        at = series.add_cell(m, m32, g, row, sid)
    word = at + L.CELL_WINDOWS
    if event_time < m[word]:
        return False
    m[word] = event_time
    before = m[word + 1]
    text = wide(0)
    if n >= 0 and n <= texts.MAX_BYTES:
        hash64 = np.int64(hash_bytes(buf, p, n, TEXT_SEED))
        text = texts.find(m, hash64, buf, p, n)
        if text == 0:
            text = texts.make(m, hash64, buf, p, n)
        texts.hold(m, text)
    m[word + 1] = text
    if before != 0:
        texts.let_go(m, before)
    m32[row * 2 + L.ROW_CALM32] = 0
    return before != text


@jit
def text_of_cell(m, m32, g, row, sid):  # type: ignore[no-untyped-def]
    """The customer's attribute, a text; 0 if there is none."""
    at = series.find_group(m, m32, g, row, sid)
    if at == 0:
        return wide(0)
    return m[at + L.CELL_WINDOWS + 1]


@inline
def _digit(m, text, i):  # type: ignore[no-untyped-def]
    """The digit at byte `i`, -1 if there is none."""
    c = texts.byte_of(m, text, i) if i < m[text + L.TEXT_BYTES] else wide(0)
    return c - _ZERO if c >= _ZERO and c <= _NINE else wide(-1)


@jit
def number_of(m, text):  # type: ignore[no-untyped-def]
    """(whether a text is a number, the double nearest to it): up to 15 digits, of which up to 9 behind a point."""
    n = m[text + L.TEXT_BYTES]
    negative = n > 0 and texts.byte_of(m, text, 0) == _MINUS
    i = 1 if negative else 0
    digits = 0
    decimals = 0
    point = False
    whole = wide(0)
    divisor = 1.0
    while i < n:
        d = _digit(m, text, i)
        if d >= 0:
            whole = whole * 10 + d
            digits += 1
            if point:
                decimals += 1
                divisor *= 10.0
        elif texts.byte_of(m, text, i) == _DOT and not point and digits > 0:
            point = True
        else:
            return False, 0.0
        if digits > MOST_DIGITS:
            return False, 0.0
        i += 1
    if digits == 0 or decimals > MOST_DECIMALS or (point and decimals == 0):
        return False, 0.0
    value = np.float64(whole) / divisor
    return True, -value if negative else value


@jit
def _digits(m, text, start, n):  # type: ignore[no-untyped-def]
    """The number that `n` digits from byte `start` make, -1 if one is none."""
    value = wide(0)
    for i in range(start, start + n):
        d = _digit(m, text, i)
        if d < 0:
            return wide(-1)
        value = value * 10 + d
    return value


@jit
def _date_of(m, text):  # type: ignore[no-untyped-def]
    """(year, month, day) with which a text begins (YYYY-MM-DD, then T or a space); NO_DATE, 0, 0 if it does not."""
    n = m[text + L.TEXT_BYTES]
    year = _digits(m, text, 0, 4)
    month = _digits(m, text, 5, 2)
    day = _digits(m, text, 8, 2)
    well = n >= 10 and year >= EARLIEST_YEAR and year <= LATEST_YEAR and month >= 1 and month <= 12 and day >= 1
    if well:
        well = texts.byte_of(m, text, 4) == 45 and texts.byte_of(m, text, 7) == 45
    if well and n > 10:
        well = texts.byte_of(m, text, 10) == _T or texts.byte_of(m, text, 10) == _SPACE
    if well:
        following = calendar.day_number(year + month // 12, month % 12 + 1, 1)
        well = calendar.day_number(year, month, day) < following
    if not well:
        return wide(NO_DATE), wide(0), wide(0)
    return year, month, day


@jit
def birthday(m, g, text, age):  # type: ignore[no-untyped-def]
    """When (ms) one who was born on the date in a text becomes so old; the date must be one."""
    year, month, day = _date_of(m, text)
    return calendar.first_showing(g, calendar.day_number(year + age, month, day) * L.DAY_MS)


@jit
def age_of(m, g, text, now):  # type: ignore[no-untyped-def]
    """Whole years since the date with which a text begins; -1 if there is none, or it is yet to come."""
    year, _, _ = _date_of(m, text)
    if year == NO_DATE:
        return wide(-1)
    age = calendar.year_of(calendar.local(g, now) // L.DAY_MS) - year + 1
    while age >= 0 and birthday(m, g, text, age) > now:
        age -= 1
    return wide(max(-1, age))


@jit
def next_birthday(m, g, text, now):  # type: ignore[no-untyped-def]
    """The first birthday (ms) after `now`, birth included; FAR if the text is no date."""
    year, _, _ = _date_of(m, text)
    if year == NO_DATE:
        return L.FAR
    age = max(wide(0), calendar.year_of(calendar.local(g, now) // L.DAY_MS) - year - 1)
    while birthday(m, g, text, age) <= now:
        age += 1
    return birthday(m, g, text, age)
