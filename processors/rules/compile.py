"""From a checked rule set to the arrays that the engine runs.

Aggregates that count the same events in panes of the same length share a series. Thresholds become whole numbers in the
unit of what they are compared with: `sum(purchase.amount, 7d) >= 19.99` is `cents >= 1999`, and `count(...) > 2.5` is
`count >= 3`, so that no comparison with a constant is ever rounded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from processors import interpret as vm
from processors import layout as L
from processors import series as kinds
from processors.rules import program as G
from processors.rules import tree as T
from processors.rules.conditions import ConditionCompiler
from processors.rules.depend import before_in_group, dependencies, evaluation_order
from processors.rules.filters import FilterCompiler, calendars_in, names_currency
from processors.rules.instructions import Instruction, Pools
from processors.rules.parts import nodes_of
from processors.rules.program import I64, Program, pack
from processors.rules.reads import Read, ReadFinder
from processors.rules.walk import conditions_of, entry_conditions, within_group
from processors.rules.windows import TIME, Series, SeriesTable, newest, windows_of
from processors.rules.zone import zone_tables
from processors.series import EVER
from processors.step import MEASURE_NONE, UNIT_REAL, UNIT_TEXT
from processors.tagstate import NO_PROGRAM
from schemas.events import EVENT_TYPES, FIELDS


def is_timed(tag: T.Tag) -> bool:
    """Whether a tag's state is more than its value: it has timing, or a `leave` of its own."""
    return bool(tag.dwell_ms or tag.cooldown_ms or tag.expires_ms or tag.leave)


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


class _Trials:
    """Programs by which conditions are tried out at other times."""

    def __init__(self, compiler: ConditionCompiler, code: Code) -> None:
        self._compiler = compiler
        self._code = code
        self._made: dict[T.Expr, int] = {}

    def __call__(self, condition: T.Compare | T.Sequence) -> int:
        """READ_FLOOR of a read that is TRIED."""
        if condition not in self._made:
            three: list[T.Expr] = [condition, condition, condition]
            if isinstance(condition, T.Compare):
                three[:2] = [replace(condition, op="<="), replace(condition, op=">=")]
            (start, end), _, (_, last) = (self._code.add(self._compiler.compile(c)) for c in three)
            assert last - start == 3 * (end - start)
            self._made[condition] = start << 20 | end - start
        return self._made[condition]


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


def _measure(s: Series) -> tuple[int, int, bool]:
    """(place of the measured field, units in one, whether the default currency is to be known: to leave out amounts of
    others, or to stand where there is none)."""
    measure = s.key.measure
    if measure is None:
        return MEASURE_NONE, 1, False
    if measure == TIME:
        return vm.EVENT_TIME, 1, False
    place = next(i for i, f in enumerate(FIELDS[s.key.event]) if f.name == measure)
    kind = FIELDS[s.key.event][place].kind
    mixed = measure == "currency" or (kind == "cents" and not names_currency(s.key.where))
    return place, {"real": UNIT_REAL, "text": UNIT_TEXT}.get(kind, 1), mixed


def _series(table: SeriesTable, pools: Pools, currency: str) -> dict[int, I64]:
    """Panes, measures and windows of each series."""
    measures = [_measure(s) for s in table.series]
    windows = [w for s in table.series for w in s.windows]
    words = [L.CELL_WINDOWS + len(s.windows) * L.WINDOW_WORDS for s in table.series]
    of_type = [[i for i, s in enumerate(table.series) if s.key.event == event] for event in EVENT_TYPES]
    links = [s.key.link for s in table.series]

    def longest(pane_ms: int) -> I64:
        lengths = [
            [w for i in x if table.series[i].key.pane_ms == pane_ms for w in table.series[i].windows if w != EVER]
            for x in of_type
        ]
        return _ints(max(x, default=0) for x in lengths)

    return {
        G.TYPE_SERIES: _ints(len(x) for x in of_type),
        G.TYPE_WORDS: _ints(sum(words[i] for i in x) for x in of_type),
        G.TYPE_MINUTE_WINDOW: longest(L.MINUTE_MS),
        G.TYPE_HOUR_WINDOW: longest(L.HOUR_MS),
        G.TYPE_MATCHES: _ints(sum(table.series[i].key.kind == kinds.MATCH for i in x) for x in of_type),
        G.SERIES_KIND: _ints(s.key.kind for s in table.series),
        G.SERIES_PANE_MS: _ints(s.key.pane_ms for s in table.series),
        G.SERIES_MEASURE: _ints(place for place, _, _ in measures),
        G.SERIES_UNIT: _ints(unit for _, unit, _ in measures),
        G.SERIES_CURRENCY: _ints(pools.text(currency) if mixed else -1 for _, _, mixed in measures),
        G.SERIES_WINDOWS: _firsts(len(s.windows) for s in table.series),
        G.SERIES_WORDS: _ints(words),
        G.SERIES_SPAN_MS: _ints(max((w for w in s.windows if w != EVER), default=0) for s in table.series),
        G.SERIES_LINK: _ints(-1 if link is None else table.locate(newest(link.first))[0] for link in links),
        G.SERIES_WITHIN_MS: _ints(0 if link is None else link.within_ms for link in links),
        G.WINDOW_MS: _ints(windows),
    }


def _tags(tags: list[T.Tag], table: SeriesTable, code: Code) -> dict[int, I64]:
    """Conditions and timing of each tag."""
    compiler = ConditionCompiler(table, tags)
    levels: list[tuple[int, int]] = []
    leaves: list[tuple[int, int]] = []
    for tag in tags:
        levels += [code.add(compiler.compile(c)) for c in entry_conditions(tag)]
        leaves.append((NO_PROGRAM, NO_PROGRAM) if tag.leave is None else code.add(compiler.compile(tag.leave)))
    words = [L.TIMED_TAG_WORDS if is_timed(t) else L.PLAIN_TAG_WORDS for t in tags]
    return {
        G.TAG_WORDS: _ints(words),
        G.TAG_LEVELS: _firsts(max(1, len(t.tiers)) for t in tags),
        G.LEVEL_START: _ints(a for a, _ in levels),
        G.LEVEL_END: _ints(b for _, b in levels),
        G.LEAVE_START: _ints(a for a, _ in leaves),
        G.LEAVE_END: _ints(b for _, b in leaves),
        G.TAG_DWELL_MS: _ints(t.dwell_ms for t in tags),
        G.TAG_COOLDOWN_MS: _ints(t.cooldown_ms for t in tags),
        G.TAG_TERM_MS: _ints(t.expires_ms or 0 for t in tags),
        G.DEFAULT_TAGS: _ints([]),
    }


def _order(rule_set: T.RuleSet, tags: list[T.Tag], table: SeriesTable) -> dict[int, I64]:
    """The order of evaluation, and who is to be evaluated when a series or another tag has changed."""
    order = evaluation_order(rule_set.tags)
    ranks = {index: rank for rank, index in enumerate(order)}
    index_of = {tag.id: index for index, tag in enumerate(tags)}
    readers: list[set[int]] = [set() for _ in table.series]
    for index, tag in enumerate(tags):
        for condition in conditions_of(tag):
            for node in nodes_of(condition):
                for window in windows_of(node):
                    readers[table.locate(window)[0]].add(ranks[index])
    dependents: list[set[int]] = [set() for _ in tags]
    for tag_id, seen in dependencies(rule_set.tags).items():
        for other in seen:
            dependents[index_of[other]].add(ranks[index_of[tag_id]])
    return {
        G.TAG_RANK: _ints(ranks[index] for index in range(len(tags))),
        G.RANKED_TAGS: _ints(order),
        G.SERIES_TAGS: _firsts(len(r) for r in readers),
        G.READERS: _ints(rank for r in readers for rank in sorted(r)),
        G.TAG_DEPENDENTS: _firsts(len(d) for d in dependents),
        G.DEPENDENTS: _ints(rank for d in dependents for rank in sorted(d)),
    }


def _reads(tags: list[T.Tag], table: SeriesTable, code: Code) -> dict[int, I64]:
    """What time may do to a tag that is not simply out; and what of it can let a tag enter."""
    finder = ReadFinder(table, _Trials(ConditionCompiler(table, tags), code))
    of_tags: list[list[Read]] = []
    eager: set[Read] = set()
    for tag in tags:
        found = {read for c in conditions_of(tag) for fading in finder.fading_in(c) for read in fading.reads}
        of_tags.append(sorted(read for read in found if read.metric >= 0))
        for condition in entry_conditions(tag):
            for fading in finder.fading_in(condition):
                if fading.eager:
                    eager |= fading.reads
        # time since something passes its bound without anything leaving: that is looked at for each customer alike
        eager |= {read for read in found if read.metric < 0}
    of_series = [sorted(read for read in eager if read.series == i) for i in range(len(table.series))]
    reads = [read for group in (*of_tags, *of_series) for read in group]
    return {
        G.TAG_READS: _firsts(len(group) for group in of_tags),
        G.SERIES_EAGER: sum(len(group) for group in of_tags) + _firsts(len(group) for group in of_series),
        G.READ_SERIES: _ints(read.series for read in reads),
        G.READ_METRIC: _ints(read.metric for read in reads),
        G.READ_FLOOR: _ints(read.floor for read in reads),
    }


def compile_rules(rule_set: T.RuleSet) -> Program:
    """The program of a checked rule set; tags keep their index."""
    before = before_in_group(rule_set.tags)
    tags = [within_group(tag, before[tag.id]) for tag in rule_set.tags]
    nodes = [node for tag in tags for c in conditions_of(tag) for node in nodes_of(c)]
    windows = [window for node in nodes for window in windows_of(node)]
    table = SeriesTable([*windows, *(newest(w.key.link.first) for w in windows if w.key.link is not None)])
    code, pools = Code(), Pools()
    parts = _filters(table, code, pools, rule_set.default_currency)
    parts |= _series(table, pools, rule_set.default_currency)
    parts |= _tags(tags, table, code)
    parts |= _order(rule_set, tags, table)
    parts |= _reads(tags, table, code)
    zoned = any(calendars_in(s.key.where) for s in table.series)
    parts[G.ZONE_FROM], parts[G.ZONE_OFFSET] = zone_tables(rule_set.time_zone if zoned else "UTC")
    parts[G.CODE] = np.array(code.instructions, np.int64).reshape(-1, vm.CODE_WORDS)
    parts[G.TEXT_AT] = _firsts(len(t) for t in pools.texts)
    texts = np.frombuffer(b"".join(pools.texts) or b"\0", np.uint8).copy()
    g = pack(parts)
    parts[G.DEFAULT_TAGS] = _true_by_default(g)
    return Program(pack(parts), texts, np.array([*pools.reals, 0.0], np.float64))


def _true_by_default(g: I64) -> I64:
    """Ranks of tags of which a level holds for a customer of whom nothing is known: a row of zeros is such a one."""
    m = np.zeros(L.R_WORDS + L.ROW_WORDS, np.int64)
    m32 = m.view(np.int32)
    return _ints(
        rank
        for rank in range(g[G.TAG_COUNT])
        for tag in (int(G.look(g, G.RANKED_TAGS, rank)),)
        if any(
            vm.holds(m, m32, g, G.look(g, G.LEVEL_START, i), G.look(g, G.LEVEL_END, i), L.R_WORDS)
            for i in range(G.look(g, G.TAG_LEVELS, tag), G.look(g, G.TAG_LEVELS, tag + 1))
        )
    )
