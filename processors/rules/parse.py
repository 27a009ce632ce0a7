"""Text of an expression to its tree. Form only: whether events, fields and types fit is check.py's business.

The grammar is looser than the language, and what it lets through is refused here, in words and with a cure. A function
is one entry in `_FUNCTIONS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final, Literal, NoReturn, cast, get_args

from lark import Token, Tree

from processors.rules import limits
from processors.rules import tree as T
from processors.rules.durations import WINDOW_UNITS, read_length
from processors.rules.fields import EVENT_TIME, PROFILE
from processors.rules.problems import problem
from processors.rules.suggest import did_you_mean, nearest
from processors.rules.syntax import Node, read_syntax, span_of, token_span
from schemas.events import EVENT_TYPES

_COMPARISONS: Final = get_args(T.CompareOp)
_MEANT: Final = {"=": "==", "===": "==", "<>": "!=", "!==": "!=", "=>": ">=", "=<": "<=", "!": "not"}
_ESCAPES: Final = {"n": "\n", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_CALENDAR: Final = ("hour", "weekday")
_FILTERED: Final = ("filtered", "filtered_event")
_HAVE_TEXTS: Final = (T.Aggregate, T.TagRef, T.ProfileRef, T.Top)


def parse(text: str) -> T.Expr:
    """The tree of an expression; `and` within `and` is one list, and so for `or`.

    Raises RuleError (TS-R1xx, TS-R5xx, and TS-R2xx for what the tree cannot hold) with the span of the first fault.
    """
    return _expr(read_syntax(text))


def _nodes(node: Node) -> list[Node]:
    return [child for child in node.children if isinstance(child, Tree)]


def _expr(node: Node) -> T.Expr:
    """The tree of one node of the grammar; `_READERS` has one function for each rule."""
    return _READERS[str(node.data)](node)


# --- conditions -------------------------------------------------------------------------------------------------------


def _negated(node: Node) -> T.Expr:
    return T.Not(_expr(_nodes(node)[0]), span_of(node))


def _conjunction(node: Node) -> T.Expr:
    items: list[T.Expr] = []
    for item in map(_expr, _nodes(node)):
        items += item.items if isinstance(item, T.And) else (item,)
    return T.And(tuple(items), span_of(node))


def _disjunction(node: Node) -> T.Expr:
    items: list[T.Expr] = []
    for item in map(_expr, _nodes(node)):
        items += item.items if isinstance(item, T.Or) else (item,)
    return T.Or(tuple(items), span_of(node))


def _compare(node: Node) -> T.Expr:
    signs = [child for child in node.children if isinstance(child, Token)]
    for sign in signs:
        if sign not in _COMPARISONS:
            meant = _MEANT.get(str(sign))
            cure = f"Write {meant}" if meant else "Write one of == != < <= > >="
            raise problem("TS-R107", f"`{sign}` is not a comparison", token_span(sign), cure)
    if len(signs) > 1:
        raise problem("TS-R106", "Comparisons cannot be chained", token_span(signs[1]))
    left, right = map(_expr, _nodes(node))
    op = cast(T.CompareOp, str(signs[0]))
    if op in ("==", "!=") and isinstance(left, T.Text) and isinstance(right, _HAVE_TEXTS):
        # one form for one meaning: the constant stands on the right of what has a text
        left, right = right, left
    return T.Compare(op, left, right, span_of(node))


def _member(node: Node) -> T.Expr:
    return _membership(node, negated=False)


def _not_member(node: Node) -> T.Expr:
    return _membership(node, negated=True)


def _membership(node: Node, *, negated: bool) -> T.Expr:
    left, constants = _nodes(node)
    listed = _nodes(constants)
    if not 1 <= len(listed) <= limits.MAX_LIST_VALUES:
        message = f"The list has {len(listed)} values; it may have from 1 to {limits.MAX_LIST_VALUES}"
        raise problem("TS-R504", message, span_of(node))
    values: list[T.Text | T.Number] = []
    for item in listed:
        value = _expr(item) if item.data in ("text", "number") else None
        if not isinstance(value, T.Text | T.Number):
            raise problem("TS-R112", "A list may hold texts and numbers only", span_of(item))
        values.append(value)
    return T.Member(_expr(left), tuple(values), negated, span_of(node))


def _starts_with(node: Node) -> T.Expr:
    left, prefix = map(_expr, _nodes(node))
    if not isinstance(prefix, T.Text):
        raise problem("TS-R105", "`starts_with` takes a text in quotes", span_of(_nodes(node)[1]))
    return T.StartsWith(left, prefix, span_of(node))


# --- sequences --------------------------------------------------------------------------------------------------------


def _sequence(node: Node) -> T.Expr:
    return _within(node, negated=False)


def _absence(node: Node) -> T.Expr:
    return _within(node, negated=True)


def _within(node: Node, *, negated: bool) -> T.Expr:
    first, second, length = _nodes(node)
    word = str(length.children[0])
    within_ms = read_length(word, WINDOW_UNITS)
    if within_ms is None:
        cure = f"Write {word}m, {word}h or {word}d" if length.data == "number" else "Write for example within 7d"
        raise problem("TS-R109", f"`{word}` is not a length of time", span_of(length), cure)
    return T.Sequence(_happening(first), _happening(second), within_ms, negated, span_of(node))


def _happening(node: Node) -> T.Happening:
    event = str(node.children[0])
    condition = _nodes(node)
    return T.Happening(event, _where(event, condition[0]) if condition else None)


def _where(event: str, condition: Node) -> T.Expr:
    """A filter. In it `hour(purchase)`, the event's own type, is `hour(event_time)`."""
    for call in condition.iter_subtrees():
        if call.data == "call" and call.children[0] in _CALENDAR:
            for name in _nodes(call):
                if name.data == "name" and name.children[0] == event:
                    name.children = [Token.new_borrow_pos("NAME", EVENT_TIME, cast(Token, name.children[0]))]
    return _expr(condition)


# --- values -----------------------------------------------------------------------------------------------------------


def _number(node: Node) -> T.Expr:
    value = Fraction(str(node.children[0]))
    exact = (value * 10**limits.MAX_DECIMALS).denominator == 1
    if not exact or abs(value) > limits.MAX_NUMBER:
        raise problem("TS-R113", f"The number {node.children[0]} cannot be kept exactly", span_of(node))
    return T.Number(value, span_of(node))


def _text(node: Node) -> T.Text:
    raw = str(node.children[0])[1:-1]
    span = span_of(node)

    def unescaped(match: re.Match[str]) -> str:
        if match[1] not in _ESCAPES:
            at = span.start + 1 + match.start()
            raise problem("TS-R108", f"A backslash cannot stand before {match[1]}", T.Span(at, at + 2))
        return _ESCAPES[match[1]]

    value = re.sub(r"\\(.)", unescaped, raw)
    if len(value) > limits.MAX_TEXT_CHARS:
        message = f"The text has {len(value)} characters; {limits.MAX_TEXT_CHARS} is the most"
        raise problem("TS-R505", message, span)
    return T.Text(value, span)


def _duration(node: Node) -> NoReturn:
    message = f"`{node.children[0]}` cannot stand here"
    cure = "A window is the last argument of a function; a number has no unit"
    raise problem("TS-R109", message, span_of(node), cure)


def _name(node: Node) -> T.Expr:
    word = str(node.children[0])
    if word.lower() in ("true", "false"):
        raise problem("TS-R104", f"`{word}` is no word of the language", span_of(node), "Write a comparison")
    return T.FieldRef(word, span_of(node))


def _path(node: Node) -> T.Expr:
    event, field = map(str, node.children)
    if event == PROFILE:
        return T.ProfileRef(field, span_of(node))
    cure = f"Inside `where` write {field}; elsewhere sum({event}.{field}, 30d)"
    if event not in EVENT_TYPES and nearest(event, EVENT_TYPES) == PROFILE:
        cure = f"Did you mean {PROFILE}.{field}?"
    raise problem("TS-R110", f"`{event}.{field}` stands where it cannot", span_of(node), cure)


def _filtered(node: Node) -> NoReturn:
    raise problem("TS-R111", "`where` belongs to the first argument of an aggregate", span_of(node))


def _ranked(node: Node) -> NoReturn:
    cure = "Write top(EVENT.FIELD by sum(EVENT.FIELD), WINDOW)"
    raise problem("TS-R105", "`by` belongs to the field of top", span_of(node), cure)


# --- functions --------------------------------------------------------------------------------------------------------


def _call(node: Node) -> T.Expr:
    name = node.children[0]
    assert isinstance(name, Token)
    if name in _FUNCTIONS:
        return _FUNCTIONS[str(name)](node)
    cure = did_you_mean(str(name), _FUNCTIONS)
    raise problem("TS-R103", f"There is no function `{name}`", token_span(name), cure)


def _arguments(node: Node, count: int, form: str, too_few: str | None = None) -> list[Node]:
    """The arguments of a call, which must be `count`. `too_few` is a cure where there is one too few."""
    given = _nodes(node)
    if len(given) == count:
        return given
    cure = too_few if too_few and len(given) == count - 1 else f"Write {form}"
    plural = "" if count == 1 else "s"
    message = f"{node.children[0]} takes {count} argument{plural}, not {len(given)}"
    raise problem("TS-R105", message, span_of(node), cure)


def _of_events(node: Node) -> T.Expr:
    """`count(EVENT, W)`, `interval(EVENT, W)`."""
    func = str(node.children[0])
    source, window = _windowed(node, f"{func}(EVENT, WINDOW)")
    event, field, where, span = _source(source, func, f"{func}(EVENT, WINDOW)")
    if field is not None:
        message = "count counts events" if func == "count" else f"{func} looks at events"
        raise problem("TS-R105", message, span, f"Write {func}({event}, 30d)")
    return T.Aggregate(cast(T.Func, func), event, None, where, _window_ms(window), span_of(node))


def _of_field(node: Node) -> T.Expr:
    """`sum(EVENT.FIELD, W)` and all others that take a field."""
    func = str(node.children[0])
    source, window = _windowed(node, f"{func}(EVENT.FIELD, WINDOW)")
    event, field, where, span = _source(source, func, f"{func}(EVENT.FIELD, WINDOW)")
    if field is None:
        named = "amount" if event == "purchase" and func != "distinct" else "FIELD"
        raise problem("TS-R105", f"{func} needs a field", span, f"Write {func}({event}.{named}, 30d)")
    return T.Aggregate(cast(T.Func, func), event, field, where, _window_ms(window), span_of(node))


def _top(node: Node) -> T.Expr:
    """`top(EVENT.FIELD, W)`, `top(EVENT.FIELD by sum(EVENT.FIELD), W)`."""
    form = "top(EVENT.FIELD, WINDOW)"
    source, window = _windowed(node, form)
    if source.data == "ranked":
        named, measured, *conditions = _nodes(source)
        event, field = map(str, named.children)
        measure = _measure(measured, event)
        where = _where(event, conditions[0]) if conditions else None
        return T.Top(event, field, measure, where, _window_ms(window), span_of(node))
    event, only, where, span = _source(source, "top", form)
    if only is None:
        raise problem("TS-R105", "top needs a field", span, f"Write top({event}.FIELD, 30d)")
    return T.Top(event, only, None, where, _window_ms(window), span_of(node))


def _measure(node: Node, event: str) -> str:
    """The field of `sum(EVENT.FIELD)` behind `by`."""
    cure = f"Write by sum({event}.FIELD), or leave `by` out to go by the number of events"
    if node.data != "call" or node.children[0] != "sum":
        raise problem("TS-R105", "top goes by the number of events, or by a sum", span_of(node), cure)
    summed, *more = _nodes(node) or [node]
    if more:
        raise problem("TS-R105", "The sum behind `by` has the window of top", span_of(more[0]), cure)
    if summed.data in _FILTERED:
        cure = f"Write top({event}.FIELD by sum({event}.FIELD) where CONDITION, WINDOW)"
        raise problem("TS-R111", "The sum behind `by` has the filter of top", span_of(summed), cure)
    if summed.data != "path" or summed.children[0] != event:
        raise problem("TS-R105", "What is summed behind `by` is a field of the same event", span_of(summed), cure)
    return str(summed.children[1])


def _days_since(node: Node) -> T.Expr:
    given = _nodes(node)
    if len(given) == 2 and given[1].data in ("duration", "number", "name"):
        cure = "Leave it out: days_since looks back as far as there are events"
        raise problem("TS-R105", "days_since has no window", span_of(given[1]), cure)
    (source,) = _arguments(node, 1, "days_since(EVENT)")
    event, field, where, span = _source(source, "days_since", "days_since(EVENT)")
    if field is not None:
        raise problem("TS-R105", "days_since looks at events", span, f"Write days_since({event})")
    return T.Aggregate("days_since", event, None, where, None, span_of(node))


def _windowed(node: Node, form: str) -> tuple[Node, Node]:
    """(what is aggregated, window) of a call."""
    source, window = _arguments(node, 2, form, "Add a window, such as 30d or ever")
    return source, window


def _source(node: Node, func: str, form: str) -> tuple[str, str | None, T.Expr | None, T.Span]:
    """(event, field, filter, span of the event and the field) of what is aggregated."""
    if node.data == "ranked":
        _ranked(node)
    if node.data == "filtered_event":
        (token,) = (child for child in node.children if isinstance(child, Token))
        return str(token), None, _where(str(token), _nodes(node)[0]), token_span(token)
    named, *conditions = _nodes(node) if node.data == "filtered" else [node]
    if named.data not in ("name", "path"):
        raise problem("TS-R105", f"{func} takes the name of an event first", span_of(named), f"Write {form}")
    event, *field = map(str, named.children)
    where = _where(event, conditions[0]) if conditions else None
    return event, field[0] if field else None, where, span_of(named)


def _window_ms(node: Node) -> int | None:
    """Milliseconds of a window, None for `ever`."""
    word = str(node.children[0]) if node.data in ("name", "duration", "number") else ""
    if node.data == "name" and word == "ever":
        return None
    if node.data in _FILTERED:
        raise problem("TS-R111", "`where` stands before the comma", span_of(node))
    if node.data == "number":
        raise problem("TS-R109", f"The window {word} has no unit", span_of(node), f"Write {word}m, {word}h or {word}d")
    length_ms = read_length(word, WINDOW_UNITS) if node.data == "duration" else None
    if length_ms is None:
        raise problem("TS-R109", f"`{word}` is not a window" if word else "This is not a window", span_of(node))
    return length_ms


def _ratio(node: Node) -> T.Expr:
    left, right = map(_expr, _arguments(node, 2, "ratio(VALUE, VALUE)", "Add the value to divide by"))
    return T.Ratio(left, right, span_of(node))


def _trend(node: Node) -> T.Expr:
    (argument,) = _arguments(node, 1, "trend(count(EVENT, WINDOW))")
    item = _expr(argument)
    if not isinstance(item, T.Aggregate) or item.func not in ("count", "sum"):
        cure = "Write trend(count(EVENT, WINDOW)) or trend(sum(EVENT.FIELD, WINDOW))"
        raise problem("TS-R217", "trend compares a count or a sum with the one before", span_of(argument), cure)
    return T.Trend(item, span_of(node))


def _present(node: Node) -> T.Expr:
    (argument,) = _arguments(node, 1, "present(FIELD) inside `where`, present(VALUE) elsewhere")
    return T.Present(_expr(argument), span_of(node))


def _calendar(node: Node) -> T.Expr:
    unit = str(node.children[0])
    (argument,) = _arguments(node, 1, f"{unit}({EVENT_TIME})")
    if argument.data != "name":
        cure = f"Write {unit}({EVENT_TIME}), inside `where`"
        raise problem("TS-R105", f"{unit} takes the name of a time", span_of(argument), cure)
    return T.Calendar(cast(Literal["hour", "weekday"], unit), str(argument.children[0]), span_of(node))


def _age(node: Node) -> T.Expr:
    (argument,) = _arguments(node, 1, f"age({PROFILE}.ATTRIBUTE)")
    if argument.data == "path" and argument.children[0] == PROFILE:
        return T.Age(str(argument.children[1]), span_of(node))
    named = str(argument.children[-1]) if argument.data in ("path", "name") else "ATTRIBUTE"
    cure = f"Write age({PROFILE}.{named})"
    raise problem("TS-R105", "age takes an attribute of the profile", span_of(argument), cure)


def _tag(node: Node) -> T.Expr:
    (argument,) = _arguments(node, 1, 'tag("ID")')
    if argument.data != "text":
        cure = f'Write tag("{argument.children[0]}")' if argument.data == "name" else 'Write tag("ID")'
        raise problem("TS-R105", "tag takes the id of a tag in quotes", span_of(argument), cure)
    return T.TagRef(_text(argument).value, span_of(node))


_FUNCTIONS: Final[dict[str, Callable[[Node], T.Expr]]] = {
    "count": _of_events,
    "sum": _of_field,
    "avg": _of_field,
    "min": _of_field,
    "max": _of_field,
    "distinct": _of_field,
    "first": _of_field,
    "last": _of_field,
    "top": _top,
    "interval": _of_events,
    "days_since": _days_since,
    "ratio": _ratio,
    "trend": _trend,
    "present": _present,
    "hour": _calendar,
    "weekday": _calendar,
    "age": _age,
    "tag": _tag,
}

_READERS: Final[dict[str, Callable[[Node], T.Expr]]] = {
    "disjunction": _disjunction,
    "conjunction": _conjunction,
    "negated": _negated,
    "compare": _compare,
    "member": _member,
    "not_member": _not_member,
    "starts_with": _starts_with,
    "sequence": _sequence,
    "absence": _absence,
    "number": _number,
    "text": _text,
    "duration": _duration,
    "name": _name,
    "path": _path,
    "filtered": _filtered,
    "filtered_event": _filtered,
    "ranked": _ranked,
    "call": _call,
}
