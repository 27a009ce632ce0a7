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
from processors.rules.parts import filters_of, nodes_of, parts_of
from processors.rules.problems import problem
from schemas.errors import RuleError

_Subject = T.Aggregate | T.Ratio | T.Trend | T.FieldRef | T.Calendar | T.ProfileRef | T.Age | T.TagRef
"""What has a number."""

_CALENDAR: Final = {"hour": (0, 23), "weekday": (1, 7)}
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

    subject: _Subject
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
        case T.Or() | T.Not():
            for part in parts_of(expr):
                yield from _condition(part, event)
        case _:
            for node in nodes_of(expr):
                for where, owner in zip(filters_of(node), _owners_of(node), strict=True):
                    yield from _condition(where, owner)
            yield from _single(expr, event)


def _owners_of(node: T.Expr) -> list[str]:
    """The event types whose filters `filters_of` has, in the same order."""
    if isinstance(node, T.Sequence):
        return [each.event for each in (node.first, node.second) if each.where is not None]
    return [node.event] if isinstance(node, T.Aggregate | T.Top) and node.where is not None else []


def _single(expr: T.Expr, event: str | None) -> Iterator[RuleError]:
    """Warnings about one test by itself."""
    match expr:
        case T.Compare():
            yield from _comparison(expr, event)
        case T.Present(T.Trend()) | T.Present(T.Aggregate("count" | "sum" | "distinct")):
            yield problem("TS-R902", f"`{dump(expr)}` is always true: it is never missing", expr.span)
        case T.StartsWith(left, T.Text("")):
            cure = f"Write present({dump(left)})"
            yield problem("TS-R902", f"`{dump(expr)}` is always true of an event that has the field", expr.span, cure)
        case T.Member(T.Calendar() as subject, values):
            outside = [v for v in values if isinstance(v, T.Number) and not _can_be(subject, event, v.value)]
            for value in outside:
                yield problem("TS-R901", f"`{dump(subject)}` is never {dump(value)}", value.span)


def _can_be(subject: _Subject, event: str | None, value: Fraction) -> bool:
    values, step = _possible(subject, event) or (_Range(), None)
    on_step = step is None or (value / step).denominator == 1
    return on_step and not values.meets(_Range(value, value)).is_empty


def _bound(expr: T.Expr) -> _Bound | None:
    match expr:
        case T.Compare(op, subject, T.Number(value)) if isinstance(subject, _Subject):
            return _Bound(subject, op, value)
        case T.Compare(op, T.Number(value), subject) if isinstance(subject, _Subject):
            return _Bound(subject, _FLIPPED[op], value)
    return None


def _possible(subject: _Subject, event: str | None) -> tuple[_Range, Fraction | None] | None:
    """(range, step) of what a value or a field can be; None if nothing is known."""
    match subject:
        case T.Calendar(unit):
            low, high = _CALENDAR[unit]
            return _Range(Fraction(low), Fraction(high)), Fraction(1)
        case T.Aggregate("count" | "distinct") | T.Age():
            return _Range(low=Fraction(0)), Fraction(1)
        case T.Aggregate("days_since" | "interval"):
            return _Range(low=Fraction(0)), None
        case T.Trend(item):
            known = _possible(item, None)
            return None if known is None else (_Range(), known[1])
        case T.Aggregate(func, owner, str(name)):
            known = _field_range(owner, name)
            return None if known is None else _of_many(func, *known)
        case T.FieldRef(name) if event is not None:
            return _field_range(event, name)
    return None


def _field_range(event: str, name: str) -> tuple[_Range, Fraction | None] | None:
    field = field_of(event, name)
    if field is None or not is_numeric(field):
        return None
    low = None if field.low is None else Fraction(field.low)
    high = None if field.high is None else Fraction(field.high)
    return _Range(low, high), step_of(name, field)


def _of_many(func: T.Func, one: _Range, step: Fraction | None) -> tuple[_Range, Fraction | None]:
    """(range, step) of an aggregate over values of which each is in `one`."""
    if func != "sum":
        return one, None if func == "avg" else step
    # any number of values may be summed, none among them: only the sign of the limits carries over
    keeps_low, keeps_high = one.low is not None and one.low >= 0, one.high is not None and one.high <= 0
    return _Range(Fraction(0) if keeps_low else None, Fraction(0) if keeps_high else None), step


def _often(subject: _Subject) -> str:
    """To what `always` is limited: a comparison with something missing is false."""
    match subject:
        case T.Aggregate("count" | "sum" | "distinct") | T.Trend() | T.Calendar(_, "event_time"):
            return ""
        case T.FieldRef() | T.Calendar():
            return " of an event that has the field"
    return " unless the value is missing"


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
        missing = _often(bound.subject)
        asked = T.FieldRef(bound.subject.field) if isinstance(bound.subject, T.Calendar) else bound.subject
        cure = f"Write present({dump(asked)})" if missing else None
        yield problem("TS-R902", f"`{dump(expr)}` is always true{missing}", expr.span, cure)


def _exclusive(items: Sequence[T.Expr], event: str | None) -> Iterator[RuleError]:
    """Comparisons of one thing, joined by `and`, that leave no value; those that are warned about anyway left aside."""
    left: dict[T.Expr, _Range] = {}
    texts: dict[T.Expr, str] = {}
    for item in items:
        match item:
            case T.Compare("==", subject, T.Text(text)) | T.Compare("==", T.Text(text), subject):
                if texts.setdefault(subject, text) != text:
                    yield problem("TS-R903", f"`{dump(item)}` excludes what stands before it", item.span)
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
