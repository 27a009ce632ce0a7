"""Conditions over a customer's windows and tags, to instructions."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from fractions import Fraction
from typing import Final

import numpy as np

from processors import interpret as vm
from processors import layout as L
from processors.attributes import TEXT_SEED
from processors.hashing import hash_bytes
from processors.rules import tree as T
from processors.rules.instructions import OPS, Instruction, Pools, compare_numbers, flip, logic, truth, whole_threshold
from processors.rules.walk import level_names
from processors.rules.windows import SeriesTable, Window, attribute, matched, measure_of, newest, windows_of
from processors.step import UNIT_REAL, UNIT_TEXT
from schemas.events import FIELDS

LEAST: Final = -(2**63)


def stored_kind(event: str, measure: str) -> str:
    """Kind of a stored field."""
    return next(f.kind for f in FIELDS[event] if f.name == measure)


def unit_of(value: T.Expr) -> int:
    """Whole units in one: 1, 100 for money, 10^9 for reals; UNIT_TEXT for a text, vm.REAL for a double.

    An attribute is taken for a number.
    """
    match value:
        case T.Aggregate("count" | "distinct") | T.Age():
            return 1
        case T.Aggregate("days_since"):
            return L.DAY_MS
        case T.Aggregate("avg" | "interval") | T.Ratio() | T.ProfileRef() | T.TagRef() | T.Number():
            return vm.REAL
        case T.Top() | T.Text():
            return UNIT_TEXT
        case T.Trend(item):
            return unit_of(item)
        case T.Aggregate():
            kind = stored_kind(value.event, measure_of(value) or "")
            if kind in ("text", "kind"):
                return UNIT_TEXT
            if kind == "real":
                return UNIT_REAL
            return 100 if value.field == "amount" else 1
    raise AssertionError(f"{type(value).__name__} has no value")


def text_hash(text: str) -> int:
    """The whole number as which a text is kept."""
    key = np.frombuffer(text.encode() or b"\0", np.uint8)
    return int(np.uint64(hash_bytes(key, 0, len(text.encode()), TEXT_SEED)).astype(np.int64))


def is_kind(value: T.Expr) -> bool:
    """Whether a value is a kind, which is kept as its place among the kinds."""
    if not isinstance(value, T.Aggregate) or value.func not in ("first", "last"):
        return False
    return stored_kind(value.event, measure_of(value) or "") == "kind"


class ConditionCompiler:
    """Conditions to postfix instructions."""

    def __init__(self, table: SeriesTable, tags: Sequence[T.Tag], pools: Pools) -> None:
        self._table = table
        self._tags = {tag.id: (index, level_names(tag)) for index, tag in enumerate(tags)}
        self._pools = pools
        self._group: str | None = None

    def within(self, group: str | None) -> ConditionCompiler:
        """A compiler of the conditions of one key, for tags that are grouped by this field."""
        other = copy(self)
        other._group = group
        return other

    def compile(self, expr: T.Expr) -> list[Instruction]:
        """Instructions that leave the truth of `expr` on the stack."""
        match expr:
            case T.Compare(op, left, right):
                return self._comparison(op, left, right)
            case T.Member(left, values, negated):
                tests = [self._comparison("!=" if negated else "==", left, value) for value in values]
                both = (vm.OP_AND if negated else vm.OP_OR, len(tests), 0, 0, 0)
                return [i for test in tests for i in test] + [both]
            case T.Present(item):
                value = self.text(item) if isinstance(item, T.ProfileRef) else self.value(item)
                return [*value, (vm.OP_PRESENT, 0, 0, 0, 0)]
            case T.StartsWith(T.ProfileRef(name), T.Text(prefix)):
                return [(vm.OP_BEGINS, self._table.locate(attribute(name))[0], *self._pools.prefix(prefix), 0)]
            case T.TagRef(tag):
                return [(vm.OP_TAG, self._tags[tag][0], 0, 0, 0)]
            case T.Sequence():
                return [self._sequence(expr)]
            case _:
                return logic(expr, self.compile)

    def _comparison(self, op: T.CompareOp, left: T.Expr, right: T.Expr) -> list[Instruction]:
        match left, right:
            case T.Number(a), T.Number(b):
                return [truth(compare_numbers(op, a, b))]
            case T.Text(x), T.Text(y):
                return [truth((x == y) == (op == "=="))]
            case ((T.Number() | T.Text()), _):
                return self._comparison(flip(op), right, left)
            case T.TagRef(tag), T.Text(level):
                index, levels = self._tags[tag]
                return [(vm.OP_TAG, index, 1 + levels.index(level), int(op == "!="), 0)]
            case _, T.Text(text):
                return [*self.text(left), (vm.OP_TEST, OPS[op], text_hash(text), 0, 0)]
            case _, T.Number(number):
                return self._with_constant(left, op, number)
            case _:
                sides = (left, right)
                known = [side for side in sides if not isinstance(side, T.ProfileRef)]
                are_texts = all(unit_of(side) == UNIT_TEXT for side in known)
                values = [self.text(side) if are_texts else self.value(side) for side in sides]
                return [*values[0], *values[1], (vm.OP_COMPARE, OPS[op], 0, 0, 0)]

    def text(self, value: T.Expr) -> list[Instruction]:
        """Instructions that push a text."""
        if isinstance(value, T.ProfileRef):
            return [self._attribute(value.name, vm.AS_TEXT)]
        named = [(vm.OP_NAMED, self._pools.kinds(value.event), 0, 0, 0)] if is_kind(value) else []  # type: ignore[union-attr]
        return [*self.value(value), *named]

    def _attribute(self, name: str, sort: int) -> Instruction:
        return (vm.OP_ATTRIBUTE, self._table.locate(attribute(name))[0], sort, 0, 0)

    def _with_constant(self, value: T.Expr, op: T.CompareOp, bound: Fraction) -> list[Instruction]:
        unit = unit_of(value)
        if unit == vm.REAL:
            bits = int(np.float64(float(bound)).view(np.int64))
            return [*self.value(value), (vm.OP_TEST_REAL, OPS[op], bits, 0, 0)]
        compared = whole_threshold(op, bound * unit)
        if isinstance(value, T.Aggregate) and value.func in ("count", "sum"):
            if isinstance(compared, bool):
                return [truth(compared)]
            return [(vm.OP_WINDOW, *self._metric(value), *compared)]
        if isinstance(compared, bool):
            # the value must still be there: every whole number is at or above the least one
            compared = (vm.GE if compared else vm.LT, LEAST)
        return [*self.value(value), (vm.OP_TEST, *compared, 0, 0)]

    def _metric(self, value: T.Expr) -> tuple[int, int]:
        (window,) = self._windows(value)
        return self._table.metric(window)

    def _windows(self, value: T.Expr) -> list[Window]:
        return windows_of(value, self._group)

    def value(self, value: T.Expr) -> list[Instruction]:
        """Instructions that push a value; an attribute as a number."""
        match value:
            case T.ProfileRef(name):
                return [self._attribute(name, vm.AS_NUMBER)]
            case T.Age(name):
                return [self._attribute(name, vm.AS_AGE)]
            case T.TagRef(tag):
                return [(vm.OP_SCORE, self._tags[tag][0], 0, 0, 0)]
            case T.Top():
                return [(vm.OP_TOP, *self._table.metric(windows_of(value)[0]), 0, 0)]
            case T.Aggregate("distinct"):
                return [(vm.OP_DISTINCT, *self._table.locate(self._windows(value)[0]), 0, 0)]
            case T.Aggregate("count" | "sum"):
                return [self._load(self._windows(value)[0], unit_of(value))]
            case T.Aggregate("avg"):
                total, count = self._windows(value)
                loads = [self._load(total, unit_of(T.Aggregate("sum", value.event, value.field, None, None)))]
                return [*loads, self._load(count, 1), (vm.OP_RATIO, 0, 0, 0, 0)]
            case T.Aggregate("interval"):
                last, first, count = self._windows(value)
                return [self._pick(last, 1), self._pick(first, 1), self._load(count, 1), (vm.OP_INTERVAL, 0, 0, 0, 0)]
            case T.Aggregate("days_since"):
                return [(vm.OP_SINCE, *self._table.locate(self._windows(value)[0]), 0, 0)]
            case T.Aggregate():
                return [self._pick(self._windows(value)[0], max(1, unit_of(value)))]
            case T.Trend(item):
                loads = [self._load(window, unit_of(item)) for window in self._windows(value)]
                return [*loads, (vm.OP_TREND, 0, 0, 0, 0)]
            case T.Ratio(left, right):
                return [*self.value(left), *self.value(right), (vm.OP_RATIO, 0, 0, 0, 0)]
        raise AssertionError(f"the type check let {type(value).__name__} through as a value")

    def _load(self, window: Window, unit: int) -> Instruction:
        return (vm.OP_LOAD, *self._table.metric(window), unit, 0)

    def _pick(self, window: Window, unit: int) -> Instruction:
        return (vm.OP_PICK, *self._table.locate(window), unit, 0)

    def _sequence(self, expr: T.Sequence) -> Instruction:
        if not expr.negated:
            return (vm.OP_MATCHED, self._table.locate(matched(expr, self._group))[0], 0, 0, 0)
        first, second = (self._table.locate(newest(part, self._group)) for part in (expr.first, expr.second))
        of_one_type = expr.first.event == expr.second.event
        return (vm.OP_ABSENT, first[0] << 16 | first[1], second[0] << 16 | second[1], expr.within_ms, int(of_one_type))
