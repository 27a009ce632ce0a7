"""Whether two values can be compared, once it is known what each of them is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from processors.rules import tree as T
from processors.rules.dump import dump
from processors.rules.problems import problem
from processors.rules.suggest import did_you_mean
from schemas.errors import RuleError
from schemas.events import KINDS

Type = Literal["number", "days", "text", "kind", "attribute", "tag", "unknown"]
"""What a value is: `days` is a number that moves with time, `attribute` a text that is also read as a number, and
`unknown` one of which a fault was already reported.
"""

_NUMBERS: Final = ("number", "days")
_EQUALITY: Final = ("==", "!=")


def comparison_faults(expr: T.Compare, left: Type, right: Type, event: str | None) -> Iterator[RuleError]:
    """Faults of a comparison of two values of these types; `event` is the filtered event, None outside of `where`."""
    kinds = (left, right)
    if isinstance(expr.left, T.Number | T.Text) and isinstance(expr.right, T.Number | T.Text):
        yield problem("TS-R210", "Two constants are compared", expr.span)
    elif "tag" in kinds:
        yield from _tag(expr, left, right)
    elif left in _NUMBERS or right in _NUMBERS:
        others = [each for each in kinds if each not in (*_NUMBERS, "attribute")]
        yield from _mixed(expr, left, right) if others else _two_numbers(expr)
    elif expr.op not in _EQUALITY:
        number = _number_in(expr.right) if left == "attribute" else None
        cure = None if number is None else f"Write {number} without quotes"
        yield problem("TS-R205", f"Texts have no order, so `{expr.op}` cannot compare them", expr.span, cure)
    elif event is None and not any(isinstance(side, T.Text | T.ProfileRef | T.Top) for side in (expr.left, expr.right)):
        message = "Two texts of events are compared, and neither is a constant, an attribute or a top"
        yield problem("TS-R212", message, expr.span)
    elif "kind" in kinds:
        yield from _kind(expr, event)


def unknown_kind(constant: T.Text, event: str | None) -> Iterator[RuleError]:
    """The fault of a text that is no kind of this event."""
    assert event is not None, "a kind is a field, and fields belong to events"
    if constant.value not in KINDS[event]:
        message = f"{event} has no kind {dump(constant)}"
        yield problem("TS-R206", message, constant.span, did_you_mean(constant.value, KINDS[event]))


def days_in(value: T.Expr) -> int:
    """How often `days_since` stands in a value: it is one, or a ratio with none, one or two."""
    match value:
        case T.Aggregate("days_since"):
            return 1
        case T.Ratio(left, right):
            return days_in(left) + days_in(right)
    return 0


def _number_in(side: T.Expr) -> str | None:
    """A text constant's text if it is a number."""
    digits = side.value.replace(".", "", 1).lstrip("-") if isinstance(side, T.Text) else ""
    return side.value if isinstance(side, T.Text) and digits.isdigit() else None


def _tag(expr: T.Compare, left: Type, right: Type) -> Iterator[RuleError]:
    """A tag is compared with a level or with a number; whether it has such a value, only all tags together tell."""
    tag, other = (expr.left, right) if left == "tag" else (expr.right, left)
    level = isinstance(expr.right, T.Text) and expr.op in _EQUALITY
    if not level and other not in (*_NUMBERS, "attribute"):
        cure = f'Write {dump(tag)} alone, {dump(tag)} == "LEVEL", or {dump(tag)} >= NUMBER'
        message = "A tag is compared with the name of a level, by == or !=, or with a number"
        yield problem("TS-R221", message, expr.span, cure)


def _two_numbers(expr: T.Compare) -> Iterator[RuleError]:
    """Most numbers may be compared with each other; some only with constants, or with what moves otherwise."""
    sides = (expr.left, expr.right)
    if any(isinstance(side, T.Number) for side in sides):
        return
    if any(isinstance(side, T.Calendar) for side in sides):
        yield problem("TS-R212", "An hour or a weekday is compared with a number only", expr.span)
    elif all(map(days_in, sides)) and (sum(map(days_in, sides)) > 2 or all(isinstance(s, T.Ratio) for s in sides)):
        cure = f"Compare each of them with a number of its own: {dump(expr.left)} > 30"
        yield problem("TS-R216", "Both sides move with time, and not evenly", expr.span, cure)


def _mixed(expr: T.Compare, left: Type, right: Type) -> Iterator[RuleError]:
    """A number beside something else; the cure looks at what was probably meant."""
    for side, other in ((expr.left, expr.right), (expr.right, expr.left)):
        if _number_in(side):
            yield problem("TS-R204", f"{dump(side)} is a text", side.span, f"Write {_number_in(side)} without quotes")
            return
        if isinstance(side, T.Number):
            cure = f'Write "{dump(side)}"' if expr.op in _EQUALITY else f'Write for example {dump(other)} == "TEXT"'
            yield problem("TS-R204", f"{dump(side)} is a number", side.span, cure)
            return
    named: dict[Type, str] = {"days": "number"}
    message = f"A {named.get(left, left)} and a {named.get(right, right)} cannot be compared"
    yield problem("TS-R204", message, expr.span)


def _kind(expr: T.Compare, event: str | None) -> Iterator[RuleError]:
    constant, other = expr.right, expr.left
    if not isinstance(constant, T.Text):
        constant, other = other, constant
    if isinstance(constant, T.Text):
        yield from unknown_kind(constant, other.event if isinstance(other, T.Aggregate | T.Top) else event)
    elif not isinstance(constant, T.ProfileRef | T.Top) and not isinstance(other, T.ProfileRef | T.Top):
        yield problem("TS-R212", "`kind` is compared with constants and attributes only", expr.span)
