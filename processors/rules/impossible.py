"""Rules that can be read and run but cannot be meant: never true, always true, levels out of reach.

Simple cases only, decided by the range and step of what is compared with a constant; no warning proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from processors.rules import tree as T
from processors.rules.dump import dump
from processors.rules.fields import field_of, is_numeric, step_of
from processors.rules.problems import problem
from schemas.errors import RuleError

_FLIPPED: Final[dict[T.CompareOp, T.CompareOp]] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class _Range:
    """Numbers from low to high, each end in or out; None is no end."""

    low: Fraction | None = None
    high: Fraction | None = None
    low_in: bool = True
    high_in: bool = True

    @property
    def is_empty(self) -> bool:
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and not (self.low_in and self.high_in))

    def meets(self, other: _Range) -> _Range:
        """The numbers in both."""
        low, low_in = self.low, self.low_in
        if other.low is not None and (low is None or other.low > low or (other.low == low and not other.low_in)):
            low, low_in = other.low, other.low_in
        high, high_in = self.high, self.high_in
        if other.high is not None and (high is None or other.high < high or (other.high == high and not other.high_in)):
            high, high_in = other.high, other.high_in
        return _Range(low, high, low_in, high_in)


@dataclass(frozen=True, slots=True)
class _Bound:
    """A comparison with a constant, the constant on the right."""

    subject: T.Expr
    op: T.CompareOp
    value: Fraction

    def range(self) -> _Range | None:
        """The numbers for which it holds; None for `!=`, which is no range."""
        match self.op:
            case "==":
                return _Range(self.value, self.value)
            case "<" | "<=":
                return _Range(high=self.value, high_in=self.op == "<=")
            case ">" | ">=":
                return _Range(low=self.value, low_in=self.op == ">=")
        return None


def impossible(expr: T.Expr) -> list[RuleError]:
    """Warnings (TS-R901 to 903) about one checked condition, filters included."""
    return list(_condition(expr, None))


def unreachable_levels(levels: Sequence[T.Level]) -> list[tuple[int, str]]:
    """(position, name of the level that hides it) of each level that an earlier one always takes."""
    found = []
    for i, level in enumerate(levels):
        hiding = next((e.name for e in levels[:i] if e.when == level.when or _implies(level.when, e.when)), None)
        if hiding is not None:
            found.append((i, hiding))
    return found


def overlap(when: T.Expr, leave: T.Expr) -> bool:
    """Whether `when` and `leave`, both one comparison of one thing, hold for some value together."""
    a, b = _bound(when), _bound(leave)
    if a is None or b is None or a.subject != b.subject:
        return False
    ranges = (a.range(), b.range())
    possible = _possible(a.subject, None)
    if ranges[0] is None or ranges[1] is None or possible is None:
        return False
    return not ranges[0].meets(ranges[1]).meets(possible[0]).is_empty


def _implies(inner: T.Expr, outer: T.Expr) -> bool:
    """Whether one comparison holds only where another of the same thing does."""
    a, b = _bound(inner), _bound(outer)
    if a is None or b is None or a.subject != b.subject:
        return False
    narrow, wide = a.range(), b.range()
    return narrow is not None and wide is not None and narrow.meets(wide) == narrow


def _condition(expr: T.Expr, event: str | None) -> Iterator[RuleError]:
    match expr:
        case T.And(items):
            yield from _exclusive(items, event)
            for item in items:
                yield from _condition(item, event)
        case T.Or(items):
            for item in items:
                yield from _condition(item, event)
        case T.Not(item):
            yield from _condition(item, event)
        case T.Compare(_, left, right):
            for side in (left, right):
                if isinstance(side, T.Aggregate) and side.where is not None:
                    yield from _condition(side.where, side.event)
            yield from _comparison(expr, event)


def _bound(expr: T.Expr) -> _Bound | None:
    match expr:
        case T.Compare(op, (T.Aggregate() | T.FieldRef()) as subject, T.Number(value)):
            return _Bound(subject, op, value)
        case T.Compare(op, T.Number(value), (T.Aggregate() | T.FieldRef()) as subject):
            return _Bound(subject, _FLIPPED[op], value)
    return None


def _possible(subject: T.Expr, event: str | None) -> tuple[_Range, Fraction | None] | None:
    """(range, step) of what an aggregate or a field can be; None if nothing is known."""
    if isinstance(subject, T.Aggregate) and subject.func == "count":
        return _Range(low=Fraction(0)), Fraction(1)
    name = subject.field if isinstance(subject, T.Aggregate) else getattr(subject, "name", None)
    owner = subject.event if isinstance(subject, T.Aggregate) else event
    field = field_of(owner, name) if owner is not None and name is not None else None
    if field is None or name is None or not is_numeric(field):
        return None
    step = step_of(name, field)
    low = None if field.low is None else Fraction(field.low)
    high = None if field.high is None else Fraction(field.high)
    if isinstance(subject, T.FieldRef):
        return _Range(low, high), step
    # any number of values may be summed, none among them: only the sign of the limits carries over
    keeps_low, keeps_high = low is not None and low >= 0, high is not None and high <= 0
    return _Range(Fraction(0) if keeps_low else None, Fraction(0) if keeps_high else None), step


def _comparison(expr: T.Compare, event: str | None) -> Iterator[RuleError]:
    bound = _bound(expr)
    possible = None if bound is None else _possible(bound.subject, event)
    if bound is None or possible is None:
        return
    values, step = possible
    held = bound.range() or _Range(bound.value, bound.value)
    off_step = bound.op in ("==", "!=") and step is not None and (bound.value / step).denominator != 1
    nowhere = off_step or held.meets(values).is_empty
    everywhere = held.meets(values) == values
    if bound.op == "!=":
        nowhere, everywhere = everywhere, nowhere
    if nowhere:
        yield problem("TS-R901", f"`{dump(expr)}` can never be true", expr.span)
    elif everywhere:
        where = " of an event that has the field" if isinstance(bound.subject, T.FieldRef) else ""
        yield problem("TS-R902", f"`{dump(expr)}` is always true{where}", expr.span)


def _exclusive(items: Sequence[T.Expr], event: str | None) -> Iterator[RuleError]:
    """Comparisons of one thing, joined by `and`, that leave no value; those that are warned about anyway left aside."""
    left: dict[T.Expr, _Range] = {}
    for item in items:
        bound = _bound(item)
        held = None if bound is None else bound.range()
        if bound is None or held is None or next(_comparison_of(item, event), None) is not None:
            continue
        before = left.get(bound.subject, _Range())
        left[bound.subject] = before.meets(held)
        if left[bound.subject].is_empty and not before.is_empty:
            message = f"`{dump(item)}` excludes what stands before it"
            yield problem("TS-R903", message, item.span)


def _comparison_of(item: T.Expr, event: str | None) -> Iterator[RuleError]:
    if isinstance(item, T.Compare):
        yield from _comparison(item, event)
