"""Whether a tree means something: known events, fields and kinds, types that fit. All faults of a tree are found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.dump import dump
from processors.rules.durations import write_length
from processors.rules.fields import field_of, is_numeric, names_of
from processors.rules.problems import problem
from processors.rules.suggest import did_you_mean
from schemas.errors import RuleError
from schemas.events import EVENT_TYPES, KINDS

_Type = Literal["number", "text", "kind", "time", "unknown"]
"""What a side of a comparison holds; `unknown` where a fault was already reported."""

_SOURCE: Final = re.compile(r"\w+\s*\(\s*(?P<event>\w+)(?:\s*\.\s*(?P<field>\w+))?")
_WINDOW: Final = re.compile(r"(?P<window>\w+)\s*\)\Z")


def check(expr: T.Expr, text: str) -> list[RuleError]:
    """Every fault of a condition (TS-R2xx, TS-R5xx), in the order of the text; empty if the engine can run it.

    `text` is what `expr` was parsed from; carets are narrowed by it.
    """
    faults = [*_limits(expr), *_Checker(text).condition(expr, None)]
    return sorted(faults, key=lambda e: e.span or (0, 0))


def aggregates_of(expr: T.Expr) -> Iterator[T.Aggregate]:
    """Every aggregate of an expression, left to right."""
    match expr:
        case T.Aggregate():
            yield expr
        case T.Compare(_, left, right):
            yield from aggregates_of(left)
            yield from aggregates_of(right)
        case T.Not(item):
            yield from aggregates_of(item)
        case T.And(items) | T.Or(items):
            for item in items:
                yield from aggregates_of(item)


def _limits(expr: T.Expr) -> Iterator[RuleError]:
    aggregates = list(aggregates_of(expr))
    if len(aggregates) > limits.MAX_AGGREGATES:
        message = f"The expression has {len(aggregates)} aggregates; {limits.MAX_AGGREGATES} is the most"
        yield problem("TS-R503", message, aggregates[limits.MAX_AGGREGATES].span)
    filters = [a.where for a in aggregates if a.where is not None]
    for one in (expr, *filters):
        if _pending(one) > limits.MAX_PENDING_TERMS:
            message = f"More than {limits.MAX_PENDING_TERMS} conditions wait for each other"
            yield problem("TS-R502", message, one.span, "Split it, or use `in [...]`")


def _pending(expr: T.Expr) -> int:
    """Truth values held at once while the expression is decided from left to right."""
    match expr:
        case T.And(items) | T.Or(items):
            return max(held + _pending(item) for held, item in enumerate(items))
        case T.Not(item):
            return _pending(item)
        case T.Member(_, values):
            return len(values)
        case _:
            return 2


class _Checker:
    """The type check of one expression. `event` is the filtered event, None outside of `where`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def condition(self, expr: T.Expr, event: str | None) -> Iterator[RuleError]:
        """Faults of what must be true or false; `event` is the filtered event, None outside of `where`."""
        match expr:
            case T.And(items) | T.Or(items):
                for item in items:
                    yield from self.condition(item, event)
            case T.Not(item):
                yield from self.condition(item, event)
            case T.Compare():
                yield from self._comparison(expr, event)
            case T.Member():
                yield from self._membership(expr, event)
            case _:
                cure = f"Write for example {dump(expr)} > 0" if isinstance(expr, T.Aggregate) else None
                faults = self._operand(expr, event)[1]
                yield from faults or [problem("TS-R203", f"`{dump(expr)}` is not a condition", expr.span, cure)]

    def _comparison(self, expr: T.Compare, event: str | None) -> Iterator[RuleError]:
        left, left_faults = self._operand(expr.left, event)
        right, right_faults = self._operand(expr.right, event)
        yield from left_faults
        yield from right_faults
        if left_faults or right_faults or "unknown" in (left, right):
            return
        if isinstance(expr.left, T.Number | T.Text) and isinstance(expr.right, T.Number | T.Text):
            yield problem("TS-R210", "Two constants are compared", expr.span)
        elif (left == "number") != (right == "number"):
            yield from self._mixed(expr, left, right)
        elif left == "number":
            return
        elif expr.op not in ("==", "!="):
            yield problem("TS-R205", f"Texts have no order, so `{expr.op}` cannot compare them", expr.span)
        elif "kind" in (left, right):
            yield from self._kind(expr, event)

    def _mixed(self, expr: T.Compare, left: _Type, right: _Type) -> Iterator[RuleError]:
        """A number beside something else; the cure looks at what was probably meant."""
        for side in (expr.left, expr.right):
            if isinstance(side, T.Text) and side.value.replace(".", "", 1).lstrip("-").isdigit():
                yield problem("TS-R204", f"{dump(side)} is a text", side.span, f"Write {side.value} without quotes")
                return
            if isinstance(side, T.Number):
                yield problem("TS-R204", f"{dump(side)} is a number", side.span, f'Write "{dump(side)}"')
                return
        yield problem("TS-R204", f"A {left} and a {right} cannot be compared", expr.span)

    def _kind(self, expr: T.Compare, event: str | None) -> Iterator[RuleError]:
        constant = expr.right if isinstance(expr.right, T.Text) else expr.left
        if isinstance(constant, T.Text):
            yield from self._known_kind(constant, event)
        else:
            yield problem("TS-R212", "`kind` is compared with constants only", expr.span)

    def _known_kind(self, constant: T.Text, event: str | None) -> Iterator[RuleError]:
        assert event is not None, "a kind is a field, and fields stand inside where"
        if constant.value not in KINDS[event]:
            message = f"{event} has no kind {dump(constant)}"
            yield problem("TS-R206", message, constant.span, did_you_mean(constant.value, KINDS[event]))

    def _membership(self, expr: T.Member, event: str | None) -> Iterator[RuleError]:
        if event is None or not isinstance(expr.left, T.FieldRef):
            yield problem("TS-R213", "`in` needs a field of an event before it", expr.left.span)
            return
        kind, faults = self._operand(expr.left, event)
        yield from faults
        for value in expr.values:
            if kind != "unknown" and (kind == "number") != isinstance(value, T.Number):
                message = f"{dump(value)} is a {'number' if isinstance(value, T.Number) else 'text'}"
                message += f" and `{expr.left.name}` holds a {'number' if kind == 'number' else 'text'}"
                yield problem("TS-R204", message, value.span)
            elif kind == "kind" and isinstance(value, T.Text):
                yield from self._known_kind(value, event)

    def _operand(self, expr: T.Expr, event: str | None) -> tuple[_Type, list[RuleError]]:
        """Type of one side of a comparison, and its faults."""
        match expr:
            case T.Number():
                return "number", []
            case T.Text():
                return "text", []
            case T.FieldRef():
                return self._field(expr, event)
            case T.Aggregate() if event is None:
                return "number", list(self._aggregate(expr))
            case T.Aggregate():
                return "unknown", [problem("TS-R208", f"`{expr.func}` cannot stand inside `where`", expr.span)]
            case _:
                return "unknown", [problem("TS-R214", f"`{dump(expr)}` is a condition and has no value", expr.span)]

    def _field(self, expr: T.FieldRef, event: str | None) -> tuple[_Type, list[RuleError]]:
        if event is None:
            if expr.name in EVENT_TYPES:
                cure = f"Write for example count({expr.name}, 30d)"
                return "unknown", [problem("TS-R209", f"The event `{expr.name}` stands alone", expr.span, cure)]
            return "unknown", [problem("TS-R209", f"`{expr.name}` stands outside `where`", expr.span)]
        if event not in EVENT_TYPES:
            return "unknown", []
        field = field_of(event, expr.name)
        if field is None:
            return "unknown", [self._unknown_field(event, expr.name, expr.span)]
        if is_numeric(field):
            return "number", []
        if field.kind == "time":
            return "unknown", [problem("TS-R212", f"The time `{expr.name}` cannot be compared yet", expr.span)]
        return ("kind" if field.kind == "kind" else "text"), []

    def _unknown_field(self, event: str, name: str, span: T.Span) -> RuleError:
        cure = did_you_mean(name, names_of(event))
        return problem("TS-R202", f"The event {event} has no field `{name}`", span, cure)

    def _aggregate(self, expr: T.Aggregate) -> Iterator[RuleError]:
        """Faults of an aggregate and, if the event is known, of its filter."""
        window_ms = expr.window_ms
        if window_ms is not None and not limits.MIN_WINDOW_MS <= window_ms <= limits.MAX_WINDOW_MS:
            span = self._narrowed(expr.span, _WINDOW, "window")
            yield problem("TS-R211", f"The window {write_length(window_ms)} is not from 1m to 400d", span)
        if expr.event not in EVENT_TYPES:
            message, span = f"There is no event `{expr.event}`", self._narrowed(expr.span, _SOURCE, "event")
            yield problem("TS-R201", message, span, did_you_mean(expr.event, EVENT_TYPES))
            return
        if expr.field is not None:
            field = field_of(expr.event, expr.field)
            span = self._narrowed(expr.span, _SOURCE, "field")
            if field is None:
                yield self._unknown_field(expr.event, expr.field, span)
            elif not is_numeric(field):
                yield problem("TS-R207", f"{expr.event}.{expr.field} holds no number", span)
        if expr.where is not None:
            yield from self.condition(expr.where, expr.event)

    def _narrowed(self, span: T.Span, pattern: re.Pattern[str], group: str) -> T.Span:
        """The span of one word of an aggregate, which the tree does not keep."""
        match = pattern.search(self._text[: span.end], span.start)
        return T.Span(*match.span(group)) if match else span
