"""The loops that write a step's output as Avro: parts copied from tables, and a few numbers (encode_tables.py).

Throughout, `t` and `texts` are the tables, `out` the bytes written and `p` the place of the next one. Bytes are indexed
by unsigned numbers: for a signed index Numba also compiles the case that it counts from the end, and LLVM then makes
eight loads or stores where one would do (ten times slower, measured on texts of 14 bytes).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors import assigned, customers, sets
from processors import encode_tables as T
from processors import evidence as why
from processors import layout as L
from processors.arena import wide
from processors.hashing import U
from processors.jit import hot, inline, jit
from processors.rules.program import look
from processors.step import COMMAND, COMMAND_KIND

# --- `at`: how far an encoding has come, and the stamp's three parts -------------------------------------------------
AT_DONE: Final = 0
"""Records written."""
AT_USED: Final = 1
"""Bytes written."""
AT_PLACE: Final = 2
"""Place of the next customer in `touched`."""
AT_STAMP_1: Final = 3
"""End of each part of the stamp: what is the same in all records of a step, as Avro."""
AT_STAMP_2: Final = 4
AT_STAMP_3: Final = 5
AT_NEEDED: Final = 6
"""Bytes that the sets and the evidence of the next record need beside what any record may."""
AT_WORDS: Final = 7

# --- rows of `spans`, one column for each record: places in `out` ----------------------------------------------------
KEY_START: Final = 0
KEY_END: Final = 1
VALUE_START: Final = 2
VALUE_END: Final = 3
SPAN_ROWS: Final = 4

_NULL: Final = 0
"""Branches of unions as Avro writes them: of what may be null; of values; of `cause`."""
_SOME: Final = 2
_BOOLEAN: Final = 2
_STRING: Final = 4
_EVENT: Final = 2
_TIME: Final = 4
_OP_ENTERED: Final = 0
_OP_CHANGED: Final = 1
_OP_LEFT: Final = 2
_BYTE: Final = U(255)
_LONG: Final = 10
"""Most bytes of a number of 64 bits in Avro."""
_CHANGE_NUMBER: Final = 6
"""Branch of a number in the values of a change, as Avro writes it; then that in the values of a Current."""
_ENTRY_NUMBER: Final = 4


@inline
def _load64(buf, p):  # type: ignore[no-untyped-def]
    """Eight bytes of `buf` at `p`, little-endian."""
    q = U(p)
    return (
        U(buf[q])
        | (U(buf[q + U(1)]) << U(8))
        | (U(buf[q + U(2)]) << U(16))
        | (U(buf[q + U(3)]) << U(24))
        | (U(buf[q + U(4)]) << U(32))
        | (U(buf[q + U(5)]) << U(40))
        | (U(buf[q + U(6)]) << U(48))
        | (U(buf[q + U(7)]) << U(56))
    )


@inline
def _store64(out, p, word):  # type: ignore[no-untyped-def]
    """Eight bytes of `out` at `p`, little-endian."""
    q = U(p)
    out[q] = word & _BYTE
    out[q + U(1)] = (word >> U(8)) & _BYTE
    out[q + U(2)] = (word >> U(16)) & _BYTE
    out[q + U(3)] = (word >> U(24)) & _BYTE
    out[q + U(4)] = (word >> U(32)) & _BYTE
    out[q + U(5)] = (word >> U(40)) & _BYTE
    out[q + U(6)] = (word >> U(48)) & _BYTE
    out[q + U(7)] = (word >> U(56)) & _BYTE


@hot
def _copy(src, start, end, out, p):  # type: ignore[no-untyped-def]
    """Write src[start:end]; OVERRUN more bytes may be read and written. Returns the place behind it."""
    for i in range(0, end - start, 8):
        _store64(out, p + i, _load64(src, start + i))
    return p + end - start


@hot
def _copy_exactly(src, start, end, out, p):  # type: ignore[no-untyped-def]
    """As `_copy`, from bytes that may end right behind `end`."""
    whole = start + ((end - start + 7) & ~7)
    if whole <= src.size:
        return _copy(src, start, end, out, p)
    for i in range(end - start):
        out[U(p + i)] = src[U(start + i)]
    return p + end - start


@hot
def _part(t, texts, table, i, out, p):  # type: ignore[no-untyped-def]
    """Write part `i` of a table. Returns the place behind it."""
    return _copy(texts, look(t, table, i), look(t, table, i + 1), out, p)


@hot
def _long(out, p, v):  # type: ignore[no-untyped-def]
    """Write a whole number (int64) as Avro does: zigzag, then seven bits a byte. Returns the place behind it."""
    rest = U((v << 1) ^ (v >> 63))
    while rest >= U(128):
        out[U(p)] = (rest & U(127)) | U(128)
        rest >>= U(7)
        p += 1
    out[U(p)] = rest
    return p + 1


@hot
def _digits(out, p, v):  # type: ignore[no-untyped-def]
    """Write a number from 0 to 2^63 - 1 in decimal. Returns the place behind it."""
    rest = U(v)
    n = 1
    limit = U(10)
    # 10^19 is the last power of ten below 2^64, and above any `v`
    while rest >= limit:
        limit *= U(10)
        n += 1
    for i in range(n - 1, -1, -1):
        out[U(p + i)] = U(48) + rest % U(10)
        rest //= U(10)
    return p + n


@hot
def _customer(touched, place, out, p):  # type: ignore[no-untyped-def]
    """Write the id of the customer at a place of `touched`. Returns (first byte of the id itself, place behind it)."""
    n = touched[place + L.TO_ID_BYTES]
    p = _long(out, p, n)
    for i in range(customers.id_words(n)):
        _store64(out, p + i * 8, U(touched[place + L.TO_ID + i]))
    return p, p + n


@hot
def _change_id(t, texts, seq, out, p):  # type: ignore[no-untyped-def]
    """Write the id of a change. Returns the place behind it."""
    # Below 64 bytes a length takes one byte, so it can be filled in afterwards.
    end = _part(t, texts, T.CHANGE_ID, 0, out, p + 1)
    end = _digits(out, end, seq)
    out[U(p)] = (end - p - 1) << 1
    return end


@hot
def _op(before, after):  # type: ignore[no-untyped-def]
    """Position of the op in `Op`, by the codes of the values."""
    if before == 0:
        return _OP_ENTERED
    return _OP_LEFT if after == 0 else _OP_CHANGED


@hot
def _cause(events, buf, event, effective_at, out, p):  # type: ignore[no-untyped-def]
    """Write `cause`: the event's id, or the timer's time. Returns the place behind it."""
    if event < 0:
        out[U(p)] = _TIME
        return _long(out, p + 1, effective_at)
    ref = events[event, L.EV_ID]
    start = ref >> 32
    n = ref & 0xFFFFFFFF
    out[U(p)] = _EVENT
    p = _long(out, p + 1, n)
    return _copy_exactly(buf, start, start + n, out, p)


@jit
def _text(m, text, out, p):  # type: ignore[no-untyped-def]
    """Write a text that a customer has. Returns the place behind it."""
    n = m[text + L.TEXT_BYTES]
    p = _long(out, p, n)
    for j in range((n + 7) >> 3):
        _store64(out, p + 8 * j, U(m[text + L.TEXT_WORDS + j]))
    return p + n


@jit
def _set_bytes(m, block):  # type: ignore[no-untyped-def]
    """Most bytes that a set takes, as an array of texts; 0 is no set."""
    n = 2 * _LONG
    if block != 0:
        for i in range(m[block + sets.SET_COUNT]):
            n += _LONG + 8 + m[m[block + sets.SET_KEYS + i] + L.TEXT_BYTES]
    return n


@jit
def _set(m, block, out, p):  # type: ignore[no-untyped-def]
    """Write a set as an array of texts. Returns the place behind it."""
    count = m[block + sets.SET_COUNT]
    p = _long(out, p, count)
    for i in range(count):
        p = _text(m, m[block + sets.SET_KEYS + i], out, p)
    out[U(p)] = 0
    return p + 1


@hot
def _number_or_set(m, kind, code, branch, out, p):  # type: ignore[no-untyped-def]
    """Write a number, whose branch in the union is `branch`, or a set, whose branch is the next one."""
    if kind == assigned.SCORE:
        out[U(p)] = branch
        _store64(out, p + 1, U(0 if code == assigned.NEGATIVE_ZERO else code))
        return p + T.NUMBER_BYTES
    out[U(p)] = branch + 2
    return _set(m, code, out, p + 1)


@hot
def _value(t, texts, m, tag, code, out, p):  # type: ignore[no-untyped-def]
    """Write `before` or `after` of a change. Returns the place behind it."""
    kind = look(t, T.TAG_KIND, tag)
    if kind == assigned.PLAIN or code == 0:
        return _part(t, texts, T.VALUE, look(t, T.FIRST_VALUE, tag) + code, out, p)
    return _number_or_set(m, kind, code, _CHANGE_NUMBER, out, p)


@jit
def _evidence_bytes(t, m, evidence, at):  # type: ignore[no-untyped-def]
    """Most bytes that the evidence at a place takes."""
    n = 2 * _LONG
    end = at + 1 + evidence[at] * why.ITEM_WORDS
    for p in range(at + 1, end, why.ITEM_WORDS):
        n += t[T.MOST_ITEM]
        if evidence[p + why.ITEM_KEY] != 0:
            n += m[evidence[p + why.ITEM_KEY] + L.TEXT_BYTES]
        for side in range(2):
            text = evidence[p + why.ITEM_VALUE + side]
            if text != 0 and look(t, T.SIDE_SORT, 2 * evidence[p + why.ITEM_CLAUSE] + side) == why.HELD:
                n += m[text + L.TEXT_BYTES]
    return n


@jit
def _side(t, texts, m, clause, side, word, out, p):  # type: ignore[no-untyped-def]
    """Write `value` (side 0) or `threshold` of an item of evidence. Returns the place behind it."""
    sort = look(t, T.SIDE_SORT, 2 * clause + side)
    if sort == why.NONE and side != 0:
        return _part(t, texts, T.THRESHOLD, clause, out, p)
    if sort == why.LEVEL:
        return _part(t, texts, T.VALUE, look(t, T.FIRST_VALUE, look(t, T.SIDE_TAG, 2 * clause + side)) + word, out, p)
    if sort == why.TRUTH:
        out[U(p)] = _BOOLEAN
        out[U(p + 1)] = word
        return p + 2
    if sort == why.NAMED and word == why.OTHER:
        return _part(t, texts, T.CONSTANT, look(t, T.FIRST_CONSTANT, t[T.CLAUSE_COUNT]), out, p)
    if sort == why.NAMED and word != 0:
        return _part(t, texts, T.CONSTANT, look(t, T.FIRST_CONSTANT, clause) + word - 1, out, p)
    if sort == why.HELD and word != 0:
        out[U(p)] = _STRING
        return _text(m, word, out, p + 1)
    if (sort == why.NUMBER or sort == why.WAITS) and word != why.NO_NUMBER:
        out[U(p)] = _CHANGE_NUMBER
        _store64(out, p + 1, U(word))
        return p + T.NUMBER_BYTES
    out[U(p)] = _NULL
    return p + 1


@hot
def _some_time(out, p, there, time):  # type: ignore[no-untyped-def]
    """Write a time, or null. Returns the place behind it."""
    if not there:
        out[U(p)] = _NULL
        return p + 1
    out[U(p)] = _SOME
    return _long(out, p + 1, time)


@jit
def _evidence(t, texts, m, evidence, at, effective_at, out, p):  # type: ignore[no-untyped-def]
    """Write the evidence at a place, 0 for none, as an array. Returns the place behind it."""
    if at != 0:
        p = _long(out, p, evidence[at])
        end = at + 1 + evidence[at] * why.ITEM_WORDS
        for i in range(at + 1, end, why.ITEM_WORDS):
            clause = evidence[i + why.ITEM_CLAUSE]
            p = _part(t, texts, T.CLAUSE, clause, out, p)
            key = evidence[i + why.ITEM_KEY]
            out[U(p)] = _NULL if key == 0 else _SOME
            p += 1
            if key != 0:
                p = _text(m, key, out, p)
            p = _side(t, texts, m, clause, 0, evidence[i + why.ITEM_VALUE], out, p)
            p = _side(t, texts, m, clause, 1, evidence[i + why.ITEM_THRESHOLD], out, p)
            window = look(t, T.WINDOW_MS, clause)
            pane = look(t, T.PANE_MS, clause)
            p = _some_time(out, p, window > 0, (effective_at - window) // pane * pane)
            p = _some_time(out, p, window != T.NO_WINDOW, effective_at)
    out[U(p)] = 0
    return p + 1


@hot
def _flip(t, texts, flip, out, p):  # type: ignore[no-untyped-def]
    """Write `next_flip_at`. Returns the place behind it."""
    if flip > 0:
        return _some_time(out, p, True, flip)
    return _part(t, texts, T.FLIP, -flip, out, p)


@hot
def _origin(events, event):  # type: ignore[no-untyped-def]
    """Number of the part that says what brought a change about."""
    if event < 0:
        return 0
    if events[event, L.EV_TYPE] != COMMAND:
        return 1
    kind = events[event, L.EV_FIELDS + COMMAND_KIND]
    if kind == assigned.ERASE:
        return 4
    return 3 if kind == assigned.BY_MODEL else 2


@jit
def encode_changes(  # type: ignore[no-untyped-def]
    t, texts, stamp, m, changes, touched, evidence, events, buf, out, spans, at
):
    """Write `changes`, from record at[AT_DONE] on; `events` and `buf` are those that were decoded, `m` the memory.

    The stamp's parts: emitted_at; rule_version and epoch; run_id. Returns False where `out` has no room for the longest
    change: it is to be made larger, keeping its bytes, and the function called again.
    """
    p = at[AT_USED]
    for c in range(at[AT_DONE], changes.shape[0]):
        tag = changes[c, L.CH_TAG]
        before = changes[c, L.CH_BEFORE]
        after = changes[c, L.CH_AFTER]
        at[AT_NEEDED] = 0
        if look(t, T.TAG_KIND, tag) == assigned.SET:
            at[AT_NEEDED] = _set_bytes(m, before) + _set_bytes(m, after)
        if changes[c, L.CH_EVIDENCE] != 0:
            at[AT_NEEDED] += _evidence_bytes(t, m, evidence, changes[c, L.CH_EVIDENCE])
        if p + t[T.MOST_CHANGE] + at[AT_NEEDED] + stamp.size > out.size:
            at[AT_USED] = p
            at[AT_DONE] = c
            return False
        op = _op(before, after)
        event = changes[c, L.CH_EVENT]
        spans[VALUE_START, c] = p
        p = _part(t, texts, T.CHANGE_HEAD, 0, out, p)
        p = _change_id(t, texts, changes[c, L.CH_SEQ], out, p)
        p = _part(t, texts, T.CHANGE_TYPE, op, out, p)
        spans[KEY_START, c], p = _customer(touched, changes[c, L.CH_CUSTOMER], out, p)
        spans[KEY_END, c] = p
        p = _part(t, texts, T.TAG, tag, out, p)
        p = _part(t, texts, T.CHANGE_OP, op, out, p)
        p = _value(t, texts, m, tag, before, out, p)
        p = _value(t, texts, m, tag, after, out, p)
        p = _long(out, p, changes[c, L.CH_AT])
        p = _copy(stamp, 0, at[AT_STAMP_1], out, p)
        p = _long(out, p, changes[c, L.CH_SEQ])
        p = _long(out, p, changes[c, L.CH_PREV])
        p = _copy(stamp, at[AT_STAMP_1], at[AT_STAMP_2], out, p)
        p = _part(t, texts, T.CHANGE_ORIGIN, _origin(events, event), out, p)
        p = _copy(stamp, at[AT_STAMP_2], at[AT_STAMP_3], out, p)
        p = _cause(events, buf, event, changes[c, L.CH_AT], out, p)
        p = _part(t, texts, T.GROUP, changes[c, L.CH_GROUP], out, p)
        p = _evidence(t, texts, m, evidence, changes[c, L.CH_EVIDENCE], changes[c, L.CH_AT], out, p)
        p = _flip(t, texts, changes[c, L.CH_FLIP], out, p)
        spans[VALUE_END, c] = p
    at[AT_USED] = p
    at[AT_DONE] = changes.shape[0]
    return True


@hot
def _code(t, m, m32, place, tag, is_assigned):  # type: ignore[no-untyped-def]
    """Code of the value in an entry, 0 if there is none."""
    code = wide(m32[place * 2 + L.TAG_VALUE32])
    kind = look(t, T.TAG_KIND, tag)
    if code == 0 or kind == assigned.PLAIN:
        return code
    if kind == assigned.SCORE:
        code = m[place + (L.ASSIGNED_NUMBER if is_assigned else L.TAG_NUMBER)]
        return wide(assigned.NEGATIVE_ZERO) if code == 0 else code
    return wide(m32[place * 2 + L.TAG_SET32])


@jit
def _mask(t, m, m32, row, marks, owner):  # type: ignore[no-untyped-def]
    """Put what people (owner 1) or models (2) say in the place of what was noted beneath it."""
    codes = (t[T.TAG_COUNT] >> 6) + 1
    place = wide(m32[row * 2 + L.ROW_TAGS32])
    end = place + m32[row * 2 + L.ROW_TAGS_USED32]
    while place < end:
        index = wide(m32[place * 2 + L.TAG_INDEX32])
        tag = index % t[T.TAG_COUNT]
        if index // t[T.TAG_COUNT] == owner:
            code = _code(t, m, m32, place, tag, True)
            marks[codes + tag] = code
            marks[tag >> 6] |= np.int64(1) << (tag & 63)
            if code == 0:
                marks[tag >> 6] ^= np.int64(1) << (tag & 63)
        place += look(t, T.TAG_WORDS, index)


@hot
def _collect(t, m, m32, row, marks):  # type: ignore[no-untyped-def]
    """Note the tags that a customer has: a bit for each, and behind the bits, by tag, its value's code.

    Returns the most bytes that sets among them take.
    """
    codes = (t[T.TAG_COUNT] >> 6) + 1
    place = wide(m32[row * 2 + L.ROW_TAGS32])
    end = place + m32[row * 2 + L.ROW_TAGS_USED32]
    bytes_of_sets = 0
    while place < end:
        index = wide(m32[place * 2 + L.TAG_INDEX32])
        if index < t[T.TAG_COUNT]:
            code = _code(t, m, m32, place, index, False)
            if code != 0:
                marks[index >> 6] |= np.int64(1) << (index & 63)
                marks[codes + index] = code
                if look(t, T.TAG_KIND, index) == assigned.SET:
                    bytes_of_sets += _set_bytes(m, code)
        place += look(t, T.TAG_WORDS, index)
    if m32[row * 2 + L.ROW_ASSIGNED32] != 0:
        _mask(t, m, m32, row, marks, 2)
        _mask(t, m, m32, row, marks, 1)
    return bytes_of_sets


@hot
def _entry(t, texts, m, tag, code, out, p):  # type: ignore[no-untyped-def]
    """Write an item of `tags`. Returns the place behind it."""
    kind = look(t, T.TAG_KIND, tag)
    if kind == assigned.PLAIN:
        return _part(t, texts, T.ENTRY, look(t, T.FIRST_VALUE, tag) + code, out, p)
    p = _part(t, texts, T.ENTRY_HEAD, tag, out, p)
    return _number_or_set(m, kind, code, _ENTRY_NUMBER, out, p)


@hot
def _count_marks(t, marks):  # type: ignore[no-untyped-def]
    """How many bits are set."""
    found = 0
    for w in range((t[T.TAG_COUNT] >> 6) + 1):
        bits = U(marks[w])
        while bits != U(0):
            bits &= bits - U(1)
            found += 1
    return found


@hot
def _forget(t, marks):  # type: ignore[no-untyped-def]
    """Clear the bits."""
    for w in range((t[T.TAG_COUNT] >> 6) + 1):
        marks[w] = 0


@hot
def _entries(t, texts, m, marks, found, out, p):  # type: ignore[no-untyped-def]
    """Write the `found` tags that `_collect` noted, in order, and clear the bits. Returns the place behind them."""
    codes = (t[T.TAG_COUNT] >> 6) + 1
    w = 0
    while found > 0:
        bits = U(marks[w])
        marks[w] = 0
        tag = w << 6
        while bits != U(0):
            if bits & U(0xFF) == U(0):
                bits >>= U(8)
                tag += 8
                continue
            if bits & U(1) != U(0):
                p = _entry(t, texts, m, tag, marks[codes + tag], out, p)
                found -= 1
            bits >>= U(1)
            tag += 1
        w += 1
    return p


@jit
def _rest_of_current(t, texts, stamp, m, seq, row, marks, out, p, at):  # type: ignore[no-untyped-def]
    """Write what stands behind the customer's id. Returns the place behind it."""
    p = _copy(stamp, 0, at[AT_STAMP_1], out, p)
    p = _long(out, p, seq)
    p = _copy(stamp, at[AT_STAMP_1], at[AT_STAMP_2], out, p)
    found = _count_marks(t, marks) if row != 0 else 0
    if found > 0:
        p = _long(out, p, np.int64(found))
        p = _entries(t, texts, m, marks, found, out, p)
    # an array ends with an empty block
    out[U(p)] = 0
    return p + 1


@jit
def encode_current(t, texts, stamp, m, m32, touched, marks, out, spans, at):  # type: ignore[no-untyped-def]
    """Write all tags of each customer of `touched`, from at[AT_PLACE] on, as record at[AT_DONE] and those that follow.
    Of one who was erased nothing is written but the key; the value ends where it starts.

    The stamp's parts: partition and epoch; clock and rule_version; nothing. `marks` is work space: a bit for each tag,
    all clear, then a word for each. Returns False where `out` has no room, as `encode_changes`.
    """
    p = at[AT_USED]
    c = at[AT_DONE]
    place = at[AT_PLACE]
    is_whole = True
    while place < touched.size:
        row = touched[place + L.TO_ROW]
        at[AT_NEEDED] = _collect(t, m, m32, row, marks) if row > 0 else 0
        if p + t[T.MOST_CURRENT] + at[AT_NEEDED] + stamp.size > out.size:
            _forget(t, marks)
            is_whole = False
            break
        spans[VALUE_START, c] = p
        p = _part(t, texts, T.CURRENT_HEAD, 0, out, p)
        spans[KEY_START, c], p = _customer(touched, place, out, p)
        spans[KEY_END, c] = p
        if row == L.ERASED:
            spans[VALUE_START, c] = p
        else:
            p = _rest_of_current(t, texts, stamp, m, touched[place + L.TO_SEQ], row, marks, out, p, at)
        spans[VALUE_END, c] = p
        place += L.TO_ID + customers.id_words(touched[place + L.TO_ID_BYTES])
        c += 1
    at[AT_USED] = p
    at[AT_DONE] = c
    at[AT_PLACE] = place
    return is_whole
