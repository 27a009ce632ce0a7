"""What the encoding loops look up: every part of a record that a rule set fixes, as Avro bytes made by fastavro.

A record is mostly text that repeats: header, source, names of tags and levels, the rule version. So it is put together
from parts (a part: a range of `texts`) and a few numbers. The parts come from fastavro and the schema files; what the
loops know of a schema, the order of its fields, is checked here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import pairwise
from typing import Any, Final, NamedTuple, get_args

import numpy as np
from fastavro import schemaless_writer
from numpy.typing import NDArray

from processors.reasons import GROUPS, OTHER_TEXT
from processors.rules.clauses import Clause, clauses_of
from processors.rules.tag_tables import entry_words, kind_of
from processors.rules.tree import RuleSet, TagRef
from processors.values import listed_values
from schemas.events import MAX_ID_BYTES
from schemas.framing import CONFLUENT_MARK, single_object_header
from schemas.records import SPECVERSION, Op
from schemas.registry import SCHEMAS

I64 = NDArray[np.int64]

# The first words of the tables say where each table begins. In a table of parts, part i is the bytes
# [entry i, entry i + 1) of `texts`.
CHANGE_HEAD: Final = 0
"""One part: framing and `specversion`."""
CHANGE_ID: Final = 1
"""One part: the id without its length, up to the seq."""
CHANGE_TYPE: Final = 2
"""`source` and `type`, by op: entered, changed, left. Likewise CHANGE_OP."""
CHANGE_OP: Final = 3
CHANGE_ORIGIN: Final = 4
"""`origin`: timer, live, manual, model, erasure."""
TAG: Final = 5
"""`tag`, by tag."""
VALUE: Final = 6
"""`before` or `after` of a change: by FIRST_VALUE of the tag + code of the value."""
CURRENT_HEAD: Final = 7
"""One part: framing."""
ENTRY: Final = 8
"""An item of `tags`, numbered as VALUE; nothing for code 0."""
FIRST_VALUE: Final = 9
"""Number of each tag's first value (its code 0)."""
TAG_WORDS: Final = 10
"""Words of an entry in a customer's block by its index; and what each tag's value is (assigned.py)."""
TAG_KIND: Final = 11
ENTRY_HEAD: Final = 12
"""`tag` of an item of `tags`, by tag, for values that are not listed."""
GROUP: Final = 13
"""`group`, by CH_GROUP; and `next_flip_at`: not asked for, never, unknown."""
FLIP: Final = 14
CLAUSE: Final = 15
"""`condition` of each clause; and its `threshold`, where that is a constant."""
THRESHOLD: Final = 16
CONSTANT: Final = 17
"""The constant texts of the clauses, one behind another, as values; the last one stands for any other."""
FIRST_CONSTANT: Final = 18
"""Number of each clause's first constant."""
SIDE_SORT: Final = 19
"""Two for each clause: what stands on a side (evidence.py); and of a level the tag."""
SIDE_TAG: Final = 20
WINDOW_MS: Final = 21
"""Length of each clause's window, 0 of `ever`, NO_WINDOW if it has none; and of its panes."""
PANE_MS: Final = 22
TABLES: Final = 23
TAG_COUNT: Final = TABLES
"""Number of tags; a word of its own, as are those that follow."""
MOST_CHANGE: Final = TABLES + 1
"""Most bytes that a change can take, apart from the stamp's; and all tags of a customer, likewise."""
MOST_CURRENT: Final = TABLES + 2
MOST_ITEM: Final = TABLES + 3
"""Most bytes of an item of `evidence`, apart from texts that customers have."""
CLAUSE_COUNT: Final = TABLES + 4
HEADER: Final = TABLES + 5

NO_WINDOW: Final = -1

OVERRUN: Final = 8
"""Texts are copied in words of 8 bytes, so up to 7 more are read and written than belong to them."""

NUMBER_BYTES: Final = 9
"""Bytes of a number of a union: its branch and a double."""
_LONG_BYTES: Final = 10
"""Most bytes of a number of 64 bits in Avro."""
_DIGITS: Final = 19
"""Most digits of such a number."""

_CHANGE_FIELDS: Final = (
    *("specversion", "id", "source", "type", "customer_id", "tag", "op", "before", "after"),
    *("effective_at", "emitted_at", "seq", "prev_seq", "rule_version", "epoch"),
    *("origin", "run_id", "cause", "group", "evidence", "next_flip_at"),
)
_EVIDENCE_FIELDS: Final = ("condition", "key", "value", "threshold", "window_start", "window_end")
_CURRENT_FIELDS: Final = ("customer_id", "partition", "epoch", "seq", "clock", "rule_version", "tags")
for _name, _fields in (("change", _CHANGE_FIELDS), ("current", _CURRENT_FIELDS)):
    assert tuple(f["name"] for f in SCHEMAS[_name].raw["fields"]) == _fields, f"the loops write a {_name} otherwise"
_EVIDENCE: Final = next(f["type"]["items"] for f in SCHEMAS["change"].raw["fields"] if f["name"] == "evidence")
assert tuple(f["name"] for f in _EVIDENCE["fields"]) == _EVIDENCE_FIELDS, "the loops write evidence otherwise"


class EncodeTables(NamedTuple):
    """All parts and where they are."""

    t: I64
    texts: NDArray[np.uint8]
    """The parts' bytes, with OVERRUN bytes behind the last."""


def field_bytes(schema_name: str, **fields: Any) -> bytes:
    """These fields' values as Avro, in the order given."""
    types = {f["name"]: f["type"] for f in SCHEMAS[schema_name].raw["fields"]}
    stream = BytesIO()
    for name, value in fields.items():
        schemaless_writer(stream, types[name], value)
    return stream.getvalue()


def entry_bytes(tag: str, value: Any) -> bytes:
    """One item of `tags` in a Current."""
    stream = BytesIO()
    schemaless_writer(stream, _ENTRY_SCHEMA, {"tag": tag, "value": value})
    return stream.getvalue()


def _entry_head(tag: str) -> bytes:
    """An item of `tags` up to its value."""
    return entry_bytes(tag, True).removesuffix(_VALUE_TRUE)


_VALUE_TRUE: Final = b"\x00\x01"
"""A value in a Current that is true, as Avro: branch and boolean."""
_ENTRY_SCHEMA: Final = next(f["type"]["items"] for f in SCHEMAS["current"].raw["fields"] if f["name"] == "tags")


def header(schema_name: str, schema_id: int | None) -> bytes:
    """What stands before a body: Confluent framing if the schema has an id in a registry, else that of single-object
    encoding.
    """
    if schema_id is None:
        return single_object_header(schema_name)
    return CONFLUENT_MARK + schema_id.to_bytes(4, "big")


def encode_tables(
    rule_set: RuleSet, partition: int, source: str, change_schema_id: int | None, current_schema_id: int | None
) -> EncodeTables:
    """The parts of one rule set's records of one partition."""
    values = [listed_values(tag) for tag in rule_set.tags]
    clauses = clauses_of(rule_set)
    ops = get_args(Op)
    parts = {
        CHANGE_HEAD: [header("change", change_schema_id) + field_bytes("change", specversion=SPECVERSION)],
        CHANGE_ID: [f"{partition}-".encode()],
        CHANGE_TYPE: [field_bytes("change", source=source, type=f"tagstream.tag.{op}") for op in ops],
        CHANGE_OP: [field_bytes("change", op=op) for op in ops],
        CHANGE_ORIGIN: [
            field_bytes("change", origin=origin) for origin in ("timer", "live", "manual", "model", "erasure")
        ],
        TAG: [field_bytes("change", tag=tag.id) for tag in rule_set.tags],
        VALUE: [field_bytes("change", before=value) for each in values for value in each],
        CURRENT_HEAD: [header("current", current_schema_id)],
        ENTRY: [
            b"" if value is None else entry_bytes(tag.id, value)
            for tag, each in zip(rule_set.tags, values, strict=True)
            for value in each
        ],
        ENTRY_HEAD: [_entry_head(tag.id) for tag in rule_set.tags],
        GROUP: [field_bytes("change", group=group) for group in GROUPS],
        FLIP: [field_bytes("change", next_flip_at=flip) for flip in (None, "never", "unknown")],
        **_clause_parts(clauses),
    }
    numbers = {
        FIRST_VALUE: _firsts(map(len, values)),
        TAG_WORDS: np.array(entry_words(rule_set.tags), np.int64),
        TAG_KIND: np.array([kind_of(tag) for tag in rule_set.tags], np.int64),
        **_clause_numbers(clauses, {tag.id: index for index, tag in enumerate(rule_set.tags)}),
    }
    return _pack(parts, numbers)


def _evidence_bytes(name: str, value: Any) -> bytes:
    """One field of an item of `evidence`."""
    stream = BytesIO()
    schemaless_writer(stream, next(f["type"] for f in _EVIDENCE["fields"] if f["name"] == name), value)
    return stream.getvalue()


def _clause_parts(clauses: Sequence[Clause]) -> dict[int, list[bytes]]:
    """What evidence says of each clause whatever the customer is like."""
    thresholds = [list(c.constant) if isinstance(c.constant, tuple) else c.constant for c in clauses]
    constants = [text for clause in clauses for text in clause.constants]
    return {
        CLAUSE: [_evidence_bytes("condition", number) for number in range(len(clauses))],
        THRESHOLD: [_evidence_bytes("threshold", constant) for constant in thresholds],
        CONSTANT: [_evidence_bytes("value", text) for text in (*constants, OTHER_TEXT)],
    }


def _clause_numbers(clauses: Sequence[Clause], tags: dict[str, int]) -> dict[int, I64]:
    """What the loops must know of each clause."""
    sides = [side for clause in clauses for side in (clause.value, clause.against)]
    seen = [tags[side.expr.tag] if isinstance(side.expr, TagRef) else 0 for side in sides]
    windows = [NO_WINDOW if clause.window_ms is None else clause.window_ms for clause in clauses]
    return {
        FIRST_CONSTANT: _firsts(len(clause.constants) for clause in clauses),
        SIDE_SORT: np.array([side.sort for side in sides], np.int64),
        SIDE_TAG: np.array(seen, np.int64),
        WINDOW_MS: np.array(windows, np.int64),
        PANE_MS: np.array([clause.pane_ms for clause in clauses], np.int64),
    }


def _firsts(counts: Iterable[int]) -> I64:
    """Where each run begins, and where the last one ends."""
    return np.cumsum([0, *counts], dtype=np.int64)


def _pack(parts: dict[int, list[bytes]], numbers: dict[int, I64]) -> EncodeTables:
    """All tables in one array behind the header, all texts in another."""
    t = [np.zeros(HEADER, np.int64)]
    top, end = HEADER, 0
    for table in range(TABLES):
        t[0][table] = top
        if table in parts:
            entries = end + _firsts(map(len, parts[table]))
            end = int(entries[-1])
        else:
            entries = numbers[table]
        t.append(entries)
        top += entries.size
    t[0][TAG_COUNT] = numbers[TAG_KIND].size
    t[0][MOST_CHANGE] = _most_change(parts)
    t[0][CLAUSE_COUNT] = numbers[WINDOW_MS].size
    t[0][MOST_ITEM] = _most_item(parts)
    t[0][MOST_CURRENT] = _most_current(parts, numbers[FIRST_VALUE])
    text = b"".join(part for table in sorted(parts) for part in parts[table]) + bytes(OVERRUN)
    return EncodeTables(np.concatenate(t), np.frombuffer(text, np.uint8))


def _longest(parts: Sequence[bytes]) -> int:
    return max(map(len, parts), default=0)


def _most_change(parts: dict[int, list[bytes]]) -> int:
    """Each part's greatest length, and each number's and id's; what is copied in whole words behind them."""
    tables = (CHANGE_HEAD, CHANGE_ID, CHANGE_TYPE, CHANGE_OP, CHANGE_ORIGIN, TAG, VALUE, VALUE, GROUP, FLIP)
    longs = 9 * _LONG_BYTES  # of id, customer_id, effective_at, seq, prev_seq, cause, twice of evidence, next_flip_at
    branches = 2
    ids = _DIGITS + 2 * MAX_ID_BYTES
    numbers = 2 * NUMBER_BYTES
    return sum(_longest(parts[table]) for table in tables) + longs + branches + ids + numbers + OVERRUN


def _most_item(parts: dict[int, list[bytes]]) -> int:
    """Likewise, of an item of `evidence`: its key, two values and two times."""
    values = 2 * max(_longest(parts[CONSTANT]), _longest(parts[VALUE]), NUMBER_BYTES)
    longs = 5 * (1 + _LONG_BYTES)
    return _longest(parts[CLAUSE]) + _longest(parts[THRESHOLD]) + values + longs + OVERRUN


def _most_current(parts: dict[int, list[bytes]], firsts: I64) -> int:
    """As `_most_change`, of a customer who has every tag at the value that takes most."""
    entries = sum(_longest(parts[ENTRY][a:b]) for a, b in pairwise(firsts.tolist()))
    entries += sum(len(head) + NUMBER_BYTES for head in parts[ENTRY_HEAD])
    longs = 4 * _LONG_BYTES  # of customer_id, seq, and around the tags
    return _longest(parts[CURRENT_HEAD]) + MAX_ID_BYTES + entries + longs + OVERRUN
