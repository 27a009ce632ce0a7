"""Expressions: what stands in one, whether a condition is true, and what an aggregate makes of the events it counts."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from processors.oracle.event import DAY_MS, Event, Placed, field_value, leaves_at_ms, stored_value
from processors.oracle.profile import number_in
from processors.rules.tree import (
    Age,
    Aggregate,
    And,
    Calendar,
    Compare,
    Expr,
    FieldRef,
    Member,
    Not,
    Number,
    Or,
    Present,
    ProfileRef,
    Ratio,
    RuleSet,
    Sequence,
    StartsWith,
    Tag,
    TagRef,
    Text,
    Top,
    Trend,
)
from schemas.events import FIELDS

Value = Fraction | int | float | str | bool | tuple[str, ...] | None
"""What an expression is worth; None is missing. A float is a double by meaning, all other numbers are exact."""

Name = FieldRef | Calendar | ProfileRef | Age | Aggregate | Top | Trend | Sequence | TagRef
"""What has no value by itself."""

Scope = Callable[[Name], Value]
"""Gives the names in an expression their value at one instant, or for one event."""

COMPARE: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


# ---------------------------------------------------------------------------------------------- what is in it


def parts(expr: Expr | None) -> Iterator[Expr]:
    """An expression and everything in it, filters included."""
    if expr is None:
        return
    yield expr
    for item in items_of(expr):
        yield from parts(item)


def items_of(expr: Expr) -> tuple[Expr | None, ...]:
    """What an expression is directly made of; None where a filter may stand and does not."""
    if isinstance(expr, And | Or):
        return expr.items
    if isinstance(expr, Not | Present | Trend):
        return (expr.item,)
    if isinstance(expr, Compare | Ratio):
        return (expr.left, expr.right)
    if isinstance(expr, Member | StartsWith):
        return (expr.left,)
    if isinstance(expr, Aggregate | Top):
        return (expr.where,)
    if isinstance(expr, Sequence):
        return (expr.first.where, expr.second.where)
    return ()


def parts_of_rules(rule_set: RuleSet) -> list[Expr]:
    """Everything that stands anywhere in the rule set, as often as it stands there."""
    return [part for tag in rule_set.tags for part in parts_of_tag(tag)]


def parts_of_tag(tag: Tag) -> list[Expr]:
    """Everything that stands anywhere in a tag, as often as it stands there."""
    roots = (tag.when, tag.leave, tag.score, *(level.when for level in tag.tiers))
    return [part for root in roots for part in parts(root)]


def parts_by_themselves(expr: Expr | None) -> Iterator[Expr]:
    """An expression and everything in it, filters left out."""
    if expr is None:
        return
    yield expr
    if not isinstance(expr, Aggregate | Top | Sequence):
        for item in items_of(expr):
            yield from parts_by_themselves(item)


def aggregates_of(rule_set: RuleSet) -> list[Aggregate]:
    """Every aggregate that stands anywhere in the rule set, as often as it stands there."""
    return [part for part in parts_of_rules(rule_set) if isinstance(part, Aggregate)]


# ----------------------------------------------------------------------------------------------------- truth


def is_true(expr: Expr, scope: Scope) -> bool:
    """Truth of a condition. A comparison with something missing is false, whatever its operator."""
    if isinstance(expr, And):
        return all(is_true(item, scope) for item in expr.items)
    if isinstance(expr, Or):
        return any(is_true(item, scope) for item in expr.items)
    if isinstance(expr, Not):
        return not is_true(expr.item, scope)
    if isinstance(expr, Compare):
        left, right = sides_of(expr, scope)
        return left is not None and right is not None and COMPARE[expr.op](left, right)
    if isinstance(expr, Member):
        found = value_of(expr.left, scope)
        return found is not None and (found in [item.value for item in expr.values]) != expr.negated
    if isinstance(expr, StartsWith):
        found = value_of(expr.left, scope)
        return isinstance(found, str) and found.encode().startswith(expr.prefix.value.encode())
    if isinstance(expr, Present):
        return value_of(expr.item, scope) is not None
    if isinstance(expr, TagRef):
        return scope(expr) is not None
    if isinstance(expr, Sequence):
        return scope(expr) is True
    raise TypeError(f"not a condition: {expr!r}")


def value_of(expr: Expr, scope: Scope) -> Value:
    """Value of one side of a comparison."""
    if isinstance(expr, Number | Text):
        return expr.value
    if isinstance(expr, Ratio):
        return quotient(value_of(expr.left, scope), value_of(expr.right, scope))
    if isinstance(expr, FieldRef | Calendar | ProfileRef | Age | Aggregate | Top | Trend | TagRef):
        return scope(expr)
    raise TypeError(f"not a value: {expr!r}")


def sides_of(compare: Compare, scope: Scope) -> tuple[Value, Value]:
    """Both sides, as they are to be compared: exact, or both as doubles."""
    left, right = value_of(compare.left, scope), value_of(compare.right, scope)
    if left is None or right is None or (isinstance(left, str) and isinstance(right, str)):
        return left, right
    left, right = as_number(compare.left, left), as_number(compare.right, right)
    if left is None or right is None:
        return left, right
    are_doubles = isinstance(left, float) or isinstance(right, float)
    units = (unit_of(compare.left), unit_of(compare.right))
    if are_doubles or (None not in units and units[0] != units[1]):
        return float(left), float(right)
    return left, right


def as_number(expr: Expr, value: Value) -> Fraction | int | float | None:
    """The value of an expression where a number is asked for: an attribute is read as one."""
    if isinstance(value, str):
        assert isinstance(expr, ProfileRef), f"a text is no number: {expr!r}"
        return number_in(value)
    assert not isinstance(value, tuple), f"keys are no number: {expr!r}"
    return value


def unit_of(expr: Expr) -> str | None:
    """The unit that a value computed from events is a whole number of; None for constants and fields, which may be
    compared exactly with anything exact."""
    if isinstance(expr, Trend):
        return unit_of(expr.item)
    if isinstance(expr, Age):
        return "1"
    if not isinstance(expr, Aggregate):
        return None
    if expr.func == "distinct":
        return "1"
    if expr.func == "days_since":
        return "ms"
    if expr.field == "amount":
        return "cents"
    kinds = {known.name: known.kind for known in FIELDS[expr.event]}
    return "10^-9" if expr.field is not None and kinds[expr.field] == "real" else "1"


def quotient(left: Value, right: Value) -> float | None:
    """The double nearest to the exact quotient; the quotient of doubles if a side is one. Missing if it has none."""
    assert not isinstance(left, str | tuple) and not isinstance(right, str | tuple), "a ratio of texts"
    if left is None or right is None or right == 0:
        return None
    if isinstance(left, float) or isinstance(right, float):
        return float(left) / float(right) + 0.0  # zero has no sign
    return float(Fraction(left) / Fraction(right))


# ------------------------------------------------------------------------------------------------ aggregates


Measured = Aggregate | Top
"""What a value is computed from the events of a window by."""


@dataclass(frozen=True, slots=True)
class Counted:
    """An event that counts in an aggregate."""

    time_ms: int
    value: Fraction | int | str
    """Of the aggregate's field; 1 where it has none."""
    sign: int = 1
    """-1 for a cancelled order, which is taken back."""
    weight: Fraction | int = 1
    """Of the field that a `top` sums."""
    key: str | None = None
    """Of a tag that has keys: the one of this event."""


def matches(event_type: str, where: Expr | None, placed: Placed, rule_set: RuleSet) -> bool:
    """Whether an event is of a type and passes a filter."""

    def scope(name: Name) -> Value:
        assert isinstance(name, FieldRef | Calendar | ProfileRef | Age), f"in a filter: {name!r}"
        return field_value(placed, name, rule_set)

    return placed.event.type == event_type and (where is None or is_true(where, scope))


def counted(measured: Measured, placed: Placed, rule_set: RuleSet, key_field: str | None = None) -> Counted | None:
    """What an event is to an aggregate; None if it does not count. `key_field`: the field that has the tag's keys.

    One that lacks the field, or is other money, counts in a sum as 0: it is in the window all the same, and leaves it.
    """
    func = "top" if isinstance(measured, Top) else measured.func
    sign = 1
    ordered_ms = order_time_of(placed)
    if ordered_ms is not None:
        if placed.event.fields["kind"] == "cancel":
            if func not in ("count", "sum", "avg", "top"):
                return None
            placed, sign = replace(placed, event=as_order(placed.event), time_ms=ordered_ms), -1
    if not matches(measured.event, measured.where, placed, rule_set):
        return None
    if isinstance(measured, Top):
        one = counted_top(measured, placed, rule_set)
    else:
        one = counted_as(measured, placed, rule_set)
    if one is None:
        return None
    one = replace(one, sign=sign)
    if key_field is not None:
        key = stored_value(placed.event, key_field, rule_set)
        if key is None:
            return None
        assert isinstance(key, str), f"not a text: {key_field}"
        one = replace(one, key=key)
    if ordered_ms is None or func not in ("count", "sum", "avg", "min", "max", "distinct", "top"):
        return one
    return replace(one, time_ms=ordered_ms)


def order_time_of(placed: Placed) -> int | None:
    """When the order was of which an event takes something back, at most when that event happened; None for others."""
    ordered_ms = placed.event.fields.get("order_time")
    if placed.event.fields.get("kind") not in ("refund", "cancel") or ordered_ms is None:
        return None
    assert isinstance(ordered_ms, int)
    return min(ordered_ms, placed.time_ms)


def as_order(cancellation: Event) -> Event:
    """The order that a cancellation is about."""
    fields = dict(cancellation.fields)
    for name in ("amount_cents", "quantity"):
        if (value := fields.get(name)) is not None:
            assert isinstance(value, int)
            fields[name] = abs(value)
    return replace(cancellation, fields={**fields, "kind": "order"})


def number_counted(measured: Measured, name: str, placed: Placed, rule_set: RuleSet) -> Fraction | int | str | None:
    """The value of a field where it counts: money of another currency does not, unless the filter names currencies."""
    names_currency = any(isinstance(part, FieldRef) and part.name == "currency" for part in parts(measured.where))
    if name in ("amount", "amount_cents") and not names_currency:
        if stored_value(placed.event, "currency", rule_set) != rule_set.default_currency:
            return None
    return stored_value(placed.event, name, rule_set)


def counted_as(aggregate: Aggregate, placed: Placed, rule_set: RuleSet) -> Counted | None:
    """What an event that passes the filter is to an aggregate where it is placed."""
    if aggregate.field is None:
        return Counted(placed.time_ms, 1)
    value = number_counted(aggregate, aggregate.field, placed, rule_set)
    if value is None:
        return Counted(placed.time_ms, 0) if aggregate.func == "sum" else None
    return Counted(placed.time_ms, value)


def counted_top(top: Top, placed: Placed, rule_set: RuleSet) -> Counted | None:
    """What an event that passes the filter is to a `top`: nothing if it lacks one of the two fields."""
    value = stored_value(placed.event, top.field, rule_set)
    weight = 1 if top.measure is None else number_counted(top, top.measure, placed, rule_set)
    if value is None or weight is None:
        return None
    assert not isinstance(weight, str), f"not a number: {top.measure}"
    return Counted(placed.time_ms, value, weight=weight)


def held_by(window_ms: int | None, all_counted: list[Counted], now_ms: int, lengths: int = 1) -> list[Counted]:
    """What a window holds at an instant, of all that ever counted; `lengths` as in `aggregate_value`."""
    return [c for c in all_counted if window_ms is None or leaves_at_ms(c.time_ms, window_ms, lengths) > now_ms]


def aggregate_value(aggregate: Aggregate, all_counted: list[Counted], now_ms: int, lengths: int = 1) -> Value:
    """The value at an instant, from all that ever counted, in order of application.

    `lengths` is of how many windows' lengths the window is; its panes are those of one.
    """
    held = held_by(aggregate.window_ms, all_counted, now_ms, lengths)
    times_ms = [c.time_ms for c in held]
    if aggregate.func == "count":
        return sum(c.sign for c in held)
    if aggregate.func == "days_since":
        return Fraction(max(0, now_ms - max(times_ms)), DAY_MS) if held else None
    if aggregate.func == "interval":
        return float(Fraction(max(times_ms) - min(times_ms), (len(held) - 1) * DAY_MS)) if len(held) >= 2 else None
    if aggregate.func == "first":
        return next((c.value for c in held if c.time_ms == min(times_ms)), None)
    if aggregate.func == "last":
        return next((c.value for c in reversed(held) if c.time_ms == max(times_ms)), None)
    if aggregate.func == "distinct":
        return len({c.value for c in held})
    numbers = [c.sign * Fraction(c.value) for c in held]
    if aggregate.func == "sum":
        return sum(numbers, Fraction(0))
    if not numbers:
        return None
    if aggregate.func == "avg":
        n = sum(c.sign for c in held)
        return float(sum(numbers, Fraction(0)) / n) if n else None
    return min(numbers) if aggregate.func == "min" else max(numbers)


def top_value(top: Top, all_counted: list[Counted], now_ms: int) -> str | None:
    """The text with the most events held, or the greatest sum; of equals the smaller one."""
    held = held_by(top.window_ms, all_counted, now_ms)
    events: dict[str, int] = {}
    weights: dict[str, Fraction] = {}
    for c in held:
        assert isinstance(c.value, str), f"not a text: {top.field}"
        events[c.value] = events.get(c.value, 0) + c.sign
        weights[c.value] = weights.get(c.value, Fraction(0)) + c.sign * c.weight
    candidates = [text for text in events if events[text] > 0]
    return min(candidates, key=lambda text: (-weights[text], text.encode()), default=None)


def trend_value(trend: Trend, all_counted: list[Counted], now_ms: int) -> Fraction:
    """The window less the window before it: what a window twice as long holds and this one does not."""
    this = aggregate_value(trend.item, all_counted, now_ms)
    both = aggregate_value(trend.item, all_counted, now_ms, lengths=2)
    assert isinstance(this, Fraction | int) and isinstance(both, Fraction | int), "a trend of neither count nor sum"
    return Fraction(this - (both - this))


# ------------------------------------------------------------------------------------------------- sequences


@dataclass(frozen=True, slots=True)
class Met:
    """An event that is of the first or the second kind of a sequence, or of both."""

    time_ms: int
    is_first: bool
    is_second: bool
    key: str | None = None
    """As in `Counted`."""


def met(sequence: Sequence, placed: Placed, rule_set: RuleSet, key_field: str | None = None) -> Met | None:
    """What an event is to a sequence; None if it is nothing to it, as what takes an order back."""
    if order_time_of(placed) is not None and placed.event.fields["kind"] == "cancel":
        return None
    first, second = (matches(side.event, side.where, placed, rule_set) for side in (sequence.first, sequence.second))
    if not first and not second:
        return None
    if key_field is None:
        return Met(placed.time_ms, first, second)
    key = stored_value(placed.event, key_field, rule_set)
    assert key is None or isinstance(key, str), f"not a text: {key_field}"
    return None if key is None else Met(placed.time_ms, first, second, key)


def sequence_holds(sequence: Sequence, all_met: list[Met], now_ms: int) -> bool:
    """Whether a sequence is true at an instant, from all that was met, in order of application."""
    if not sequence.negated:
        return newest_second_was_matched(sequence, all_met)
    firsts = [m.time_ms for m in all_met if m.is_first]
    seconds = [m.time_ms for m in all_met if m.is_second]
    if not firsts or now_ms < max(firsts) + sequence.within_ms:
        return False
    if not seconds:
        return True
    if sequence.first.event == sequence.second.event:
        return max(seconds) <= max(firsts)
    return max(seconds) < max(firsts)


def newest_second_was_matched(sequence: Sequence, all_met: list[Met]) -> bool:
    """`a then b within T`: decided for each b when it is applied, from the newest a that had been applied by then."""
    first_ms: int | None = None
    second_ms: int | None = None
    was_matched = False
    for m in all_met:
        if m.is_second and (second_ms is None or m.time_ms >= second_ms):
            second_ms = m.time_ms
            was_matched = first_ms is not None and first_ms <= m.time_ms <= first_ms + sequence.within_ms
        if m.is_first:
            first_ms = m.time_ms if first_ms is None else max(first_ms, m.time_ms)
    return was_matched
