"""`for_each: EVENT.FIELD`: whether there is such a field, and whether a condition can be taken within each key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from processors.rules import tree as T
from processors.rules.carets import events_of, narrowed
from processors.rules.fields import field_of, is_textual, names_of
from processors.rules.parts import nodes_of
from processors.rules.problems import problem
from processors.rules.suggest import did_you_mean
from schemas.errors import RuleError
from schemas.events import EVENT_TYPES, FIELDS, KINDS

KEY_FIELDS: Final = tuple(
    f"{event}.{field.name}" for event in EVENT_TYPES for field in FIELDS[event] if is_textual(field)
)
"""All fields that a tag can be taken apart by."""

_PATH: Final = re.compile(r"\s*(?P<event>[A-Za-z_]\w*)\s*\.\s*(?P<field>[A-Za-z_]\w*)\s*")


def read_key(text: str) -> tuple[str, str]:
    """(event, field). Raises RuleError (TS-R201, 202, 225, 320) with the span in `text`."""
    match = _PATH.fullmatch(text)
    if match is None:
        raise problem("TS-R320", "`for_each` takes an event and a field", T.Span(0, len(text)))
    event, name = match["event"], match["field"]
    if event not in EVENT_TYPES:
        message, cure = f"There is no event `{event}`", did_you_mean(event, EVENT_TYPES)
        raise problem("TS-R201", message, T.Span(*match.span("event")), cure)
    span = T.Span(*match.span("field"))
    field = field_of(event, name)
    if field is None:
        message, cure = f"The event {event} has no field `{name}`", did_you_mean(name, names_of(event))
        raise problem("TS-R202", message, span, cure)
    if not is_textual(field):
        raise problem("TS-R225", f"{event}.{name} holds no text", span, "Name a field that holds a text")
    return event, name


def check_keys(expr: T.Expr, text: str, event: str, field: str) -> list[RuleError]:
    """A fault (TS-R225) for each event of a condition that has no such keys, and for each `top`, which has its own.

    `text` is what `expr` was parsed from.
    """
    cure = 'Ask for it by tag("…") of another tag, one without `for_each`'
    message = "`top` looks at all keys, not at one"
    tops = [problem("TS-R225", message, node.span, cure) for node in nodes_of(expr) if isinstance(node, T.Top)]
    return [found for name, span in _events(expr, text) for found in _faults(name, span, event, field)] + tops


def has_keys(expr: T.Expr) -> bool:
    """Whether anything in a condition is taken within the key."""
    return any(isinstance(node, T.Aggregate | T.Sequence) for node in nodes_of(expr))


def _events(expr: T.Expr, text: str) -> Iterator[tuple[str, T.Span]]:
    """The known events that a condition looks at, each with its place in the text."""
    for node in nodes_of(expr):
        if isinstance(node, T.Aggregate):
            found = [(node.event, narrowed(text, node.span, "event"))]
        elif isinstance(node, T.Sequence):
            found = list(zip((node.first.event, node.second.event), events_of(text, node.span), strict=True))
        else:
            found = []
        yield from ((event, span) for event, span in found if event in EVENT_TYPES)


def _faults(other: str, span: T.Span, event: str, name: str) -> Iterator[RuleError]:
    key, field = field_of(event, name), field_of(other, name)
    assert key is not None, "the key's own field was looked up when it was read"
    cure = f'Leave {other} out, or ask for it by tag("…") of another tag, one without `for_each`'
    if field is None or not is_textual(field):
        yield problem("TS-R225", f"The event {other} has no text field `{name}`", span, cure)
    elif field.kind != key.kind or (key.kind == "kind" and KINDS[other] != KINDS[event]):
        yield problem("TS-R225", f"The kinds of {other} are not those of {event}", span, cure)
