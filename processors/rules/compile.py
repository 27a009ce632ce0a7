"""From a checked rule set to the arrays that the engine runs.

Aggregates that count the same events in panes of the same length share a series. Thresholds become whole numbers in the
unit of what they are compared with: `sum(purchase.amount, 7d) >= 19.99` is `cents >= 1999`, and `count(...) > 2.5` is
`count >= 3`, so that no comparison with a constant is ever rounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from processors import interpret as vm
from processors import layout as L
from processors.rules import program as G
from processors.rules import tree as T
from processors.rules.filters import FilterCompiler, names_currency
from processors.rules.instructions import (
    OPS,
    Instruction,
    Pools,
    compare_numbers,
    flip,
    logic,
    truth,
    whole_threshold,
)
from processors.rules.program import I64, Program, pack
from processors.rules.walk import aggregates_in, comparisons_in, conditions_of, entry_conditions, falling_in
from processors.series import EVER
from processors.step import MEASURE_NONE, UNIT_REAL
from processors.tagstate import NO_PROGRAM
from schemas.events import EVENT_TYPES, FIELDS


@dataclass(frozen=True, slots=True)
class SeriesKey:
    """What makes two aggregates share a series, but for the measure: one without a sum joins any."""

    event: str
    where: T.Expr | None
    pane_ms: int


@dataclass(slots=True)
class Series:
    """A series while it is being laid out."""

    key: SeriesKey
    measure: str | None
    windows: list[int]


def is_timed(tag: T.Tag) -> bool:
    """Whether a tag's state is more than its value: it has timing, or a `leave` of its own."""
    return bool(tag.dwell_ms or tag.cooldown_ms or tag.expires_ms or tag.leave)


def pane_ms_of(window_ms: int | None) -> int:
    """Length of the panes of a window; `ever` has none, and goes with the hours."""
    return L.MINUTE_MS if window_ms is not None and window_ms <= L.MINUTE_PANES_UP_TO_MS else L.HOUR_MS


def window_of(aggregate: T.Aggregate) -> int:
    """Length of the aggregate's window as the engine holds it."""
    return EVER if aggregate.window_ms is None else aggregate.window_ms


def measure_of(aggregate: T.Aggregate) -> str | None:
    """Name of the field that is summed; `amount` and `amount_cents` are one."""
    return "amount_cents" if aggregate.field == "amount" else aggregate.field


class SeriesTable:
    """The series of a rule set, and where each aggregate finds its value."""

    def __init__(self, aggregates: Iterable[T.Aggregate]) -> None:
        self._measures: dict[SeriesKey, list[str | None]] = {}
        windows: dict[tuple[SeriesKey, str | None], set[int]] = {}
        # sums first and `ever` last, so that what can join a series finds it
        for a in sorted(dict.fromkeys(aggregates), key=lambda a: (a.func == "count", a.window_ms is None)):
            place = self._place(a)
            windows.setdefault(place, set()).add(window_of(a))
        rank: dict[tuple[str, T.Expr | None], int] = {}
        for key, _ in windows:
            rank.setdefault((key.event, key.where), len(rank))
        # series of one filter stand together, and filters of one event type
        places = sorted(windows, key=lambda p: (EVENT_TYPES.index(p[0].event), rank[p[0].event, p[0].where]))
        self.series = [Series(k, m, sorted(windows[k, m], key=lambda w: (w == EVER, w))) for k, m in places]
        self._at = {place: i for i, place in enumerate(places)}

    def _place(self, aggregate: T.Aggregate) -> tuple[SeriesKey, str | None]:
        """The series of an aggregate: one of the same events and pane length, with its measure or, for a count, any."""
        measure = measure_of(aggregate)
        panes = [pane_ms_of(aggregate.window_ms)]
        if aggregate.window_ms is None:
            panes.append(L.MINUTE_MS)
        for pane_ms in panes:
            key = SeriesKey(aggregate.event, aggregate.where, pane_ms)
            for m in self._measures.get(key, []):
                if measure is None or m == measure:
                    return key, m
        key = SeriesKey(aggregate.event, aggregate.where, panes[0])
        self._measures.setdefault(key, []).append(measure)
        return key, measure

    def locate(self, aggregate: T.Aggregate) -> tuple[int, int]:
        """(series, metric) of an aggregate; metric is window << 1 | is sum."""
        index = self._at[self._place(aggregate)]
        return index, self.series[index].windows.index(window_of(aggregate)) << 1 | (aggregate.func == "sum")


def unit_of(aggregate: T.Aggregate) -> int:
    """Whole units in one: 1, 100 for money, 10^9 for reals."""
    if aggregate.func == "count":
        return 1
    kind = next(f.kind for f in FIELDS[aggregate.event] if f.name == measure_of(aggregate))
    if kind == "real":
        return UNIT_REAL
    return 100 if aggregate.field == "amount" else 1


class ConditionCompiler:
    """Conditions over windows to postfix instructions."""

    def __init__(self, table: SeriesTable) -> None:
        self._table = table

    def compile(self, expr: T.Expr) -> list[Instruction]:
        """Instructions that leave the truth of `expr` on the stack."""
        match expr:
            case T.Compare(op, T.Aggregate() as left, T.Number(value)):
                return self._with_constant(left, op, value)
            case T.Compare(op, T.Number(value), T.Aggregate() as right):
                return self._with_constant(right, flip(op), value)
            case T.Compare(op, T.Aggregate() as left, T.Aggregate() as right):
                compare = (vm.OP_COMPARE, OPS[op], unit_of(left), unit_of(right), 0)
                return [self._load(left), self._load(right), compare]
            case T.Compare(op, T.Number(a), T.Number(b)):
                return [truth(compare_numbers(op, a, b))]
            case _:
                return logic(expr, self.compile)

    def _load(self, aggregate: T.Aggregate) -> Instruction:
        return (vm.OP_LOAD, *self._table.locate(aggregate), 0, 0)

    def _with_constant(self, aggregate: T.Aggregate, op: T.CompareOp, value: Fraction) -> list[Instruction]:
        compared = whole_threshold(op, value * unit_of(aggregate))
        if isinstance(compared, bool):
            return [truth(compared)]
        return [(vm.OP_WINDOW, *self._table.locate(aggregate), *compared)]


class Code:
    """All programs of a rule set, one behind another."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []

    def add(self, instructions: Iterable[Instruction]) -> tuple[int, int]:
        """Append a program. Returns its range in the words of the packed rules, where code comes first."""
        start = len(self.instructions)
        self.instructions.extend(instructions)
        end = len(self.instructions)
        return G.HEADER + start * vm.CODE_WORDS, G.HEADER + end * vm.CODE_WORDS


def _firsts(counts: Iterable[int]) -> I64:
    """Starts of consecutive ranges of these lengths, and the end of the last."""
    return np.concatenate([[0], np.cumsum(np.fromiter(counts, np.int64))]).astype(np.int64)


def _ints(values: Iterable[int]) -> I64:
    return np.fromiter(values, np.int64)


def _filters(table: SeriesTable, code: Code, pools: Pools, currency: str) -> dict[int, I64]:
    """Filters of each event type, and the series that each feeds."""
    ranges: list[tuple[int, int]] = []
    feeds: list[int] = []
    per_type: list[int] = []
    for event in EVENT_TYPES:
        compiler = FilterCompiler(event, pools, currency)
        fed = Counter(s.key.where for s in table.series if s.key.event == event)
        for where, series in fed.items():
            ranges.append(code.add(compiler.compile(where) if where is not None else []))
            feeds.append(series)
        per_type.append(len(fed))
    return {
        G.TYPE_FILTERS: _firsts(per_type),
        G.FILTER_START: _ints(a for a, _ in ranges),
        G.FILTER_END: _ints(b for _, b in ranges),
        G.FILTER_SERIES: _firsts(feeds),
    }


def _series(table: SeriesTable, pools: Pools, currency: str) -> dict[int, I64]:
    """Panes, measures and windows of each series."""
    measures, units, currencies = [], [], []
    for s in table.series:
        names = [f.name for f in FIELDS[s.key.event]]
        measures.append(MEASURE_NONE if s.measure is None else names.index(s.measure))
        kind = None if s.measure is None else FIELDS[s.key.event][measures[-1]].kind
        units.append(UNIT_REAL if kind == "real" else 1)
        mixed = kind == "cents" and not names_currency(s.key.where)
        currencies.append(pools.text(currency) if mixed else -1)
    windows = [w for s in table.series for w in s.windows]
    words = [L.CELL_WINDOWS + len(s.windows) * L.WINDOW_WORDS for s in table.series]
    of_type = [[i for i, s in enumerate(table.series) if s.key.event == event] for event in EVENT_TYPES]

    def longest(pane_ms: int) -> I64:
        return _ints(
            max((w for i in x for w in table.series[i].windows if w != EVER and pane_ms_of(w) == pane_ms), default=0)
            for x in of_type
        )

    return {
        G.TYPE_SERIES: _ints(len(x) for x in of_type),
        G.TYPE_WORDS: _ints(sum(words[i] for i in x) for x in of_type),
        G.TYPE_MINUTE_WINDOW: longest(L.MINUTE_MS),
        G.TYPE_HOUR_WINDOW: longest(L.HOUR_MS),
        G.SERIES_PANE_MS: _ints(s.key.pane_ms for s in table.series),
        G.SERIES_MEASURE: _ints(measures),
        G.SERIES_UNIT: _ints(units),
        G.SERIES_CURRENCY: _ints(currencies),
        G.SERIES_WINDOWS: _firsts(len(s.windows) for s in table.series),
        G.SERIES_WORDS: _ints(words),
        G.SERIES_SPAN_MS: _ints(max((w for w in s.windows if w != EVER), default=0) for s in table.series),
        G.WINDOW_MS: _ints(windows),
    }


def _tags(rule_set: T.RuleSet, table: SeriesTable, code: Code) -> dict[int, I64]:
    """Conditions and timing of each tag, and which tags read each series."""
    compiler = ConditionCompiler(table)
    levels: list[tuple[int, int]] = []
    leaves: list[tuple[int, int]] = []
    readers: list[set[int]] = [set() for _ in table.series]
    for index, tag in enumerate(rule_set.tags):
        levels += [code.add(compiler.compile(c)) for c in entry_conditions(tag)]
        leaves.append((NO_PROGRAM, NO_PROGRAM) if tag.leave is None else code.add(compiler.compile(tag.leave)))
        for condition in conditions_of(tag):
            for aggregate in aggregates_in(condition):
                readers[table.locate(aggregate)[0]].add(index)
    words = [L.TIMED_TAG_WORDS if is_timed(t) else L.PLAIN_TAG_WORDS for t in rule_set.tags]
    return {
        G.SERIES_TAGS: _firsts(len(r) for r in readers),
        G.READERS: _ints(tag for r in readers for tag in sorted(r)),
        G.TAG_WORDS: _ints(words),
        G.TAG_LEVELS: _firsts(max(1, len(t.tiers)) for t in rule_set.tags),
        G.LEVEL_START: _ints(a for a, _ in levels),
        G.LEVEL_END: _ints(b for _, b in levels),
        G.LEAVE_START: _ints(a for a, _ in leaves),
        G.LEAVE_END: _ints(b for _, b in leaves),
        G.TAG_DWELL_MS: _ints(t.dwell_ms for t in rule_set.tags),
        G.TAG_COOLDOWN_MS: _ints(t.cooldown_ms for t in rule_set.tags),
        G.TAG_TERM_MS: _ints(t.expires_ms or 0 for t in rule_set.tags),
        G.DEFAULT_TAGS: _ints([]),
    }


Read = tuple[int, int, int]
"""Series, metric, and the value below which falling matters."""


def _reads_of(leaf: T.Compare, fallen: Iterable[T.Aggregate], table: SeriesTable) -> Iterator[Read]:
    """Reads of a comparison for those of its aggregates that may fall."""
    for aggregate in fallen:
        floors = [G.ANY_FALL]
        number = leaf.right if aggregate is leaf.left else leaf.left
        if isinstance(number, T.Number):
            op = leaf.op if aggregate is leaf.left else flip(leaf.op)
            compared = whole_threshold(op, number.value * unit_of(aggregate))
            floors = [] if isinstance(compared, bool) else _floors(*compared)
        for floor in floors:
            yield (*table.locate(aggregate), floor)


def _floors(op: int, value: int) -> list[int]:
    """Falling below which values can change the truth of `x op value`."""
    if op in (vm.GE, vm.LT):
        return [value]
    above = min(value + 1, G.ANY_FALL)
    return [above] if op in (vm.GT, vm.LE) else [value, above]


def _reads(rule_set: T.RuleSet, table: SeriesTable) -> dict[int, I64]:
    """What may fall and so change a tag that is not simply out; and what, by falling, can let a tag enter."""
    of_tags: list[list[Read]] = []
    eager: set[Read] = set()
    for tag in rule_set.tags:
        leaves = [leaf for c in conditions_of(tag) for leaf in comparisons_in(c)]
        of_tags.append(sorted({read for leaf in leaves for read in _reads_of(leaf, aggregates_in(leaf), table)}))
        for condition in entry_conditions(tag):
            for leaf, fallen in falling_in(condition):
                eager.update(_reads_of(leaf, fallen, table))
    of_series = [sorted(read for read in eager if read[0] == i) for i in range(len(table.series))]
    reads = [read for group in (*of_tags, *of_series) for read in group]
    return {
        G.TAG_READS: _firsts(len(group) for group in of_tags),
        G.SERIES_EAGER: sum(len(group) for group in of_tags) + _firsts(len(group) for group in of_series),
        G.READ_SERIES: _ints(series for series, _, _ in reads),
        G.READ_METRIC: _ints(metric for _, metric, _ in reads),
        G.READ_FLOOR: _ints(floor for _, _, floor in reads),
    }


def compile_rules(rule_set: T.RuleSet) -> Program:
    """The program of a checked rule set; tags keep their index."""
    conditions = [c for tag in rule_set.tags for c in conditions_of(tag)]
    table = SeriesTable([a for c in conditions for a in aggregates_in(c)])
    code, pools = Code(), Pools()
    parts = _filters(table, code, pools, rule_set.default_currency)
    parts |= _series(table, pools, rule_set.default_currency)
    parts |= _tags(rule_set, table, code)
    parts |= _reads(rule_set, table)
    parts[G.CODE] = np.array(code.instructions, np.int64).reshape(-1, vm.CODE_WORDS)
    parts[G.TEXT_AT] = _firsts(len(t) for t in pools.texts)
    texts = np.frombuffer(b"".join(pools.texts) or b"\0", np.uint8).copy()
    g = pack(parts)
    parts[G.DEFAULT_TAGS] = _true_by_default(g)
    return Program(pack(parts), texts, np.array([*pools.reals, 0.0], np.float64))


def _true_by_default(g: I64) -> I64:
    """Tags of which a level holds for a customer of whom nothing is known: a row of zeros is such a one."""
    m = np.zeros(L.R_WORDS + L.ROW_WORDS, np.int64)
    m32 = m.view(np.int32)
    return _ints(
        tag
        for tag in range(g[G.TAG_COUNT])
        if any(
            vm.holds(m, m32, g, G.look(g, G.LEVEL_START, i), G.look(g, G.LEVEL_END, i), L.R_WORDS)
            for i in range(G.look(g, G.TAG_LEVELS, tag), G.look(g, G.TAG_LEVELS, tag + 1))
        )
    )
