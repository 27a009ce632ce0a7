"""Which filters an event can pass at all, by what its fields say: most of ten thousand need not be looked at.

A filter that holds only where a field is one of some constants (`category == "shoes" and dwell_ms > 0`) is found by the
event's own value of that field, in a hash table from values to filters. All others are open: each event is put to them.
What is found is still run as a whole, so an index decides nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from processors import interpret as vm
from processors.rules import program as G
from processors.rules import tree as T
from processors.rules.code import firsts, ints
from processors.rules.conditions import text_hash
from processors.rules.filters import FilterCompiler, attributes_in
from processors.rules.instructions import Instruction, Pools
from processors.rules.program import I64

FEWEST: Final = 4
"""Filters of one field from which on looking its value up costs less than running them."""
_ROOM: Final = 2
"""Slots of a table for each value in it."""


class Key(NamedTuple):
    """A filter passes only events of which this field has one of these values."""

    field: int
    is_text: bool
    values: frozenset[int]
    """Whole numbers; of texts their hashes."""


def keys_of(where: T.Expr | None, compiler: FilterCompiler, pools: Pools) -> list[Key]:
    """Every key that a filter has: one holds only where all of them do."""
    match where:
        case T.And(items):
            return [key for item in items for key in keys_of(item, compiler, pools)]
        case T.Or(items):
            return list(_keys_of_any([keys_of(item, compiler, pools) for item in items]))
        case T.Compare() | T.Member() if not attributes_in(where):
            return list(_key_of_tests(compiler.compile(where), pools))
    return []


def _keys_of_any(alternatives: list[list[Key]]) -> Iterator[Key]:
    """Where one of some conditions holds, a field that all of them fix has one of all their values."""
    for key in alternatives[0]:
        same = [next((k for k in keys if k.field == key.field), None) for keys in alternatives[1:]]
        found = [k for k in same if k is not None]
        if len(found) == len(same):
            yield key._replace(values=key.values.union(*(k.values for k in found)))


def _key_of_tests(tests: list[Instruction], pools: Pools) -> Iterator[Key]:
    """The key of a comparison, or of several of which one must hold."""
    if tests[-1][0] == vm.OP_OR:
        tests = tests[:-1]
    op, field, *_ = tests[0]
    values = set()
    for test in tests:
        # not where a missing text means the default one
        if test[:2] == (vm.OP_TEXT, field) and test[3:] == (0, 0):
            values.add(text_hash(pools.texts[test[2]].decode()))
        elif test[:3] == (vm.OP_INT, field, vm.EQ):
            values.add(test[3])
        else:
            return
    yield Key(field, op == vm.OP_TEXT, frozenset(values))


def _chosen(filters: Sequence[list[Key]]) -> list[Key | None]:
    """One key of each filter, that whose values the fewest other filters have; None for an open filter."""
    uses = Counter((key.field, value) for keys in filters for key in keys for value in key.values)

    def crowd(key: Key) -> tuple[int, int]:
        return max(uses[key.field, value] for value in key.values), key.field

    best = [min(keys, key=crowd, default=None) for keys in filters]
    sizes = Counter(key.field for key in best if key is not None)
    return [key if key is not None and sizes[key.field] >= FEWEST else None for key in best]


def _slots(lists: dict[int, list[int]], candidates: list[int]) -> list[tuple[int, int, int]]:
    """A hash table of (value, first of its filters among the candidates, end); the end of an empty slot is 0.

    Of whole numbers and of hashes the low bits will do.
    """
    size = 1 << (_ROOM * len(lists) - 1).bit_length()
    slots = [(0, 0, 0)] * size
    for value, filters in lists.items():
        at = value & (size - 1)
        while slots[at][2] != 0:
            at = (at + 1) & (size - 1)
        slots[at] = (value, len(candidates), len(candidates) + len(filters))
        candidates += filters
    return slots


def index_tables(types: Sequence[Sequence[list[Key]]]) -> dict[int, I64]:
    """The tables, of the keys of each filter of each event type; filters are numbered through all types."""
    chosen: list[list[Key | None]] = [_chosen(filters) for filters in types]
    starts = firsts(map(len, types)).tolist()
    numbered = [list(enumerate(keys, start)) for keys, start in zip(chosen, starts, strict=False)]
    opened = [[number for number, key in filters if key is None] for filters in numbered]
    candidates = [number for filters in opened for number in filters]
    fields: list[dict[tuple[int, bool], dict[int, list[int]]]] = []
    for filters in numbered:
        of_type: dict[tuple[int, bool], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, key in filters:
            for value in sorted(key.values) if key is not None else ():
                of_type[key.field, key.is_text][value].append(number)  # type: ignore[union-attr]
        fields.append(of_type)
    tables = [_slots(lists, candidates) for of_type in fields for lists in of_type.values()]
    return {
        G.TYPE_OPEN: firsts(map(len, opened)),
        G.CANDIDATES: ints(candidates),
        G.TYPE_INDEXES: firsts(map(len, fields)),
        G.INDEX_FIELD: ints(field for of_type in fields for field, _ in of_type),
        G.INDEX_IS_TEXT: ints(int(is_text) for of_type in fields for _, is_text in of_type),
        G.INDEX_SLOTS: firsts(map(len, tables)),
        G.SLOTS: ints(word for table in tables for slot in table for word in slot),
    }
