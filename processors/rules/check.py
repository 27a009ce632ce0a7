"""Whether a tree means something: known events, fields and kinds, types that fit. All faults of a tree are found.

What only all tags together can tell, whether a tag that is named exists and has this level, is `cross.py`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.carets import events_of, narrowed
from processors.rules.comparisons import Type, comparison_faults, days_in, unknown_kind
from processors.rules.dump import dump
from processors.rules.durations import write_length
from processors.rules.fields import EVENT_TIME, PROFILE, field_of, is_numeric, is_textual, names_of, times_of
from processors.rules.parts import filters_of, nodes_of
from processors.rules.problems import problem
from processors.rules.suggest import did_you_mean, nearest
from schemas.errors import RuleError
from schemas.events import EVENT_TYPES, FIELDS

_Value = T.Aggregate | T.Top | T.Ratio | T.Trend | T.Age
"""What is computed, of a customer's events or of the date."""

_Condition = T.Compare | T.Member | T.StartsWith | T.Present | T.Sequence | T.Not | T.And | T.Or
"""What is true or false and nothing else."""

_KEPT: Final = (T.Aggregate, T.Top, T.Trend, T.Sequence)
"""What is kept running for every customer."""

_ATTRIBUTE: Final = f"Write {PROFILE}.{{}} for an attribute of the customer"
_OF_EVENTS: Final = (T.Aggregate, T.Top)
_EVERY_FIELD: Final = frozenset(name for event in EVENT_TYPES for name in names_of(event))


def check(expr: T.Expr, text: str) -> list[RuleError]:
    """Every fault of a condition (TS-R2xx, TS-R5xx), in the order of the text; empty if the engine can run it.

    `text` is what `expr` was parsed from; carets are narrowed by it.
    """
    faults = [*_limits(expr), *_Checker(text).condition(expr, None)]
    return sorted(faults, key=lambda e: e.span or (0, 0))


def check_score(expr: T.Expr, text: str) -> list[RuleError]:
    """As `check`, of what must be a number that is computed."""
    faults = [*_limits(expr), *_Checker(text).score(expr)]
    return sorted(faults, key=lambda e: e.span or (0, 0))


def _limits(expr: T.Expr) -> Iterator[RuleError]:
    nodes = list(nodes_of(expr))
    # a trend keeps its own aggregate for two lengths, and a sequence two events
    weights = [(node, 2 if isinstance(node, T.Sequence) else 1) for node in nodes if isinstance(node, _KEPT)]
    held = 0
    for node, weight in weights:
        held += weight
        if held > limits.MAX_AGGREGATES:
            total = sum(weight for _, weight in weights)
            message = f"The expression has {total} aggregates; {limits.MAX_AGGREGATES} is the most"
            yield problem("TS-R503", message, node.span)
            break
    for one in (expr, *(where for node in nodes for where in filters_of(node))):
        if _pending(one) > limits.MAX_PENDING_TERMS:
            message = f"More than {limits.MAX_PENDING_TERMS} conditions wait for each other"
            yield problem("TS-R502", message, one.span, "Split it, or use `in [...]`")


def _pending(expr: T.Expr) -> int:
    """Values held at once while the expression is decided from left to right."""
    match expr:
        case T.And(items) | T.Or(items):
            return max(held + _pending(item) for held, item in enumerate(items))
        case T.Not(item) | T.Present(item):
            return _pending(item)
        case T.Compare(_, left, right) | T.Ratio(left, right):
            return max(_pending(left), 1 + _pending(right))
        case T.Member(left, values):
            return max(_pending(left), len(values))
        case _:
            return 1


class _Checker:
    """The type check of one expression. `event` is the filtered event, None outside of `where`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def score(self, expr: T.Expr) -> Iterator[RuleError]:
        """Faults of what must be a number that is computed."""
        if isinstance(expr, _Condition | T.TagRef):
            message = f"`{dump(expr)}` is a condition, and a score is a number"
            yield problem("TS-R224", message, expr.span, "Write `when` in place of `score`")
            return
        kind, faults = self._operand(expr, None)
        yield from faults
        if faults:
            return
        if isinstance(expr, T.Number):
            yield problem("TS-R224", f"`{dump(expr)}` is the same for everybody", expr.span)
        elif kind in ("text", "kind"):
            yield problem("TS-R224", f"`{dump(expr)}` is a text, and a score is a number", expr.span)
        elif days_in(expr) > 1:
            message = "Both sides of the ratio move with time, and not evenly"
            yield problem("TS-R216", message, expr.span, "Leave `days_since` on one side only")

    # --- conditions -----------------------------------------------------------------------------------------------

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
            case T.StartsWith():
                yield from self._prefix(expr, event)
            case T.Present():
                yield from self._presence(expr, event)
            case T.Sequence():
                yield from self._sequence(expr, event)
            case T.TagRef() if event is None:
                pass
            case _:
                kind, faults = self._operand(expr, event)
                cure = f"Write for example {dump(expr)} > 0" if isinstance(expr, _Value | T.Calendar) else None
                if isinstance(expr, _Value | T.ProfileRef) and kind not in ("number", "days"):
                    cure = f'Write for example {dump(expr)} == "TEXT"'
                yield from faults or [problem("TS-R203", f"`{dump(expr)}` is not a condition", expr.span, cure)]

    def _comparison(self, expr: T.Compare, event: str | None) -> Iterator[RuleError]:
        left, left_faults = self._operand(expr.left, event)
        right, right_faults = self._operand(expr.right, event)
        yield from left_faults
        yield from right_faults
        if not left_faults and not right_faults and "unknown" not in (left, right):
            yield from comparison_faults(expr, left, right, event)

    def _membership(self, expr: T.Member, event: str | None) -> Iterator[RuleError]:
        kind, faults = self._operand(expr.left, event)
        if faults or kind == "unknown":
            yield from faults
            return
        named = isinstance(expr.left, T.FieldRef | T.Calendar) or kind in ("text", "kind", "attribute")
        if isinstance(expr.left, T.Text) or not named:
            yield problem("TS-R213", "`in` needs a field of an event before it, or a text value", expr.left.span)
            return
        for value in expr.values:
            if (kind == "number") != isinstance(value, T.Number):
                message = f"{dump(value)} is a {'number' if isinstance(value, T.Number) else 'text'}"
                message += f" and `{dump(expr.left)}` holds a {'number' if kind == 'number' else 'text'}"
                cure = f'Write "{dump(value)}"' if kind == "attribute" else None
                yield problem("TS-R204", message, value.span, cure)
            elif kind == "kind" and isinstance(value, T.Text):
                yield from unknown_kind(value, expr.left.event if isinstance(expr.left, _OF_EVENTS) else event)

    def _prefix(self, expr: T.StartsWith, event: str | None) -> Iterator[RuleError]:
        if isinstance(expr.left, T.ProfileRef):
            return
        if event is None:
            aim = "Ask an attribute of the customer, or put it into the filter of an aggregate"
            yield problem("TS-R215", "`starts_with` stands outside `where`", expr.span, aim)
            return
        kind, faults = self._operand(expr.left, event)
        yield from faults
        if not faults and (not isinstance(expr.left, T.FieldRef) or kind not in ("text", "unknown")):
            cure = f"Write {dump(expr.left)} in [...]" if kind == "kind" else None
            yield problem("TS-R218", f"`{dump(expr.left)}` is no field that holds a text", expr.left.span, cure)

    def _presence(self, expr: T.Present, event: str | None) -> Iterator[RuleError]:
        item = expr.item
        if event is not None and isinstance(item, T.FieldRef):
            if event in EVENT_TYPES and field_of(event, item.name) is None:
                yield self._unknown_field(event, item.name, item.span)
            return
        kind, faults = self._operand(item, event)
        yield from faults
        asked = T.ProfileRef | T.Age if event is not None else _Value | T.ProfileRef
        if not faults and not isinstance(item, asked):
            cure = f"Write {dump(item)} alone" if kind == "tag" else None
            what = "a field or an attribute" if event is not None else "a value or an attribute"
            yield problem("TS-R219", f"`present` asks for {what}, which `{dump(item)}` is not", item.span, cure)

    def _sequence(self, expr: T.Sequence, event: str | None) -> Iterator[RuleError]:
        if event is not None:
            yield problem("TS-R208", "A sequence cannot stand inside `where`", expr.span)
            return
        if not limits.MIN_WINDOW_MS <= expr.within_ms <= limits.MAX_WINDOW_MS:
            span = narrowed(self._text, expr.span, "within")
            yield problem("TS-R211", f"The length {write_length(expr.within_ms)} is not from 1m to 400d", span)
        for happening, span in zip((expr.first, expr.second), events_of(self._text, expr.span), strict=True):
            if happening.event not in EVENT_TYPES:
                yield self._unknown_event(happening.event, span)
            elif happening.where is not None:
                yield from self.condition(happening.where, happening.event)

    # --- values ---------------------------------------------------------------------------------------------------

    def _operand(self, expr: T.Expr, event: str | None) -> tuple[Type, list[RuleError]]:
        """Type of one side of a comparison, and its faults."""
        match expr:
            case T.Number():
                return "number", []
            case T.Text():
                return "text", []
            case T.FieldRef():
                return self._field(expr, event)
            case T.Calendar():
                return self._calendar(expr, event)
            case T.ProfileRef():
                return "attribute", []
            case T.Age():
                return "number", []
            case T.Aggregate() | T.Top() | T.Ratio() | T.Trend() | T.TagRef() if event is not None:
                message = f"`{dump(expr).split('(')[0]}` cannot stand inside `where`"
                return "unknown", [problem("TS-R208", message, expr.span)]
            case T.Aggregate():
                return self._type_of(expr), list(self._aggregate(expr))
            case T.Top(owner, name):
                return self._text_type(owner, name), list(self._top(expr))
            case T.Ratio():
                return "number", list(self._ratio(expr))
            case T.Trend(item):
                return "number", [*self._aggregate(item), *self._trend_window(item)]
            case T.TagRef():
                return "tag", []
            case _:
                return "unknown", [problem("TS-R214", f"`{dump(expr)}` is a condition and has no value", expr.span)]

    def _field(self, expr: T.FieldRef, event: str | None) -> tuple[Type, list[RuleError]]:
        if event is None:
            if expr.name in EVENT_TYPES:
                cure = f"Write for example count({expr.name}, 30d)"
                return "unknown", [problem("TS-R209", f"The event `{expr.name}` stands alone", expr.span, cure)]
            attribute = None if expr.name in _EVERY_FIELD else _ATTRIBUTE.format(expr.name)
            return "unknown", [problem("TS-R209", f"`{expr.name}` stands outside `where`", expr.span, attribute)]
        if event not in EVENT_TYPES:
            return "unknown", []
        if expr.name in times_of(event):
            cure = f"Compare hour({expr.name}) or weekday({expr.name})"
            return "unknown", [problem("TS-R212", f"The time `{expr.name}` cannot be compared", expr.span, cure)]
        field = field_of(event, expr.name)
        if field is None:
            return "unknown", [self._unknown_field(event, expr.name, expr.span)]
        if is_numeric(field):
            return "number", []
        return ("kind" if field.kind == "kind" else "text"), []

    def _calendar(self, expr: T.Calendar, event: str | None) -> tuple[Type, list[RuleError]]:
        if event is None:
            cure = f"Write for example count(purchase where {dump(expr)} >= 6, 30d) > 0"
            return "unknown", [problem("TS-R215", f"`{expr.unit}` stands outside `where`", expr.span, cure)]
        if event not in EVENT_TYPES or expr.field in times_of(event):
            return "number", []
        span = narrowed(self._text, expr.span, "event")
        if field_of(event, expr.field) is None and expr.field not in EVENT_TYPES:
            cure = did_you_mean(expr.field, times_of(event))
            return "unknown", [problem("TS-R202", f"The event {event} has no time `{expr.field}`", span, cure)]
        cure = f"Write {expr.unit}({EVENT_TIME})"
        return "unknown", [problem("TS-R218", f"`{expr.field}` is no time of the event {event}", span, cure)]

    def _ratio(self, expr: T.Ratio) -> Iterator[RuleError]:
        for side in (expr.left, expr.right):
            kind, faults = self._operand(side, None)
            yield from faults
            if faults:
                continue
            if not isinstance(side, T.Aggregate | T.Top | T.Trend):
                cure = "Move the factor into the number" if isinstance(side, T.Number) else None
                yield problem("TS-R220", f"`{dump(side)}` cannot stand in a ratio", side.span, cure)
            elif kind not in ("number", "days"):
                yield problem("TS-R220", f"`{dump(side)}` is a text", side.span)

    def _trend_window(self, item: T.Aggregate) -> Iterator[RuleError]:
        span = narrowed(self._text, item.span, "window")
        if item.window_ms is None:
            yield problem("TS-R211", "A trend needs a window that ends", span, "Write for example 30d")
        elif limits.MAX_TREND_MS < item.window_ms <= limits.MAX_WINDOW_MS:
            most = write_length(limits.MAX_TREND_MS)
            message = f"The window of a trend reaches to {most} at most, for it looks back twice as far"
            yield problem("TS-R211", message, span, f"Choose a window up to {most}")

    def _type_of(self, expr: T.Aggregate) -> Type:
        if expr.func == "days_since":
            return "days"
        if expr.func not in ("first", "last") or expr.event not in EVENT_TYPES or expr.field is None:
            return "number"
        field = field_of(expr.event, expr.field)
        return "number" if field is None or is_numeric(field) else self._text_type(expr.event, expr.field)

    @staticmethod
    def _text_type(event: str, name: str) -> Type:
        field = field_of(event, name) if event in EVENT_TYPES else None
        return "kind" if field is not None and field.kind == "kind" else "text"

    def _aggregate(self, expr: T.Aggregate) -> Iterator[RuleError]:
        """Faults of an aggregate and, if the event is known, of its filter."""
        yield from self._source(expr)
        if expr.event in EVENT_TYPES and expr.field is not None:
            span = narrowed(self._text, expr.span, "field")
            yield from self._aggregated_field(expr.func, expr.event, expr.field, span)

    def _top(self, expr: T.Top) -> Iterator[RuleError]:
        yield from self._source(expr)
        if expr.event in EVENT_TYPES:
            span = narrowed(self._text, expr.span, "field")
            yield from self._aggregated_field("top", expr.event, expr.field, span)
            if expr.measure is not None:
                span = narrowed(self._text, expr.span, "measure")
                yield from self._aggregated_field("sum", expr.event, expr.measure, span)

    def _source(self, expr: T.Aggregate | T.Top) -> Iterator[RuleError]:
        """Faults of the window, of the event and, if that is known, of the filter."""
        window_ms = expr.window_ms
        if window_ms is not None and not limits.MIN_WINDOW_MS <= window_ms <= limits.MAX_WINDOW_MS:
            span = narrowed(self._text, expr.span, "window")
            yield problem("TS-R211", f"The window {write_length(window_ms)} is not from 1m to 400d", span)
        if expr.event not in EVENT_TYPES:
            yield self._unknown_event(expr.event, narrowed(self._text, expr.span, "event"))
        elif expr.where is not None:
            yield from self.condition(expr.where, expr.event)

    def _aggregated_field(self, func: str, event: str, name: str, span: T.Span) -> Iterator[RuleError]:
        """The fault of a field that the function cannot take."""
        field = field_of(event, name)
        if field is None:
            yield self._unknown_field(event, name, span)
        elif field.kind == "time":
            yield problem("TS-R207", f"{event}.{name} is a time, which {func} cannot take", span)
        elif func == "top" and not is_textual(field):
            yield problem("TS-R207", f"{event}.{name} holds no text", span)
        elif func == "distinct" and field.kind == "real":
            yield problem("TS-R207", f"{event}.{name} is no whole number", span)
        elif not is_numeric(field) and func not in ("first", "last", "distinct", "top"):
            yield problem("TS-R207", f"{event}.{name} holds no number", span)

    # --- words that the tree does not keep ------------------------------------------------------------------------

    def _unknown_event(self, event: str, span: T.Span) -> RuleError:
        return problem("TS-R201", f"There is no event `{event}`", span, did_you_mean(event, EVENT_TYPES))

    def _unknown_field(self, event: str, name: str, span: T.Span) -> RuleError:
        cure = did_you_mean(name, names_of(event))
        if name not in _EVERY_FIELD and nearest(name, names_of(event)) is None:
            attribute = _ATTRIBUTE.format(name)
            cure = f"{cure}. {attribute}" if FIELDS[event] else attribute
        return problem("TS-R202", f"The event {event} has no field `{name}`", span, cure)
