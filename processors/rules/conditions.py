"""Conditions over a customer's windows and tags, to instructions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import numpy as np

from processors import interpret as vm
from processors import layout as L
from processors.hashing import hash_bytes
from processors.rules import tree as T
from processors.rules.instructions import OPS, Instruction, compare_numbers, flip, logic, truth, whole_threshold
from processors.rules.windows import SeriesTable, Window, matched, measure_of, newest, windows_of
from processors.step import TEXT_SEED, UNIT_REAL, UNIT_TEXT
from schemas.events import FIELDS, KINDS

LEAST: Final = -(2**63)


def stored_kind(event: str, measure: str) -> str:
    """Kind of a stored field."""
    return next(f.kind for f in FIELDS[event] if f.name == measure)


def unit_of(value: T.Expr) -> int:
    """Whole units in one: 1, 100 for money, 10^9 for reals; UNIT_TEXT for a text, vm.REAL for a double."""
    match value:
        case T.Aggregate("count"):
            return 1
        case T.Aggregate("days_since"):
            return L.DAY_MS
        case T.Aggregate("avg" | "interval") | T.Ratio():
            return vm.REAL
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


def text_number(event: str, field: str, text: str) -> int:
    """The whole number as which a text is kept: its place among the kinds, or its hash."""
    if stored_kind(event, field) == "kind":
        return KINDS[event].index(text)
    key = np.frombuffer(text.encode() or b"\0", np.uint8)
    return int(np.uint64(hash_bytes(key, 0, len(text.encode()), TEXT_SEED)).astype(np.int64))


class ConditionCompiler:
    """Conditions to postfix instructions."""

    def __init__(self, table: SeriesTable, tags: Sequence[T.Tag]) -> None:
        self._table = table
        self._tags = {tag.id: (index, [level.name for level in tag.tiers]) for index, tag in enumerate(tags)}

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
                return [*self._value(item), (vm.OP_PRESENT, 0, 0, 0, 0)]
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
            case T.Aggregate(), T.Text(text):
                number = text_number(left.event, measure_of(left) or "", text)
                return [*self._value(left), (vm.OP_TEST, OPS[op], number, 0, 0)]
            case _, T.Number(number):
                return self._with_constant(left, op, number)
            case _:
                return [*self._value(left), *self._value(right), (vm.OP_COMPARE, OPS[op], 0, 0, 0)]

    def _with_constant(self, value: T.Expr, op: T.CompareOp, bound: Fraction) -> list[Instruction]:
        unit = unit_of(value)
        if unit == vm.REAL:
            bits = int(np.float64(float(bound)).view(np.int64))
            return [*self._value(value), (vm.OP_TEST_REAL, OPS[op], bits, 0, 0)]
        compared = whole_threshold(op, bound * unit)
        if isinstance(value, T.Aggregate) and value.func in ("count", "sum"):
            if isinstance(compared, bool):
                return [truth(compared)]
            return [(vm.OP_WINDOW, *self._metric(value), *compared)]
        if isinstance(compared, bool):
            # the value must still be there: every whole number is at or above the least one
            compared = (vm.GE if compared else vm.LT, LEAST)
        return [*self._value(value), (vm.OP_TEST, *compared, 0, 0)]

    def _metric(self, value: T.Expr) -> tuple[int, int]:
        (window,) = windows_of(value)
        return self._table.metric(window)

    def _value(self, value: T.Expr) -> list[Instruction]:
        """Instructions that push a value."""
        match value:
            case T.Aggregate("count" | "sum"):
                return [self._load(windows_of(value)[0], unit_of(value))]
            case T.Aggregate("avg"):
                total, count = windows_of(value)
                loads = [self._load(total, unit_of(T.Aggregate("sum", value.event, value.field, None, None)))]
                return [*loads, self._load(count, 1), (vm.OP_RATIO, 0, 0, 0, 0)]
            case T.Aggregate("interval"):
                last, first, count = windows_of(value)
                return [self._pick(last, 1), self._pick(first, 1), self._load(count, 1), (vm.OP_INTERVAL, 0, 0, 0, 0)]
            case T.Aggregate("days_since"):
                return [(vm.OP_SINCE, *self._table.locate(windows_of(value)[0]), 0, 0)]
            case T.Aggregate():
                return [self._pick(windows_of(value)[0], max(1, unit_of(value)))]
            case T.Trend(item):
                loads = [self._load(window, unit_of(item)) for window in windows_of(value)]
                return [*loads, (vm.OP_TREND, 0, 0, 0, 0)]
            case T.Ratio(left, right):
                return [*self._value(left), *self._value(right), (vm.OP_RATIO, 0, 0, 0, 0)]
        raise AssertionError(f"the type check let {type(value).__name__} through as a value")

    def _load(self, window: Window, unit: int) -> Instruction:
        return (vm.OP_LOAD, *self._table.metric(window), unit, 0)

    def _pick(self, window: Window, unit: int) -> Instruction:
        return (vm.OP_PICK, *self._table.locate(window), unit, 0)

    def _sequence(self, expr: T.Sequence) -> Instruction:
        if not expr.negated:
            return (vm.OP_MATCHED, self._table.locate(matched(expr))[0], 0, 0, 0)
        first, second = (self._table.locate(newest(part)) for part in (expr.first, expr.second))
        of_one_type = expr.first.event == expr.second.event
        return (vm.OP_ABSENT, first[0] << 16 | first[1], second[0] << 16 | second[1], expr.within_ms, int(of_one_type))
