"""Whether a tree means something: known events, fields and kinds, types that fit. All faults of a tree are found.

What only all tags together can tell, whether a tag that is named exists and has this level, is `cross.py`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.dump import dump
from processors.rules.durations import write_length
from processors.rules.fields import EVENT_TIME, field_of, is_numeric, names_of, times_of
from processors.rules.parts import filters_of, nodes_of
from processors.rules.problems import problem
from processors.rules.suggest import did_you_mean
from schemas.errors import RuleError
from schemas.events import EVENT_TYPES, KINDS

_Type = Literal["number", "days", "text", "kind", "tag", "unknown"]
"""What a side of a comparison holds; `unknown` where a fault was already reported."""

_Value = T.Aggregate | T.Ratio | T.Trend
"""What is computed from a customer's events."""

_KEPT: Final = (T.Aggregate, T.Trend, T.Sequence)
"""What is kept running for every customer."""

_DAYS_SINCE: Final = "A `days_since` is compared with a number or with another `days_since`"
_SOURCE: Final = re.compile(r"\w+\s*\(\s*(?P<event>\w+)(?:\s*\.\s*(?P<field>\w+))?")
_WINDOW: Final = re.compile(r"(?P<window>\w+)\s*\)\Z")
_WITHIN: Final = re.compile(r"(?P<window>\w+)\Z")
_WORD: Final = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\w+""")


def check(expr: T.Expr, text: str) -> list[RuleError]:
    """Every fault of a condition (TS-R2xx, TS-R5xx), in the order of the text; empty if the engine can run it.

    `text` is what `expr` was parsed from; carets are narrowed by it.
    """
    faults = [*_limits(expr), *_Checker(text).condition(expr, None)]
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
                cure = f"Write for example {dump(expr)} > 0" if isinstance(expr, _Value | T.Calendar) else None
                faults = self._operand(expr, event)[1]
                yield from faults or [problem("TS-R203", f"`{dump(expr)}` is not a condition", expr.span, cure)]

    def _comparison(self, expr: T.Compare, event: str | None) -> Iterator[RuleError]:
        left, left_faults = self._operand(expr.left, event)
        right, right_faults = self._operand(expr.right, event)
        yield from left_faults
        yield from right_faults
        kinds = (left, right)
        if left_faults or right_faults or "unknown" in kinds:
            return
        numbers = [each in ("number", "days") for each in kinds]
        if isinstance(expr.left, T.Number | T.Text) and isinstance(expr.right, T.Number | T.Text):
            yield problem("TS-R210", "Two constants are compared", expr.span)
        elif "tag" in kinds:
            yield from self._level(expr)
        elif numbers[0] != numbers[1]:
            yield from self._mixed(expr, left, right)
        elif all(numbers):
            yield from self._two_numbers(expr, left, right)
        elif expr.op not in ("==", "!="):
            yield problem("TS-R205", f"Texts have no order, so `{expr.op}` cannot compare them", expr.span)
        elif event is None and not isinstance(expr.right, T.Text):
            yield problem("TS-R212", "A text value is compared with constants only", expr.span)
        elif "kind" in kinds:
            yield from self._kind(expr, event)

    def _two_numbers(self, expr: T.Compare, left: _Type, right: _Type) -> Iterator[RuleError]:
        """Most numbers may be compared with each other; some only with constants, or with their like."""
        sides = (expr.left, expr.right)
        if any(isinstance(side, T.Number) for side in sides):
            return
        if left != right:
            cure = f"Compare each of them with a number of its own: {dump(expr.left)} > 30"
            yield problem("TS-R216", _DAYS_SINCE, expr.span, cure)
        elif any(isinstance(side, T.Calendar) for side in sides):
            yield problem("TS-R212", "An hour or a weekday is compared with a number only", expr.span)

    def _mixed(self, expr: T.Compare, left: _Type, right: _Type) -> Iterator[RuleError]:
        """A number beside something else; the cure looks at what was probably meant."""
        for side in (expr.left, expr.right):
            if isinstance(side, T.Text) and side.value.replace(".", "", 1).lstrip("-").isdigit():
                yield problem("TS-R204", f"{dump(side)} is a text", side.span, f"Write {side.value} without quotes")
                return
            if isinstance(side, T.Number):
                yield problem("TS-R204", f"{dump(side)} is a number", side.span, f'Write "{dump(side)}"')
                return
        named: dict[_Type, str] = {"days": "number"}
        message = f"A {named.get(left, left)} and a {named.get(right, right)} cannot be compared"
        yield problem("TS-R204", message, expr.span)

    def _level(self, expr: T.Compare) -> Iterator[RuleError]:
        """A tag is compared with a level of its own; whether it has it, only all tags together tell."""
        tag = expr.left if isinstance(expr.left, T.TagRef) else expr.right
        if not isinstance(expr.right, T.Text) or expr.op not in ("==", "!="):
            cure = f'Write {dump(tag)} alone, or {dump(tag)} == "LEVEL"'
            yield problem("TS-R221", "A tag is compared with the name of a level, by == or !=", expr.span, cure)

    def _kind(self, expr: T.Compare, event: str | None) -> Iterator[RuleError]:
        constant, other = expr.right, expr.left
        if not isinstance(constant, T.Text):
            constant, other = other, constant
        if isinstance(constant, T.Text):
            yield from self._known_kind(constant, other.event if isinstance(other, T.Aggregate) else event)
        else:
            yield problem("TS-R212", "`kind` is compared with constants only", expr.span)

    def _known_kind(self, constant: T.Text, event: str | None) -> Iterator[RuleError]:
        assert event is not None, "a kind is a field, and fields belong to events"
        if constant.value not in KINDS[event]:
            message = f"{event} has no kind {dump(constant)}"
            yield problem("TS-R206", message, constant.span, did_you_mean(constant.value, KINDS[event]))

    def _membership(self, expr: T.Member, event: str | None) -> Iterator[RuleError]:
        kind, faults = self._operand(expr.left, event)
        if faults or kind == "unknown":
            yield from faults
            return
        if isinstance(expr.left, T.Number | T.Text) or (event is None and kind not in ("text", "kind")):
            yield problem("TS-R213", "`in` needs a field of an event before it, or a text value", expr.left.span)
            return
        for value in expr.values:
            if (kind == "number") != isinstance(value, T.Number):
                message = f"{dump(value)} is a {'number' if isinstance(value, T.Number) else 'text'}"
                message += f" and `{dump(expr.left)}` holds a {'number' if kind == 'number' else 'text'}"
                yield problem("TS-R204", message, value.span)
            elif kind == "kind" and isinstance(value, T.Text):
                yield from self._known_kind(value, expr.left.event if isinstance(expr.left, T.Aggregate) else event)

    def _prefix(self, expr: T.StartsWith, event: str | None) -> Iterator[RuleError]:
        if event is None:
            yield problem("TS-R215", "`starts_with` stands outside `where`", expr.span)
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
        if not faults and (event is not None or not isinstance(item, _Value)):
            cure = f"Write {dump(item)} alone" if kind == "tag" else None
            what = "a field" if event is not None else "a value computed from events"
            yield problem("TS-R219", f"`present` asks for {what}, which `{dump(item)}` is not", item.span, cure)

    def _sequence(self, expr: T.Sequence, event: str | None) -> Iterator[RuleError]:
        if event is not None:
            yield problem("TS-R208", "A sequence cannot stand inside `where`", expr.span)
            return
        if not limits.MIN_WINDOW_MS <= expr.within_ms <= limits.MAX_WINDOW_MS:
            span = self._narrowed(expr.span, _WITHIN, "window")
            yield problem("TS-R211", f"The length {write_length(expr.within_ms)} is not from 1m to 400d", span)
        for happening, span in zip((expr.first, expr.second), self._events_of(expr.span), strict=True):
            if happening.event not in EVENT_TYPES:
                yield self._unknown_event(happening.event, span)
            elif happening.where is not None:
                yield from self.condition(happening.where, happening.event)

    # --- values ---------------------------------------------------------------------------------------------------

    def _operand(self, expr: T.Expr, event: str | None) -> tuple[_Type, list[RuleError]]:
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
            case T.Aggregate() | T.Ratio() | T.Trend() | T.TagRef() if event is not None:
                message = f"`{dump(expr).split('(')[0]}` cannot stand inside `where`"
                return "unknown", [problem("TS-R208", message, expr.span)]
            case T.Aggregate():
                return self._type_of(expr), list(self._aggregate(expr))
            case T.Ratio():
                return "number", list(self._ratio(expr))
            case T.Trend(item):
                return "number", [*self._aggregate(item), *self._trend_window(item)]
            case T.TagRef():
                return "tag", []
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
        if expr.name in times_of(event):
            cure = f"Compare hour({expr.name}) or weekday({expr.name})"
            return "unknown", [problem("TS-R212", f"The time `{expr.name}` cannot be compared", expr.span, cure)]
        field = field_of(event, expr.name)
        if field is None:
            return "unknown", [self._unknown_field(event, expr.name, expr.span)]
        if is_numeric(field):
            return "number", []
        return ("kind" if field.kind == "kind" else "text"), []

    def _calendar(self, expr: T.Calendar, event: str | None) -> tuple[_Type, list[RuleError]]:
        if event is None:
            cure = f"Write for example count(purchase where {dump(expr)} >= 6, 30d) > 0"
            return "unknown", [problem("TS-R215", f"`{expr.unit}` stands outside `where`", expr.span, cure)]
        if event not in EVENT_TYPES or expr.field in times_of(event):
            return "number", []
        span = self._narrowed(expr.span, _SOURCE, "event")
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
            if isinstance(side, T.Ratio) or not isinstance(side, _Value):
                cure = "Move the factor into the number" if isinstance(side, T.Number) else None
                yield problem("TS-R220", f"`{dump(side)}` cannot stand in a ratio", side.span, cure)
            elif kind not in ("number", "days"):
                yield problem("TS-R220", f"`{dump(side)}` is a text", side.span)

    def _trend_window(self, item: T.Aggregate) -> Iterator[RuleError]:
        span = self._narrowed(item.span, _WINDOW, "window")
        if item.window_ms is None:
            yield problem("TS-R211", "A trend needs a window that ends", span, "Write for example 30d")
        elif limits.MAX_TREND_MS < item.window_ms <= limits.MAX_WINDOW_MS:
            most = write_length(limits.MAX_TREND_MS)
            message = f"The window of a trend reaches to {most} at most, for it looks back twice as far"
            yield problem("TS-R211", message, span, f"Choose a window up to {most}")

    @staticmethod
    def _type_of(expr: T.Aggregate) -> _Type:
        if expr.func == "days_since":
            return "days"
        if expr.func not in ("first", "last") or expr.event not in EVENT_TYPES or expr.field is None:
            return "number"
        field = field_of(expr.event, expr.field)
        if field is None or is_numeric(field):
            return "number"
        return "kind" if field.kind == "kind" else "text"

    def _aggregate(self, expr: T.Aggregate) -> Iterator[RuleError]:
        """Faults of an aggregate and, if the event is known, of its filter."""
        window_ms = expr.window_ms
        if window_ms is not None and not limits.MIN_WINDOW_MS <= window_ms <= limits.MAX_WINDOW_MS:
            span = self._narrowed(expr.span, _WINDOW, "window")
            yield problem("TS-R211", f"The window {write_length(window_ms)} is not from 1m to 400d", span)
        if expr.event not in EVENT_TYPES:
            yield self._unknown_event(expr.event, self._narrowed(expr.span, _SOURCE, "event"))
            return
        if expr.field is not None:
            yield from self._aggregated_field(expr, expr.field)
        if expr.where is not None:
            yield from self.condition(expr.where, expr.event)

    def _aggregated_field(self, expr: T.Aggregate, name: str) -> Iterator[RuleError]:
        field = field_of(expr.event, name)
        span = self._narrowed(expr.span, _SOURCE, "field")
        if field is None:
            yield self._unknown_field(expr.event, name, span)
        elif field.kind == "time":
            yield problem("TS-R207", f"{expr.event}.{name} is a time, which {expr.func} cannot take", span)
        elif not is_numeric(field) and expr.func not in ("first", "last"):
            yield problem("TS-R207", f"{expr.event}.{name} holds no number", span)

    # --- words that the tree does not keep ------------------------------------------------------------------------

    def _unknown_event(self, event: str, span: T.Span) -> RuleError:
        return problem("TS-R201", f"There is no event `{event}`", span, did_you_mean(event, EVENT_TYPES))

    def _unknown_field(self, event: str, name: str, span: T.Span) -> RuleError:
        cure = did_you_mean(name, names_of(event))
        return problem("TS-R202", f"The event {event} has no field `{name}`", span, cure)

    def _narrowed(self, span: T.Span, pattern: re.Pattern[str], group: str) -> T.Span:
        """The span of one word of an aggregate, which the tree does not keep."""
        match = pattern.search(self._text[: span.end], span.start)
        return T.Span(*match.span(group)) if match else span

    def _events_of(self, span: T.Span) -> tuple[T.Span, T.Span]:
        """The spans of the two events of a sequence."""
        words = list(_WORD.finditer(self._text, span.start, span.end))
        then = next((i for i, word in enumerate(words) if word[0] == "then"), 0)
        second = then + 2 if words[then + 1][0] == "no" else then + 1
        return T.Span(*words[0].span()), T.Span(*words[second].span())
