"""Payloads to decoded rows: one pass over the concatenated payloads of a step, by the plan of each writer's schema.

Each record must consume exactly its own bytes; no length is believed before it is checked against the payload's end.
What a plan cannot do is marked (NEEDS_…) for the caller, who replaces the payload by one of our own schema and decodes
that row again. fastavro is the judge of this code in the tests.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from processors import decode_plan as P
from processors import layout as L
from processors.dedupe import event_hash
from processors.hashing import U, hash_bytes, load32, load64
from processors.jit import hot, inline, jit
from schemas.bounds import MAX_VALUES
from schemas.events import EVENT_TYPES, FIELDS, KINDS, MAX_ID_BYTES
from schemas.outcomes import Dead

I64 = NDArray[np.int64]

_UNKNOWN_SCHEMA: Final = int(Dead.UNKNOWN_SCHEMA)
_WRONG_TYPE_FOR_TOPIC: Final = int(Dead.WRONG_TYPE_FOR_TOPIC)
_TRUNCATED: Final = int(Dead.TRUNCATED)
_TRAILING_BYTES: Final = int(Dead.TRAILING_BYTES)
_BAD_LENGTH: Final = int(Dead.BAD_LENGTH)
_BAD_VARINT: Final = int(Dead.BAD_VARINT)
_NOT_UTF8: Final = int(Dead.NOT_UTF8)
_NOT_A_NUMBER: Final = int(Dead.NOT_A_NUMBER)
_OUT_OF_RANGE: Final = int(Dead.OUT_OF_RANGE)
_MISSING_FIELD: Final = int(Dead.MISSING_FIELD)
_EMPTY_ID: Final = int(Dead.EMPTY_ID)
_LONG_ID: Final = int(Dead.LONG_ID)
_RESERVED_ID: Final = int(Dead.RESERVED_ID)
_UNKNOWN_KIND: Final = int(Dead.UNKNOWN_KIND)

ANY_TYPE: Final = -1
"""Expected type of a source that carries events of all types."""
SLOW: Final = -1
"""Plan of a known schema that only fastavro can read."""
_AT_SIGN: Final = 64
_HIGH_BITS: Final = U(0x8080808080808080)
_SEEN_ID: Final = 1
_SEEN_CUSTOMER: Final = 2
_SEEN_TIME: Final = 4


class Tables(NamedTuple):
    """Everything that decoding looks up. Plans are numbered; `plan_ops[i] : plan_ops[i + 1]` is plan i's operations."""

    fingerprints: NDArray[np.uint64]
    """CRC-64-AVRO of the known writers' schemas, and the plan of each (SLOW if none)."""
    fingerprint_plan: I64
    ids: I64
    """Confluent schema ids, and the plan of each."""
    id_plan: I64
    plan_type: I64
    plan_ops: I64
    ops: I64
    kinds: I64
    source_type: I64
    """Expected event type of each source, ANY_TYPE for events.moved."""
    low: NDArray[np.float64]
    """Least and greatest value of each field, event types x 10."""
    high: NDArray[np.float64]
    kind_texts: NDArray[np.uint8]
    """Names of kinds as text; `kind_text_at[kind_first[type] + code]` is where one begins."""
    kind_text_at: I64
    kind_first: I64
    kind_field: I64
    """Position of `kind` among the fields of each event type, -1 if it has none."""


def field_limits() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Least and greatest values by event type and field."""
    low = np.full((len(EVENT_TYPES), L.EV_WORDS - L.EV_FIELDS), -np.inf)
    high = -low
    for t, event in enumerate(EVENT_TYPES):
        for i, f in enumerate(FIELDS[event]):
            if f.low is not None:
                low[t, i] = f.low
            if f.high is not None:
                high[t, i] = f.high
    return low, high


def kind_tables() -> tuple[NDArray[np.uint8], I64, I64, I64]:
    """(texts, starts, first of each type, field of each type) of the kinds."""
    names = [k.encode() for event in EVENT_TYPES for k in KINDS.get(event, ())]
    starts = np.concatenate([[0], np.cumsum([len(n) for n in names])]).astype(np.int64)
    first = np.concatenate([[0], np.cumsum([len(KINDS.get(e, ())) for e in EVENT_TYPES])]).astype(np.int64)
    field = [next((i for i, f in enumerate(FIELDS[e]) if f.kind == "kind"), -1) for e in EVENT_TYPES]
    return np.frombuffer(b"".join(names), np.uint8).copy(), starts, first, np.array(field, np.int64)


@inline
def varint(buf, p, end):  # type: ignore[no-untyped-def]
    """A zigzag integer at `p`. Returns (value, position behind it, error or 0)."""
    r = U(0)
    shift = U(0)
    error = _TRUNCATED
    while p < end:
        b = U(buf[p])
        p += 1
        r |= (b & U(127)) << shift
        if b < U(128):
            error = 0
            break
        shift += U(7)
        if shift >= U(63) and (shift > U(63) or (p < end and buf[p] > 1)):
            # more than ten bytes, or a tenth one with more than the last of 64 bits
            error = _BAD_VARINT
            break
    return np.int64(r >> U(1)) ^ -np.int64(r & U(1)), p, error


@jit
def _utf8(buf, p, end):  # type: ignore[no-untyped-def]
    """Whether [p, end) is UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF)."""
    while p < end:
        if p + 8 <= end and load64(buf, p) & _HIGH_BITS == U(0):
            p += 8
            continue
        b = np.int64(buf[p])
        p += 1
        if b < 0x80:
            continue
        least = 0x80
        most = 0xBF
        if 0xC2 <= b <= 0xDF:
            more = 1
        elif 0xE0 <= b <= 0xEF:
            more = 2
            if b == 0xE0:
                least = 0xA0
            elif b == 0xED:
                most = 0x9F
        elif 0xF0 <= b <= 0xF4:
            more = 3
            if b == 0xF0:
                least = 0x90
            elif b == 0xF4:
                most = 0x8F
        else:
            return False
        for _ in range(more):
            if p >= end or buf[p] < least or buf[p] > most:
                return False
            least = 0x80
            most = 0xBF
            p += 1
    return True


@jit
def _skip_map(buf, p, end, null_branch):  # type: ignore[no-untyped-def]
    """Read over a map of texts (or null). Returns (position, error or 0)."""
    while True:
        n, p, error = varint(buf, p, end)
        if error != 0 or n == 0:
            return p, error
        block_end = np.int64(-1)
        if n < 0:
            n = -n
            size, p, error = varint(buf, p, end)
            if error == 0 and (size < 0 or size > end - p):
                error = _BAD_LENGTH
            if error != 0:
                return p, error
            block_end = p + size
        if n < 0 or n > MAX_VALUES:
            return p, _BAD_LENGTH
        for _ in range(n):
            length, p, error = varint(buf, p, end)
            if error == 0 and (length < 0 or length > end - p):
                error = _BAD_LENGTH
            if error != 0:
                return p, error
            if not _utf8(buf, p, p + length):
                return p, _NOT_UTF8
            p += length
            if null_branch >= 0:
                branch, p, error = varint(buf, p, end)
                if error == 0 and branch != 0 and branch != 1:
                    error = _BAD_VARINT
                if error != 0:
                    return p, error
                if branch == null_branch:
                    continue
            length, p, error = varint(buf, p, end)
            if error == 0 and (length < 0 or length > end - p):
                error = _BAD_LENGTH
            if error != 0:
                return p, error
            if not _utf8(buf, p, p + length):
                return p, _NOT_UTF8
            p += length
        if block_end >= 0 and p != block_end:
            # readers that skip a block go by its size: one that lies would be read differently by each
            return p, _BAD_LENGTH


@hot
def _check_id(buf, p, n):  # type: ignore[no-untyped-def]
    """What is wrong with an id, or 0."""
    if n == 0:
        return _EMPTY_ID
    if n > MAX_ID_BYTES:
        return _LONG_ID
    if buf[p] == _AT_SIGN:
        return _RESERVED_ID
    return 0


@jit
def _kind_of_text(tb, event_type, buf, p, n):  # type: ignore[no-untyped-def]
    """Code of a kind given as text, UNKNOWN_KIND if there is none such."""
    for i in range(tb.kind_first[event_type], tb.kind_first[event_type + 1]):
        at = tb.kind_text_at[i]
        if tb.kind_text_at[i + 1] - at == n:
            same = True
            for j in range(n):
                if tb.kind_texts[at + j] != buf[p + j]:
                    same = False
                    break
            if same:
                return i - tb.kind_first[event_type]
    return P.UNKNOWN_KIND


@hot
def _text(tb, op, a, event_type, buf, p, n, events, e):  # type: ignore[no-untyped-def]
    """Store a text of `n` bytes at `p`. Returns an error or 0."""
    if op == P.OP_SKIP_BYTES:
        return 0
    if not _utf8(buf, p, p + n):
        return _NOT_UTF8
    if op == P.OP_SKIP_TEXT:
        return 0
    ref = (np.int64(p) << 32) | n
    if op == P.OP_TEXT:
        events[e, L.EV_FIELDS + a] = ref
        events[e, L.EV_PRESENT] |= np.int64(1) << a
        return 0
    if op == P.OP_TEXT_KIND:
        code = _kind_of_text(tb, event_type, buf, p, n)
        events[e, L.EV_FIELDS + a] = code
        return _UNKNOWN_KIND if code == P.UNKNOWN_KIND else 0
    if op == P.OP_EVENT_ID:
        events[e, L.EV_ID] = ref
        if n > 0:
            events[e, L.EV_ID_HASH] = np.int64(event_hash(buf, p, n, event_type))
    else:
        events[e, L.EV_CUSTOMER] = ref
        events[e, L.EV_CUSTOMER_HASH] = np.int64(hash_bytes(buf, p, n, U(0)))
    return _check_id(buf, p, n)


@hot
def _long(tb, op, a, b, c, kinds, event_type, v, events, reals, e):  # type: ignore[no-untyped-def]
    """Store a whole number `v`. Returns an error or 0."""
    if op == P.OP_SKIP_LONG:
        return 0
    if op == P.OP_SKIP_ENUM:
        return 0 if 0 <= v < a else _UNKNOWN_KIND
    if op == P.OP_EVENT_TIME:
        events[e, L.EV_TIME] = v // b
        return 0
    if op == P.OP_ENUM_KIND:
        if v < 0 or v >= c:
            return _UNKNOWN_KIND
        events[e, L.EV_FIELDS + a] = kinds[b + v]
        return _UNKNOWN_KIND if kinds[b + v] == P.UNKNOWN_KIND else 0
    if op == P.OP_LONG_TO_REAL:
        reals[e, L.EV_FIELDS + a] = np.float64(v)
    else:
        events[e, L.EV_FIELDS + a] = v // b
    events[e, L.EV_PRESENT] |= np.int64(1) << a
    if v < tb.low[event_type, a] or v > tb.high[event_type, a]:
        return _OUT_OF_RANGE
    return 0


@inline
def _double_bits(f):  # type: ignore[no-untyped-def]
    """The bits (uint64) of the double that equals the float of bits `f` (IEEE 754)."""
    sign = (f >> U(31)) << U(63)
    exponent = (f >> U(23)) & U(0xFF)
    mantissa = f & U(0x7FFFFF)
    if exponent == U(0xFF):
        exponent = U(0x7FF)
    elif exponent != U(0):
        exponent += U(1023 - 127)
    elif mantissa != U(0):
        # subnormal: shift until the leading one is implicit
        exponent = U(1023 - 126)
        while mantissa & U(0x800000) == U(0):
            mantissa <<= U(1)
            exponent -= U(1)
        mantissa &= U(0x7FFFFF)
    return sign | (exponent << U(52)) | (mantissa << U(29))


@hot
def _real(tb, op, a, event_type, buf, p, events, reals, e):  # type: ignore[no-untyped-def]
    """Store a float (4 bytes) or double (8) at `p`. Returns an error or 0."""
    if op == P.OP_FLOAT:
        events[e, L.EV_FIELDS + a] = np.int64(_double_bits(load32(buf, p)))
    else:
        events[e, L.EV_FIELDS + a] = np.int64(load64(buf, p))
    v = reals[e, L.EV_FIELDS + a]
    if not np.isfinite(v):
        return _NOT_A_NUMBER
    events[e, L.EV_PRESENT] |= np.int64(1) << a
    if v < tb.low[event_type, a] or v > tb.high[event_type, a]:
        return _OUT_OF_RANGE
    return 0


@jit
def _body(tb, plan, buf, p, end, events, reals, e):  # type: ignore[no-untyped-def]
    """Decode one record [p, end) by its plan. Returns an error or 0."""
    event_type = tb.plan_type[plan]
    seen = 0
    i = tb.plan_ops[plan]
    last = tb.plan_ops[plan + 1]
    while i < last:
        op = tb.ops[i, 0]
        a = tb.ops[i, 1]
        i += 1
        error = 0
        if op == P.OP_NULLABLE:
            branch, p, error = varint(buf, p, end)
            if error == 0 and branch != 0 and branch != 1:
                error = _BAD_VARINT
            if branch == a:
                i += 1
        elif (
            op == P.OP_TEXT
            or op == P.OP_EVENT_ID
            or op == P.OP_CUSTOMER
            or op == P.OP_TEXT_KIND
            or op == P.OP_SKIP_BYTES
            or op == P.OP_SKIP_TEXT
        ):
            n, p, error = varint(buf, p, end)
            if error == 0 and (n < 0 or n > end - p):
                error = _BAD_LENGTH
            if error == 0:
                error = _text(tb, op, a, event_type, buf, p, n, events, e)
                seen |= _SEEN_ID if op == P.OP_EVENT_ID else _SEEN_CUSTOMER if op == P.OP_CUSTOMER else 0
                p += n
        elif op == P.OP_DOUBLE or op == P.OP_FLOAT or op == P.OP_SKIP_FIXED or op == P.OP_BOOLEAN:
            size = a if op == P.OP_SKIP_FIXED else 8 if op == P.OP_DOUBLE else 4 if op == P.OP_FLOAT else 1
            if size > end - p:
                return _TRUNCATED
            if op == P.OP_BOOLEAN:
                error = _BAD_VARINT if buf[p] > 1 else 0
            elif op != P.OP_SKIP_FIXED:
                error = _real(tb, op, a, event_type, buf, p, events, reals, e)
            p += size
        elif op == P.OP_SKIP_MAP or op == P.OP_ATTRIBUTES:
            start = p
            p, error = _skip_map(buf, p, end, a)
            if op == P.OP_ATTRIBUTES:
                events[e, L.EV_FIELDS] = (np.int64(start) << 32) | (p - start)
                events[e, L.EV_FIELDS + 1] = a
                events[e, L.EV_PRESENT] |= 1
        else:
            v, p, error = varint(buf, p, end)
            if error == 0:
                error = _long(tb, op, a, tb.ops[i - 1, 2], tb.ops[i - 1, 3], tb.kinds, event_type, v, events, reals, e)
                seen |= _SEEN_TIME if op == P.OP_EVENT_TIME else 0
        if error != 0:
            return error
    if p != end:
        return _TRAILING_BYTES
    if seen != _SEEN_ID | _SEEN_CUSTOMER | _SEEN_TIME:
        return _MISSING_FIELD
    return 0


@inline
def _find_plan(keys, plans, key):  # type: ignore[no-untyped-def]
    """Plan of a known key, or NEEDS_SCHEMA. There are few, and the first is the commonest."""
    found = L.NEEDS_SCHEMA
    for i in range(keys.size):
        if keys[i] == key:
            found = plans[i]
            break
    return found


@jit
def _record(tb, buf, p, end, events, reals, e):  # type: ignore[no-untyped-def]
    """Decode the payload [p, end) into row `e`. Returns 0, a `Dead` number or a NEEDS_ code."""
    if p == end:
        return _TRUNCATED
    first = buf[p]
    if first == 123:
        return L.NEEDS_JSON
    if first == 0xC3 and end - p > 1 and buf[p + 1] == 1:
        if end - p < 10:
            return _TRUNCATED
        plan = _find_plan(tb.fingerprints, tb.fingerprint_plan, load64(buf, p + 2))
        p += 10
    elif first == 0:
        if end - p < 5:
            return _TRUNCATED
        key = np.int64(0)
        for i in range(1, 5):
            key = (key << 8) | np.int64(buf[p + i])
        plan = _find_plan(tb.ids, tb.id_plan, key)
        p += 5
    else:
        return _UNKNOWN_SCHEMA
    if plan == L.NEEDS_SCHEMA:
        return L.NEEDS_SCHEMA
    if plan == SLOW:
        return L.NEEDS_SLOW
    event_type = tb.plan_type[plan]
    expected = tb.source_type[events[e, L.EV_SOURCE]]
    if expected != ANY_TYPE and expected != event_type:
        return _WRONG_TYPE_FOR_TOPIC
    events[e, L.EV_TYPE] = event_type
    kind = tb.kind_field[event_type]
    if kind >= 0:
        events[e, L.EV_FIELDS + kind] = 0
        events[e, L.EV_PRESENT] = np.int64(1) << kind
    return _body(tb, plan, buf, p, end, events, reals, e)


@jit
def decode(tb, buf, starts, ends, which, events, reals):  # type: ignore[no-untyped-def]
    """Decode payloads [starts[e], ends[e]) of `buf` into rows `e` of `events`, for each e of `which`.

    A start of -1 is a tombstone. EV_ARRIVAL, EV_OFFSET and EV_SOURCE are the caller's. Each row's EV_CODE tells what
    came of it. Returns how many rows need the caller's help.
    """
    helpless = 0
    for i in range(which.size):
        e = which[i]
        events[e, L.EV_PRESENT] = 0
        events[e, L.EV_TYPE] = -1
        code = L.CODE_TOMBSTONE
        if starts[e] >= 0:
            code = _record(tb, buf, starts[e], ends[e], events, reals, e)
        events[e, L.EV_CODE] = code
        if code < L.CODE_TOMBSTONE:
            helpless += 1
    return helpless
