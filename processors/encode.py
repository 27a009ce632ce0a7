"""One step's output as Avro records of `tags.changes` and `tags.current`, written by compiled loops.

Byte for byte what `Change.to_avro` and `Current.to_avro` (schemas/records.py) write, which take some 15 us a record.
All that does not change from record to record (names, values, framing) stands ready-made in one array of bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, get_args

import fastavro
import numpy as np
from numpy.typing import NDArray

from processors import layout as L
from processors.arena import wide
from processors.changes import tag_values
from processors.customers import id_words
from processors.decoder import Decoded
from processors.hashing import U
from processors.jit import hot, jit
from processors.partition import StepOutput
from processors.rules.compile import is_timed
from processors.rules.program import I64
from processors.rules.tree import RuleSet
from schemas.events import MAX_ID_BYTES
from schemas.records import SOURCE, SPECVERSION, Op
from schemas.registry import SCHEMAS

U8 = NDArray[np.uint8]

_OPS: Final[tuple[Op, ...]] = get_args(Op)
_LIVE: Final = 0
_TIMER: Final = 1
"""Symbols of Origin, in the order of the schema."""

# Places in `at`, the first byte of each ready-made piece; a piece ends where the next begins.
_CHANGE_HEAD: Final = 0
"""Frame and specversion."""
_ID_PREFIX: Final = 1
"""`<partition>-`, without a length."""
_SOURCE: Final = 2
_TYPE: Final = 3
"""Three pieces, by op."""
_VERSION: Final = 6
_RUN_ID: Final = 7
_CURRENT_HEAD: Final = 8
_PIECES: Final = 9
"""From here on, for each tag: its name, then per value code its value in a change, then per code in tags.current."""

_LONG_BYTES: Final = 10
"""Most bytes of a varint."""
_NUMBERS: Final = 9
"""Longs in a change: two times, two seqs, epoch, cause_time, three lengths."""


def _avro(schema: Any, value: Any) -> bytes:
    """One value of a schema, without frame."""
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


def _field(schema: str, name: str) -> Any:
    """The schema of a field of one of our records."""
    return next(f["type"] for f in SCHEMAS[schema].raw["fields"] if f["name"] == name)


# ---------------------------------------------------------------------------------------------------- compiled loops


@hot
def _long(buf, p, v):  # type: ignore[no-untyped-def]
    """A zigzag varint at `p`. Returns the position behind it."""
    u = (U(v) << U(1)) ^ U(v >> 63)
    while u >= U(128):
        buf[p] = (u & U(127)) | U(128)
        u >>= U(7)
        p += 1
    buf[p] = u
    return p + 1


@hot
def _piece(buf, p, t8, at, i):  # type: ignore[no-untyped-def]
    """A ready-made piece."""
    for k in range(at[i], at[i + 1]):
        buf[p] = t8[k]
        p += 1
    return p


@hot
def _digits(v):  # type: ignore[no-untyped-def]
    """How many decimal digits a number that is not negative has."""
    n = 1
    while v >= 10:
        v //= 10
        n += 1
    return n


@hot
def _change_id(buf, p, t8, at, seq):  # type: ignore[no-untyped-def]
    """The text `<partition>-<seq>`."""
    n = _digits(seq)
    p = _long(buf, p, at[_ID_PREFIX + 1] - at[_ID_PREFIX] + n)
    p = _piece(buf, p, t8, at, _ID_PREFIX)
    for k in range(n - 1, -1, -1):
        buf[p + k] = 48 + seq % 10
        seq //= 10
    return p + n


@hot
def _customer(buf, p, touched, place):  # type: ignore[no-untyped-def]
    """The customer's id, without its length."""
    for k in range(touched[place + L.TO_ID_BYTES]):
        buf[p] = (touched[place + L.TO_ID + (k >> 3)] >> ((k & 7) << 3)) & 255
        p += 1
    return p


@hot
def _key(buf, p, touched, place, places, i):  # type: ignore[no-untyped-def]
    """The record's key, and where its value begins."""
    places[i, 0] = p
    p = _customer(buf, p, touched, place)
    places[i, 1] = p
    places[i, 2] = p
    return p


@hot
def _cause(buf, p, events, payloads, event, when):  # type: ignore[no-untyped-def]
    """`cause` and `cause_time`: the event's id, or the timer's time."""
    if event < 0:
        buf[p] = 0
        buf[p + 1] = 2
        return _long(buf, p + 2, when)
    ref = events[event, L.EV_ID]
    n = ref & 0xFFFFFFFF
    buf[p] = 2
    p = _long(buf, p + 1, n)
    for k in range(n):
        buf[p + k] = payloads[(ref >> 32) + k]
    buf[p + n] = 0
    return p + n + 1


@jit
def encode_changes(  # type: ignore[no-untyped-def]
    changes, touched, events, payloads, t8, at, tags, epoch, emitted_at, buf, places
):
    """Write each row of `changes` as a record into `buf`, and where it stands into `places`."""
    p = 0
    for i in range(changes.shape[0]):
        place = changes[i, L.CH_CUSTOMER]
        first = tags[changes[i, L.CH_TAG], 0]
        before = changes[i, L.CH_BEFORE]
        after = changes[i, L.CH_AFTER]
        op = 0 if before == 0 else (2 if after == 0 else 1)
        event = changes[i, L.CH_EVENT]
        p = _key(buf, p, touched, place, places, i)
        p = _piece(buf, p, t8, at, _CHANGE_HEAD)
        p = _change_id(buf, p, t8, at, changes[i, L.CH_SEQ])
        p = _piece(buf, p, t8, at, _SOURCE)
        p = _piece(buf, p, t8, at, _TYPE + op)
        p = _long(buf, p, touched[place + L.TO_ID_BYTES])
        p = _customer(buf, p, touched, place)
        p = _piece(buf, p, t8, at, first)
        p = _long(buf, p, op)
        p = _piece(buf, p, t8, at, first + 1 + before)
        p = _piece(buf, p, t8, at, first + 1 + after)
        p = _long(buf, p, changes[i, L.CH_AT])
        p = _long(buf, p, emitted_at)
        p = _long(buf, p, changes[i, L.CH_SEQ])
        p = _long(buf, p, changes[i, L.CH_PREV])
        p = _piece(buf, p, t8, at, _VERSION)
        p = _long(buf, p, epoch)
        p = _long(buf, p, _LIVE if event >= 0 else _TIMER)
        p = _piece(buf, p, t8, at, _RUN_ID)
        p = _cause(buf, p, events, payloads, event, changes[i, L.CH_AT])
        places[i, 3] = p


@hot
def _tags_of(m, m32, row, tags, found):  # type: ignore[no-untyped-def]
    """The customer's tags as tag << 32 | value into `found`, in order of tag. Returns how many; row 0 has none."""
    n = 0
    if row == 0:
        return n
    at = wide(m32[row * 2 + L.ROW_TAGS32])
    end = at + m32[row * 2 + L.ROW_TAGS_USED32]
    while at < end:
        tag = wide(m32[at * 2 + L.TAG_INDEX32])
        value = wide(m32[at * 2 + L.TAG_VALUE32])
        if value != 0:
            k = n
            while k > 0 and found[k - 1] >> 32 > tag:
                found[k] = found[k - 1]
                k -= 1
            found[k] = (tag << 32) | value
            n += 1
        at += tags[tag, 2]
    return n


@jit
def count_touched(touched, m, m32, tags, found):  # type: ignore[no-untyped-def]
    """(customers with changes, tags that they have)."""
    customers = 0
    total = 0
    place = L.TO_FIRST
    while place < touched.size:
        customers += 1
        total += _tags_of(m, m32, touched[place + L.TO_ROW], tags, found)
        place += L.TO_ID + id_words(touched[place + L.TO_ID_BYTES])
    return customers, total


@jit
def encode_current(  # type: ignore[no-untyped-def]
    touched, m, m32, t8, at, tags, found, partition, epoch, clock, buf, places
):
    """Write each customer of `touched` as a record into `buf`, and where it stands into `places`."""
    p = 0
    i = 0
    place = L.TO_FIRST
    while place < touched.size:
        p = _key(buf, p, touched, place, places, i)
        p = _piece(buf, p, t8, at, _CURRENT_HEAD)
        p = _long(buf, p, touched[place + L.TO_ID_BYTES])
        p = _customer(buf, p, touched, place)
        p = _long(buf, p, partition)
        p = _long(buf, p, epoch)
        p = _long(buf, p, touched[place + L.TO_SEQ])
        p = _long(buf, p, clock)
        p = _piece(buf, p, t8, at, _VERSION)
        n = _tags_of(m, m32, touched[place + L.TO_ROW], tags, found)
        if n > 0:
            p = _long(buf, p, n)
            for k in range(n):
                tag = found[k] >> 32
                p = _piece(buf, p, t8, at, tags[tag, 0])
                p = _piece(buf, p, t8, at, tags[tag, 0] + 1 + tags[tag, 1] + (found[k] & 0xFFFFFFFF))
        buf[p] = 0
        p += 1
        places[i, 3] = p
        i += 1
        place += L.TO_ID + id_words(touched[place + L.TO_ID_BYTES])


@dataclass(frozen=True, slots=True)
class Encoded:
    """Records one behind another in `buf`. Row i of `places` is (key start, key end, value start, value end)."""

    buf: U8
    places: I64

    def records(self) -> list[tuple[bytes, bytes]]:
        """(key, value) of each record."""
        if not self.places.size:
            return []
        data = self.buf[: self.places[-1, 3]].tobytes()
        return [(data[a:b], data[c:d]) for a, b, c, d in self.places.tolist()]


class AvroEncoder:
    """Encodes for one rule set and one partition. The result of a call holds until the next one."""

    def __init__(self, rule_set: RuleSet, partition: int) -> None:
        pieces = self._fixed_pieces(rule_set.version, partition)
        in_change = _field("change", "after")
        in_current = _field("current", "tags")["items"]["fields"][1]["type"]
        tags = []
        for tag in rule_set.tags:
            values = tag_values(tag)
            tags.append((len(pieces), len(values), L.TIMED_TAG_WORDS if is_timed(tag) else L.PLAIN_TAG_WORDS))
            pieces.append(_avro("string", tag.id))
            pieces += [_avro(in_change, value) for value in values]
            pieces += [b"" if value is None else _avro(in_current, value) for value in values]
        self._t8: U8 = np.frombuffer(b"".join(pieces), np.uint8).copy()
        self._at: I64 = np.cumsum([0, *map(len, pieces)]).astype(np.int64)
        self._tags: I64 = np.array(tags, np.int64).reshape(-1, 3)
        self._found: I64 = np.zeros(max(1, len(tags)), np.int64)
        self._partition = partition
        widest = max((len(p) for p in pieces[_PIECES:]), default=0)
        self._change_bytes = sum(map(len, pieces[:_PIECES])) + 3 * widest + 20 + 16 + _NUMBERS * _LONG_BYTES
        self._current_bytes = len(pieces[_CURRENT_HEAD]) + len(pieces[_VERSION]) + 7 * _LONG_BYTES
        self._tag_bytes = 2 * widest
        self._buf: U8 = np.zeros(1 << 16, np.uint8)
        self._places: I64 = np.zeros((1024, 4), np.int64)

    @staticmethod
    def _fixed_pieces(version: str, partition: int) -> list[bytes]:
        def frame(schema: str) -> bytes:
            return b"\xc3\x01" + SCHEMAS[schema].fingerprint

        types: Iterable[bytes] = (_avro("string", f"tagstream.tag.{op}") for op in _OPS)
        return [
            frame("change") + _avro("string", SPECVERSION),
            f"{partition}-".encode(),
            _avro("string", SOURCE),
            *types,
            _avro("string", version),
            _avro(_field("change", "run_id"), None),
            frame("current"),
        ]

    def changes(self, output: StepOutput, decoded: Decoded, *, epoch: int, emitted_at: int) -> Encoded:
        """One record of `tags.changes` for each change of the step."""
        n = output.changes.shape[0]
        causes = output.changes[:, L.CH_EVENT]
        ids = decoded.events[causes[causes >= 0], L.EV_ID] & 0xFFFFFFFF
        self._reserve(n, n * self._change_bytes + int(ids.sum()) + 2 * n * MAX_ID_BYTES)
        encode_changes(
            *(output.changes, output.touched, decoded.events, decoded.buf, self._t8, self._at, self._tags),
            *(epoch, emitted_at, self._buf, self._places),
        )
        return Encoded(self._buf, self._places[:n])

    def current(self, output: StepOutput, m: I64, *, epoch: int) -> Encoded:
        """One record of `tags.current` for each customer with changes in the step; `m` is the partition's memory."""
        m32 = m.view(np.int32)
        customers, tags = count_touched(output.touched, m, m32, self._tags, self._found)
        self._reserve(
            customers, customers * (self._current_bytes + 2 * MAX_ID_BYTES) + tags * (self._tag_bytes + _LONG_BYTES)
        )
        encode_current(
            *(output.touched, m, m32, self._t8, self._at, self._tags, self._found),
            *(self._partition, epoch, output.clock, self._buf, self._places),
        )
        return Encoded(self._buf, self._places[:customers])

    def _reserve(self, records: int, size: int) -> None:
        """Make the buffers hold that much."""
        if self._places.shape[0] < records:
            self._places = np.zeros((2 * records, 4), np.int64)
        if self._buf.size < size:
            self._buf = np.zeros(2 * size, np.uint8)
