"""Tables of tags: their conditions and timing, the order of evaluation, and what time may do to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from processors import assigned
from processors import interpret as vm
from processors import layout as L
from processors.rules import program as G
from processors.rules import tree as T
from processors.rules.code import Code, firsts, ints
from processors.rules.conditions import ConditionCompiler
from processors.rules.depend import dependencies, evaluation_order
from processors.rules.instructions import OPS
from processors.rules.parts import nodes_of
from processors.rules.program import I64
from processors.rules.reads import Read, ReadFinder, metric_of
from processors.rules.sorts import sort_of
from processors.rules.walk import conditions_of, entry_conditions, values_and_conditions_of
from processors.rules.windows import SeriesTable, Window, windows_of
from processors.tagstate import NO_PROGRAM


class _Trials:
    """Programs and instructions by which it is found when conditions change by the time since something."""

    def __init__(self, compiler: ConditionCompiler, code: Code) -> None:
        self._compiler = compiler
        self._code = code
        self._made: dict[tuple[T.Expr, str | None], int] = {}

    def within(self, group: str | None) -> Callable[[T.Compare | T.Sequence], int]:
        """What READ_FLOOR is of such a condition, if there is a group about one key."""
        return lambda condition: self._of(condition, group)

    def _of(self, condition: T.Compare | T.Sequence, group: str | None) -> int:
        if (condition, group) not in self._made:
            self._made[condition, group] = self._make(condition, self._compiler.within(group))
        return self._made[condition, group]

    def _make(self, condition: T.Compare | T.Sequence, compiler: ConditionCompiler) -> int:
        if isinstance(condition, T.Sequence):
            return self._code.add(compiler.compile(condition))[0]
        metric = metric_of(condition)
        if metric == G.OUTGROWS:
            (_, _, window, *_), *_ = compiler.value(condition.left)
            program = self._code.add(compiler.value(condition.right))
            return self._code.add([(vm.OP_COMPARE, OPS[condition.op], window, *program)])[0]
        if metric == G.RACES:
            ((_, a, a_window, *_),), ((_, b, b_window, *_),) = map(compiler.value, (condition.left, condition.right))
            return self._code.add([(vm.OP_COMPARE, OPS[condition.op], a << 16 | a_window, b << 16 | b_window, 0)])[0]
        three = (replace(condition, op="<="), replace(condition, op=">="), condition)
        (start, end), _, (_, last) = (self._code.add(compiler.compile(c)) for c in three)
        assert last - start == 3 * (end - start)
        return start << 20 | end - start


def group_of(tag: T.Tag) -> str | None:
    """The field whose keys a tag looks at one by one."""
    return None if tag.for_each is None else tag.for_each.field


def kind_of(tag: T.Tag) -> int:
    """What the tag's value is to the engine."""
    return {"number": assigned.SCORE, "keys": assigned.SET}.get(sort_of(tag), assigned.PLAIN)


def is_timed(tag: T.Tag) -> bool:
    """Whether a tag's state is more than its value: it has timing, or a `leave` of its own."""
    return kind_of(tag) == assigned.PLAIN and bool(tag.dwell_ms or tag.cooldown_ms or tag.expires_ms or tag.leave)


def entry_words(tags: Sequence[T.Tag]) -> list[int]:
    """Words of an entry in a customer's tag block by its index."""
    words = {assigned.PLAIN: L.PLAIN_TAG_WORDS, assigned.SCORE: L.VALUE_TAG_WORDS, assigned.SET: L.VALUE_TAG_WORDS}
    own = [L.TIMED_TAG_WORDS if is_timed(tag) else words[kind_of(tag)] for tag in tags]
    return own + [L.ASSIGNED_TAG_WORDS] * (2 * len(tags))


def windows_of_tag(tag: T.Tag) -> list[Window]:
    """Every window that a tag reads."""
    group = group_of(tag)
    return [w for expr in values_and_conditions_of(tag) for node in nodes_of(expr) for w in windows_of(node, group)]


def tag_tables(tags: list[T.Tag], table: SeriesTable, code: Code, conditions: ConditionCompiler) -> dict[int, I64]:
    """Conditions and timing of each tag."""
    levels: list[list[tuple[int, int]]] = []
    leaves: list[tuple[int, int]] = []
    for tag in tags:
        compiler = conditions.within(group_of(tag))
        programs = [compiler.value(tag.score)] if tag.score is not None else []
        programs += [compiler.compile(condition) for condition in entry_conditions(tag)]
        levels.append([code.add(program) for program in programs])
        leaves.append((NO_PROGRAM, NO_PROGRAM) if tag.leave is None else code.add(compiler.compile(tag.leave)))
    return {
        G.TAG_WORDS: ints(entry_words(tags)),
        G.TAG_LEVELS: firsts(len(each) for each in levels),
        G.LEVEL_START: ints(a for each in levels for a, _ in each),
        G.LEVEL_END: ints(b for each in levels for _, b in each),
        G.LEAVE_START: ints(a for a, _ in leaves),
        G.LEAVE_END: ints(b for _, b in leaves),
        G.TAG_DWELL_MS: ints(t.dwell_ms for t in tags),
        G.TAG_COOLDOWN_MS: ints(t.cooldown_ms for t in tags),
        G.TAG_TERM_MS: ints(t.expires_ms or 0 for t in tags),
        G.DEFAULT_TAGS: ints([]),
        **_value_tables(tags, table),
    }


def _value_tables(tags: list[T.Tag], table: SeriesTable) -> dict[int, I64]:
    """What the value of each tag is, and from which windows its keys are known."""
    keys: list[list[tuple[int, int]]] = []
    for tag in tags:
        grouped = [w for w in windows_of_tag(tag) if w.key.group is not None] if tag.for_each is not None else []
        keys.append(sorted({table.locate(w) for w in grouped}))
    return {
        G.TAG_KIND: ints(map(kind_of, tags)),
        G.TAG_LIMIT: ints(0 if tag.for_each is None else tag.for_each.limit for tag in tags),
        G.TAG_STEP: ints(int(np.float64(float(tag.step)).view(np.int64)) for tag in tags),
        G.TAG_KEYS: firsts(len(each) for each in keys),
        G.KEY_SERIES: ints(series for each in keys for series, _ in each),
        G.KEY_WINDOW: ints(window for each in keys for _, window in each),
    }


def order_tables(rule_set: T.RuleSet, tags: list[T.Tag], table: SeriesTable) -> dict[int, I64]:
    """The order of evaluation, and who is to be evaluated when a series or another tag has changed."""
    order = evaluation_order(rule_set.tags)
    ranks = {index: rank for rank, index in enumerate(order)}
    index_of = {tag.id: index for index, tag in enumerate(tags)}
    of_windows: list[list[set[int]]] = [[set() for _ in series.windows] for series in table.series]
    for index, tag in enumerate(tags):
        for window in windows_of_tag(tag):
            series, place = table.locate(window)
            of_windows[series][place].add(ranks[index])
    readers = [set[int]().union(*of_series) for of_series in of_windows]
    by_window = [ranks for of_series in of_windows for ranks in of_series]
    dependents: list[set[int]] = [set() for _ in tags]
    for tag_id, seen in dependencies(rule_set.tags).items():
        for other in seen:
            dependents[index_of[other]].add(ranks[index_of[tag_id]])
    return {
        G.TAG_RANK: ints(ranks[index] for index in range(len(tags))),
        G.RANKED_TAGS: ints(order),
        G.SERIES_TAGS: firsts(len(r) for r in readers),
        G.READERS: ints(rank for r in readers for rank in sorted(r)),
        G.WINDOW_TAGS: firsts(len(r) for r in by_window),
        G.WINDOW_READERS: ints(rank for r in by_window for rank in sorted(r)),
        G.TAG_DEPENDENTS: firsts(len(d) for d in dependents),
        G.DEPENDENTS: ints(rank for d in dependents for rank in sorted(d)),
    }


def _reads_of_score(tag: T.Tag, index: int, finder: ReadFinder) -> set[Read]:
    """What time may do to a number."""
    return set() if tag.score is None else set(finder.reads_of_score(tag.score, index))


def read_tables(tags: list[T.Tag], table: SeriesTable, code: Code, conditions: ConditionCompiler) -> dict[int, I64]:
    """What time may do to a tag that is not simply out; and what of it can let a tag enter."""
    trials = _Trials(conditions, code)
    of_tags: list[list[Read]] = []
    eager: set[Read] = set()
    for index, tag in enumerate(tags):
        group = group_of(tag)
        finder = ReadFinder(table, trials.within(group), group)
        moving = _reads_of_score(tag, index, finder)
        eager |= moving
        found = moving | {read for c in conditions_of(tag) for fading in finder.fading_in(c) for read in fading.reads}
        of_tags.append(sorted(read for read in found if read.metric >= 0))
        for condition in entry_conditions(tag):
            for fading in finder.fading_in(condition):
                if fading.eager:
                    eager |= fading.reads
        # time since something passes its bound without anything leaving: that is looked at for each customer alike
        eager |= {read for read in found if read.metric < 0}
    of_series: list[list[Read]] = [[] for _ in table.series]
    for read in sorted(eager):
        of_series[read.series].append(read)
    reads = [read for group in (*of_tags, *of_series) for read in group]
    return {
        G.TAG_READS: firsts(len(group) for group in of_tags),
        G.SERIES_EAGER: sum(len(group) for group in of_tags) + firsts(len(group) for group in of_series),
        G.READ_SERIES: ints(read.series for read in reads),
        G.READ_METRIC: ints(read.metric for read in reads),
        G.READ_FLOOR: ints(read.floor for read in reads),
    }
